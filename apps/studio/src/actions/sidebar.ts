import type { Action } from "./action.js";

export const sidebar: Action = { name: "sidebar", keys: "mod+B", whileWriting: true, perform: (s) => (s.sidebar = !s.sidebar) };
