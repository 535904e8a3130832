/** Every failure of a call is one of these: a code that never changes, a sentence and a hint for a person. */
import { errorCodes } from "./gen/codes.js";

/** A code of docs/errors.md. */
export type ErrorCode = (typeof errorCodes)[number];

const known: ReadonlySet<string> = new Set(errorCodes);

export class BaileyError extends Error {
  override readonly name = "BaileyError";
  readonly code: ErrorCode;
  /** What a person can do about it; may be empty. */
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint = "") {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** Turns what came over the wire into an error. A code of another release is "internal". */
export function fromWire(e: { code: string; message: string; hint: string }): BaileyError {
  return new BaileyError(known.has(e.code) ? (e.code as ErrorCode) : "internal", e.message, e.hint);
}

/** Makes a BaileyError of anything that was thrown. */
export function asError(e: unknown): BaileyError {
  if (e instanceof BaileyError) return e;
  return new BaileyError("internal", e instanceof Error ? e.message : String(e));
}

export function cancelled(): BaileyError {
  return new BaileyError("cancelled", "Stopped");
}
