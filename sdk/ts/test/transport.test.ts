import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BaileyError } from "../src/error.js";
import { indexAsk, storeBegin } from "../src/gen/app.js";
import { AskResponseSchema } from "../src/gen/bailey/index/v1/index_pb.js";
import { BeginRequestSchema, BeginResponseSchema } from "../src/gen/bailey/store/v1/store_pb.js";
import { CallSchema, ReplySchema, StreamRecordSchema, type Call } from "../src/gen/bailey/surface/v1/envelope_pb.js";
import { AckRequestSchema } from "../src/gen/bailey/surface/v1/surface_pb.js";
import { newGrant } from "../src/grant.js";
import { recordMax, Records } from "../src/records.js";
import { encodeCall, onlyMessage } from "../src/envelope.js";
import { fromBinaryString, PageCore, toBinaryString } from "../src/transport.js";

const grant = newGrant("file.read", "id", "/x", new Uint8Array(16).fill(1));
const id = new Uint8Array(16).fill(0xab);

function record(value: Parameters<typeof create<typeof StreamRecordSchema>>[1]): Uint8Array {
  const bytes = toBinary(StreamRecordSchema, create(StreamRecordSchema, value));
  const out = new Uint8Array(4 + bytes.length);
  new DataView(out.buffer).setUint32(0, bytes.length);
  out.set(bytes, 4);
  return out;
}

const sentence = (text: string) => record({ message: toBinary(AskResponseSchema, create(AskResponseSchema, { event: { case: "sentence", value: { text } } })) });
const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

/** A host that answers each call by f, and one stream's body in chunks. */
function page(f: (call: Call) => Parameters<typeof create<typeof ReplySchema>>[1] | Promise<Parameters<typeof create<typeof ReplySchema>>[1]>, body: () => ReadableStream<Uint8Array> = () => new ReadableStream()) {
  const calls: Call[] = [];
  const paths: string[] = [];
  const core = new PageCore(
    {
      async post(text) {
        const call = fromBinary(CallSchema, fromBinaryString(text));
        calls.push(call);
        return toBinaryString(toBinary(ReplySchema, create(ReplySchema, await f(call))));
      },
    },
    async (path, { signal }) => {
      paths.push(path);
      const stream = body();
      signal.addEventListener("abort", () => void stream.cancel().catch(() => {}));
      return new Response(stream);
    },
  );
  return { core, calls, paths };
}

function chunks(all: Uint8Array, sizes: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(c) {
      if (at >= all.length) return c.close();
      c.enqueue(all.slice(at, at + sizes));
      at += sizes;
    },
  });
}

async function texts(stream: AsyncIterable<{ event: { case: string | undefined; value?: unknown } }>): Promise<string[]> {
  const out: string[] = [];
  for await (const { event } of stream) if (event.case === "sentence") out.push((event.value as { text: string }).text);
  return out;
}

const fails = (code: string) => (e: unknown) => e instanceof BaileyError && e.code === code;

test("bytes survive the way through strings", () => {
  const all = new Uint8Array(100_000).map((_, i) => (i * 31 + (i >> 8)) & 255);
  assert.deepEqual(fromBinaryString(toBinaryString(all)), all);
  assert.throws(() => fromBinaryString("\u0100"), fails("malformed"));
});

test("an envelope that is written by hand is what the schema says", () => {
  for (const method of [1, 127, 128, 901, 0xffffffff])
    for (const timeoutMs of [0, 1, 127, 128, 86400000])
      for (const size of [0, 1, 127, 128, 16383, 16384, 1044480]) {
        const message = new Uint8Array(size).fill(7);
        assert.deepEqual(encodeCall(method, timeoutMs, message), toBinary(CallSchema, create(CallSchema, { method, timeoutMs, message })), `${method} ${timeoutMs} ${size}`);
        for (const schema of [ReplySchema, StreamRecordSchema]) {
          const bytes = toBinary(schema, create(schema, { message }));
          assert.deepEqual(onlyMessage(bytes), size > 0 ? message : undefined);
          // Whatever is not plain, or is cut off, is left to the general way.
          if (size > 0) assert.equal(onlyMessage(bytes.subarray(0, -1)), undefined);
          assert.equal(onlyMessage(Uint8Array.from([...bytes.subarray(0, 300), 0x18, 1])), undefined);
        }
      }
  for (const odd of [[], [0x0a], [0x0a, 0x80], [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], [0x12, 0], [0x18, 1]]) assert.equal(onlyMessage(Uint8Array.from(odd)), undefined);
});

test("a unary call carries its method, its time and its message", async () => {
  const { core, calls } = page(() => ({ message: toBinary(BeginResponseSchema, create(BeginResponseSchema, { id: "c1" })) }));
  assert.equal((await storeBegin(core, { model: "m" }, { timeoutMs: 1234 })).id, "c1");
  assert.equal(calls[0]!.method, 801);
  assert.equal(calls[0]!.timeoutMs, 1234);
  assert.equal(fromBinary(BeginRequestSchema, calls[0]!.message).model, "m");
});

test("an error of the core has its code, sentence and hint; a code of another release is internal", async () => {
  const { core } = page(() => ({ error: { code: "denied", message: "Not allowed", hint: "ask" } }));
  await assert.rejects(storeBegin(core, {}), (e) => fails("denied")(e) && (e as BaileyError).message === "Not allowed" && (e as BaileyError).hint === "ask");
  const other = page(() => ({ error: { code: "not-a-code", message: "x" } }));
  await assert.rejects(storeBegin(other.core, {}), fails("internal"));
});

test("garbage is a malformed answer, never a value", async () => {
  for (const reply of ["\u00ff\u00ff\u00ff", "\u0001", "\u20ac"]) {
    const core = new PageCore({ post: async () => reply }, async () => new Response());
    await assert.rejects(storeBegin(core, {}), fails("malformed"), JSON.stringify(reply));
  }
  const gone = new PageCore({ post: async () => Promise.reject(new Error("gone")) }, async () => new Response());
  await assert.rejects(storeBegin(gone, {}), fails("core-unavailable"));
});

test("records come whole, however the chunks fall", async () => {
  const all = join(sentence("one"), sentence("two".repeat(500)), sentence("three"), record({ end: true }));
  for (const size of [1, 2, 3, 5, 7, 64, 1000, all.length]) {
    const { core, paths } = page(() => ({ stream: id }), () => chunks(all, size));
    assert.deepEqual(await texts(indexAsk(core, grant, { question: "q" })), ["one", "two".repeat(500), "three"], `chunks of ${size}`);
    assert.deepEqual(paths, [`/.stream/${"ab".repeat(16)}`]);
  }
});

test("a stream that is cut off, or holds garbage, or a record too long, is an error and is cancelled", async () => {
  const long = new Uint8Array(4);
  new DataView(long.buffer).setUint32(0, recordMax + 1);
  for (const [body, code] of [
    [sentence("one"), "core-unavailable"],
    [join(sentence("one"), sentence("two").slice(0, 6)), "core-unavailable"],
    [join(sentence("one"), new Uint8Array([0, 0, 0, 2, 255, 255])), "malformed"],
    [join(sentence("one"), long), "malformed"],
    [join(sentence("one"), record({ message: new Uint8Array([255, 255, 255]) })), "malformed"],
  ] as const) {
    const { core, calls } = page(() => ({ stream: id }), () => chunks(body, 3));
    const got: unknown[] = [];
    await assert.rejects(async () => {
      for await (const m of indexAsk(core, grant, { question: "q" })) got.push(m);
    }, fails(code));
    assert.equal(got.length, 1);
    assert.equal(calls.at(-1)!.method, 1002, "no Cancel");
  }
});

test("an error record ends the stream with the core's words", async () => {
  const { core, calls } = page(() => ({ stream: id }), () => chunks(join(sentence("one"), record({ error: { code: "grant-revoked", message: "The grant was revoked" } })), 9));
  const got: string[] = [];
  await assert.rejects(async () => {
    for await (const { event } of indexAsk(core, grant, { question: "q" })) if (event.case === "sentence") got.push(event.value.text);
  }, fails("grant-revoked"));
  assert.deepEqual(got, ["one"]);
  assert.ok(!calls.some((c) => c.method === 1002), "a stream that is over was cancelled");
});

test("only what was worked off is acknowledged, so a page that does not read holds the core back", async () => {
  const one = sentence("x".repeat(1900));
  const count = 200;
  const { core, calls } = page(() => ({ stream: id }), () => chunks(join(...Array.from({ length: count }, () => one), record({ end: true })), 50_000));
  const stream = indexAsk(core, grant, { question: "q" });
  const acked = () => calls.filter((c) => c.method === 1001).reduce((n, c) => n + fromBinary(AckRequestSchema, c.message).bytes, 0);
  let read = 0;
  for (; read < 20; read++) await stream.next();
  assert.equal(acked(), 0, "acknowledged before a quarter of the window was read");
  for (; read < 60; read++) await stream.next();
  const before = acked();
  assert.ok(before > 0 && before <= 60 * one.length, String(before));
  await new Promise((r) => setImmediate(r));
  assert.equal(acked(), before, "acknowledged while nobody read");
  for await (const _ of stream) read++;
  assert.equal(read, count);
  assert.ok(acked() > count * one.length - 64 * 1024);
});

test("an AbortSignal ends a stream that says nothing, and cancels it", async () => {
  const { core, calls } = page(() => ({ stream: id }));
  const abort = new AbortController();
  const next = indexAsk(core, grant, { question: "q" }, { signal: abort.signal }).next();
  setImmediate(() => abort.abort());
  await assert.rejects(next, fails("cancelled"));
  assert.ok(calls.some((c) => c.method === 1002));
});

test("a break out of a loop cancels too", async () => {
  const { core, calls } = page(() => ({ stream: id }), () => chunks(join(sentence("one"), sentence("two")), 1000));
  for await (const _ of indexAsk(core, grant, { question: "q" })) break;
  assert.ok(calls.some((c) => c.method === 1002));
});

test("a call that is given up before its answer is cancelled when the answer comes", async () => {
  let answer!: () => void;
  const held = new Promise<void>((r) => (answer = r));
  const { core, calls } = page(async (c) => {
    if (c.method === 401) await held;
    return { stream: id };
  });
  const abort = new AbortController();
  const next = indexAsk(core, grant, { question: "q" }, { signal: abort.signal }).next();
  abort.abort();
  await assert.rejects(next, fails("cancelled"));
  assert.ok(!calls.some((c) => c.method === 1002));
  answer();
  await new Promise((r) => setImmediate(r));
  await new Promise((r) => setImmediate(r));
  assert.ok(calls.some((c) => c.method === 1002));
});

test("a request that is too large is not sent", async () => {
  const { core, calls } = page(() => ({}));
  await assert.rejects(storeBegin(core, { model: "m".repeat(2000) }), fails("too-large"));
  assert.equal(calls.length, 0);
});

test("records hold no more than what is not whole", () => {
  const r = new Records();
  assert.deepEqual(r.push(new Uint8Array()), []);
  assert.equal(r.push(join(sentence("a"), sentence("b"), new Uint8Array([0]))).length, 2);
  assert.equal(r.rest, 1);
});

test("what a page replaces afterwards does not stand in between", async () => {
  const host = { post: async (_: string) => toBinaryString(toBinary(ReplySchema, create(ReplySchema, { message: toBinary(BeginResponseSchema, create(BeginResponseSchema, { id: "true" })) }))) };
  const core = new PageCore(host, async () => new Response());
  const seen: string[] = [];
  host.post = async (s) => (seen.push(s), "");
  const { charCodeAt } = String.prototype;
  const { fromCharCode } = String;
  try {
    String.prototype.charCodeAt = function () {
      seen.push(String(this));
      return 0;
    };
    String.fromCharCode = () => (seen.push("fromCharCode"), "");
    assert.equal((await storeBegin(core, {})).id, "true");
  } finally {
    String.prototype.charCodeAt = charCodeAt;
    String.fromCharCode = fromCharCode;
  }
  assert.deepEqual(seen, []);
});
