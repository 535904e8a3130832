import type { Action } from "./action.js";

export const palette: Action = { name: "palette.open", keys: "mod+K", whileWriting: true, perform: (s) => (s.sheet = "palette") };
