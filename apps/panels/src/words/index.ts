import { say, type Say, type KeyOf } from "@bailey/ui/words";
import { de } from "./de.js";
import { en } from "./en.js";

export type Words = Say<KeyOf<typeof en>>;

export function words(language: "en" | "de"): Words {
  return say(language === "de" ? (de as typeof en) : en, language);
}
