/**
 * The envelopes of calls, by hand where they are plain: a general encoder took as
 * long as a third of a call's way to a worker and back. What is not plain (an error,
 * a stream's name, the end) goes the general way. A test holds both to each other.
 */

/** A bailey.surface.v1.Call. */
export function encodeCall(method: number, timeoutMs: number, message: Uint8Array): Uint8Array {
  const out = new Uint8Array(message.length + 18);
  let at = number(out, 0, 0x08, method);
  if (timeoutMs > 0) at = number(out, at, 0x10, timeoutMs);
  if (message.length > 0) {
    at = number(out, at, 0x1a, message.length);
    out.set(message, at);
    at += message.length;
  }
  return out.subarray(0, at);
}

/** The message of a Reply or StreamRecord that has nothing else in it. */
export function onlyMessage(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] !== 0x0a) return undefined;
  let size = 0;
  let at = 1;
  for (let shift = 0; ; shift += 7) {
    const b = bytes[at++];
    if (b === undefined || shift > 21) return undefined;
    size |= (b & 0x7f) << shift;
    if (b < 0x80) break;
  }
  return at + size === bytes.length ? bytes.subarray(at) : undefined;
}

function number(out: Uint8Array, at: number, tag: number, value: number): number {
  out[at++] = tag;
  for (; value >= 0x80; value = (value - (value % 128)) / 128) out[at++] = (value % 128) | 0x80;
  out[at++] = value;
  return at;
}
