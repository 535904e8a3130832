// K12: a handle is not to be had from a grant.
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { State } from "../src/gen/bailey/grant/v1/grant_pb.js";
import { indexAsk } from "../src/gen/app.js";
import { GrantServiceRequest, IndexServiceAsk } from "../src/gen/methods.js";
import { BaileyError } from "../src/error.js";
import { Grant, handleOf, newGrant, type Permission } from "../src/grant.js";
import { MockCore } from "../src/mock.js";
import { changed, requestGrants } from "../src/permissions.js";
import * as app from "../src/app.js";

const handle = new Uint8Array(16).map((_, i) => 0xc0 + i);
const made = () => newGrant("file.read", "id1", "/x", handle);

/** Whether any form of the handle is in a text. */
function shows(text: string): boolean {
  const bytes = [...handle];
  return [bytes.map((b) => b.toString(16)).join(""), bytes.join(","), bytes.join(", "), Buffer.from(handle).toString("base64"), Buffer.from(handle).toString("latin1"), "192, 193", "192,\n"].some((s) => text.toLowerCase().includes(s.toLowerCase()));
}

test("the control: an object that holds its handle in a field shows it in each of these ways", () => {
  const naive = { kind: "file.read", handle };
  assert.ok(shows(JSON.stringify({ h: [...naive.handle] })));
  assert.ok(shows(inspect(naive, { depth: 9 })));
  assert.ok(shows(inspect(structuredClone(naive), { depth: 9 })));
});

test("JSON is refused, in whatever it is nested", () => {
  assert.throws(() => JSON.stringify(made()), TypeError);
  assert.throws(() => JSON.stringify({ deep: [{ g: made() }] }), TypeError);
});

test("no clone, no console, no enumeration shows the handle", () => {
  const g = made();
  for (const text of [
    inspect(g, { showHidden: true, depth: 9 }),
    inspect(structuredClone(g), { showHidden: true, depth: 9 }),
    inspect({ ...g }, { depth: 9 }),
    inspect(Object.assign({}, g), { depth: 9 }),
    String(g),
    Reflect.ownKeys(g).map((k) => `${String(k)}=${String((g as unknown as Record<PropertyKey, unknown>)[k])}`).join(),
    inspect(Object.getOwnPropertyDescriptors(g), { depth: 9 }),
  ]) assert.ok(!shows(text), text);
  assert.ok(shows(inspect(handleOf(g))), "the SDK itself has it");
});

test("a grant is frozen, with its class, and cannot be made or made up", () => {
  const g = made();
  assert.throws(() => ((g as { kind: string }).kind = "model.run"), TypeError);
  assert.throws(() => Object.defineProperty(g, "toJSON", { value: () => "x" }), TypeError);
  assert.throws(() => ((Grant.prototype as { toJSON: unknown }).toJSON = () => "x"), TypeError);
  assert.throws(() => new Grant({}, "file.read", "a", "b", handle), TypeError);
  const forged = Object.create(Grant.prototype) as typeof g;
  assert.throws(() => handleOf(forged), TypeError);
  assert.throws(() => handleOf(structuredClone(g)), TypeError);
  assert.throws(() => handleOf(new Proxy(g, {})), TypeError);
});

test("a caller's own bytes are not the grant's", () => {
  const mine = handle.slice();
  const g = newGrant("file.read", "id", "/x", mine);
  mine.fill(0);
  handleOf(g).fill(0);
  assert.deepEqual(handleOf(g), handle);
});

test("what an app imports has no way to a handle", () => {
  for (const name of ["handleOf", "newGrant", "grantRequest", "Grant"]) assert.ok(!(name in app), name);
});

test("a grant of another kind is refused before anything is sent", async () => {
  const core = new MockCore();
  const wrong = newGrant("model.run", "id", "m", handle) as unknown as Grant<"file.read">;
  await assert.rejects(indexAsk(core, wrong, { question: "q" }).next(), (e) => e instanceof BaileyError && e.code === "grant-missing");
  assert.deepEqual(core.calls, []);
});

test("grants of models go where a method names them, as handles", async () => {
  let seen: Uint8Array[] = [];
  const core = new MockCore().onStream(IndexServiceAsk, (r) => ((seen = [r.grant, ...r.engines]), []));
  const engine = newGrant("model.run", "id2", "m", new Uint8Array(16).fill(9));
  for await (const _ of indexAsk(core, made(), { question: "q", engines: [engine] }));
  assert.deepEqual(seen, [handle, new Uint8Array(16).fill(9)]);
});

test("asking gives a state for each want; a no is no error", async () => {
  const core = new MockCore().onStream(GrantServiceRequest, function* (r) {
    assert.equal(r.wants[0]!.path.length, 0, "a page names no path");
    yield { event: { case: "waiting" as const, value: { before: 2 } } };
    yield { event: { case: "answered" as const, value: { rows: [{ row: 0, state: State.LIVE, object: "/real/x", granted: { id: "g", handle, row: 0 } }, { row: 1, state: State.DENIED, reason: "blocked" }] } } };
  });
  const waited: number[] = [];
  const [folder, model] = await requestGrants(core, "t", [{ kind: "file.read", picked: { token: new Uint8Array(16), object: "/x" } }, { kind: "model.run", model: "m" }], { waiting: (n) => waited.push(n) });
  assert.deepEqual(waited, [2]);
  assert.equal(folder.state, "granted");
  assert.equal(folder.object, "/real/x");
  assert.deepEqual({ ...model }, { state: "denied", kind: "model.run", object: "m", reason: "blocked" });
});

test("an event changes the permission that it names, and no other", () => {
  const p: Permission<"file.read"> = { state: "granted", grant: made(), object: "/x" };
  assert.equal(changed(p, "other", State.REVOKED), p);
  assert.deepEqual(changed(p, "id1", State.REVOKED), { state: "revoked", kind: "file.read", object: "/x" });
  assert.deepEqual(changed(p, "id1", State.EXPIRED), { state: "expired", kind: "file.read", object: "/x" });
});
