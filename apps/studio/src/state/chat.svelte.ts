/** One conversation: its turns as the store has them, and the answer being written. */
import { asError, engine, engineGenerate, store, storeAppend, storeBegin, storeCut, storeRead, type BaileyError, type Core, type Grant } from "@bailey/sdk/app";
import { Live } from "./live.js";

export interface Rate {
  readonly tokens: number;
  readonly perSecond: number;
  readonly firstMs: number;
}

export type Ending = "" | "stopped" | "length" | "context" | "revoked";

export interface Turn {
  readonly number: number;
  readonly who: "you" | "model";
  readonly text: string;
  readonly ending: Ending;
  readonly rate?: Rate;
}

export type Stage = "idle" | "loading" | "reading" | "writing";

/** What a call takes: bytes of all messages, with room for what stands around each, and their number. */
const saidMost = 640_000;
const messagesMost = 4096;

const utf8 = new TextEncoder();

/** The newest turns that one call can carry, and how many were left out. */
function newest(turns: readonly Turn[]): { messages: { speaker: engine.Speaker; text: string }[]; left: number } {
  let bytes = 0;
  let from = turns.length;
  while (from > 0 && turns.length - from < messagesMost) {
    bytes += utf8.encode(turns[from - 1]!.text).length + 16;
    // The one that is to be answered goes in any case: the core says if it is too long.
    if (bytes > saidMost && from < turns.length) break;
    from--;
  }
  return { messages: turns.slice(from).map((t) => ({ speaker: t.who === "you" ? engine.Speaker.USER : engine.Speaker.ASSISTANT, text: t.text })), left: from };
}

/** An answer that is being written is kept this often, so that a crash loses little. */
const keepMs = 2000;

export class Chat {
  id = $state("");
  model = $state("");
  turns = $state.raw<readonly Turn[]>([]);
  live = $state.raw<Live | undefined>();
  stage = $state<Stage>("idle");
  /** How much of the conversation the model has read, in percent. */
  percent = $state(0);
  dropped = $state(0);
  error = $state.raw<BaileyError | undefined>();
  draft = $state("");
  /** The number of the person's turn that the draft replaces. */
  editing = $state<number | undefined>();

  readonly #core: Core;
  #abort: AbortController | undefined;
  #why: Ending = "stopped";
  #keeping: Promise<void> = Promise.resolve();

  constructor(core: Core, model: string, id = "") {
    this.#core = core;
    this.model = model;
    this.id = id;
  }

  get busy(): boolean {
    return this.stage !== "idle";
  }

  get title(): string {
    return this.turns.find((t) => t.who === "you")?.text.split("\n", 1)[0]!.slice(0, 80) ?? "";
  }

  async load(): Promise<void> {
    const turns: Turn[] = [];
    try {
      for await (const { turn } of storeRead(this.#core, { id: this.id })) {
        if (!turn || turn.speaker === store.Speaker.SYSTEM) continue;
        turns.push({ number: turn.number, who: turn.speaker === store.Speaker.USER ? "you" : "model", text: turn.text, ending: turn.unfinished ? "stopped" : "" });
      }
      this.turns = turns;
    } catch (e) {
      this.error = asError(e);
    }
  }

  /** Sends the draft; where a turn is being edited, it and all behind it go first. */
  async send(grant: Grant<"model.run">, text: string): Promise<void> {
    if (this.busy || text.trim() === "") return;
    this.error = undefined;
    this.stage = "loading";
    try {
      if (this.editing !== undefined) await this.#cut(this.editing);
      this.editing = undefined;
      if (this.id === "") this.id = (await storeBegin(this.#core, { model: this.model })).id;
      const turn: Turn = { number: this.#next(), who: "you", text, ending: "" };
      this.turns = [...this.turns, turn];
      this.draft = "";
      await this.#keep(turn, false);
    } catch (e) {
      this.error = asError(e);
      this.stage = "idle";
      return;
    }
    await this.#answer(grant);
  }

  async regenerate(grant: Grant<"model.run">): Promise<void> {
    const last = this.turns.at(-1);
    if (this.busy || !last) return;
    this.error = undefined;
    if (last.who === "model") {
      try {
        await this.#cut(last.number);
      } catch (e) {
        this.error = asError(e);
        return;
      }
    }
    await this.#answer(grant);
  }

  /** Puts the person's last turn back into the draft. */
  edit(): void {
    const last = this.turns.findLast((t) => t.who === "you");
    if (this.busy || !last) return;
    this.draft = last.text;
    this.editing = last.number;
  }

  stop(why: Ending = "stopped"): void {
    this.#why = why;
    this.#abort?.abort();
  }

  #next(): number {
    return (this.turns.at(-1)?.number ?? 0) + 1;
  }

  async #cut(from: number): Promise<void> {
    await storeCut(this.#core, { id: this.id, from });
    this.turns = this.turns.filter((t) => t.number < from);
  }

  async #keep(turn: Turn, unfinished: boolean): Promise<void> {
    await storeAppend(this.#core, {
      id: this.id,
      turn: { number: turn.number, speaker: turn.who === "you" ? store.Speaker.USER : store.Speaker.ASSISTANT, text: turn.text, unfinished, model: turn.who === "you" ? "" : this.model, atMs: BigInt(Date.now()), tokens: turn.rate?.tokens ?? 0 },
    });
  }

  async #answer(grant: Grant<"model.run">): Promise<void> {
    const live = new Live();
    const abort = new AbortController();
    this.#abort = abort;
    this.#why = "stopped";
    this.live = live;
    this.stage = "loading";
    this.percent = 0;
    this.dropped = 0;
    const number = this.#next();
    const began = performance.now();
    let first = 0;
    let tokens = 0;
    let ending: Ending = "";
    let rate: Rate | undefined;
    let kept = began;
    try {
      const { messages, left } = newest(this.turns);
      this.dropped = left;
      for await (const { event } of engineGenerate(this.#core, grant, { messages, overflow: engine.Overflow.DROP_OLDEST }, { signal: abort.signal })) {
        switch (event.case) {
          case "reading":
            this.stage = "reading";
            this.percent = event.value.total > 0 ? Math.floor((100 * event.value.tokens) / event.value.total) : 0;
            break;
          case "prompt":
            this.stage = "writing";
            this.dropped = left + event.value.dropped;
            break;
          case "piece":
            this.stage = "writing";
            first ||= performance.now();
            tokens += event.value.tokens;
            live.push(event.value.text);
            if (performance.now() - kept > keepMs) {
              kept = performance.now();
              // Not waited for: the answer goes on, and the next one replaces it.
              this.#keeping = this.#keeping.then(() => this.#keep({ number, who: "model", text: live.text, ending: "" }, true)).catch(() => {});
            }
            break;
          case "done": {
            const d = event.value;
            const us = Number(d.outputUs);
            rate = { tokens: d.outputTokens, perSecond: us > 0 && d.outputTokens > 1 ? ((d.outputTokens - 1) * 1e6) / us : 0, firstMs: first > 0 ? first - began : 0 };
            if (d.finish === engine.Finish.LENGTH) ending = "length";
            if (d.finish === engine.Finish.CONTEXT) ending = "context";
            break;
          }
        }
      }
    } catch (e) {
      const error = asError(e);
      ending = error.code === "grant-revoked" ? "revoked" : this.#why;
      if (error.code !== "cancelled" && error.code !== "grant-revoked") this.error = error;
    }
    live.end();
    if (!rate && tokens > 1) rate = { tokens, perSecond: ((tokens - 1) * 1000) / Math.max(1, performance.now() - first), firstMs: first - began };
    if (live.text !== "") {
      const turn: Turn = { number, who: "model", text: live.text, ending, ...(rate ? { rate } : {}) };
      this.turns = [...this.turns, turn];
      try {
        // Behind what is still on its way, which would put the unfinished text back.
        await this.#keeping;
        await this.#keep(turn, ending !== "" && ending !== "length");
      } catch (e) {
        this.error ??= asError(e);
      }
    }
    this.live = undefined;
    this.stage = "idle";
    this.#abort = undefined;
  }
}
