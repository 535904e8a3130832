import { engineGenerate, indexAsk, type Core, type Grant, type Permission } from "../../src/app.js";

declare const core: Core;
declare const folder: Grant<"file.read">;
declare const model: Grant<"model.run">;
declare const either: Grant<"file.read" | "model.run">;
declare const permission: Permission<"file.read">;

indexAsk(core, model, { question: "q" }); // error TS2345
engineGenerate(core, folder, { messages: [] }); // error TS2345
indexAsk(core, new Uint8Array(16), { question: "q" }); // error TS2345
indexAsk(core, { kind: "file.read", id: "a", object: "b", toJSON: (): never => { throw 1; } }, { question: "q" }); // error TS2345
indexAsk(core, { question: "q" }); // error TS2554
indexAsk(core, permission, { question: "q" }); // error TS2345
indexAsk(core, permission.grant, { question: "q" }); // error TS2339
indexAsk(core, folder, { question: "q", grant: new Uint8Array(16) }); // error TS2353
indexAsk(core, folder, { question: "q", engines: [folder] }); // error TS2322
indexAsk(core, folder, { question: "q", engines: [new Uint8Array(16)] }); // error TS2740
folder.kind = "file.read"; // error TS2540
indexAsk(core, either, { question: "q" }); // error TS2345
