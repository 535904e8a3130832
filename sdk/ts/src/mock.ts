/**
 * @bailey/sdk/mock: a core that lives in the page, for tests and stories. What goes
 * through it is encoded and decoded as on the real way, so a message that would not
 * pass there does not pass here.
 */
import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import type { Core } from "./call.js";
import { BaileyError, cancelled } from "./error.js";
import type { Method } from "./method.js";

export * as methods from "./gen/methods.js";
export { BaileyError } from "./error.js";

type Unary<I extends DescMessage, O extends DescMessage> = (request: MessageShape<I>, signal: AbortSignal) => MessageInitShape<O> | Promise<MessageInitShape<O>>;
type Stream<I extends DescMessage, O extends DescMessage> = (request: MessageShape<I>, signal: AbortSignal) => AsyncIterable<MessageInitShape<O>> | Iterable<MessageInitShape<O>>;

export class MockCore implements Core {
  readonly #unary = new Map<number, Unary<DescMessage, DescMessage>>();
  readonly #stream = new Map<number, Stream<DescMessage, DescMessage>>();
  /** Names of the methods that were called, in order. */
  readonly calls: string[] = [];

  /** Says what a method answers. */
  on<I extends DescMessage, O extends DescMessage>(method: Method<I, O>, answer: Unary<I, O>): this {
    this.#unary.set(method.number, answer as unknown as Unary<DescMessage, DescMessage>);
    return this;
  }

  /** Says what a streaming method answers; what it throws is how the stream ends. */
  onStream<I extends DescMessage, O extends DescMessage>(method: Method<I, O>, answer: Stream<I, O>): this {
    this.#stream.set(method.number, answer as unknown as Stream<DescMessage, DescMessage>);
    return this;
  }

  async unary(method: Method, message: Uint8Array, _timeoutMs: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    this.calls.push(method.name);
    const answer = this.#unary.get(method.number);
    if (!answer) throw new BaileyError("not-supported", `The mock has no ${method.name}`);
    const out = await answer(fromBinary(method.request, message), signal ?? new AbortController().signal);
    if (signal?.aborted) throw cancelled();
    return toBinary(method.response, create(method.response, out));
  }

  async *stream(method: Method, message: Uint8Array, _timeoutMs: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    this.calls.push(method.name);
    const answer = this.#stream.get(method.number);
    if (!answer) throw new BaileyError("not-supported", `The mock has no ${method.name}`);
    const over = new AbortController();
    const stop = () => over.abort();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      for await (const out of answer(fromBinary(method.request, message), over.signal)) {
        if (signal?.aborted) throw cancelled();
        yield toBinary(method.response, create(method.response, out));
      }
      if (signal?.aborted) throw cancelled();
    } finally {
      signal?.removeEventListener("abort", stop);
      over.abort();
    }
  }
}
