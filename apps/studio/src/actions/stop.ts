import type { Action } from "./action.js";

export const stop: Action = { name: "action.stop", keys: "Escape", whileWriting: true, when: (s) => s.running && s.sheet === "", perform: (s) => s.stop() };
