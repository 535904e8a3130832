/** An answer that is being written: pieces go to whoever shows them once a frame. */
import { perFrame } from "./frame.js";

export interface Sink {
  push(more: string): void;
}

export class Live {
  text = "";
  #fresh = "";
  #sink: Sink | undefined;
  readonly #flush = perFrame(() => {
    const more = this.#fresh;
    this.#fresh = "";
    if (more !== "") this.#sink?.push(more);
  });

  push(more: string): void {
    this.text += more;
    this.#fresh += more;
    this.#flush.ask();
  }

  /** Shows what is there, and from now on what comes. */
  attach(sink: Sink): () => void {
    this.#sink = sink;
    this.#fresh = "";
    if (this.text !== "") sink.push(this.text);
    return () => {
      if (this.#sink === sink) this.#sink = undefined;
    };
  }

  end(): void {
    this.#flush.now();
  }
}
