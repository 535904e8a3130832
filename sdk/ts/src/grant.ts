/**
 * A grant as a page holds it. Its handle, the bytes that the core takes for it, is
 * in a private field that nothing outside the SDK reads: it is not in JSON, not in
 * a structured clone, not in what a console shows. It is worthless in any other
 * window. The kind is part of the type, so that a call that needs
 * Grant<"file.read"> is not compiled with any other.
 */
import type { kindNumbers } from "./gen/codes.js";

export type Kind = keyof typeof kindNumbers;

declare const kindBrand: unique symbol;

let read: (grant: Grant<Kind>) => Uint8Array;
let make: <K extends Kind>(kind: K, id: string, object: string, handle: Uint8Array) => Grant<K>;

// Only this module can make one: without the key the constructor refuses.
const key = {};

export class Grant<K extends Kind> {
  declare readonly [kindBrand]: K;
  readonly #handle: Uint8Array;
  readonly kind: K;
  /** What a person uses to name the grant; events name it so. */
  readonly id: string;
  /** What it is for, as a person is shown it: a folder's path, a model's name. */
  readonly object: string;

  constructor(by: unknown, kind: K, id: string, object: string, handle: Uint8Array) {
    if (by !== key) throw new TypeError("a grant is made by requestGrants alone");
    this.kind = kind;
    this.id = id;
    this.object = object;
    this.#handle = handle.slice();
    Object.freeze(this);
  }

  /** A grant that could be written down could be passed on. */
  toJSON(): never {
    throw new TypeError("a grant cannot be written as JSON");
  }

  static {
    read = (grant) => grant.#handle.slice();
    make = (kind, id, object, handle) => new Grant(key, kind, id, object, handle);
  }
}
Object.freeze(Grant.prototype);
Object.freeze(Grant);

/** The SDK's own: what goes over the wire for a grant. */
export function handleOf(grant: Grant<Kind>): Uint8Array {
  return read(grant);
}

/** The SDK's own: a grant of what the core answered. */
export function newGrant<K extends Kind>(kind: K, id: string, object: string, handle: Uint8Array): Grant<K> {
  return make(kind, id, object, handle);
}

/** What a permission is now. */
export type Permission<K extends Kind> =
  | { readonly state: "granted"; readonly grant: Grant<K>; readonly object: string; /** Unix time in milliseconds; undefined = until the task ends. */ readonly expires?: number }
  | { readonly state: "denied"; readonly kind: K; readonly object: string; /** A code of docs/errors.md; "" = the person said no, "blocked" = twice. */ readonly reason: string }
  | { readonly state: "expired"; readonly kind: K; readonly object: string }
  | { readonly state: "revoked"; readonly kind: K; readonly object: string };
