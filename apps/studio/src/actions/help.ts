import type { Action } from "./action.js";

export const help: Action = { name: "help", keys: "mod+/", whileWriting: true, perform: (s) => (s.sheet = "help") };
