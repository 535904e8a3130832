/**
 * What the generated functions call: it encodes, checks what can be checked early,
 * adds the handles of grants, and decodes. What counts is checked by the core.
 */
import { create, fromBinary, toBinary, type DescMessage, type Message, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { BaileyError, cancelled } from "./error.js";
import { handleOf, type Grant, type Kind } from "./grant.js";
import type { Method } from "./method.js";

/** Carries encoded messages to a core: the page's own way, or a mock's. */
export interface Core {
  unary(method: Method, message: Uint8Array, timeoutMs: number, signal: AbortSignal | undefined): Promise<Uint8Array>;
  /** The generator's return cancels the call. */
  stream(method: Method, message: Uint8Array, timeoutMs: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined>;
}

export interface CallOptions {
  /** Ends the call with a BaileyError of code "cancelled". */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; none = the method's own. */
  readonly timeoutMs?: number;
}

/** What a request is made of, without the fields that grants fill. */
export type Init<S extends DescMessage, Left extends string> = Omit<Exclude<MessageInitShape<S>, Message>, Left | "$typeName" | "$unknown">;

type Fields = { readonly engines?: readonly Grant<"model.run">[] };

function encode(method: Method, request: object, grant: Grant<Kind> | undefined): Uint8Array {
  const fields: Record<string, unknown> = { ...request };
  if (method.kind !== "") {
    if (grant?.kind !== method.kind) throw new BaileyError("grant-missing", "There is no grant for this");
    fields["grant"] = handleOf(grant);
    const { engines } = request as Fields;
    if (engines) fields["engines"] = engines.map(handleOf);
  }
  const message = toBinary(method.request, create(method.request, fields as never));
  if (message.length > method.maxRequest) {
    throw new BaileyError("too-large", "A message was larger than allowed", `${method.name} takes ${method.maxRequest} bytes`);
  }
  return message;
}

function decode<O extends DescMessage>(method: Method<DescMessage, O>, bytes: Uint8Array): MessageShape<O> {
  if (bytes.length > method.maxResponse) throw new BaileyError("malformed", "An answer is larger than its method allows");
  try {
    return fromBinary(method.response, bytes);
  } catch {
    throw new BaileyError("malformed", "An answer is not in the agreed form");
  }
}

export function invoke<I extends DescMessage, O extends DescMessage>(core: Core, method: Method<I, O>, request: object, options?: CallOptions): Promise<MessageShape<O>> {
  return unary(core, method, undefined, request, options);
}

export function invokeGranted<I extends DescMessage, O extends DescMessage>(core: Core, method: Method<I, O>, grant: Grant<Kind>, request: object, options?: CallOptions): Promise<MessageShape<O>> {
  return unary(core, method, grant, request, options);
}

async function unary<I extends DescMessage, O extends DescMessage>(core: Core, method: Method<I, O>, grant: Grant<Kind> | undefined, request: object, options: CallOptions = {}): Promise<MessageShape<O>> {
  if (options.signal?.aborted) throw cancelled();
  return decode(method, await core.unary(method, encode(method, request, grant), options.timeoutMs ?? 0, options.signal));
}

export function open<I extends DescMessage, O extends DescMessage>(core: Core, method: Method<I, O>, request: object, options?: CallOptions): AsyncGenerator<MessageShape<O>, void, undefined> {
  return streaming(core, method, undefined, request, options);
}

export function openGranted<I extends DescMessage, O extends DescMessage>(core: Core, method: Method<I, O>, grant: Grant<Kind>, request: object, options?: CallOptions): AsyncGenerator<MessageShape<O>, void, undefined> {
  return streaming(core, method, grant, request, options);
}

async function* streaming<I extends DescMessage, O extends DescMessage>(core: Core, method: Method<I, O>, grant: Grant<Kind> | undefined, request: object, options: CallOptions = {}): AsyncGenerator<MessageShape<O>, void, undefined> {
  if (options.signal?.aborted) throw cancelled();
  for await (const bytes of core.stream(method, encode(method, request, grant), options.timeoutMs ?? 0, options.signal)) {
    yield decode(method, bytes);
  }
}
