/** A mock core with a small world behind it: two models, a folder, conversations. */
import { engine, index, Role, State, store, surface } from "@bailey/sdk/app";
import { BaileyError, methods, MockCore } from "@bailey/sdk/mock";

export interface World {
  readonly language: string;
  readonly scheme: surface.Scheme;
  readonly textScale: number;
  readonly highContrast: boolean;
  readonly reducedMotion: boolean;
  /** What the person answers: one for each want; "wait" never answers. */
  readonly answer: "yes" | "no" | "busy" | "wait" | "models-no";
  readonly models: boolean;
  readonly folder: string;
  readonly summary: "full" | "slow" | "endless" | "empty" | "error" | "arabic";
  readonly turns: number;
  readonly tokensPerSecond: number;
  readonly lost: boolean;
}

const encode = (s: string) => new TextEncoder().encode(s);
const pause = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Sends an event to the page, as the core would. */
export class Events {
  #waiting: ((e: surface.EventsResponse["event"]) => void) | undefined;
  readonly #queue: surface.EventsResponse["event"][] = [];

  send(e: surface.EventsResponse["event"]): void {
    if (this.#waiting) this.#waiting(e);
    else this.#queue.push(e);
    this.#waiting = undefined;
  }

  async *stream(): AsyncGenerator<{ event: surface.EventsResponse["event"] }> {
    for (;;) {
      const queued = this.#queue.shift();
      yield { event: queued ?? (await new Promise<surface.EventsResponse["event"]>((r) => (this.#waiting = r))) };
    }
  }
}

const passages: readonly [string, string, number, index.Section][] = [
  ["The lease of the workshop in Harbour Street runs until 31 March 2027 and renews by a year unless either side gives notice three months before.", "contracts/lease-harbour-street.txt", 12, index.Section.OVERVIEW],
  ["The bakery's flour is bought from two mills, so that a bad harvest at one does not stop the ovens.", "notes/suppliers.md", 4, index.Section.OVERVIEW],
  ["In October the new oven used 18 % less gas than the old one for the same number of loaves.", "reports/2026-10-energy.md", 27, index.Section.OVERVIEW],
  ["Notice has to be given in writing and is counted from the day it arrives.", "contracts/lease-harbour-street.txt", 31, index.Section.FILE],
  ["The deposit of 4,200 is paid back within six weeks of moving out.", "contracts/lease-harbour-street.txt", 44, index.Section.FILE],
  ["Mill A delivers on Tuesdays and Fridays; Mill B only when called by noon on the day before.", "notes/suppliers.md", 9, index.Section.FILE],
];
const arabic: typeof passages = [
  ["يستمر عقد إيجار الورشة في شارع الميناء حتى ٣١ مارس ٢٠٢٧ ويتجدد سنة واحدة.", "عقود/إيجار-شارع-الميناء.txt", 12, index.Section.OVERVIEW],
  ["يُشترى الدقيق من مطحنتين حتى لا يتوقف الفرن عند فشل المحصول في إحداهما.", "ملاحظات/الموردون.md", 4, index.Section.OVERVIEW],
];

const sentence = ([text, path, line, section]: (typeof passages)[number]): { event: index.AskResponse["event"] } => ({
  event: { case: "sentence", value: { $typeName: "bailey.index.v1.Sentence", text, section, citations: [{ $typeName: "bailey.index.v1.Citation", path: encode(path), line, endLine: line + 1, quote: text, page: 0, paragraph: 0 }] } },
});
const progress = (files: number, stage: string): { event: index.AskResponse["event"] } => ({ event: { case: "progress", value: { $typeName: "bailey.index.v1.Progress", files: BigInt(files), filesTotal: 4000n, bytes: BigInt(files * 3000), stage } } });
const skipped = (rows: readonly [string, string, string][]): { event: index.AskResponse["event"] } => ({ event: { case: "skipped", value: { $typeName: "bailey.index.v1.SkippedBatch", skipped: rows.map(([path, reason, hint]) => ({ $typeName: "bailey.index.v1.Skipped" as const, path: encode(path), reason, hint })) } } });
const done = (files: number, more: Partial<index.Done> = {}): { event: index.AskResponse["event"] } => ({
  event: { case: "done", value: { $typeName: "bailey.index.v1.Done", engine: "bailey-extract/1", usage: { $typeName: "bailey.index.v1.Usage", files: BigInt(files), bytes: 2_345_678n, chunks: 900n, skipped: 3n, unchanged: 0n, milliseconds: 3n }, licences: [], licencesMore: 0, withoutModel: "", byMeaning: "", ...more } },
});

async function* answer(w: World, question: string, engines: number, signal: AbortSignal): AsyncGenerator<{ event: index.AskResponse["event"] }> {
  if (w.summary === "empty") {
    yield done(0);
    return;
  }
  if (w.summary === "error") {
    yield progress(12, "reading");
    throw new BaileyError("folder-changed", "The folder is not the one that was granted any more", "choose it again");
  }
  const list = w.summary === "arabic" ? arabic : passages;
  if (question.includes("nothing")) {
    yield done(312);
    return;
  }
  if (w.summary === "endless") {
    yield skipped([["photos/cat.jpg", "binary", ""]]);
    yield progress(1203, "reading");
    for (const p of list.slice(0, 3)) yield sentence(p);
    await pause(3_600_000, signal);
    return;
  }
  for (const n of [400, 1203, 4000]) {
    yield progress(n, "reading");
    if (w.summary === "slow") await pause(400, signal);
  }
  yield skipped([["photos/cat.jpg", "binary", ""], ["scans/old.pdf", "no-text", "scan it with text recognition first"], [".env", "secret", "name it with ! in a .baileyignore file to read it"]]);
  for (const p of question === "" ? list : list.slice(0, 2)) {
    yield sentence(p);
    if (w.summary === "slow") await pause(150, signal);
  }
  if (engines > 0) {
    for (const [text, supported] of [["The workshop's lease ends on 31 March 2027 unless notice is given by the end of December.", true], ["The landlord will raise the rent by ten per cent.", false]] as const) {
      yield { event: { case: "written", value: { $typeName: "bailey.index.v1.Written", text, supported, section: index.Section.OVERVIEW, citations: supported ? [{ $typeName: "bailey.index.v1.Citation", path: encode(list[0]![1]), line: 12, endLine: 13, quote: text, page: 0, paragraph: 0 }] : [] } } };
    }
    yield { event: { case: "writtenDone", value: { $typeName: "bailey.index.v1.WrittenDone", model: "smollm2-135m-instruct-q4_1", folded: false, promptTokens: 800, outputTokens: 60, milliseconds: 4000n, failed: "", files: 0 } } };
  }
  yield done(312, { byMeaning: engines > 1 ? "all-minilm-l6-v2-q8_0" : "" });
}

export const markdown = `Here is what the two offers differ in:

| | Mill A | Mill B |
|:--|--:|--:|
| Price per sack | 31.50 | 29.80 |
| Delivery | twice a week | on call |

1. **Mill A** costs more, but *comes by itself*.
2. **Mill B** needs a call \`before noon\`.

\`\`\`python
def cost(sacks, price, trips=1):
    return sacks * price + 12 * trips
\`\`\`

> The older contract says nothing about fuel.

See [the price list](https://example.org/prices) and ![a picture of the mill](https://example.org/mill.png). <b>This is no markup</b>.`;

export function mockCore(w: World, events: Events): MockCore {
  const mock = new MockCore();
  let grants = 0;
  events.send({ case: "settings", value: { $typeName: "bailey.surface.v1.Settings", scheme: w.scheme, textScale: w.textScale, highContrast: w.highContrast, reducedMotion: w.reducedMotion, language: w.language, release: "0.0.0", display: "wayland" } });
  mock.onStream(methods.SurfaceServiceEvents, async function* () {
    if (w.lost) {
      yield (await events.stream().next()).value as { event: surface.EventsResponse["event"] };
      return;
    }
    yield* events.stream();
  });
  mock.on(methods.SurfaceServicePick, () => ({ picked: new Uint8Array(16).fill(7), object: w.folder }));
  mock.on(methods.SurfaceServiceOpenPanel, () => ({}));
  mock.on(methods.CoreServiceBeginTask, () => ({ task: "383c3c2721c7e5ca" }));
  mock.on(methods.CoreServiceEndTask, () => ({}));
  mock.onStream(methods.GrantServiceRequest, async function* (r, signal) {
    yield { event: { case: "waiting" as const, value: { before: w.answer === "wait" ? 1 : 0 } } };
    if (w.answer === "wait") await pause(3_600_000, signal);
    yield {
      event: {
        case: "answered" as const,
        value: {
          rows: r.wants.map((want, row) => {
            const yes = w.answer === "yes" || (w.answer === "models-no" && want.model === "");
            return { row, state: yes ? State.LIVE : State.DENIED, object: want.model || w.folder, reason: w.answer === "busy" ? "prompt-busy" : "", ...(yes ? { granted: { id: `grant-${++grants}`, handle: new Uint8Array(16).fill(grants), row } } : {}) };
          }),
        },
      },
    };
  });
  mock.onStream(methods.IndexServiceSummarize, (r, signal) => answer(w, "", r.engines.length, signal));
  mock.onStream(methods.IndexServiceAsk, (r, signal) => answer(w, r.question, r.engines.length, signal));
  mock.onStream(methods.IndexServiceSource, (r) => {
    const lines: string[] = [];
    for (let n = r.from; n < r.from + Math.min(r.lines || 400, 400) && n <= 900; n++) {
      const p = passages.find((x) => x[2] === n);
      lines.push(p ? p[0] : n % 7 === 0 ? "" : `Line ${n} of the file, as it was read${n % 11 === 0 ? "; a longer one, so that it wraps where the pane is narrow and can still be followed from its number" : ""}.`);
    }
    return [{ line: r.from, text: lines.join("\n"), total: 900, last: true, changed: false }];
  });
  const model = (name: string, role: Role) => ({ model: { name, pinnedBy: "person", facts: { sha256: new Uint8Array(32), size: 98_000_000n, role, architecture: "llama" } }, loaded: false });
  mock.onStream(methods.ModelServiceList, () => (w.models ? [model("smollm2-135m-instruct-q4_1", Role.CHAT), model("all-minilm-l6-v2-q8_0", Role.EMBEDDING)] : []));

  const titles = ["Which of the two mills is cheaper over a whole year, with the way there and the sacks that spoil?", "ما هو أفضل وقت للخبز؟", "Entwurf für den Brief an die Vermieterin wegen der Verlängerung des Vertrages", "Recipe scaling", "a-very-long-title-without-any-space-in-it-that-has-to-be-cut-off-somewhere"];
  const conversation = (i: number) => ({ id: `c${i}`, title: titles[i]!, model: "smollm2-135m-instruct-q4_1", beganMs: BigInt(Date.now() - 86_400_000 * i), usedMs: BigInt(Date.now() - 3_600_000 * 9 * i), turns: i === 0 ? w.turns : 4 + i, bytes: 4000n });
  mock.onStream(methods.StoreServiceList, () => (w.turns > 0 ? titles.map((_, i) => ({ conversation: conversation(i) })) : []));
  mock.onStream(methods.StoreServiceSearch, (r) => (r.text.includes("zzz") ? [] : [{ conversation: conversation(0), number: 3, excerpt: `… about ${r.text} and the price of a sack …` }]));
  mock.onStream(methods.StoreServiceRead, function* (r) {
    for (let n = 1; n <= w.turns; n++) {
      const you = n % 2 === 1;
      yield { id: r.id, turn: { number: n, speaker: you ? store.Speaker.USER : store.Speaker.ASSISTANT, text: you ? (n === w.turns - 1 || n === 1 ? titles[0]! : `And what about number ${n}?`) : n === w.turns || n === 2 ? markdown : `Number ${n} is much like the others: it costs what it costs.`, unfinished: n === 4, atMs: BigInt(Date.now()), tokens: 20 } };
    }
  });
  mock.on(methods.StoreServiceBegin, () => ({ id: "new" }));
  mock.on(methods.StoreServiceAppend, () => ({}));
  mock.on(methods.StoreServiceCut, () => ({ removed: 1 }));
  mock.on(methods.StoreServiceErase, () => ({ conversations: 1, freed: 4096n }));
  mock.onStream(methods.EngineServiceGenerate, async function* (_, signal) {
    yield { event: { case: "reading" as const, value: { tokens: 400, total: 900 } } };
    yield { event: { case: "prompt" as const, value: { tokens: 900, reused: 0, dropped: 0 } } };
    const words = (markdown + "\n\n").match(/\S+\s*/g)!;
    const began = performance.now();
    let sent = 0;
    // As many as the time that has passed is worth, in steps of a millisecond or more.
    while (!signal.aborted) {
      const due = Math.min(10 * w.tokensPerSecond, Math.floor(((performance.now() - began) * w.tokensPerSecond) / 1000));
      for (; sent < due; sent++) yield { event: { case: "piece" as const, value: { text: words[sent % words.length]!, tokens: 1 } } };
      if (sent >= (w.tokensPerSecond > 500 ? 10 * w.tokensPerSecond : words.length)) break;
      await pause(4, signal);
    }
    const outputUs = BigInt(Math.round((performance.now() - began) * 1000));
    yield { event: { case: "done" as const, value: { finish: engine.Finish.END, promptTokens: 900, outputTokens: sent, promptUs: 200_000n, outputUs } } };
  });
  return mock;
}
