// The page tries to reach a server on this machine; TARGET is replaced.
"use strict";
(async () => {
	await attempt("fetch", () => fetch("TARGET/fetch", { mode: "no-cors" }).then(() => "reached"));
	await attempt("image", () => new Promise((ok, no) => { const i = new Image(); i.onload = () => ok("reached"); i.onerror = () => ok("failed"); i.src = "TARGET/image"; }));
	await attempt("socket", () => new Promise((ok, no) => { const w = new WebSocket("TARGET/socket".replace("http", "ws")); w.onopen = () => ok("reached"); w.onerror = () => ok("failed"); }));
	await attempt("frame", () => new Promise(ok => { const f = document.createElement("iframe"); f.onload = () => ok("loaded"); f.src = "TARGET/frame"; document.body.append(f); }));
	for (const rel of ["preconnect", "prefetch", "dns-prefetch", "stylesheet"])
		await attempt(rel, async () => { const l = document.createElement("link"); l.rel = rel; l.href = "TARGET/" + rel; document.head.append(l); });
	await attempt("beacon", async () => navigator.sendBeacon("TARGET/beacon", "x"));
	await attempt("source", () => new Promise(ok => { const e = new EventSource("TARGET/source"); e.onerror = () => ok("failed"); }));
	await attempt("import", () => import("TARGET/import.js").then(() => "reached"));
	await say("done");
})();
