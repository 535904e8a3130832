import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { holders, inGroup, isDenied, isTrouble, parseRecord, sentence, verb } from "../src/records.js";
import { de } from "../src/words/de.js";
import { en } from "../src/words/en.js";
import { words } from "../src/words/index.js";

const encode = (v: unknown) => new TextEncoder().encode(typeof v === "string" ? v : JSON.stringify(v));
const folder = { kind: "file.read", path: "/home/u/Documents" };

test("every kind of record is a sentence in both languages, without a gap", () => {
  for (const language of ["en", "de"] as const) {
    const t = words(language);
    for (const kind of ["core-start", "core-stop", "heartbeat", "recovered", "history-break", "task-begin", "task-end", "intent", "grant", "deny", "revoke", "expire", "remember", "forget", "call", "call-end", "worker-start", "worker-end", "worker-crash", "malformed-peer", "erased", "something-new"]) {
      for (const more of [{}, { app: "studio", verb: "summarize", detail: folder }, { app: "bailey", by: "terminal", code: "denied", method: "bailey.index.v1.IndexService/Ask" }]) {
        const s = sentence(t, { kind, ...more });
        assert.ok(s.length > 2 && !/[{}]|undefined|\s\s/.test(s), `${language} ${kind}: ${s}`);
      }
    }
  }
});

test("who did what to what", () => {
  const t = words("en");
  assert.equal(sentence(t, { kind: "grant", app: "studio", by: "prompt", detail: folder }), "You allowed Studio to read /home/u/Documents");
  assert.equal(sentence(t, { kind: "grant", app: "bailey", by: "command-line", detail: folder }), "The command line allowed the terminal to read /home/u/Documents");
  assert.equal(sentence(t, { kind: "deny", app: "studio", detail: { kind: "model.run", model: "m" } }), "Studio was not allowed to use the model m");
  assert.equal(sentence(t, { kind: "revoke", app: "panels", by: "panel", detail: folder }), "You withdrew the permission to read /home/u/Documents");
});

test("every verb that a task is begun with has words", () => {
  const found = new Set<string>();
  for (const dir of ["../../internal/core", "../../cmd/bailey", "../studio/src/state"]) {
    for (const name of readdirSync(dir)) {
      if (!/\.(go|ts)$/.test(name) || name.endsWith("_test.go")) continue;
      const source = readFileSync(`${dir}/${name}`, "utf8");
      for (const m of source.matchAll(/beginOwn\([^,]+, "([^"]+)"|BeginTask\(.*[vV]erb: "([^"]+)"|\bjob\{verb: "([^"]+)"|newPinJob\([^,]+, "([^"]+)"|Verb = "([^"]+)"/g)) found.add(m.slice(1).find(Boolean)!);
    }
  }
  assert.deepEqual([...found].sort(), ["ask", "chat", "engine", "model-pin", "model-pull", "sandbox-run", "summarize", "vectors"]);
  for (const language of ["en", "de"] as const) for (const v of found) assert.notEqual(verb(words(language), v), v);
  assert.equal(sentence(words("en"), { kind: "task-end", app: "studio", verb: "vectors" }), "Studio ended: Getting ready to search by meaning");
});

test("who asks for a permission need not have asked a person", () => {
  const f = { kind: "call", app: "studio", method: "bailey.grant.v1.GrantService/Request" };
  assert.equal(sentence(words("en"), f), "Studio: asking for a permission");
  assert.equal(sentence(words("de"), f), "Studio: um eine Erlaubnis bitten");
});

test("a program that was run says what it was given", () => {
  const t = words("en");
  const given = (detail: Record<string, string>) => sentence(t, { kind: "grant", app: "bailey", by: "command-line", verb: "sandbox-run", detail });
  assert.equal(given({ kind: "exec.run", path: "/usr/bin/dash" }), "The command line allowed the terminal to run /usr/bin/dash in a sandbox");
  assert.equal(given({ kind: "net.fetch", host: "any host" }), "The command line allowed the terminal to use the network: any host");
  assert.equal(given({ kind: "file.write", path: "/home/u/build" }), "The command line allowed the terminal to read and change /home/u/build");
});

test("what was withdrawn says from whom, where the record that gave it is there", () => {
  const t = words("en");
  const revoke = { kind: "revoke", app: "panels", by: "panel", grant: "g1", detail: folder };
  const held = holders([parseRecord(1, 0, encode({ kind: "grant", app: "studio", by: "prompt", grant: "g1", detail: folder }))]);
  assert.equal(sentence(t, revoke, held), "You withdrew from Studio the permission to read /home/u/Documents");
  assert.equal(sentence(t, { ...revoke, grant: "g2" }, held), "You withdrew the permission to read /home/u/Documents");
});

test("a path cannot say something else than it is", () => {
  const t = words("en");
  assert.equal(sentence(t, { kind: "grant", app: "studio", by: "prompt", detail: { kind: "file.read", path: "/a\u202etxt.exe\n" } }), "You allowed Studio to read /a‹U+202E›txt.exe‹U+000A›");
});

test("a path of any bytes, which the record has in base64, is shown", () => {
  const t = words("en");
  const path = Buffer.from([...Buffer.from("/home/u/caf"), 0xe9]).toString("base64");
  assert.equal(sentence(t, { kind: "grant", app: "studio", by: "prompt", detail: { kind: "file.read", "path~b64": path } }), "You allowed Studio to read /home/u/caf\ufffd");
  assert.equal(sentence(t, { kind: "grant", app: "studio", by: "prompt", detail: { kind: "file.read", "path~b64": "?" } }), "You allowed Studio to read ?");
});

test("what was denied and what went wrong is marked", () => {
  assert.ok(isDenied({ kind: "deny" }) && isDenied({ kind: "call-end", code: "blocked" }) && !isDenied({ kind: "grant", decision: "allow" }));
  assert.ok(isTrouble({ kind: "worker-crash" }) && isTrouble({ kind: "core-start", code: "unclean" }) && !isTrouble({ kind: "core-start", code: "clean" }));
  assert.ok(inGroup({ kind: "deny" }, "permission") && inGroup({ kind: "deny" }, "denied") && inGroup({ kind: "call" }, "work") && !inGroup({ kind: "call" }, "permission"));
});

test("a record that is no JSON stays to be looked at", () => {
  const e = parseRecord(3, 0, encode("{nonsense"));
  assert.equal(e.json, "{nonsense");
  assert.equal(e.fields.kind, "unknown");
});

test("the German catalogue keeps the places that the English one fills", () => {
  const holes = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]!.replace("whom", "who")).sort().join();
  for (const [k, v] of Object.entries(en)) assert.equal(holes((de as Record<string, string>)[k]!), holes(v), k);
});
