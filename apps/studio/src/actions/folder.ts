import type { Action } from "./action.js";

export const folder: Action = { name: "action.folder", keys: "mod+O", whileWriting: true, perform: (s) => void s.pick() };
