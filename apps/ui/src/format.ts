/** Numbers, sizes and times as people write them. */
const decoder = new TextDecoder("utf-8", { fatal: false });

/** A path as text. Bytes that are not UTF-8 show as U+FFFD; the bytes stay what is sent. */
export function pathText(path: Uint8Array): string {
  return visible(decoder.decode(path));
}

/** Characters that would change how what stands around them reads are shown by their number. */
export function visible(s: string): string {
  return s.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (c) => `\u2039U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u203a`);
}

export function bytes(n: number, language: string): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: i === 0 || n >= 100 ? 0 : 1 }).format(n)}\u00a0${units[i]}`;
}

export function seconds(ms: number, language: string): string {
  if (ms < 950) return `${new Intl.NumberFormat(language).format(Math.round(ms))}\u00a0ms`;
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: ms < 10_000 ? 1 : 0 }).format(ms / 1000)}\u00a0s`;
}

export function clock(ms: number, language: string): string {
  return new Intl.DateTimeFormat(language, { timeStyle: "short" }).format(ms);
}

/** Today by the clock, else with the day. */
export function moment(ms: number, language: string, now = Date.now()): string {
  const day = (t: number) => new Date(t).toDateString();
  if (day(ms) === day(now)) return clock(ms, language);
  return `${new Intl.DateTimeFormat(language, { day: "numeric", month: "short" }).format(ms)}, ${clock(ms, language)}`;
}
