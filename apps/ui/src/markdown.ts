/**
 * Markdown as a tree of blocks and inlines. There is no HTML in it: what looks like
 * a tag is text. Links and pictures are words with a target beside them; nothing is
 * ever fetched. It keeps to CommonMark where a model's answers use it, and leaves out
 * what would make a block depend on text far behind it (link references, setext
 * headings), so that only the last block of a growing text can still change.
 */
export type Inline =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "break" }
  | { readonly type: "strong" | "em" | "del"; readonly children: readonly Inline[] }
  | { readonly type: "link"; readonly target: string; readonly children: readonly Inline[] }
  | { readonly type: "picture"; readonly target: string; readonly text: string };

export type Align = "start" | "center" | "end";

export type Block =
  | { readonly type: "paragraph"; readonly at: number; readonly children: readonly Inline[] }
  | { readonly type: "heading"; readonly at: number; readonly level: number; readonly children: readonly Inline[] }
  | { readonly type: "code"; readonly at: number; readonly language: string; readonly text: string }
  | { readonly type: "quote"; readonly at: number; readonly children: readonly Block[] }
  | { readonly type: "list"; readonly at: number; readonly ordered: boolean; readonly start: number; readonly items: readonly (readonly Block[])[] }
  | { readonly type: "table"; readonly at: number; readonly align: readonly Align[]; readonly head: readonly (readonly Inline[])[]; readonly rows: readonly (readonly (readonly Inline[])[])[] }
  | { readonly type: "rule"; readonly at: number };

/** Deeper nesting than this is text: a model that writes 10,000 ">" must not use up the stack. */
const deepest = 12;
/** Columns of a table; further cells are left out. */
const columns = 64;

const fence = /^ {0,3}(`{3,}|~{3,})\s*([^`\s]*)[^`]*$/;
const heading = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const rule = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const quote = /^ {0,3}> ?/;
const bullet = /^( {0,3})([-*+])(?:([ \t]+)(.*)|)$/;
const ordinal = /^( {0,3})(\d{1,9})[.)](?:([ \t]+)(.*)|)$/;
const delimiter = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const blank = /^[ \t]*$/;

/** The blocks of a text; `at` is where each begins, counted on from `from`. */
export function parse(text: string, from = 0): Block[] {
  return blocks(split(text, from), 0);
}

interface Line {
  readonly text: string;
  readonly at: number;
}

function split(text: string, from: number): Line[] {
  const out: Line[] = [];
  let at = 0;
  for (;;) {
    const end = text.indexOf("\n", at);
    const stop = end < 0 ? text.length : end;
    out.push({ text: text.slice(at, text[stop - 1] === "\r" && stop > at ? stop - 1 : stop), at: from + at });
    if (end < 0) return out;
    at = end + 1;
  }
}

function blocks(lines: readonly Line[], depth: number): Block[] {
  const out: Block[] = [];
  let i = 0;
  while (i < lines.length) {
    const line = lines[i]!;
    const { text, at } = line;
    if (blank.test(text)) {
      i++;
      continue;
    }
    const opened = fence.exec(text);
    if (opened) {
      const [block, next] = code(lines, i, opened);
      out.push(block);
      i = next;
      continue;
    }
    const head = heading.exec(text);
    if (head) {
      out.push({ type: "heading", at, level: head[1]!.length, children: inlines(head[2] ?? "") });
      i++;
      continue;
    }
    if (rule.test(text)) {
      out.push({ type: "rule", at });
      i++;
      continue;
    }
    if (depth < deepest && quote.test(text)) {
      const inner: Line[] = [];
      while (i < lines.length && quote.test(lines[i]!.text)) {
        const l = lines[i++]!;
        inner.push({ text: l.text.replace(quote, ""), at: l.at });
      }
      out.push({ type: "quote", at, children: blocks(inner, depth + 1) });
      continue;
    }
    if (depth < deepest && marker(text)) {
      const [block, next] = list(lines, i, depth);
      out.push(block);
      i = next;
      continue;
    }
    const below = lines[i + 1]?.text;
    if (below !== undefined && text.includes("|") && delimiter.test(below) && cells(below).length === cells(text).length) {
      const [block, next] = table(lines, i);
      out.push(block);
      i = next;
      continue;
    }
    const paragraph: string[] = [];
    while (i < lines.length && !blank.test(lines[i]!.text) && (paragraph.length === 0 || !interrupts(lines, i, depth))) paragraph.push(lines[i++]!.text.replace(/^[ \t]+/, ""));
    out.push({ type: "paragraph", at, children: inlines(paragraph.join("\n")) });
  }
  return out;
}

/** Whether a line ends a paragraph above it without a blank line between them. */
function interrupts(lines: readonly Line[], i: number, depth: number): boolean {
  const text = lines[i]!.text;
  if (fence.test(text) || heading.test(text) || rule.test(text)) return true;
  if (depth >= deepest) return false;
  if (quote.test(text)) return true;
  const m = marker(text);
  // As in CommonMark: an empty item, or one that does not begin with 1, does not.
  return m !== undefined && m.body !== "" && (m.number === undefined || m.number === 1);
}

interface Marker {
  readonly kind: string;
  readonly number: number | undefined;
  /** Columns that the lines of the item are indented by. */
  readonly indent: number;
  readonly body: string;
}

function marker(text: string): Marker | undefined {
  const b = bullet.exec(text);
  if (b) return { kind: b[2]!, number: undefined, indent: width(b, 1), body: b[4] ?? "" };
  const o = ordinal.exec(text);
  if (o) return { kind: text.trimStart()[o[2]!.length]!, number: Number(o[2]), indent: width(o, o[2]!.length + 1), body: o[4] ?? "" };
  return undefined;
}

function width(m: RegExpExecArray, mark: number): number {
  const space = m[3]?.length ?? 1;
  return m[1]!.length + mark + (space > 4 ? 1 : space);
}

function list(lines: readonly Line[], from: number, depth: number): [Block, number] {
  const first = marker(lines[from]!.text)!;
  const items: Block[][] = [];
  let i = from;
  while (i < lines.length) {
    const m = marker(lines[i]!.text);
    if (!m || m.kind !== first.kind || rule.test(lines[i]!.text)) break;
    const inner: Line[] = [{ text: m.body, at: lines[i]!.at }];
    i++;
    let gap = false;
    while (i < lines.length) {
      const text = lines[i]!.text;
      if (blank.test(text)) {
        gap = true;
        inner.push({ text: "", at: lines[i]!.at });
        i++;
        continue;
      }
      const indent = text.length - text.trimStart().length;
      if (indent >= m.indent) inner.push({ text: text.slice(m.indent), at: lines[i]!.at });
      else if (gap || interrupts(lines, i, depth)) break;
      // A paragraph may go on without its indent, but not under another marker.
      else if (marker(text)) break;
      else inner.push({ text: text.trimStart(), at: lines[i]!.at });
      gap = false;
      i++;
    }
    items.push(blocks(inner, depth + 1));
  }
  return [{ type: "list", at: lines[from]!.at, ordered: first.number !== undefined, start: first.number ?? 1, items }, i];
}

function code(lines: readonly Line[], from: number, opened: RegExpExecArray): [Block, number] {
  const mark = opened[1]!;
  const indent = lines[from]!.text.indexOf(mark);
  const body: string[] = [];
  let i = from + 1;
  for (; i < lines.length; i++) {
    const text = lines[i]!.text;
    const t = text.trim();
    if (t.length >= mark.length && t === mark[0]!.repeat(t.length) && text.length - text.trimStart().length <= 3) {
      i++;
      break;
    }
    body.push(text.slice(Math.min(indent, text.length - text.trimStart().length)));
  }
  return [{ type: "code", at: lines[from]!.at, language: opened[2]!, text: body.join("\n") }, i];
}

function cells(text: string): string[] {
  const out: string[] = [];
  let cell = "";
  const t = text.trim().replace(/^\|/, "");
  for (let i = 0; i < t.length; i++) {
    if (t[i] === "\\" && t[i + 1] === "|") {
      cell += "|";
      i++;
    } else if (t[i] === "|") {
      out.push(cell.trim());
      cell = "";
      if (out.length === columns) return out;
    } else cell += t[i];
  }
  if (cell.trim() !== "") out.push(cell.trim());
  return out;
}

function table(lines: readonly Line[], from: number): [Block, number] {
  const align = cells(lines[from + 1]!.text).map((c): Align => (c.startsWith(":") && c.endsWith(":") ? "center" : c.endsWith(":") ? "end" : "start"));
  const row = (text: string) => {
    const c = cells(text);
    return align.map((_, k) => inlines(c[k] ?? ""));
  };
  const rows: (readonly Inline[])[][] = [];
  let i = from + 2;
  for (; i < lines.length && !blank.test(lines[i]!.text) && lines[i]!.text.includes("|"); i++) rows.push(row(lines[i]!.text));
  return [{ type: "table", at: lines[from]!.at, align, head: row(lines[from]!.text), rows }, i];
}

const punctuation = /[!-/:-@[-`{-~]/;
const space = /\s/;
const word = /[\p{L}\p{N}]/u;

/** The inlines of a paragraph. */
export function inlines(text: string, depth = 0): Inline[] {
  const out: Inline[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") out.push({ type: "text", text: plain });
    plain = "";
  };
  let i = 0;
  while (i < text.length) {
    const c = text[i]!;
    const next = text[i + 1];
    if (c === "\\" && next !== undefined) {
      if (next === "\n") {
        flush();
        out.push({ type: "break" });
        i += 2;
        continue;
      }
      if (punctuation.test(next)) {
        plain += next;
        i += 2;
        continue;
      }
    }
    if (c === "\n") {
      if (plain.endsWith("  ")) {
        plain = plain.trimEnd();
        flush();
        out.push({ type: "break" });
      } else plain = plain.replace(/ $/, "") + "\n";
      i++;
      continue;
    }
    if (c === "`") {
      const run = /^`+/.exec(text.slice(i, i + 64))![0];
      const end = closing(text, i + run.length, run.length);
      if (end >= 0) {
        flush();
        const inner = text.slice(i + run.length, end).replaceAll("\n", " ");
        out.push({ type: "code", text: /^ .*\S.* $/.test(inner) ? inner.slice(1, -1) : inner });
        i = end + run.length;
      } else {
        plain += run;
        i += run.length;
      }
      continue;
    }
    if (depth < deepest && (c === "[" || (c === "!" && next === "["))) {
      const open = c === "!" ? i + 1 : i;
      const l = link(text, open);
      if (l) {
        flush();
        if (c === "!") out.push({ type: "picture", target: l.target, text: l.label });
        else out.push({ type: "link", target: l.target, children: inlines(l.label, deepest - 1) });
        i = l.end;
        continue;
      }
    }
    if (depth < deepest && (c === "*" || c === "_" || (c === "~" && next === "~"))) {
      const e = emphasis(text, i, depth);
      if (e) {
        flush();
        out.push(e.node);
        i = e.end;
        continue;
      }
      const run = /^(.)\1*/.exec(text.slice(i, i + 64))![0];
      plain += run;
      i += run.length;
      continue;
    }
    if ((c === "h" || c === "<") && (i === 0 || !word.test(text[i - 1]!))) {
      const m = /^<?(https?:\/\/[^\s<>`"']+)>?/.exec(text.slice(i, i + 2048));
      if (m && (c === "h" || m[0].endsWith(">"))) {
        const target = c === "<" ? m[1]! : m[1]!.replace(/[.,;:!?*_~)\]]+$/, "");
        flush();
        out.push({ type: "link", target, children: [{ type: "text", text: target }] });
        i += c === "<" ? m[0].length : target.length;
        continue;
      }
    }
    plain += c;
    i++;
  }
  flush();
  return out;
}

/** Where a run of exactly n backticks begins, from i on; -1 = nowhere. */
function closing(text: string, i: number, n: number): number {
  for (;;) {
    const at = text.indexOf("`", i);
    if (at < 0) return -1;
    let end = at;
    while (text[end] === "`") end++;
    if (end - at === n) return at;
    i = end;
  }
}

/** The longest label and target that are looked at: quadratic work needs a bound. */
const linkMax = 2000;

function link(text: string, open: number): { label: string; target: string; end: number } | undefined {
  let depth = 0;
  const stop = Math.min(text.length, open + linkMax);
  for (let i = open; i < stop; i++) {
    const c = text[i];
    if (c === "\\") i++;
    else if (c === "[") depth++;
    else if (c === "]" && --depth === 0) {
      if (text[i + 1] !== "(") return undefined;
      let round = 0;
      for (let k = i + 1; k < stop; k++) {
        const d = text[k];
        if (d === "\n") return undefined;
        if (d === "\\") k++;
        else if (d === "(") round++;
        else if (d === ")" && --round === 0) {
          const inside = text.slice(i + 2, k).trim();
          const target = inside.startsWith("<") ? inside.slice(1, inside.indexOf(">") < 0 ? undefined : inside.indexOf(">")) : inside.split(/\s/, 1)[0]!;
          return { label: text.slice(open + 1, i), target, end: k + 1 };
        }
      }
      return undefined;
    }
  }
  return undefined;
}

/** How far a closing mark is looked for. */
const emphasisMax = 600;

function emphasis(text: string, i: number, depth: number): { node: Inline; end: number } | undefined {
  const c = text[i]!;
  const before = text[i - 1] ?? " ";
  for (const n of c === "~" ? [2] : [3, 2, 1]) {
    const mark = c.repeat(n);
    if (!text.startsWith(mark, i) || text[i + n] === c) continue;
    const after = text[i + n];
    if (after === undefined || space.test(after)) return undefined;
    if (c === "_" && word.test(before)) return undefined;
    const limit = Math.min(text.length, i + emphasisMax);
    for (let at = i + n; at < limit; at++) {
      if (text[at] === "\\") at++;
      else if (text[at] === "`") {
        let run = 1;
        while (text[at + run] === "`") run++;
        const end = closing(text, at + run, run);
        at = end < 0 ? at + run - 1 : end + run - 1;
      } else if (text[at] === c) {
        let run = 1;
        while (text[at + run] === c) run++;
        const behind = text[at + run];
        if (run === n && !space.test(text[at - 1]!) && !(c === "_" && behind !== undefined && word.test(behind))) {
          const children = inlines(text.slice(i + n, at), depth + 1);
          const end = at + run;
          if (c === "~") return { node: { type: "del", children }, end };
          if (n === 3) return { node: { type: "strong", children: [{ type: "em", children }] }, end };
          return { node: { type: n === 2 ? "strong" : "em", children }, end };
        }
        at += run - 1;
      }
    }
    return undefined;
  }
  return undefined;
}

/**
 * A text that grows. Each update parses from the beginning of the last block that
 * stands above the last line: until its line feed is there, that line may still
 * turn out to belong to the block above it ("2" may become "2. item", "**" may
 * become bold words), and no block further up can change.
 */
export class Growing {
  #text = "";
  #blocks: Block[] = [];

  get text(): string {
    return this.#text;
  }

  get blocks(): readonly Block[] {
    return this.#blocks;
  }

  /** Appends, and returns the number of blocks that stay as they were. */
  push(more: string): number {
    const line = this.#text.lastIndexOf("\n") + 1;
    this.#text += more;
    let kept = this.#blocks.length - 1;
    while (kept > 0 && this.#blocks[kept]!.at >= line) kept--;
    kept = Math.max(0, kept);
    const from = this.#blocks[kept]?.at ?? 0;
    const tail = parse(this.#text.slice(from), from);
    this.#blocks.splice(kept, this.#blocks.length - kept, ...tail);
    return kept;
  }
}

/** The text alone, for a screen reader's announcement and for copying. */
export function plain(blocks: readonly Block[]): string {
  const of = (list: readonly Inline[]): string => list.map((n) => (n.type === "break" ? "\n" : n.type === "text" || n.type === "code" || n.type === "picture" ? n.text : of(n.children))).join("");
  return blocks
    .map((b) => {
      switch (b.type) {
        case "paragraph":
        case "heading":
          return of(b.children);
        case "code":
          return b.text;
        case "quote":
          return plain(b.children);
        case "list":
          return b.items.map((i) => plain(i)).join("\n");
        case "table":
          return [b.head, ...b.rows].map((r) => r.map(of).join(", ")).join("\n");
        case "rule":
          return "";
      }
    })
    .join("\n");
}
