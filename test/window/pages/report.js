// What a hostile page says to the test: by the way that it is meant to have, so
// that what it says proves that this way works.
"use strict";
const out = window.bailey ? window.bailey.post : s => window.webkit.messageHandlers.bailey.postMessage(s);
const say = s => out("report:" + s);
// A bound for what may never happen.
const most = (ms, p) => Promise.race([p, new Promise(r => setTimeout(r, ms, "late"))]);
// What an attack throws is an outcome.
const attempt = async (name, f) => {
	let got;
	try { got = await most(800, f()); } catch (e) { got = "threw " + (e && e.name); }
	await say(name + " " + got);
};
// A page that breaks by itself attacks nothing.
addEventListener("unhandledrejection", e => say("broken " + e.reason));
addEventListener("error", e => say("broken " + e.message));
