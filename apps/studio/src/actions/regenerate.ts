import type { Action } from "./action.js";

/* The key is the one that reloads a page elsewhere. */
export const regenerate: Action = { name: "chat.regenerate", keys: "mod+R", whileWriting: true, when: (s) => s.view === "chat" && s.chat?.busy === false && s.chat.turns.length > 0, perform: (s) => void s.regenerate() };
