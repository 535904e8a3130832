// Compiles: what stands here is what the other files do wrongly.
import { indexAsk, requestGrants, storeBegin, type Core, type Grant, type Permission } from "../../src/app.js";

declare const core: Core;
declare const folder: Grant<"file.read">;
declare const model: Grant<"model.run">;

export async function control(): Promise<void> {
  for await (const { event } of indexAsk(core, folder, { question: "q", engines: [model] }, { signal: new AbortController().signal })) {
    if (event.case === "sentence") void event.value.text;
  }
  await storeBegin(core, { model: "m" });
  const [p] = await requestGrants(core, "t", [{ kind: "model.run", model: "m" }]);
  if (p.state === "granted") void p.grant.id;
}

export function words(p: Permission<"file.read">): string {
  switch (p.state) {
    case "granted":
      return p.grant.object;
    case "denied":
      return p.reason;
    case "expired":
    case "revoked":
      return p.object;
  }
}
