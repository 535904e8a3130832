/** The text around a citation, read from the index under the folder's grant. */
import { asError, indexSource, type BaileyError, type Core, type Grant } from "@bailey/sdk/app";
import type { Place } from "./run.svelte.js";

/** Lines that are had at once, and how many stand above the cited one. */
const page = 400;
const above = 60;

export class Source {
  readonly place: Place;
  lines = $state.raw<readonly string[]>([]);
  /** The number of the first line that is here. */
  first = $state(1);
  total = $state(0);
  changed = $state(false);
  loading = $state(true);
  error = $state.raw<BaileyError | undefined>();
  readonly #abort = new AbortController();
  readonly #core: Core;
  readonly #grant: Grant<"file.read">;

  constructor(core: Core, grant: Grant<"file.read">, place: Place) {
    this.#core = core;
    this.#grant = grant;
    this.place = place;
  }

  get last(): number {
    return this.first + this.lines.length - 1;
  }

  async open(): Promise<void> {
    this.first = Math.max(1, this.place.line - above);
    await this.#read(this.first, page, (lines) => (this.lines = [...this.lines, ...lines]));
  }

  async more(): Promise<void> {
    await this.#read(this.last + 1, page, (lines) => (this.lines = [...this.lines, ...lines]));
  }

  async before(): Promise<void> {
    const from = Math.max(1, this.first - page);
    const got: string[] = [];
    await this.#read(from, this.first - from, (lines) => got.push(...lines));
    if (this.error) return;
    this.lines = [...got, ...this.lines];
    this.first = from;
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(from: number, lines: number, take: (lines: string[]) => void): Promise<void> {
    this.loading = true;
    try {
      for await (const r of indexSource(this.#core, this.#grant, { path: this.place.path, from, lines }, { signal: this.#abort.signal })) {
        this.total = r.total;
        this.changed ||= r.changed;
        take(r.text.split("\n"));
        if (r.last) break;
      }
    } catch (e) {
      this.error = asError(e);
    } finally {
      this.loading = false;
    }
  }
}
