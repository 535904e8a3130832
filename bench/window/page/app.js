// The page of the benchmark in the place of Studio's: it does what each step is,
// shows in the title what came of it, and goes on at the next click.
import { coreBeginTask, coreEndTask, engineStats, indexSource, indexSummarize, modelLoad, Outcome, pageCore as core, requestGrants, State, surfaceCancel, surfaceEvents } from "@bailey/sdk/app";

const tell = (order) => window.bailey.post(order).catch(() => {});
const say = (text) => tell("@say " + text);
const clicked = () => new Promise((go) => addEventListener("click", go, { once: true }));
let told = 0;

// A title that does not change is not seen to be new.
async function next(word) {
  // Listened for before it can come.
  const go = clicked();
  await say(`${word} ${++told}`);
  await go;
}

const events = [];
let heard = () => {};
async function listen() {
  for await (const e of surfaceEvents(core, {})) {
    events.push(e);
    heard();
  }
}
async function event(of) {
  for (;;) {
    const i = events.findIndex(of);
    if (i >= 0) return events.splice(i, 1)[0];
    await new Promise((go) => (heard = go));
  }
}

async function timed(word, count, call) {
  for (let i = 0; i < 200; i++) await call();
  await tell("@reset");
  for (let i = 0; i < count; i++) await call();
  const go = clicked();
  await tell(`@dump ${word}`);
  await go;
}

async function calls(model, rounds, count) {
  const { task } = await coreBeginTask(core, { verb: "bench" });
  const [p] = await requestGrants(core, task, [{ kind: "model.run", model }]);
  if (p.state !== "granted") throw new Error("no model: " + p.reason);
  for await (const e of modelLoad(core, p.grant, {})) void e;
  const stream = new Uint8Array(16);
  // The same call as bytes, made before: what the SDK costs is what is between.
  const bytes = String.fromCharCode(8, 0xea, 7, 0x1a, 18, 10, 16) + "\0".repeat(16);
  for (let r = 0; r < rounds; r++) {
    await next("ready");
    await timed("worker", count, () => engineStats(core, p.grant, {}));
    await timed("core", count, () => surfaceCancel(core, { stream }).catch(() => {}));
    await timed("bytes", count, () => window.bailey.post(bytes));
  }
  await timed("task", 1000, async () => void (await coreEndTask(core, { task: (await coreBeginTask(core, { verb: "bench" })).task, outcome: Outcome.OK })));
  await coreEndTask(core, { task, outcome: Outcome.OK });
}

async function source(path, count) {
  const { task, grant } = await folder(path, true);
  for await (const e of indexSummarize(core, grant, {})) void e;
  const where = { path: new TextEncoder().encode("release.md"), from: 1, lines: 3 };
  await timed("source", count, async () => {
    for await (const r of indexSource(core, grant, where)) void r;
  });
  await coreEndTask(core, { task, outcome: Outcome.OK });
}

// What is not remembered is read anew each time.
async function folder(path, remember) {
  await tell("@drop " + path);
  const e = await event((e) => e.event.case === "dropped");
  const { task } = await coreBeginTask(core, { verb: "summarize" });
  const [p] = await requestGrants(core, task, [{ kind: "file.read", picked: { token: e.event.value.picked, object: path }, remember }]);
  if (p.state !== "granted") throw new Error("no folder: " + p.reason);
  return { task, grant: p.grant };
}

// The panel withdraws what this page is at work with.
async function revoked(path, rounds) {
  for (let r = 0; r < rounds; r++) {
    const { task, grant } = await folder(path, false);
    const work = (async () => {
      for await (const e of indexSummarize(core, grant, { maxSentences: 40 })) void e;
    })().then(
      () => "ended",
      (e) => e.code,
    );
    await say(`working ${++told}`);
    const e = event((e) => e.event.case === "grant" && e.event.value.id === grant.id && e.event.value.state === State.REVOKED);
    await tell("@reset");
    await e;
    // A call of the least kind, whose time is the time at which the page knew.
    await surfaceCancel(core, { stream: new Uint8Array(16) }).catch(() => {});
    await work;
    const go = clicked();
    await tell(`@dump told-${r}`);
    await go;
    await coreEndTask(core, { task, outcome: Outcome.OK });
  }
}

async function main() {
  const plan = await (await fetch("/plan.json")).json();
  void listen();
  await event((e) => e.event.case === "settings");
  await calls(plan.model, plan.rounds, plan.calls);
  await source(plan.small, plan.sources);
  await revoked(plan.large, plan.revokes);
  await say("done");
}

main().catch((e) => say(`failed ${e?.code ?? ""} ${e}`));
