// Tests run what tsc made; there the shared code is a file beside, not a package.
import { register } from "node:module";

const hook = `export async function resolve(name, context, next) {
  const m = /^@bailey\\/ui\\/(.+)$/.exec(name);
  return m ? { url: new URL("../../ui/src/" + m[1] + ".js", ${JSON.stringify(new URL("../../../build/panels-test/apps/panels/test/", import.meta.url).href)}).href, shortCircuit: true } : next(name, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
