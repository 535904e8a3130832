import type { Action } from "./action.js";

export const home: Action = { name: "home", when: (s) => s.view !== "home", perform: (s) => (s.view = "home") };
