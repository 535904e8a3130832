/**
 * 1,000 tokens a second into a conversation of 2,000 messages: how long the page's
 * one thread is kept, per token. What a frame costs, layout forced, is shared among
 * the tokens that it took in. The result stands as JSON in `data-bench`.
 */
import { tick } from "svelte";
import type { Studio } from "../state/studio.svelte.js";

export async function bench(s: Studio): Promise<void> {
  const root = document.documentElement;
  await s.openChat(s.chats[0]!);
  await tick();
  const chat = s.chat!;
  // The cost of a frame: from before the first callback to behind the layout.
  const frames: { ms: number; tokens: number }[] = [];
  let running = true;
  let length = 0;
  const native = requestAnimationFrame;
  let spent = 0;
  globalThis.requestAnimationFrame = (f) =>
    native((at) => {
      const began = performance.now();
      f(at);
      spent += performance.now() - began;
    });
  const frame = () => {
    if (!running) return;
    const began = performance.now();
    void document.body.offsetHeight;
    const ms = spent + performance.now() - began;
    spent = 0;
    const text = chat.live?.text.length ?? length;
    const tokens = Math.max(0, (text - length) / 5.2);
    length = text;
    if (tokens > 0) frames.push({ ms, tokens });
    native(frame);
  };
  chat.draft = "Go on, please.";
  const sending = s.send();
  native(frame);
  const began = performance.now();
  await sending;
  running = false;
  globalThis.requestAnimationFrame = native;
  const seconds = (performance.now() - began) / 1000;
  const per = frames.map((f) => f.ms / f.tokens).sort((a, b) => a - b);
  const all = frames.map((f) => f.ms).sort((a, b) => a - b);
  const at = (list: number[], q: number) => Math.round(1000 * (list[Math.min(list.length - 1, Math.floor(q * list.length))] ?? 0)) / 1000;
  root.dataset["bench"] = JSON.stringify({ messages: chat.turns.length, elements: document.querySelectorAll("article").length, tokens: chat.turns.at(-1)?.rate?.tokens, seconds: Math.round(seconds * 10) / 10, frames: frames.length, ms_per_token: { p50: at(per, 0.5), p95: at(per, 0.95), max: at(per, 1) }, ms_per_frame: { p50: at(all, 0.5), p95: at(all, 0.95), max: at(all, 1) } });
}
