/** A record of the audit log as a sentence. The record itself stays one click away. */
import { visible } from "@bailey/ui/format";
import type { Words } from "./words/index.js";

/** The members of a record that a sentence is made of; see docs/audit.md. */
export interface Fields {
  readonly kind: string;
  readonly app?: string;
  readonly verb?: string;
  readonly method?: string;
  readonly decision?: string;
  readonly by?: string;
  readonly grant?: string;
  readonly code?: string;
  readonly detail?: Readonly<Record<string, string>>;
  readonly detail_erased?: boolean;
}

export interface Entry {
  readonly seq: number;
  readonly at: number;
  readonly fields: Fields;
  /** The whole record, as the core wrote it. */
  readonly json: string;
}

export type Group = "permission" | "denied" | "work";

const permission = new Set(["grant", "deny", "revoke", "expire", "remember", "forget", "refuse", "unblock", "intent"]);
const trouble = new Set(["worker-crash", "malformed-peer", "recovered", "history-break"]);

export function parseRecord(seq: number, at: number, json: Uint8Array): Entry {
  const text = new TextDecoder().decode(json);
  let fields: Fields = { kind: "unknown" };
  try {
    const v: unknown = JSON.parse(text);
    if (typeof v === "object" && v !== null && "kind" in v && typeof v.kind === "string") fields = v as Fields;
  } catch {
    // Shown as it is, under its number.
  }
  return { seq, at, fields, json: text };
}

export function isDenied(f: Fields): boolean {
  return f.kind === "deny" || f.decision === "deny" || f.code === "denied" || f.code === "blocked" || f.code === "grant-missing";
}

export function isTrouble(f: Fields): boolean {
  return trouble.has(f.kind) || (f.kind === "core-start" && f.code === "unclean");
}

export function inGroup(f: Fields, g: Group): boolean {
  if (g === "denied") return isDenied(f);
  return permission.has(f.kind) === (g === "permission");
}

export function who(t: Words, app: string | undefined): string {
  if (app === undefined || app === "") return t("who.none");
  return app === "studio" || app === "bailey" || app === "panels" ? t(`who.${app}`) : visible(app);
}

/** The same within a sentence. */
function whom(t: Words, app: string | undefined): string {
  return app === "bailey" || app === "panels" ? t(`whom.${app}`) : who(t, app);
}

const methods = new Set<string>(["IndexService/Ask", "IndexService/Summarize", "IndexService/Source", "IndexService/Attach", "EngineService/Generate", "EngineService/Embed", "ModelService/Load", "ModelService/Pull", "ModelService/Remove", "ModelService/Verify", "GrantService/Propose", "GrantService/Decide", "GrantService/Request", "GrantService/Revoke", "SurfaceService/Pick", "WindowService/Open", "StoreService/Erase", "StoreService/Cut", "CoreService/StopTask", "SandboxService/Run"]);

/** A member of the detail; one that JSON could not hold as it is stands in base64. */
function detail(f: Fields, name: string): string | undefined {
  const plain = f.detail?.[name];
  const coded = f.detail?.[`${name}~b64`];
  if (plain !== undefined || coded === undefined) return plain;
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(coded), (c) => c.charCodeAt(0)));
  } catch {
    return coded;
  }
}

function what(t: Words, f: Fields): string {
  const object = visible(detail(f, "path") ?? f.detail?.["model"] ?? f.detail?.["host"] ?? f.detail?.["object"] ?? "");
  const kind = f.detail?.["kind"];
  if (f.kind === "call" || f.kind === "call-end") return doing(t, f);
  if (kind === "file.read" || kind === "file.write" || kind === "model.run" || kind === "gpu.use" || kind === "exec.run" || kind === "net.fetch") return t(`w.${kind}`, { object });
  if (kind !== undefined && kind !== "") return t("w.kind", { kind: visible(kind), object });
  return doing(t, f);
}

function doing(t: Words, f: Fields): string {
  const method = /([A-Za-z]+\/[A-Za-z]+)$/.exec(f.method ?? "")?.[1];
  if (method !== undefined) return methods.has(method) ? t(`w.${method}` as Parameters<Words>[0]) : t("w.method", { method });
  return t("w.something");
}

const workers = new Set(["index", "engine", "graphics", "store", "inspect", "window", "prompt", "picker"]);

function worker(t: Words, f: Fields): string {
  const kind = f.detail?.["worker"] ?? f.detail?.["kind"] ?? f.method ?? "";
  return workers.has(kind) ? t(`k.${kind}` as Parameters<Words>[0], { model: visible(f.detail?.["model"] ?? "") }) : t("k.any");
}

/** What tasks are begun with: by the core itself, by the terminal, by Studio. */
const verbs = new Set(["summarize", "ask", "chat", "engine", "vectors", "model-pull", "model-pin", "sandbox-run"]);

export function verb(t: Words, v: string | undefined): string {
  return v !== undefined && verbs.has(v) ? t(`t.verb.${v}` as Parameters<Words>[0]) : visible(v ?? "");
}

/** Who holds or held which grant, by the records that gave it: a record of a grant
 * that a person withdrew has the app in which they did. */
export function holders(records: readonly Entry[]): ReadonlyMap<string, string> {
  const out = new Map<string, string>();
  for (const { fields: f } of records) if ((f.kind === "grant" || f.kind === "remember") && f.grant && f.app) out.set(f.grant, f.app);
  return out;
}

export function sentence(t: Words, f: Fields, held?: ReadonlyMap<string, string>): string {
  const params = { who: who(t, f.app), whom: whom(t, f.app), what: what(t, f), verb: verb(t, f.verb), code: visible(f.code ?? ""), worker: worker(t, f), kind: visible(f.kind) };
  switch (f.kind) {
    case "core-start":
      return t(f.code === "unclean" ? "r.core-start.unclean" : "r.core-start");
    case "grant":
      return f.by === "prompt" || f.by === "terminal" || f.by === "command-line" || f.by === "remembered" ? t(`r.grant.${f.by}`, params) : t("r.grant", params);
    case "revoke":
      // Without `by` it ended with its task.
      if (f.by === undefined || f.by === "") return t("r.revoke", params);
      {
        const holder = f.grant === undefined ? undefined : held?.get(f.grant);
        return holder === undefined ? t("r.revoke.you", params) : t("r.revoke.you.from", { ...params, who: who(t, holder), whom: whom(t, holder) });
      }
    case "call-end":
      return f.code === undefined || f.code === "ok" ? t("r.call-end", params) : t("r.call-end.failed", params);
    case "core-stop":
    case "heartbeat":
    case "recovered":
    case "history-break":
    case "task-begin":
    case "task-end":
    case "intent":
    case "deny":
    case "expire":
    case "remember":
    case "forget":
    case "refuse":
    case "unblock":
    case "call":
    case "worker-start":
    case "worker-end":
    case "worker-crash":
    case "malformed-peer":
    case "erased":
      return t(`r.${f.kind}`, params);
    default:
      return t("r.unknown", params);
  }
}
