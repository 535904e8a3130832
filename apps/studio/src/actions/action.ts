/** Something that a person can do, told once for the palette, the shortcuts and the help. */
import type { Studio } from "../state/studio.svelte.js";
import type { Words } from "../words/index.js";

export interface Action {
  readonly name: Parameters<Words>[0];
  /** As "mod+Shift+C"; mod is Control, or Command on a Mac. None = palette only. */
  readonly keys?: string;
  /** Whether the key also counts while a text is being written. */
  readonly whileWriting?: boolean;
  readonly when?: (s: Studio) => boolean;
  readonly perform: (s: Studio) => void;
}

/** Whether an event is these keys. A key in the middle of a composed character never is. */
export function pressed(e: KeyboardEvent, keys: string): boolean {
  if (e.isComposing) return false;
  const parts = keys.split("+");
  const key = parts.pop() || "+";
  const want = (name: string) => parts.includes(name);
  return (e.ctrlKey || e.metaKey) === want("mod") && e.altKey === want("Alt") && (e.shiftKey === want("Shift") || !/^[a-z]$/i.test(key)) && e.key.toLowerCase() === key.toLowerCase();
}
