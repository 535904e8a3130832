import type { Action } from "./action.js";

/* ArrowUp counts in an empty message alone; the composer knows whether it is. */
export const editLast: Action = { name: "chat.edit.last", keys: "ArrowUp", when: (s) => s.view === "chat" && s.chat?.busy === false && s.chat.draft === "" && s.chat.turns.length > 0, perform: (s) => s.chat?.edit() };
