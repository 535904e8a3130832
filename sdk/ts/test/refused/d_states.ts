import { requestGrants, storeBegin, type BaileyError, type Core, type Permission, type Want } from "../../src/app.js";

declare const core: Core;
declare const p: Permission<"file.read">;
declare const e: BaileyError;

if (p.state === "denied") void p.grant; // error TS2339
if (p.state === "granted") void p.reason; // error TS2339
if (p.state === "live") void 0; // error TS2367
if (e.code === "no-such-code") void 0; // error TS2367
storeBegin(core, { modle: "m" }); // error TS2561
storeBegin(core, { model: 1 }); // error TS2322
const path: Want = { kind: "file.read", path: "/etc" }; // error TS2353
const screen: Want = { kind: "screen.capture" }; // error TS2322
requestGrants(core, "t", [{ kind: "model.run", model: "m" }]).then(([a, b]) => b); // error TS2493
