import { pathText } from "@bailey/ui/format";
import type { Words } from "../words/index.js";
import type { Place } from "./run.svelte.js";

/** What the pages and paragraphs of a file are called, by its name. */
function counted(path: Uint8Array): ["page.page" | "page.slide" | "page.sheet" | "page.chapter", "page.paragraph" | "page.row"] {
  const name = pathText(path).toLowerCase();
  if (/\.(xls[xm]|xlt[xm]|ods|ots)$/.test(name)) return ["page.sheet", "page.row"];
  if (/\.(ppt[xm]|pps[xm]|pot[xm]|odp|otp)$/.test(name)) return ["page.slide", "page.paragraph"];
  if (name.endsWith(".epub")) return ["page.chapter", "page.paragraph"];
  return ["page.page", "page.paragraph"];
}

/** Where a place is in its file, as the program that opens the file counts. */
export function where(t: Words, { path, line, page, paragraph }: Place): string {
  if (page === 0 && paragraph === 0) return t("page.line", { n: line });
  const [one, other] = counted(path);
  return [page > 0 ? t(one, { n: page }) : "", paragraph > 0 ? t(other, { n: paragraph }) : ""].filter((s) => s !== "").join(", ");
}
