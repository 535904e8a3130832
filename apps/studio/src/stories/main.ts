/**
 * Every view with a mock core: stories.html?story=NAME&theme=dark&language=de&scale=2000
 * &contrast=high&motion=reduced&dir=rtl. `data-ready` on the root says that it stands.
 */
import "@bailey/ui/theme.css";
import "@bailey/ui/prose.css";
import { State, surface } from "@bailey/sdk/app";
import { mount, tick, unmount } from "svelte";
import { Studio } from "../state/studio.svelte.js";
import App from "../views/App.svelte";
import { bench } from "./bench.js";
import { Events, mockCore, type World } from "./core.js";

interface Story {
  readonly world?: Partial<World>;
  readonly play?: (s: Studio, events: Events) => Promise<unknown> | void;
}

const until = async (f: () => boolean) => {
  for (let i = 0; i < 200 && !f(); i++) await new Promise((r) => setTimeout(r, 25));
};
const opened = async (s: Studio) => {
  await s.pick();
  await until(() => s.folder?.runs[0]?.state === "done" || (s.folder?.runs[0]?.passages.length ?? 0) > 2 || s.folder?.runs[0]?.state === "failed");
};
const helped = async (s: Studio) => {
  s.helpers = ["all-minilm-l6-v2-q8_0", "smollm2-135m-instruct-q4_1"];
  await opened(s);
  await until(() => s.folder?.runs[0]?.state === "done");
};
const chatting = async (s: Studio, text = "Which mill is cheaper?") => {
  s.newChat();
  s.chat!.draft = text;
  void s.send();
  await until(() => (s.chat?.live?.text.length ?? 0) > 200 || s.chat?.turns.at(-1)?.who === "model" || s.permissions.get(s.chat!.model)?.state === "denied");
};
const long = "/home/ursula/Documents/" + "a-folder-with-a-name-that-nobody-would-type-by-hand/".repeat(5) + "\u202etxt.exe";

const stories: Readonly<Record<string, Story>> = {
  "home": {},
  "home-empty": { world: { models: false, turns: 0 } },
  "home-narrow": { play: (s) => void (s.sidebar = true) },
  "asking": { world: { answer: "wait" }, play: (s) => s.pick() },
  "denied": { world: { answer: "no" }, play: (s) => s.pick() },
  "denied-busy": { world: { answer: "busy" }, play: (s) => s.pick() },
  "reading": { world: { summary: "endless" }, play: opened },
  "folder": { play: opened },
  "folder-slow": { world: { summary: "slow" }, play: async (s) => (await opened(s), until(() => s.folder?.runs[0]?.state === "done")) },
  "folder-written": { play: helped },
  "folder-long": { world: { folder: long }, play: opened },
  "folder-arabic": { world: { folder: "/home/layla/مستندات/المخبز", summary: "arabic" }, play: opened },
  "question": { play: async (s) => (await opened(s), await s.folder!.run("When does the lease end?"), tick().then(() => document.querySelector("article:last-child")?.scrollIntoView())) },
  "nothing": { play: async (s) => (await opened(s), await s.folder!.run("nothing at all"), tick().then(() => document.querySelector("article:last-child")?.scrollIntoView())) },
  "source": { play: async (s) => (await opened(s), s.folder!.open(s.folder!.runs[0]!.passages[2]!.places[0]!), until(() => s.folder!.source?.loading === false)) },
  "revoked": { world: { summary: "endless" }, play: async (s, e) => (await opened(s), e.send({ case: "grant", value: { $typeName: "bailey.surface.v1.GrantChanged", id: "grant-1", state: State.REVOKED } }), until(() => s.folder?.permission?.state === "revoked")) },
  "expired": { play: async (s, e) => (await opened(s), e.send({ case: "grant", value: { $typeName: "bailey.surface.v1.GrantChanged", id: "grant-1", state: State.EXPIRED } }), until(() => s.folder?.permission?.state === "expired")) },
  "stopped": { world: { summary: "endless" }, play: async (s) => (await opened(s), s.stop()) },
  "empty": { world: { summary: "empty" }, play: opened },
  "failed": { world: { summary: "error" }, play: opened },
  "chat-empty": { play: (s) => s.newChat() },
  "chat": { play: (s) => s.openChat(s.chats[0]!) },
  "chat-live": { world: { tokensPerSecond: 40 }, play: (s) => chatting(s) },
  "chat-done": { world: { tokensPerSecond: 400 }, play: async (s) => (await chatting(s), until(() => s.chat?.busy === false)) },
  "chat-denied": { world: { answer: "no" }, play: (s) => chatting(s) },
  "chat-asking": { world: { answer: "wait" }, play: (s) => (s.newChat(), (s.chat!.draft = "Hello"), void s.send()) },
  "chat-revoked": { world: { tokensPerSecond: 40 }, play: async (s, e) => (await chatting(s), e.send({ case: "grant", value: { $typeName: "bailey.surface.v1.GrantChanged", id: "grant-1", state: State.REVOKED } }), until(() => s.chat?.busy === false)) },
  "chat-long": { world: { turns: 2000 }, play: (s) => s.openChat(s.chats[0]!) },
  "chat-edit": { play: async (s) => (await s.openChat(s.chats[0]!), s.chat!.edit()) },
  "chat-arabic": { play: (s) => chatting(s, "ما هو أفضل وقت للخبز؟ أريد خبزًا طازجًا في الصباح.") },
  "search": { play: (s) => s.find("sack") },
  "search-none": { play: (s) => s.find("zzz") },
  "palette": { play: (s) => void (s.sheet = "palette") },
  "help": { play: (s) => void (s.sheet = "help") },
  "erase": { play: async (s) => (await s.openChat(s.chats[0]!), (s.sheet = "erase")) },
  "lost": { world: { lost: true } },
  "bench": { world: { turns: 2000, tokensPerSecond: 1000 }, play: bench },
};

const root = document.documentElement;
root.dataset["stories"] = Object.keys(stories).join(" ");
let shown: ReturnType<typeof mount> | undefined;

/** Shows a story, in place of the one before. A test calls it, or the address names one. */
async function show(search: string): Promise<void> {
  const query = new URLSearchParams(search);
  const name = query.get("story") ?? "home";
  const story = stories[name];
  if (!story) throw new Error(`no story is called ${name}`);
  if (shown) await unmount(shown);
  delete root.dataset["ready"];
  root.dir = query.get("dir") ?? "";
  // In a window the zoom of the page does this; here nothing else would.
  root.style.fontSize = `${Number(query.get("scale") ?? "1000") / 10}%`;
  const events = new Events();
  const world: World = {
    language: query.get("language") ?? "en",
    scheme: query.get("theme") === "dark" ? surface.Scheme.DARK : query.get("theme") === "light" ? surface.Scheme.LIGHT : surface.Scheme.UNSPECIFIED,
    textScale: Number(query.get("scale") ?? "1000"),
    highContrast: query.get("contrast") === "high",
    reducedMotion: query.get("motion") === "reduced",
    answer: "yes",
    models: true,
    folder: "/home/ursula/Documents/Bakery",
    summary: "full",
    turns: 6,
    tokensPerSecond: 60,
    lost: false,
    ...story.world,
  };
  const studio = new Studio(mockCore(world, events));
  shown = mount(App, { target: document.getElementById("app")!, props: { studio } });
  await studio.start();
  await story.play?.(studio, events);
  await tick();
  await new Promise((r) => setTimeout(r, 120));
  root.dataset["ready"] = name;
}

(globalThis as { story?: typeof show }).story = show;
await show(location.search);
