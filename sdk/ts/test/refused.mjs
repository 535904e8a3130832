// The files of test/refused must not compile: each line that ends in
// "// error TSnnnn" must give that error, and no other line may give one. The
// first file is the control, which must compile.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { join, relative } from "node:path";

const here = import.meta.dirname;
const dir = join(here, "refused");
const files = readdirSync(dir).filter((f) => f.endsWith(".ts")).sort();
const build = join(here, "../../../build");
mkdirSync(build, { recursive: true });
const config = join(build, "tsconfig.refused.json");
writeFileSync(config, JSON.stringify({ extends: join(here, "../tsconfig.base.json"), compilerOptions: { noEmit: true, noUnusedLocals: false }, files: files.map((f) => join(dir, f)) }));

let out = "";
try {
  execFileSync(process.execPath, [join(here, "../../../node_modules/typescript/bin/tsc"), "-p", config, "--pretty", "false"], { encoding: "utf8", cwd: dir });
} catch (e) {
  out = e.stdout;
}
const got = new Map();
for (const line of out.split("\n")) {
  const m = /^(.*?)\((\d+),\d+\): error (TS\d+)/.exec(line);
  if (m) got.set(`${relative(dir, join(dir, m[1]))}:${m[2]}`, m[3]);
}
let wanted = 0;
const faults = [];
for (const f of files) {
  readFileSync(join(dir, f), "utf8").split("\n").forEach((line, i) => {
    const at = `${f}:${i + 1}`;
    const want = /\/\/ error (TS\d+)$/.exec(line)?.[1];
    if (want) wanted++;
    if (got.get(at) !== want) faults.push(`${at}: ${want ?? "no error"} was expected, ${got.get(at) ?? "none"} came: ${line.trim()}`);
    got.delete(at);
  });
}
for (const [at, code] of got) faults.push(`${at}: ${code} was not expected`);
if (wanted < 10) faults.push(`only ${wanted} lines are expected to be refused`);
for (const f of faults) console.error(f);
if (faults.length > 0) process.exit(1);
console.log(`refused: ${wanted} lines in ${files.length} files do not compile, as they must not`);
