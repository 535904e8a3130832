/** What the panel shows, asked for anew while it is open: nothing here is a copy that could be old. */
import { asError, audit, auditShow, auditVerify, coreListTasks, coreStopTask, type coreTypes, grantExplain, grantList, grantRevoke, State, surface, surfaceEvents, type BaileyError, type Core, type GrantRow } from "@bailey/sdk/panel";
import { applySettings, catalogueOf } from "@bailey/ui/settings";
import { holders, parseRecord, type Entry, type Group } from "./records.js";
import { words } from "./words/index.js";

/** How many revoked rows stay in sight. */
const FATES = 20;

export type View = "permissions" | "activity";

/** Milliseconds between two looks, at the grants and at the log. */
const grantsEvery = 1000;
const recordsEvery = 1500;
/** Records that are shown at first, and how many more each time. */
const page = 200;
/** Verifying reads the whole log; not more often than this by itself. */
const verifyEvery = 15_000;

export interface Row {
  readonly grant: GrantRow;
  readonly fate: "" | "revoking" | "revoked";
}

export class Panel {
  readonly core: Core;
  view = $state<View>("permissions");
  settings = $state.raw<surface.Settings | undefined>();
  say = $derived(words(catalogueOf(this.settings?.language ?? navigator.language)));
  lost = $state(false);
  error = $state.raw<BaileyError | undefined>();

  rows = $state.raw<readonly Row[]>([]);
  tasks = $state.raw<readonly coreTypes.Task[]>([]);
  listed = $state(false);
  lines = $state.raw<ReadonlyMap<string, readonly string[]>>(new Map());

  records = $state.raw<readonly Entry[]>([]);
  /** Whether the log has been read once, or could not be. */
  loaded = $state(false);
  held = $derived(holders(this.records));
  most = $state(page);
  more = $state(false);
  group = $state<Group | "all">("all");
  find = $state("");
  shown = $state.raw<Entry | undefined>();
  verified = $state.raw<audit.VerifyResponse | undefined>();
  verifying = $state(false);
  damage = $state.raw<BaileyError | undefined>();
  #verifiedAt = 0;
  #fates = new Map<string, Row>();

  constructor(core: Core) {
    this.core = core;
  }

  async start(): Promise<void> {
    void this.#events();
    await Promise.all([this.#grants(), this.#records(), this.verify()]);
    this.#every(grantsEvery, () => this.#grants());
    this.#every(recordsEvery, () => this.#records());
  }

  /** Again and again, each time only when the last one is over. */
  #every(ms: number, f: () => Promise<void>): void {
    const next = () => {
      if (!this.lost) setTimeout(() => void f().finally(next), ms);
    };
    next();
  }

  async #events(): Promise<void> {
    try {
      for await (const { event } of surfaceEvents(this.core, {})) {
        if (event.case === "settings") {
          this.settings = event.value;
          applySettings(event.value);
          document.documentElement.lang = this.say.language;
        } else if (event.case === "show") {
          this.view = event.value.panel === surface.Panel.ACTIVITY ? "activity" : "permissions";
        }
      }
    } catch {
      // Below.
    }
    this.lost = true;
  }

  async #grants(): Promise<void> {
    try {
      const rows: Row[] = [];
      for await (const grant of grantList(this.core, {})) {
        if (grant.state !== State.LIVE && grant.state !== State.REMEMBERED && grant.state !== State.DENIED) continue;
        rows.push(this.#fates.get(grant.id) ?? { grant, fate: "" });
      }
      // A row that was revoked here stays, so that a person sees what became of it.
      for (const [id, row] of this.#fates) if (!rows.some((r) => r.grant.id === id)) rows.push(row);
      rows.sort((a, b) => Number(b.grant.sinceMs - a.grant.sinceMs) || (a.grant.id < b.grant.id ? -1 : 1));
      const { tasks } = await coreListTasks(this.core, {});
      this.rows = rows;
      this.tasks = tasks;
      this.listed = true;
      this.error = undefined;
    } catch (e) {
      this.error = asError(e);
    }
  }

  async #records(): Promise<void> {
    if (this.view !== "activity" && this.records.length > 0) return;
    const out: Entry[] = [];
    const last = this.most + 1;
    try {
      for await (const r of auditShow(this.core, { last })) out.push(parseRecord(Number(r.seq), Number(r.timeMs), r.json));
      const more = out.length === last;
      if (more) out.shift();
      if (out.at(-1)?.seq === this.records[0]?.seq && out.length === this.records.length) return;
      this.records = out.reverse();
      this.more = more;
      this.damage = undefined;
      if (performance.now() - this.#verifiedAt > verifyEvery) void this.verify();
    } catch (e) {
      const error = asError(e);
      if (error.code === "audit-log-broken") {
        // What stands before the damage is vouched for, and shown.
        this.damage = error;
        this.records = out.reverse();
        this.more = false;
      } else this.error = error;
    } finally {
      this.loaded = true;
    }
  }

  async older(): Promise<void> {
    this.most += page;
    await this.#records();
  }

  async verify(): Promise<void> {
    if (this.verifying) return;
    this.verifying = true;
    try {
      this.verified = await auditVerify(this.core, {});
    } catch (e) {
      const error = asError(e);
      if (error.code === "audit-log-broken") this.damage = error;
      else this.error = error;
    } finally {
      this.#verifiedAt = performance.now();
      this.verifying = false;
    }
  }

  async revoke(grant: GrantRow): Promise<void> {
    this.#fate({ grant, fate: "revoking" });
    try {
      await grantRevoke(this.core, { id: grant.id });
      this.#fate({ grant, fate: "revoked" });
    } catch (e) {
      const error = asError(e);
      // It ended by itself before the click arrived: it is gone all the same.
      if (error.code === "not-found") this.#fate({ grant, fate: "revoked" });
      else {
        this.#fates.delete(grant.id);
        this.rows = this.rows.map((r) => (r.grant.id === grant.id ? { grant, fate: "" } : r));
        this.error = error;
      }
    }
  }

  #fate(row: Row): void {
    this.#fates.set(row.grant.id, row);
    // Those that are long read go, so that a panel that stays open does not grow.
    for (const id of [...this.#fates.keys()].slice(0, -FATES)) this.#fates.delete(id);
    this.rows = this.rows.map((r) => (r.grant.id === row.grant.id ? row : r));
  }

  /** What is in use first, and no more at once than the core takes from a window. */
  async revokeAll(): Promise<void> {
    const rows = this.rows.filter((r) => r.fate === "" && r.grant.state !== State.DENIED);
    rows.sort((a, b) => Number(b.grant.state === State.LIVE) - Number(a.grant.state === State.LIVE));
    for (let i = 0; i < rows.length; i += FATES) await Promise.all(rows.slice(i, i + FATES).map((r) => this.revoke(r.grant)));
  }

  async explain(id: string): Promise<void> {
    if (this.lines.has(id)) return;
    try {
      const { lines } = await grantExplain(this.core, { id });
      this.lines = new Map(this.lines).set(id, lines);
    } catch (e) {
      this.lines = new Map(this.lines).set(id, [asError(e).message]);
    }
  }

  async stopTask(id: string): Promise<void> {
    try {
      await coreStopTask(this.core, { task: id });
      this.tasks = this.tasks.filter((t) => t.id !== id);
    } catch (e) {
      this.error = asError(e);
    }
  }
}
