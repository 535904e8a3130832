// What no source of a page may hold, because the page would then take text for
// markup or style. Svelte's own output needs none of these.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

const banned = [
  [/\{@html/, "{@html}"],
  [/\b(inner|outer)HTML\b/, "innerHTML and outerHTML"],
  [/\binsertAdjacentHTML\b/, "insertAdjacentHTML"],
  [/\bdocument\s*\.\s*write/, "document.write"],
  [/\bcreateContextualFragment\b|\bDOMParser\b|\bsetHTML\w*\b|\bparseFromString\b/, "parsing of HTML"],
  [/\bsrcdoc\b/, "srcdoc"],
  [/<[a-zA-Z][^>]*\sstyle\s*=/, "style attributes"],
  [/setAttribute\(\s*["'`]style/, "style attributes"],
  [/\beval\s*\(|new\s+Function\s*\(/, "eval"],
  [/set(?:Timeout|Interval)\(\s*["'`]/, "code in strings"],
  [/\b(local|session)Storage\b|\bindexedDB\b|\bdocument\s*\.\s*cookie\b|\bcaches\b\s*\./, "storage of the web view: state lives in the store worker"],
  [/\bXMLHttpRequest\b|\bWebSocket\b|\bEventSource\b|\bsendBeacon\b|\bRTCPeerConnection\b/, "a network"],
  [/<script(?![^>]*\blang=|[^>]*\bsrc=)[^>]*>/, "inline scripts"],
];

const root = process.argv[2] ?? ".";
let bad = 0;
const walk = (dir) => {
  for (const name of readdirSync(dir)) {
    if (name === "node_modules" || name === "test") continue;
    const path = join(dir, name);
    if (statSync(path).isDirectory()) walk(path);
    else if (/\.(svelte|ts|html)$/.test(name)) {
      readFileSync(path, "utf8").split("\n").forEach((line, i) => {
        for (const [pattern, what] of banned) {
          if (pattern.test(line)) {
            console.error(`${relative(root, path)}:${i + 1}: ${what} must not be used here`);
            bad++;
          }
        }
      });
    }
  }
};
walk(root);
if (bad > 0) process.exit(1);
