/** Asking a person for grants, and hearing when one is withdrawn. */
import type { CallOptions, Core } from "./call.js";
import { BaileyError } from "./error.js";
import { kindNumbers } from "./gen/codes.js";
import { State } from "./gen/bailey/grant/v1/grant_pb.js";
import { grantRequest } from "./gen/raw.js";
import { newGrant, type Kind, type Permission } from "./grant.js";

/** What Pick or a dropped folder gave; it grants nothing. */
export interface Picked {
  readonly token: Uint8Array;
  readonly object: string;
}

export type Want =
  | { readonly kind: "file.read"; readonly picked: Picked; readonly remember?: boolean; readonly ttlSeconds?: number }
  | { readonly kind: "model.run"; readonly model: string; readonly remember?: boolean };

/** The permissions that a list of wants comes to, row by row. */
export type Permissions<W extends readonly Want[]> = { readonly [I in keyof W]: Permission<W[I]["kind"]> };

export interface RequestOptions extends CallOptions {
  /** Called with the number of questions that stand before this one; 0 = it is on the screen. */
  readonly waiting?: (before: number) => void;
}

/**
 * Asks once for all that a task wants. The core draws the question; the page
 * carries neither it nor the answer. A no is a state of the permission, not an
 * error.
 */
export async function requestGrants<const W extends readonly Want[]>(core: Core, task: string, wants: W, options: RequestOptions = {}): Promise<Permissions<W>> {
  const rows = wants.map((w) => ({
    kind: kindNumbers[w.kind],
    picked: w.kind === "file.read" ? w.picked.token : new Uint8Array(),
    model: w.kind === "model.run" ? w.model : "",
    ttlSeconds: w.kind === "file.read" ? (w.ttlSeconds ?? 0) : 0,
    remember: w.remember ?? false,
  }));
  for await (const { event } of grantRequest(core, { task, wants: rows }, options)) {
    if (event.case === "waiting") options.waiting?.(event.value.before);
    if (event.case !== "answered") continue;
    const answered = new Map(event.value.rows.map((r) => [r.row, r]));
    return wants.map((w, i): Permission<Kind> => {
      const a = answered.get(i);
      const object = a?.object || (w.kind === "file.read" ? w.picked.object : w.model);
      if (a?.state === State.LIVE && a.granted) {
        const grant = newGrant(w.kind, a.granted.id, object, a.granted.handle);
        return Object.freeze({ state: "granted", grant, object, ...(a.expiresMs > 0n ? { expires: Number(a.expiresMs) } : {}) });
      }
      return Object.freeze({ state: "denied", kind: w.kind, object, reason: a?.reason ?? "" });
    }) as Permissions<W>;
  }
  throw new BaileyError("malformed", "A question was left without an answer");
}

/** What a permission becomes when an event says that its grant changed. */
export function changed<K extends Kind>(p: Permission<K>, id: string, state: State): Permission<K> {
  if (p.state !== "granted" || p.grant.id !== id) return p;
  const { kind } = p.grant;
  if (state === State.REVOKED) return { state: "revoked", kind, object: p.object };
  if (state === State.EXPIRED) return { state: "expired", kind, object: p.object };
  return p;
}
