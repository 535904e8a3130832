// What an app's window is refused does not exist for it, and the other way round.
import { auditShow, grantRevoke, coreStopTask } from "../../src/app.js"; // error TS2305
import { indexAsk, surfacePick, engineGenerate } from "../../src/panel.js"; // error TS2305
import { grantRequest } from "../../src/app.js"; // error TS2305
import { handleOf } from "../../src/app.js"; // error TS2305
import { modelRemove } from "../../src/app.js"; // error TS2305
import type { Grant } from "../../src/app.js";

new Grant({}, "file.read", "id", "object", new Uint8Array(16)); // error TS1361
