import type { Action } from "./action.js";

export const newChat: Action = { name: "chat.new", keys: "mod+N", whileWriting: true, when: (s) => s.chatModels.length > 0, perform: (s) => s.newChat() };
