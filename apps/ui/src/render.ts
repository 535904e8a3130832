/**
 * Blocks as elements. Every element is made by name from a fixed list and every
 * text is a text node, so that no words of a model or a document can become markup.
 */
import { Growing, parse, type Block, type Inline } from "./markdown.js";

/** The words that rendered text needs beside its own. */
export interface Words {
  readonly copy: string;
  readonly copied: string;
  readonly picture: string;
}

function el(name: "p" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "li" | "blockquote" | "pre" | "code" | "hr" | "br" | "strong" | "em" | "del" | "span" | "div" | "table" | "thead" | "tbody" | "tr" | "th" | "td" | "button", className = ""): HTMLElement {
  const e = document.createElement(name);
  if (className) e.className = className;
  return e;
}

function addInlines(to: HTMLElement, list: readonly Inline[], w: Words): HTMLElement {
  for (const n of list) {
    switch (n.type) {
      case "text":
        to.append(n.text);
        break;
      case "code": {
        const c = el("code");
        c.textContent = n.text;
        to.append(c);
        break;
      }
      case "break":
        to.append(el("br"));
        break;
      case "link": {
        // Not a link: nothing leaves this window. The target is shown to be read.
        const span = addInlines(el("span", "link"), n.children, w);
        to.append(span);
        if (n.target !== "" && n.target !== span.textContent) {
          const target = el("span", "target");
          target.textContent = ` (${n.target})`;
          to.append(target);
        }
        break;
      }
      case "picture": {
        const span = el("span", "picture");
        span.textContent = `[${w.picture}: ${n.text || n.target}]`;
        to.append(span);
        break;
      }
      default:
        to.append(addInlines(el(n.type), n.children, w));
    }
  }
  return to;
}

function auto(e: HTMLElement): HTMLElement {
  e.dir = "auto";
  return e;
}

/** Of h1 to h6 in a message: the page itself has h1 and h2. */
const levels = ["h3", "h4", "h5", "h6", "h6", "h6"] as const;

export function element(b: Block, w: Words): HTMLElement {
  switch (b.type) {
    case "paragraph":
      return auto(addInlines(el("p"), b.children, w));
    case "heading":
      return auto(addInlines(el(levels[b.level - 1] ?? "h6"), b.children, w));
    case "rule":
      return el("hr");
    case "quote": {
      const q = el("blockquote");
      for (const c of b.children) q.append(element(c, w));
      return q;
    }
    case "list": {
      const l = el(b.ordered ? "ol" : "ul");
      l.dir = "auto";
      if (b.ordered && b.start !== 1) (l as HTMLOListElement).start = b.start;
      for (const item of b.items) {
        const li = el("li");
        // A single paragraph stands in its item without one of its own.
        if (item.length > 0 && item[0]!.type === "paragraph") addInlines(li, item[0]!.children, w);
        for (const c of item[0]?.type === "paragraph" ? item.slice(1) : item) li.append(element(c, w));
        l.append(li);
      }
      return l;
    }
    case "table": {
      const box = el("div", "table");
      box.tabIndex = 0;
      const t = el("table");
      const row = (cells: readonly (readonly Inline[])[], name: "th" | "td") => {
        const tr = el("tr");
        cells.forEach((c, i) => {
          // An empty head names no column, so it is a cell like others.
          const head = name === "th" && c.length > 0;
          const td = auto(addInlines(el(head ? "th" : "td", b.align[i] === "start" ? "" : b.align[i]), c, w));
          if (head) td.setAttribute("scope", "col");
          tr.append(td);
        });
        return tr;
      };
      const head = el("thead");
      head.append(row(b.head, "th"));
      const body = el("tbody");
      for (const r of b.rows) body.append(row(r, "td"));
      t.append(head, body);
      box.append(t);
      return box;
    }
    case "code": {
      const box = el("div", "code");
      const pre = el("pre");
      pre.tabIndex = 0;
      const c = el("code");
      c.append(document.createTextNode(b.text));
      const head = el("div", "code-head");
      const name = el("span");
      name.textContent = b.language;
      const copy = el("button", "button quiet small") as HTMLButtonElement;
      copy.type = "button";
      copy.textContent = w.copy;
      copy.addEventListener("click", () => {
        void copyText(c.textContent ?? "").then((ok) => {
          if (ok) copy.textContent = w.copied;
        });
      });
      head.append(name, copy);
      pre.append(c);
      box.append(head, pre);
      return box;
    }
  }
}

/** Copies on the person's own click; no permission is asked for or had. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden-visually";
    document.body.append(area);
    area.select();
    const ok = document.execCommand("copy");
    area.remove();
    return ok;
  }
}

/** Fills an element with a whole text. */
export function fill(node: HTMLElement, text: string, w: Words): void {
  node.replaceChildren(...parse(text).map((b) => element(b, w)));
}

/** Keeps an element in step with a growing text: only the last block is made anew. */
export class GrowingView {
  readonly #node: HTMLElement;
  readonly #words: Words;
  readonly #source = new Growing();

  constructor(node: HTMLElement, words: Words) {
    this.#node = node;
    this.#words = words;
    node.replaceChildren();
  }

  push(more: string): void {
    if (more === "") return;
    const before = this.#source.blocks.length;
    const last = this.#source.blocks.at(-1);
    const kept = this.#source.push(more);
    const now = this.#source.blocks;
    // More lines of the same code: its text node grows, and what is selected in it
    // stays selected.
    const open = this.#node.lastElementChild;
    if (last?.type === "code" && before === kept + 1 && now.length === kept + 1 && open) {
      const b = now[kept]!;
      const code = open.querySelector("code")?.firstChild;
      if (b.type === "code" && b.language === last.language && code instanceof Text && b.text.startsWith(last.text)) {
        code.appendData(b.text.slice(last.text.length));
        return;
      }
    }
    while (this.#node.childElementCount > kept) this.#node.lastElementChild!.remove();
    for (const b of now.slice(kept)) this.#node.append(element(b, this.#words));
  }
}
