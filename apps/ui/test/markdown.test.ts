import assert from "node:assert/strict";
import { test } from "node:test";
import { Growing, inlines, parse, plain, type Block } from "../src/markdown.js";

/** A small generator with a seed, so that a failure can be seen again. */
function random(seed: number): (n: number) => number {
  let s = seed >>> 0;
  return (n) => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return Math.floor((s / 4294967296) * n);
  };
}

const pieces = ["#", "##", " ", "  ", "\n", "\n\n", "a", "word", "*", "**", "***", "_", "`", "``", "```", "```js\n", "~~~", "~~", "- ", "* ", "1. ", "2. ", "12", "> ", ">", "|", "|-|-|\n", "--", "---", "[", "](", ")", "![", "<b>", "</script>", "<img src=x onerror=alert(1)>", "https://x.y/z", "\\", "é", "日本", "\u202e", "\t", "    ", "&lt;", "\r\n"];

function text(r: (n: number) => number, n: number): string {
  let out = "";
  for (let i = 0; i < n; i++) out += pieces[r(pieces.length)];
  return out;
}

test("the usual forms", () => {
  assert.deepEqual(parse("# A *b*"), [{ type: "heading", at: 0, level: 1, children: [{ type: "text", text: "A " }, { type: "em", children: [{ type: "text", text: "b" }] }] }]);
  assert.deepEqual(parse("```js\nlet a = 1;\n\n  b\n```"), [{ type: "code", at: 0, language: "js", text: "let a = 1;\n\n  b" }]);
  const [list] = parse("1. one\n   more\n2. two\n   - in\n");
  assert.equal(list!.type, "list");
  assert.equal(list!.type === "list" && list!.items.length, 2);
  assert.equal(list!.type === "list" && list!.items[1]![1]!.type, "list");
  const [table] = parse("| a | b |\n|:--|--:|\n| 1 | `x|y` \\| |\n");
  assert.equal(table!.type, "table");
  assert.deepEqual(table!.type === "table" && table!.align, ["start", "end"]);
  assert.deepEqual(parse("> a\n> > b\n\nc").map((b) => b.type), ["quote", "paragraph"]);
  assert.deepEqual(inlines("snake_case_name and 2 * 3 * 4"), [{ type: "text", text: "snake_case_name and 2 * 3 * 4" }]);
  assert.deepEqual(inlines("[a](https://b.c \"t\")"), [{ type: "link", target: "https://b.c", children: [{ type: "text", text: "a" }] }]);
  assert.deepEqual(inlines("see https://b.c."), [{ type: "text", text: "see " }, { type: "link", target: "https://b.c", children: [{ type: "text", text: "https://b.c" }] }, { type: "text", text: "." }]);
  assert.deepEqual(inlines("***x***"), [{ type: "strong", children: [{ type: "em", children: [{ type: "text", text: "x" }] }] }]);
});

test("what looks like HTML is text", () => {
  for (const t of ["<script>alert(1)</script>", "<img src=x onerror=y>", "<a href='javascript:x'>k</a>", "<!-- -->", "&amp;"]) {
    assert.deepEqual(parse(t), [{ type: "paragraph", at: 0, children: [{ type: "text", text: t }] }]);
  }
  assert.deepEqual(inlines("![x](http://evil/?q=1)"), [{ type: "picture", target: "http://evil/?q=1", text: "x" }]);
});

test("a text that grows has the blocks of the whole text at each step", () => {
  for (let seed = 1; seed <= 600; seed++) {
    const r = random(seed);
    const whole = text(r, 1 + r(40));
    const growing = new Growing();
    let shown: Block[] = [];
    for (let at = 0; at < whole.length; ) {
      const n = 1 + r(6);
      const kept = growing.push(whole.slice(at, at + n));
      at += n;
      // What a view keeps is what it showed before.
      shown = [...shown.slice(0, kept), ...growing.blocks.slice(kept)];
      assert.deepEqual(shown, parse(whole.slice(0, at)), `seed ${seed}: ${JSON.stringify(whole.slice(0, at))}`);
    }
  }
});

test("no character is lost and nothing but the known nodes is made", () => {
  const types = new Set(["paragraph", "heading", "code", "quote", "list", "table", "rule", "text", "break", "strong", "em", "del", "link", "picture"]);
  const walk = (v: unknown): void => {
    if (Array.isArray(v)) return v.forEach(walk);
    if (typeof v !== "object" || v === null) return;
    if ("type" in v) assert.ok(types.has(v.type as string), String(v.type));
    Object.values(v).forEach(walk);
  };
  for (let seed = 1; seed <= 3000; seed++) {
    const r = random(seed * 7919);
    const t = text(r, 1 + r(60));
    walk(parse(t));
    const letters = (s: string) => s.replace(/[^\p{L}]/gu, "");
    if (!t.includes("|") && !t.includes("](") && !t.includes("```") && !t.includes("~~~")) assert.equal(letters(plain(parse(t))), letters(t), JSON.stringify(t));
  }
});

test("hostile texts take time in proportion", () => {
  for (const t of ["*".repeat(50_000), "[".repeat(50_000), "`".repeat(49_999) + "a", "> ".repeat(20_000), "- ".repeat(20_000), "_a".repeat(30_000), "a*".repeat(30_000), "![](".repeat(10_000), "|".repeat(50_000), "~~a".repeat(20_000), "<http://".repeat(9_000), "*a _b ".repeat(10_000), "`a ``b ".repeat(9000)]) {
    const began = performance.now();
    parse(t);
    // Ten times what the slowest takes; a quadratic one would take minutes.
    assert.ok(performance.now() - began < 10_000, t.slice(0, 8));
  }
});
