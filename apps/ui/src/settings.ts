/**
 * What the person set on their system, as attributes of the root element that
 * theme.css reads. Without an event the media queries decide. The direction of the
 * page is that of its words, as everywhere on a desktop, not that of the system's
 * language; what people and documents wrote has its own. The size of text is not set
 * here: the window zooms the whole page, and a second time would be twice.
 */
import type { surface } from "@bailey/sdk/app";

/** Scheme as the schema numbers it: 1 light, 2 dark. */
export function applySettings(s: Pick<surface.Settings, "scheme" | "highContrast" | "reducedMotion">): void {
  const root = document.documentElement;
  const set = (name: string, value: string) => (value === "" ? root.removeAttribute(name) : root.setAttribute(name, value));
  set("data-theme", s.scheme === 2 ? "dark" : s.scheme === 1 ? "light" : "");
  set("data-contrast", s.highContrast ? "high" : "");
  set("data-motion", s.reducedMotion ? "reduced" : "");
}

/** The catalogue that is nearest to a language: "de" or "en". */
export function catalogueOf(language: string): "en" | "de" {
  return /^de([-_.@]|$)/i.test(language) ? "de" : "en";
}
