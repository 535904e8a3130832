import { copyText } from "@bailey/ui/render";
import type { Action } from "./action.js";

export const copyLast: Action = {
  name: "chat.copy.last",
  keys: "mod+Shift+C",
  whileWriting: true,
  when: (s) => s.view === "chat" && s.chat?.turns.some((t) => t.who === "model") === true,
  perform: (s) => void copyText(s.chat?.turns.findLast((t) => t.who === "model")?.text ?? ""),
};
