// R3, R4, R6: a page that leaves, and asks for what is not its own.
"use strict";
(async () => {
	// Addresses that look like the app's own (R3).
	for (const [name, url] of [["prefix", "bailey://studio.evil/page.js"], ["suffix", "bailey://evilstudio/page.js"], ["case", "bailey://STUDIO/page.js"],
		["dot", "bailey://studio./page.js"], ["user", "bailey://user@studio/page.js"], ["user-host", "bailey://studio@evil/page.js"],
		["port", "bailey://studio:80/page.js"], ["idn", "bailey://studiо/page.js"], ["panels", "bailey://panels/page.js"], ["file", "file:///etc/passwd"],
		["https", "https://studio/page.js"], ["slashes", "bailey:////studio/page.js"], ["none", "bailey:///page.js"], ["escape", "bailey://%73tudio/page.js"]])
		await attempt("fetch-" + name, () => fetch(url).then(r => r.text()).then(t => t.includes("attempt") ? "got" : "empty"));
	// What could have an effect by being asked for (R6).
	const get = p => fetch(p).then(r => r.status);
	for (const p of ["/.stream/" + "0".repeat(32), "/.stream/", "/bailey/call?method=207", "/.bailey/post?attack=get", "/call?message=attack", "/.well-known/bailey"])
		await attempt("get " + p, () => get(p));
	for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
		await attempt("method-" + method, () => fetch("/index.html", { method, body: method === "OPTIONS" ? undefined : "attack:body" }).then(r => r.status));
	await attempt("no-cors", () => fetch("/.bailey/attack:nocors", { mode: "no-cors" }).then(r => r.status));
	await attempt("image", () => new Promise((ok, no) => { const i = new Image(); i.onload = () => ok("loaded"); i.onerror = () => ok("failed"); i.src = "/.bailey/attack:img"; }));
	await attempt("beacon", async () => navigator.sendBeacon ? navigator.sendBeacon("/.bailey/attack:beacon", "attack:beacon") : "none");
	for (const [name, rel] of [["prefetch", "prefetch"], ["preload", "preload"], ["preconnect", "preconnect"]])
		await attempt(name, async () => { const l = document.createElement("link"); l.rel = rel; l.as = "script"; l.href = "/.bailey/attack:" + rel; document.head.append(l); });
	await attempt("form", () => new Promise(r => {
		const f = document.createElement("form");
		f.method = "post"; f.action = "/index.html";
		const i = document.createElement("input"); i.name = "attack:form"; i.value = "1"; f.append(i);
		document.body.append(f);
		f.submit();
		setTimeout(r, 200, "stayed");
	}));
	// Elsewhere (R4). Whoever is still here says so.
	const away = (name, f) => attempt(name, () => new Promise(r => { f(); setTimeout(r, 200, "stayed"); }));
	const link = (href, more) => { const a = document.createElement("a"); a.href = href; Object.assign(a, more || {}); document.body.append(a); a.click(); };
	await away("to-data", () => { location.href = "data:text/html,<script>webkit.messageHandlers.bailey.postMessage('attack:data-page')</" + "script>"; });
	await away("to-blank", () => { location.href = "about:blank"; });
	await away("to-blob", () => { location.href = URL.createObjectURL(new Blob(["<script>webkit.messageHandlers.bailey.postMessage('attack:blob-page')</" + "script>"], { type: "text/html" })); });
	await away("to-https", () => { location.href = "https://127.0.0.1:9/"; });
	await away("to-file", () => { location.href = "file:///etc/passwd"; });
	await away("to-app", () => { location.href = "bailey://panels/frame.html"; });
	await away("to-other", () => { location.href = "bailey://studio/frame.html"; });
	await away("to-script", () => { location.href = "javascript:webkit.messageHandlers.bailey.postMessage('attack:javascript')"; });
	await away("link", () => link("data:text/html,x"));
	await away("link-blank", () => link("https://127.0.0.1:9/", { target: "_blank" }));
	await away("download", () => link("/index.html", { download: "attack.html" }));
	await away("replace", () => { location.replace("bailey://studio/frame.html"); });
	// To itself by another address, which loads it anew.
	await away("fragment", () => { history.pushState(null, "", "/elsewhere"); location.href = "/index.html#x"; });
	await away("meta", () => { const m = document.createElement("meta"); m.httpEquiv = "refresh"; m.content = "0;url=data:text/html,x"; document.head.append(m); });
	await away("base", () => { const b = document.createElement("base"); b.href = "bailey://panels/"; document.head.append(b); link("frame.html"); b.remove(); });
	// Dialogs and printing block nobody.
	await away("dialogs", () => { alert("attack"); confirm("attack"); prompt("attack"); print(); });
	await say("done");
})();
