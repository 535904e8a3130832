/**
 * The page's way to the core: window.bailey.post for calls, and for a stream the
 * body of /.stream/HEX. Both are taken, with what they need, when this module is
 * loaded: a later script of the page cannot put itself in between by replacing a
 * global or a prototype's method that stands here.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { encodeCall, onlyMessage } from "./envelope.js";
import { BaileyError, cancelled, fromWire } from "./error.js";
import { ReplySchema, StreamRecordSchema } from "./gen/bailey/surface/v1/envelope_pb.js";
import { AckRequestSchema, CancelRequestSchema } from "./gen/bailey/surface/v1/surface_pb.js";
import { SurfaceServiceAck, SurfaceServiceCancel } from "./gen/methods.js";
import type { Core } from "./call.js";
import type { Method } from "./method.js";
import { Records } from "./records.js";

/** What a window gives its page, see window.bailey. */
export interface Host {
  post(call: string): Promise<string>;
}

/** How a stream's body is had; the page's own fetch. */
export type Fetch = (path: string, init: { signal: AbortSignal }) => Promise<Response>;

/** The core lets 256 KiB be on the way; a quarter of it is told at a time. */
const ackAfter = 64 * 1024;

// Taken once, before code of the page could change them. None of these reads
// `this` from a global that can be replaced.
const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt) as (s: string, i: number) => number;
const fromCharCode = String.fromCharCode;
const apply = Reflect.apply;

const none = new Uint8Array(0);

export function toBinaryString(bytes: Uint8Array): string {
  let out = "";
  // Arguments of one call are limited by the engine's stack.
  for (let i = 0; i < bytes.length; i += 8192) out += apply(fromCharCode, undefined, bytes.subarray(i, i + 8192) as unknown as number[]) as string;
  return out;
}

export function fromBinaryString(s: string): Uint8Array {
  const out = new Uint8Array(s.length);
  for (let i = 0; i < s.length; i++) {
    const c = charCodeAt(s, i);
    if (c > 255) throw new BaileyError("malformed", "An answer is not in the agreed form");
    out[i] = c;
  }
  return out;
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

/** Ends with `cancelled` as soon as the signal says so, whatever the promise does. */
function orAborted<T>(p: Promise<T>, signal: AbortSignal | undefined, late?: (v: T) => void): Promise<T> {
  if (!signal) return p;
  return new Promise((resolve, reject) => {
    const stop = () => {
      reject(cancelled());
      if (late) p.then(late, () => {});
    };
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    p.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

export class PageCore implements Core {
  readonly #post: Host["post"];
  readonly #fetch: Fetch;

  constructor(host: Host, fetcher: Fetch) {
    this.#post = host.post.bind(host);
    this.#fetch = fetcher;
  }

  async #call(method: Method, message: Uint8Array, timeoutMs: number): Promise<{ message: Uint8Array; stream: Uint8Array }> {
    const call = encodeCall(method.number, timeoutMs, message);
    let text: string;
    try {
      text = await this.#post(toBinaryString(call));
    } catch {
      throw new BaileyError("core-unavailable", "Bailey's core cannot be reached", "close the window and open it again");
    }
    let reply;
    try {
      const bytes = fromBinaryString(text);
      const message = onlyMessage(bytes);
      if (message) return { message, stream: none };
      reply = fromBinary(ReplySchema, bytes);
    } catch {
      throw new BaileyError("malformed", "An answer is not in the agreed form");
    }
    if (reply.error) throw fromWire(reply.error);
    return reply;
  }

  async unary(method: Method, message: Uint8Array, timeoutMs: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const reply = await orAborted(this.#call(method, message, timeoutMs), signal);
    if (reply.stream.length > 0) throw new BaileyError("malformed", "An answer is a stream that was not asked for");
    return reply.message;
  }

  async *stream(method: Method, message: Uint8Array, timeoutMs: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    // A call that is given up before its answer is there is cancelled when it comes.
    const reply = await orAborted(this.#call(method, message, timeoutMs), signal, (r) => this.#cancel(r.stream));
    if (reply.stream.length !== 16) throw new BaileyError("malformed", "An answer names no stream");
    const id = reply.stream;
    const abort = new AbortController();
    const stop = () => abort.abort();
    signal?.addEventListener("abort", stop, { once: true });
    let ended = false;
    try {
      const response = await orAborted(this.#fetch(`/.stream/${hex(id)}`, { signal: abort.signal }), signal);
      if (!response.ok || !response.body) throw new BaileyError("core-unavailable", "A stream could not be opened");
      const reader = response.body.getReader();
      const records = new Records();
      let taken = 0;
      for (;;) {
        const { done, value } = await orAborted(reader.read(), signal);
        if (done) throw new BaileyError("core-unavailable", "The answer was cut off", "try again");
        for (const record of records.push(value)) {
          let message = onlyMessage(record);
          if (!message) {
            let r;
            try {
              r = fromBinary(StreamRecordSchema, record);
            } catch {
              throw new BaileyError("malformed", "A stream is not in the agreed form");
            }
            if (r.error || r.end) {
              ended = true;
              if (r.error) throw fromWire(r.error);
              return;
            }
            message = r.message;
          }
          yield message;
          // Only what the page has worked off is told: that is what holds the core
          // back from filling a page that cannot keep up.
          taken += record.length + 4;
          if (taken >= ackAfter) {
            this.#ack(id, taken);
            taken = 0;
          }
        }
      }
    } catch (e) {
      if (signal?.aborted) throw cancelled();
      if (e instanceof BaileyError) throw e;
      throw new BaileyError("core-unavailable", "The answer was cut off", "try again");
    } finally {
      signal?.removeEventListener("abort", stop);
      if (!ended) {
        this.#cancel(id);
        abort.abort();
      }
    }
  }

  #ack(stream: Uint8Array, bytes: number): void {
    this.#tell(SurfaceServiceAck, toBinary(AckRequestSchema, create(AckRequestSchema, { stream, bytes })));
  }

  #cancel(stream: Uint8Array): void {
    if (stream.length === 16) this.#tell(SurfaceServiceCancel, toBinary(CancelRequestSchema, create(CancelRequestSchema, { stream })));
  }

  /** Nobody waits for these: a stream that is over already is no fault. */
  #tell(method: Method, message: Uint8Array): void {
    this.#call(method, message, 0).catch(() => {});
  }
}

// The window defines `bailey` before any script of the page runs.
const host = (globalThis as { bailey?: Host }).bailey;
const fetcher = (globalThis as { fetch?: typeof fetch }).fetch?.bind(globalThis);

/** The core that this page's window belongs to; undefined outside a window of Bailey's. */
export const pageCore: Core | undefined = host && fetcher ? new PageCore(host, fetcher) : undefined;
