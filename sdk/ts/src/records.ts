/**
 * The body of a stream: records, each its length as four bytes, the highest first,
 * then that many bytes. Chunks come as the engine likes, so a record may begin in
 * one and end three further on.
 */
import { BaileyError } from "./error.js";

/** The longest record: what the schema allows a message, and its own wrapping. */
export const recordMax = 1 << 20;

export class Records {
  #chunks: Uint8Array[] = [];
  #held = 0;

  /** Takes a chunk in and returns the records that are whole now. */
  push(chunk: Uint8Array): Uint8Array[] {
    if (chunk.length === 0) return [];
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    const out: Uint8Array[] = [];
    for (;;) {
      if (this.#held < 4) return out;
      const head = this.#peek(4);
      const size = new DataView(head.buffer, head.byteOffset, 4).getUint32(0);
      if (size > recordMax) throw new BaileyError("malformed", "A stream holds a record that is too long");
      if (this.#held < 4 + size) return out;
      this.#take(4);
      out.push(this.#take(size));
    }
  }

  /** Bytes of a record that is not whole yet. */
  get rest(): number {
    return this.#held;
  }

  #peek(n: number): Uint8Array {
    const first = this.#chunks[0];
    if (first && first.length >= n) return first.subarray(0, n);
    const out = new Uint8Array(n);
    let at = 0;
    for (const c of this.#chunks) {
      const part = c.subarray(0, n - at);
      out.set(part, at);
      at += part.length;
      if (at === n) break;
    }
    return out;
  }

  #take(n: number): Uint8Array {
    const out = this.#peek(n);
    this.#held -= n;
    while (n > 0) {
      const first = this.#chunks[0]!;
      if (first.length > n) {
        this.#chunks[0] = first.subarray(n);
        return out;
      }
      n -= first.length;
      this.#chunks.shift();
    }
    return out;
  }
}
