// R7, R9: a page that changed everything it can reach before it calls. It wins if
// it ever sees the secret, or can answer a call that is not its own to answer.
"use strict";
(async () => {
	const { ownKeys, getOwnPropertyDescriptor: describe, apply, defineProperty: define } = Reflect;
	const seen = [];
	let looking = false;
	const hex = "0123456789abcdef";
	const search = s => {
		for (let i = 0, n = 0; i < s.length; i++) {
			n = hex.indexOf(s[i]) >= 0 ? n + 1 : 0;
			if (n === 32) { seen[seen.length] = s; return; }
		}
	};
	const look = v => {
		if (looking) return;
		looking = true;
		try {
			if (typeof v === "string") search(v);
			else if (v && typeof v === "object") {
				const keys = ownKeys(v);
				for (let i = 0; i < keys.length; i++) { const d = describe(v, keys[i]); if (d && typeof d.value === "string") search(d.value); }
			}
		} catch (e) {}
		looking = false;
	};
	const spy = (owner, name) => {
		try {
			const d = describe(owner, name);
			if (!d || !d.configurable || typeof d.value !== "function") return;
			const real = d.value;
			define(owner, name, { __proto__: null, configurable: true, writable: true, enumerable: d.enumerable, value: function () { look(this); for (let i = 0; i < arguments.length; i++) look(arguments[i]); return apply(real, this, arguments); } });
		} catch (e) {}
	};
	// The way that pages are meant to have, kept before anything is changed.
	const post = window.bailey ? window.bailey.post : s => window.webkit.messageHandlers.bailey.postMessage(s);
	// In a bare host the first way is gone once it is changed: hence the second,
	// which has no secret.
	const raw = window.webkit.messageHandlers.bailey.postMessage.bind(window.webkit.messageHandlers.bailey);
	const tell = s => { try { raw(s); } catch (e) {} try { post(s); } catch (e) {} };
	tell("report:began");

	for (const owner of [String.prototype, Function.prototype, Array.prototype, Promise, Promise.prototype, Object, Reflect, RegExp.prototype])
		for (const name of ownKeys(owner)) if (name !== "constructor") spy(owner, name);
	for (const name of ["toString", "valueOf", "toJSON", "then", "message", "__secret", "value", "get", "set"]) {
		try {
			define(Object.prototype, name, { __proto__: null, configurable: true, get() { look(this); return undefined; }, set(v) { look(v); } });
		} catch (e) {}
	}
	try { Object.defineProperty(String.prototype, Symbol.toPrimitive, { configurable: true, value() { look(String(this)); return this; } }); } catch (e) {}
	const handlers = (() => { try { return window.webkit.messageHandlers; } catch (e) { return null; } })();
	const forged = [
		() => { handlers.bailey.postMessage = s => { look(s); return Promise.resolve("forged"); }; },
		() => Object.defineProperty(handlers, "bailey", { value: { postMessage: s => { look(s); return Promise.resolve("forged"); } } }),
		() => Object.defineProperty(window.webkit, "messageHandlers", { value: { bailey: { postMessage: s => { look(s); return Promise.resolve("forged"); } } } }),
		() => Object.defineProperty(window, "webkit", { value: { messageHandlers: { bailey: { postMessage: s => { look(s); return Promise.resolve("forged"); } } } } }),
		() => { Object.getPrototypeOf(handlers.bailey).postMessage = function (s) { look(s); return Promise.resolve("forged"); }; },
		() => { window.bailey = { post: () => Promise.resolve("forged") }; },
		() => { delete window.bailey; },
		() => Object.defineProperty(window, "bailey", { value: { post: () => Promise.resolve("forged") } }),
		() => { window.bailey.post = () => Promise.resolve("forged"); },
		() => Object.setPrototypeOf(window.bailey, { post: () => Promise.resolve("forged") }),
		() => { window.Promise = class { constructor() { look(arguments); } }; },
		() => { Function.prototype.toString = () => ""; },
	];
	let changed = 0;
	for (const f of forged) { try { f(); changed++; } catch (e) {} }
	const call = () => (window.bailey ? window.bailey.post : s => window.webkit.messageHandlers.bailey.postMessage(s))("report:called");
	let reply = "none";
	try { reply = await call(); } catch (e) { look(e && e.message); look(e && e.stack); }
	// What the functions and errors themselves say.
	try { look(post.toString()); look(Error().stack); look(document.documentElement.outerHTML); for (const s of document.scripts) look(s.text); } catch (e) {}
	try { post("\u{1F600}"); } catch (e) { look(String(e)); look(e.stack); }
	try { (function deep(n) { try { deep(n + 1); } catch (e) { look(String(e.message)); post("report:deep").catch(x => { look(x && x.message); look(x && x.stack); }); } })(0); } catch (e) { look(e.stack); }
	try { look(post.caller); look(post.arguments); } catch (e) {}
	const leaked = seen.length > 0 ? "seen" : "unseen";
	const settled = typeof reply === "string" && reply.startsWith("ok") ? "real" : "forged";
	tell("report:secret " + leaked);
	tell("report:reply " + settled);
	tell("report:done");
})();
