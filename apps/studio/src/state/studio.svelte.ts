/** All that the window shows. Nothing of it outlives the window; conversations are the store worker's. */
import { asError, changed, coreBeginTask, modelList, requestGrants, Role, State, storeErase, storeList, storeSearch, surface, surfaceEvents, surfaceOpenPanel, surfacePick, type BaileyError, type Core, type Grant, type Model, type Permission, type Picked, type store } from "@bailey/sdk/app";
import { applySettings, catalogueOf } from "@bailey/ui/settings";
import { words } from "../words/index.js";
import { Chat } from "./chat.svelte.js";
import { Folder } from "./folder.svelte.js";

export type View = "home" | "folder" | "chat";
export type Sheet = "" | "palette" | "help" | "erase";

/** Conversations that the sidebar lists. */
const listed = 200;

export class Studio {
  readonly core: Core;
  view = $state<View>("home");
  sheet = $state<Sheet>("");
  sidebar = $state(false);
  lost = $state(false);
  settings = $state.raw<surface.Settings | undefined>();
  say = $derived(words(catalogueOf(this.settings?.language ?? navigator.language)));

  models = $state.raw<readonly Model[]>([]);
  remember = $state(false);
  /** Models that are asked for with the next folder. */
  helpers = $state.raw<readonly string[]>([]);
  picking = $state(false);
  error = $state.raw<BaileyError | undefined>();

  folder = $state.raw<Folder | undefined>();

  chat = $state.raw<Chat | undefined>();
  chats = $state.raw<readonly store.Conversation[]>([]);
  search = $state("");
  found = $state.raw<readonly store.SearchResponse[] | undefined>();
  /** The permission for each model that was asked for, by its name. */
  permissions = $state.raw<ReadonlyMap<string, Permission<"model.run">>>(new Map());
  asking = $state("");
  #task = "";
  #searching: AbortController | undefined;

  constructor(core: Core) {
    this.core = core;
  }

  get chatModels(): readonly Model[] {
    return this.#usable(Role.CHAT);
  }

  get embeddingModels(): readonly Model[] {
    return this.#usable(Role.EMBEDDING);
  }

  /** Whether a person allowed one for this app before does not matter: the question is Bailey's to put. */
  #usable(role: Role): readonly Model[] {
    return this.models.filter((m) => m.facts?.role === role && !m.quarantined && !m.changed);
  }

  async start(): Promise<void> {
    void this.#events();
    await Promise.all([this.loadModels(), this.loadChats()]);
  }

  async #events(): Promise<void> {
    try {
      for await (const { event } of surfaceEvents(this.core, {})) {
        switch (event.case) {
          case "settings":
            this.settings = event.value;
            applySettings(event.value);
            document.documentElement.lang = this.say.language;
            break;
          case "dropped":
            void this.openFolder({ token: event.value.picked, object: event.value.object });
            break;
          case "grant":
            this.#grantChanged(event.value.id, event.value.state);
            break;
        }
      }
    } catch {
      // Below: however it ended, nothing else will be heard of a revoked grant.
    }
    this.lost = true;
  }

  #grantChanged(id: string, state: State): void {
    this.folder?.grantChanged(id, state);
    const next = new Map(this.permissions);
    for (const [name, p] of next) {
      const now = changed(p, id, state);
      if (now === p) continue;
      next.set(name, now);
      if (this.chat?.model === name) this.chat.stop("revoked");
    }
    this.permissions = next;
  }

  async loadModels(): Promise<void> {
    try {
      const out: Model[] = [];
      for await (const { model } of modelList(this.core, {})) if (model) out.push(model);
      this.models = out.sort((a, b) => Number(b.lastUsedMs - a.lastUsedMs));
    } catch (e) {
      this.error = asError(e);
    }
  }

  // Folders.

  async pick(): Promise<void> {
    if (this.picking) return;
    this.picking = true;
    this.error = undefined;
    try {
      const { picked, object } = await surfacePick(this.core, {});
      if (picked.length > 0) await this.openFolder({ token: picked, object });
    } catch (e) {
      this.error = asError(e);
      this.view = "home";
    } finally {
      this.picking = false;
    }
  }

  async openFolder(picked: Picked): Promise<void> {
    this.folder?.close();
    const folder = new Folder(this.core, picked, { remember: this.remember, models: this.helpers });
    this.folder = folder;
    this.view = "folder";
    this.sidebar = false;
    // It goes on by itself; the picker is free again meanwhile.
    void folder.ask();
  }

  closeFolder(): void {
    this.folder?.close();
    this.folder = undefined;
    this.view = "home";
  }

  // Conversations.

  async loadChats(): Promise<void> {
    try {
      const out: store.Conversation[] = [];
      for await (const { conversation } of storeList(this.core, { most: listed })) if (conversation) out.push(conversation);
      this.chats = out;
    } catch (e) {
      this.error = asError(e);
    }
  }

  async find(text: string): Promise<void> {
    this.search = text;
    this.#searching?.abort();
    if (text.trim() === "") {
      this.found = undefined;
      return;
    }
    const abort = new AbortController();
    this.#searching = abort;
    const out: store.SearchResponse[] = [];
    try {
      for await (const r of storeSearch(this.core, { text: text.slice(0, 1000), most: 50 }, { signal: abort.signal })) out.push(r);
    } catch (e) {
      if (asError(e).code === "cancelled") return;
    }
    if (!abort.signal.aborted) this.found = out;
  }

  newChat(model = this.chat?.model ?? this.chatModels[0]?.name): void {
    if (model === undefined) {
      this.view = "home";
      return;
    }
    this.chat?.stop();
    this.chat = new Chat(this.core, model);
    this.view = "chat";
    this.sidebar = false;
  }

  async openChat(c: store.Conversation): Promise<void> {
    this.view = "chat";
    this.sidebar = false;
    if (this.chat?.id === c.id) return;
    this.chat?.stop();
    const known = this.chatModels.some((m) => m.name === c.model);
    const chat = new Chat(this.core, known ? c.model : (this.chatModels[0]?.name ?? c.model), c.id);
    this.chat = chat;
    await chat.load();
  }

  async eraseChat(): Promise<void> {
    const chat = this.chat;
    if (!chat) return;
    chat.stop();
    try {
      if (chat.id !== "") await storeErase(this.core, { id: chat.id });
      this.chat = undefined;
      this.view = "home";
      await this.loadChats();
    } catch (e) {
      chat.error = asError(e);
    }
  }

  async send(): Promise<void> {
    const chat = this.chat;
    if (!chat || chat.busy || chat.draft.trim() === "") return;
    const grant = await this.#model(chat);
    if (!grant) return;
    await chat.send(grant, chat.draft);
    await this.loadChats();
  }

  async regenerate(): Promise<void> {
    const chat = this.chat;
    if (!chat || chat.busy || chat.turns.length === 0) return;
    const grant = await this.#model(chat);
    if (grant) await chat.regenerate(grant);
  }

  async #model(chat: Chat): Promise<Grant<"model.run"> | undefined> {
    const had = this.permissions.get(chat.model);
    if (had?.state === "granted") return had.grant;
    if (this.asking !== "") return undefined;
    this.asking = chat.model;
    chat.error = undefined;
    try {
      this.#task ||= (await coreBeginTask(this.core, { verb: "chat" })).task;
      const [permission] = await requestGrants(this.core, this.#task, [{ kind: "model.run", model: chat.model }]);
      this.permissions = new Map(this.permissions).set(chat.model, permission);
      return permission.state === "granted" ? permission.grant : undefined;
    } catch (e) {
      chat.error = asError(e);
      return undefined;
    } finally {
      this.asking = "";
    }
  }

  stop(): void {
    if (this.view === "folder") this.folder?.running?.stop();
    else this.chat?.stop();
  }

  get running(): boolean {
    return (this.view === "folder" && this.folder?.running !== undefined) || (this.view === "chat" && this.chat?.busy === true);
  }

  async panel(panel: surface.Panel): Promise<void> {
    try {
      await surfaceOpenPanel(this.core, { panel });
    } catch (e) {
      this.error = asError(e);
    }
  }
}
