/** One summary or one answer: what came of it so far and how it ended. */
import { asError, index, indexAsk, indexSummarize, type BaileyError, type Core, type Grant } from "@bailey/sdk/app";
import { perFrame } from "./frame.js";

export type RunState = "running" | "done" | "stopped" | "revoked" | "expired" | "failed";

/** A file as it is shown, with the bytes that name it. */
export interface Place {
  readonly number: number;
  readonly path: Uint8Array;
  readonly line: number;
  readonly endLine: number;
  /** From 1; 0 where the file has none. */
  readonly page: number;
  readonly paragraph: number;
}

export interface Passage {
  readonly text: string;
  readonly section: index.Section;
  readonly places: readonly Place[];
}

export interface WrittenSentence extends Passage {
  readonly supported: boolean;
}

/** Rows of the list of skipped files that are kept; the rest is counted. */
const skippedKept = 500;

export class Run {
  readonly question: string;
  state = $state<RunState>("running");
  passages = $state.raw<readonly Passage[]>([]);
  written = $state.raw<readonly WrittenSentence[]>([]);
  skipped = $state.raw<readonly index.Skipped[]>([]);
  skippedCount = $state(0);
  progress = $state.raw<index.Progress | undefined>();
  done = $state.raw<index.Done | undefined>();
  /** Milliseconds from the call to its last message: the models' too, not reading alone. */
  took = $state(0);
  writtenDone = $state.raw<index.WrittenDone | undefined>();
  error = $state.raw<BaileyError | undefined>();

  #began = 0;
  readonly #abort = new AbortController();
  #passages: Passage[] = [];
  #written: WrittenSentence[] = [];
  #skipped: index.Skipped[] = [];
  #count = 0;
  #progress: index.Progress | undefined;
  readonly #numbers = new Map<string, number>();
  readonly #flush = perFrame(() => {
    if (this.#passages.length !== this.passages.length) this.passages = this.#passages.slice();
    if (this.#written.length !== this.written.length) this.written = this.#written.slice();
    if (this.#skipped.length !== this.skipped.length) this.skipped = this.#skipped.slice();
    this.skippedCount = this.#count;
    this.progress = this.#progress;
  });

  /** An empty question is a summary. */
  constructor(question: string) {
    this.question = question;
  }

  async start(core: Core, grant: Grant<"file.read">, engines: readonly Grant<"model.run">[]): Promise<void> {
    const options = { signal: this.#abort.signal };
    this.#began = performance.now();
    try {
      const stream = this.question === "" ? indexSummarize(core, grant, { engines }, options) : indexAsk(core, grant, { question: this.question, engines }, options);
      for await (const { event } of stream) this.#take(event);
      this.#end("done");
    } catch (e) {
      const error = asError(e);
      if (error.code === "grant-revoked") this.#end("revoked");
      else if (error.code === "grant-expired") this.#end("expired");
      else if (error.code === "cancelled") this.#end("stopped");
      else {
        this.error = error;
        this.#end("failed");
      }
    }
  }

  /** Ends it: by the person's Stop, or because the permission is gone. */
  stop(why: "stopped" | "revoked" | "expired" = "stopped"): void {
    if (this.state !== "running") return;
    this.#end(why);
    this.#abort.abort();
  }

  #end(state: RunState): void {
    if (this.state !== "running") return;
    this.#flush.now();
    this.progress = undefined;
    this.state = state;
  }

  #take(event: index.AskResponse["event"]): void {
    // What comes after the end, from a stream that has not noticed yet, is not shown.
    if (this.state !== "running") return;
    switch (event.case) {
      case "progress":
        this.#progress = event.value;
        break;
      case "sentence":
        this.#passages.push({ text: event.value.text, section: event.value.section, places: this.#places(event.value.citations) });
        break;
      case "written":
        this.#written.push({ text: event.value.text, section: event.value.section, supported: event.value.supported, places: this.#places(event.value.citations) });
        break;
      case "skipped":
        this.#count += event.value.skipped.length;
        if (this.#skipped.length < skippedKept) this.#skipped.push(...event.value.skipped);
        break;
      case "done":
        // No part takes longer than the whole.
        this.took = Math.max(performance.now() - this.#began, Number(event.value.usage?.milliseconds ?? 0n));
        this.done = event.value;
        break;
      case "writtenDone":
        this.writtenDone = event.value;
        break;
    }
    this.#flush.ask();
  }

  /** The same lines of the same file have one number in an answer. */
  #places(citations: readonly index.Citation[]): Place[] {
    return citations.map(({ path, line, endLine, page, paragraph }) => {
      const key = `${path.join(",")}:${line}:${endLine}`;
      let number = this.#numbers.get(key);
      if (number === undefined) this.#numbers.set(key, (number = this.#numbers.size + 1));
      return { number, path, line, endLine, page, paragraph };
    });
  }
}
