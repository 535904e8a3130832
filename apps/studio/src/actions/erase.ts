import type { Action } from "./action.js";

export const erase: Action = { name: "chat.erase", when: (s) => s.view === "chat" && s.chat !== undefined && s.chat.turns.length > 0, perform: (s) => (s.sheet = "erase") };
