// R11: nothing but plain strings of bytes, and those up to a size.
"use strict";
(async () => {
	const raw = (() => { try { return window.webkit.messageHandlers.bailey; } catch (e) { return null; } })();
	const post = window.bailey ? window.bailey.post : s => raw.postMessage(s);
	const cyclic = { attack: "attack:cyclic" }; cyclic.me = cyclic;
	const port = new MessageChannel().port1;
	const odd = {
		object: { toString: () => "attack:object" }, array: ["attack:array"], cyclic, number: 7, null: null, undefined: undefined, bool: true,
		big: 10n, symbol: Symbol("attack:symbol"), buffer: new TextEncoder().encode("attack:buffer"), raw: new ArrayBuffer(8), date: new Date(), map: new Map([["attack:map", 1]]),
		fn: () => "attack:fn", node: document.body, window, port, boxed: new String("attack:boxed"), promise: Promise.resolve("attack:promise"),
		proxy: new Proxy({}, { get: () => "attack:proxy" }), blob: new Blob(["attack:blob"]), image: new ImageData(1, 1), error: new Error("attack:error"),
	};
	await Promise.all(Object.entries(odd).map(([name, v]) => Promise.all([
		attempt("post-" + name, () => post(v).then(() => "answered", () => "refused")),
		attempt("raw-" + name, () => raw.postMessage(v).then(() => "answered", () => "refused")),
	])));
	for (const [name, s] of [["wide", "attack:wide\u0100"], ["emoji", "attack:emoji\u{1F600}"], ["lone", "attack:lone\ud800"]])
		await attempt("text-" + name, () => post(s).then(() => "answered", () => "refused"));
	await attempt("bytes", () => { let s = "bytes:"; for (let i = 0; i < 256; i++) s += String.fromCharCode(i); return post(s).then(r => r === "ok:" + s.slice(0, 64) ? "whole" : "changed"); });
	const mega = 1 << 20;
	await attempt("size-1M", () => post("x".repeat(mega)).then(() => "answered", () => "refused"));
	await attempt("size-1M+1", () => post("x".repeat(mega + 1)).then(() => "answered", () => "refused"));
	await attempt("size-10M", () => post("x".repeat(10 * mega)).then(() => "answered", () => "refused"));
	if (raw) await attempt("raw-10M", () => raw.postMessage("x".repeat(10 * mega)).then(() => "answered", () => "refused"));
	await attempt("empty", () => post("").then(() => "answered", () => "refused"));
	await say("done");
})();
