// R10: a page opens windows when it is clicked, which is when engines let it.
"use strict";
const call = (w, name) => { if (w) w.webkit.messageHandlers.bailey.postMessage("attack:" + name).catch(() => 0); };
const ways = [
	() => call(window.open("about:blank"), "popup"),
	() => window.open("bailey://studio/frame.html", "own"),
	() => window.open("about:blank", "x", "popup,noopener"),
	() => { const a = document.createElement("a"); a.href = "bailey://studio/frame.html"; a.target = "_blank"; document.body.append(a); a.click(); },
	() => { const f = document.createElement("iframe"); document.body.append(f); call(f.contentWindow.open("about:blank"), "framed-popup"); },
	() => { const f = document.createElement("form"); f.action = "bailey://studio/frame.html"; f.target = "_blank"; document.body.append(f); f.submit(); },
];
let next = 0;
addEventListener("mousedown", async () => {
	const n = next++;
	if (n < ways.length) await attempt("way-" + n, async () => { ways[n](); return "tried"; });
	if (n === ways.length - 1) await say("done");
});
document.documentElement.style.height = "100%";
say("ready");
