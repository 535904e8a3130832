/** A folder from the question on until it is closed. */
import { asError, changed, coreBeginTask, coreEndTask, Outcome, requestGrants, State, type BaileyError, type Core, type Grant, type Permission, type Picked, type Want } from "@bailey/sdk/app";
import { Run, type Place } from "./run.svelte.js";
import { Source } from "./source.svelte.js";

export interface FolderOptions {
  readonly remember: boolean;
  /** Names of the models that are asked for with the folder. */
  readonly models: readonly string[];
}

export class Folder {
  readonly picked: Picked;
  readonly options: FolderOptions;
  /** Undefined while a person is being asked. */
  permission = $state.raw<Permission<"file.read"> | undefined>();
  models = $state.raw<readonly Permission<"model.run">[]>([]);
  /** Questions before this one; undefined until the core says. */
  waiting = $state<number | undefined>();
  runs = $state.raw<readonly Run[]>([]);
  source = $state.raw<Source | undefined>();
  error = $state.raw<BaileyError | undefined>();

  readonly #core: Core;
  readonly #abort = new AbortController();
  #task = "";

  constructor(core: Core, picked: Picked, options: FolderOptions) {
    this.#core = core;
    this.picked = picked;
    this.options = options;
  }

  get name(): string {
    return this.permission?.object ?? this.picked.object;
  }

  get running(): Run | undefined {
    return this.runs.findLast((r) => r.state === "running");
  }

  async ask(): Promise<void> {
    this.error = undefined;
    this.permission = undefined;
    this.waiting = undefined;
    const folder: Want = { kind: "file.read", picked: this.picked, remember: this.options.remember };
    const models = this.options.models.map((model): Want & { kind: "model.run" } => ({ kind: "model.run", model, remember: this.options.remember }));
    // A person who is asked again is asked for another task: to the one before they
    // have said no, or taken it away.
    this.#end();
    try {
      this.#task = (await coreBeginTask(this.#core, { verb: "summarize" })).task;
      const [permission, ...rest] = await requestGrants(this.#core, this.#task, [folder, ...models] as [typeof folder & { kind: "file.read" }, ...typeof models], { signal: this.#abort.signal, waiting: (n) => (this.waiting = n) });
      this.models = rest;
      this.permission = permission;
      if (permission.state === "granted") void this.run("");
      else this.#end();
    } catch (e) {
      const error = asError(e);
      if (error.code !== "cancelled") this.error = error;
      this.#end();
    }
  }

  async run(question: string): Promise<void> {
    if (this.permission?.state !== "granted") return;
    this.running?.stop();
    const run = new Run(question);
    this.runs = [...this.runs, run];
    await run.start(this.#core, this.permission.grant, this.engines());
    if ((run.state === "revoked" || run.state === "expired") && this.permission?.state === "granted") {
      this.permission = { state: run.state, kind: "file.read", object: this.permission.object };
      this.#end();
    }
  }

  engines(): readonly Grant<"model.run">[] {
    return this.models.flatMap((p) => (p.state === "granted" ? [p.grant] : []));
  }

  open(place: Place): void {
    this.source?.close();
    this.source = undefined;
    if (this.permission?.state !== "granted") return;
    this.source = new Source(this.#core, this.permission.grant, place);
    void this.source.open();
  }

  shut(): void {
    this.source?.close();
    this.source = undefined;
  }

  /** What an event says of a grant. The page does not wait for the streams to notice. */
  grantChanged(id: string, state: State): void {
    this.models = this.models.map((p) => changed(p, id, state));
    const p = this.permission;
    if (!p) return;
    this.permission = changed(p, id, state);
    const now = this.permission.state;
    if (now === "revoked" || now === "expired") {
      for (const r of this.runs) r.stop(now);
      if (this.source?.loading) this.shut();
      this.#end();
    }
  }

  /** Ends the task, and with it every grant of it. */
  close(): void {
    for (const r of this.runs) r.stop();
    this.#abort.abort();
    this.shut();
    this.#end();
  }

  /** Nobody is shown a task as open that may do nothing any more. */
  #end(): void {
    const task = this.#task;
    this.#task = "";
    if (task !== "") void coreEndTask(this.#core, { task, outcome: Outcome.OK }).catch(() => {});
  }
}
