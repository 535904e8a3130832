import assert from "node:assert/strict";
import { test } from "node:test";
import { same } from "../src/same.js";

test("two rows are about the same by holder, kind and every byte of the scope", () => {
  const a = { kind: 1, holder: "studio", scope: new TextEncoder().encode("/home/u/Documents") };
  const scope = (s: string) => ({ ...a, scope: new TextEncoder().encode(s) });
  assert.ok(same(a, scope("/home/u/Documents")));
  for (const b of [{ ...a, kind: 2 }, { ...a, holder: "bailey" }, scope("/home/u/Document"), scope("/home/u/Documents/x"), scope("/home/u/documents")]) assert.ok(!same(a, b));
});
