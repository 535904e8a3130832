/** Both panels with a mock core; the parameters are those of Studio's stories. */
import "@bailey/ui/theme.css";
import { DecidedBy, KindNumber, State, surface } from "@bailey/sdk/panel";
import { BaileyError, methods, MockCore } from "@bailey/sdk/mock";
import { mount, tick, unmount } from "svelte";
import { Panel } from "../panel.svelte.js";
import App from "../views/App.svelte";

const encode = (s: string) => new TextEncoder().encode(s);
const now = Date.now();
const long = "/home/ursula/Documents/" + "a-folder-with-a-name-that-nobody-would-type-by-hand/".repeat(4) + "\u202etxt.exe";
const grants = [
  { id: "g1", kind: KindNumber.FILE_READ, scope: encode("/home/ursula/Documents/Bakery"), holder: "studio", task: "t1", sinceMs: BigInt(now - 600_000), used: 12n, state: State.LIVE, decidedBy: DecidedBy.PROMPT },
  { id: "g2", kind: KindNumber.MODEL_RUN, scope: encode("smollm2-135m-instruct-q4_1"), holder: "studio", task: "t1", sinceMs: BigInt(now - 590_000), expiresMs: BigInt(now + 900_000), used: 0n, state: State.LIVE, decidedBy: DecidedBy.PROMPT },
  { id: "g3", kind: KindNumber.FILE_READ, scope: encode(long), holder: "bailey", sinceMs: BigInt(now - 86_400_000 * 3), state: State.REMEMBERED, decidedBy: DecidedBy.TERMINAL, progress: 420 },
  { id: "g5", kind: KindNumber.MODEL_RUN, scope: encode("smollm2-135m-instruct-q4_1"), holder: "studio", sinceMs: BigInt(now - 86_400_000 * 4), state: State.REMEMBERED, decidedBy: DecidedBy.PROMPT },
  { id: "g4", kind: KindNumber.FILE_READ, scope: encode("/home/ursula/مستندات/خاص"), holder: "studio", sinceMs: BigInt(now - 3_600_000), state: State.DENIED, decidedBy: DecidedBy.PROMPT },
];
const who = { app: "studio", surface: "window", task: "383c3c2721c7e5ca", verb: "summarize" };
const folder = { kind: "file.read", path: "/home/ursula/Documents/Bakery" };
const list: readonly Record<string, unknown>[] = [
  { kind: "core-start", code: "first" },
  { kind: "call", app: "bailey", surface: "terminal", method: "bailey.window.v1.WindowService/Open" },
  { kind: "task-begin", ...who },
  { kind: "call", ...who, method: "bailey.surface.v1.SurfaceService/Pick" },
  { kind: "intent", ...who, method: "bailey.grant.v1.GrantService/Request", detail: folder },
  { kind: "grant", ...who, decision: "allow", by: "prompt", grant: "f5422818275c7969", detail: folder },
  { kind: "worker-start", ...who, detail: { kind: "index", pid: "4321" } },
  { kind: "call", ...who, method: "bailey.index.v1.IndexService/Summarize", grant: "f5422818275c7969" },
  { kind: "call-end", ...who, method: "bailey.index.v1.IndexService/Summarize", code: "ok", messages: 31, response_bytes: 18233, ms: 1340 },
  { kind: "deny", ...who, decision: "deny", by: "prompt", code: "denied", detail: { kind: "model.run", model: "smollm2-135m-instruct-q4_1" } },
  { kind: "call-end", app: "studio", surface: "window", method: "bailey.audit.v1.AuditService/Show", decision: "deny", code: "denied" },
  { kind: "worker-crash", app: "studio", code: "worker-crashed", detail: { kind: "engine", model: "smollm2-135m-instruct-q4_1" } },
  { kind: "heartbeat" },
  { kind: "remember", app: "bailey", surface: "terminal", detail: { kind: "file.read", path: long } },
  { kind: "revoke", app: "panels", surface: "panel", by: "panel", grant: "f5422818275c7969", detail: folder },
  { kind: "call-end", ...who, method: "bailey.index.v1.IndexService/Ask", code: "grant-revoked" },
  { kind: "task-end", ...who, code: "ok", detail_erased: true },
  { kind: "task-begin", ...who, surface: "core", verb: "vectors" },
  { kind: "task-end", ...who, surface: "core", verb: "engine", code: "ok" },
];

const names = ["permissions", "permissions-none", "permissions-revoked", "activity", "activity-denied", "activity-none", "activity-damaged", "activity-details", "failed", "lost"];
const root = document.documentElement;
root.dataset["stories"] = names.join(" ");
let shown: ReturnType<typeof mount> | undefined;
let before: Panel | undefined;

/** Shows a story, in place of the one before. A test calls it, or the address names one. */
async function show(search: string): Promise<void> {
  const query = new URLSearchParams(search);
  const name = query.get("story") ?? "permissions";
  if (!names.includes(name)) throw new Error(`no story is called ${name}`);
  if (shown) await unmount(shown);
  // What is lost asks no more.
  if (before) before.lost = true;
  delete root.dataset["ready"];
  root.dir = query.get("dir") ?? "";
  // In a window the zoom of the page does this; here nothing else would.
  root.style.fontSize = `${Number(query.get("scale") ?? "1000") / 10}%`;
  const none = name.endsWith("-none");
  const theme = query.get("theme");
  const settings = { scheme: theme === "dark" ? surface.Scheme.DARK : theme === "light" ? surface.Scheme.LIGHT : surface.Scheme.UNSPECIFIED, textScale: Number(query.get("scale") ?? "1000"), highContrast: query.get("contrast") === "high", reducedMotion: query.get("motion") === "reduced", language: query.get("language") ?? "en" };
  const mock = new MockCore()
    .onStream(methods.SurfaceServiceEvents, async function* () {
      yield { event: { case: "settings" as const, value: settings } };
      if (name !== "lost") await new Promise(() => {});
    })
    .onStream(methods.GrantServiceList, () => {
      if (name === "failed") throw new BaileyError("core-busy", "Bailey's core has too much to do", "end another task, then try again");
      return none ? [] : grants;
    })
    .on(methods.GrantServiceRevoke, () => ({ ended: 1 }))
    .on(methods.GrantServiceExplain, () => ({ lines: ["You allowed it in Bailey's window.", "It allows reading the files in that folder and below it."] }))
    .on(methods.CoreServiceListTasks, () => ({ tasks: none ? [] : [{ id: "t1", verb: "summarize", startedMs: BigInt(now - 600_000) }, { id: "t2", verb: "vectors", startedMs: BigInt(now - 500_000) }] }))
    .on(methods.CoreServiceStopTask, () => ({ stopped: 1 }))
    .onStream(methods.AuditServiceShow, function* () {
      if (none) return;
      for (const [i, r] of list.entries()) yield { seq: BigInt(i), timeMs: BigInt(now - (list.length - i) * 41_000), json: encode(JSON.stringify({ seq: i, time: new Date(now).toISOString(), ...r })) };
      if (name === "activity-damaged") throw new BaileyError("audit-log-broken", "The audit log is damaged", "`bailey audit verify` names the first bad record");
    })
    .on(methods.AuditServiceVerify, () => (name === "activity-damaged" ? { ok: false, size: BigInt(list.length), root: new Uint8Array(32), firstBad: 12n, reason: "record 12 has another hash than the checkpoint behind it says" } : { ok: true, size: BigInt(none ? 0 : list.length), root: new Uint8Array(32).fill(0xab) }));
  const panel = new Panel(mock);
  before = panel;
  panel.view = name.startsWith("activity") ? "activity" : "permissions";
  shown = mount(App, { target: document.getElementById("app")!, props: { panel } });
  await panel.start();
  if (name === "permissions-revoked") await panel.revoke(panel.rows[0]!.grant);
  if (name === "activity-denied") panel.group = "denied";
  if (name === "activity-details") panel.shown = panel.records.find((r) => r.fields.kind === "grant");
  await tick();
  await new Promise((r) => setTimeout(r, 120));
  root.dataset["ready"] = name;
}

(globalThis as { story?: typeof show }).story = show;
await show(location.search);
