// R1, R2, R5, R8: every kind of sub-frame, worker and nested frame tries to call.
"use strict";
const html = (() => {
	try { const p = trustedTypes.createPolicy("svelte-trusted-html", { createHTML: s => s }); return s => p.createHTML(s); } catch (e) { return s => s; }
})();
const load = '<script src="bailey://studio/frame.js"></' + 'script>';
// A frame that says what became of it, or nothing for a while.
const framed = (name, set, tag = "iframe") => attempt(name, () => new Promise(done => {
	const f = document.createElement(tag);
	addEventListener("message", e => { const [who, ...what] = String(e.data).split(" "); if (who === "attack:" + name) done(what.join(" ")); });
	f.name = name;
	set(f);
	document.body.append(f);
}));
// The child of this page's own origin, whose handler is tried from here.
const child = () => { const f = document.createElement("iframe"); document.body.append(f); return f.contentWindow; };
const raw = (w, message) => w.webkit.messageHandlers.bailey.postMessage(message).then(() => "answered", () => "refused");
const worker = (name, make) => attempt(name, () => new Promise((done, fail) => {
	const w = make();
	w.onmessage = e => done(e.data ? "answered" : "no handler");
	w.onerror = () => fail(new Error("no worker"));
}));
(async () => {
	await say("globals " + Object.getOwnPropertyNames(child()).filter(n => /bailey|secret|^send$|^post$/i.test(n)).join(","));
	await Promise.all([
		attempt("blank", () => raw(child(), "attack:blank")),
		attempt("blank-guess", () => raw(child(), "f".repeat(32) + "attack:blank-guess")),
		framed("srcdoc", f => { f.srcdoc = html(load); }),
		framed("sandboxed", f => { f.sandbox = "allow-scripts"; f.srcdoc = html(load); }),
		framed("nested", f => { f.srcdoc = html('<iframe name="nested" srcdoc="' + load.replace(/"/g, "&quot;") + '"></iframe>'); }),
		framed("nested-origins", f => {
			f.sandbox = "allow-scripts";
			f.srcdoc = html('<iframe name="nested-origins" src="bailey://studio/frame.html"></iframe>');
		}),
		framed("blob", f => { f.src = URL.createObjectURL(new Blob([load], { type: "text/html" })); }),
		framed("data", f => { f.src = "data:text/html," + encodeURIComponent(load); }),
		framed("own", f => { f.src = "bailey://studio/frame.html"; }),
		framed("other-app", f => { f.src = "bailey://panels/frame.html"; }),
		framed("javascript", f => { f.src = "javascript:" + JSON.stringify(load); }),
		framed("object", o => { o.type = "text/html"; o.data = "bailey://studio/frame.html"; }, "object"),
		framed("embed", o => { o.type = "text/html"; o.src = "bailey://studio/frame.html"; }, "embed"),
		worker("worker-blob", () => new Worker(URL.createObjectURL(new Blob(["postMessage('webkit' in self)"])))),
		worker("worker-own", () => new Worker("/worker.js")),
		attempt("service-worker", () => navigator.serviceWorker.register("/worker.js").then(() => "answered")),
	]);
	await say("done");
})();
