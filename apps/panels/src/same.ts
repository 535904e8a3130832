/** What two rows of the list of grants are about. */
export interface About {
  readonly kind: number;
  readonly scope: Uint8Array;
  readonly holder: string;
}

/** Whether they let the same app do the same: one may be in use and the other remembered. */
export function same(a: About, b: About): boolean {
  return a.kind === b.kind && a.holder === b.holder && a.scope.length === b.scope.length && a.scope.every((byte, i) => byte === b.scope[i]);
}
