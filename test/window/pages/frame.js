// Runs in a frame that a hostile page has made, and tries the raw handler, which
// WebKit shows to every frame: without a secret, and with one that is guessed.
"use strict";
(() => {
	const mark = "attack:" + (window.name || document.currentScript.src.split("#")[1] || "unnamed");
	const tell = result => { try { parent.postMessage(mark + " " + result, "*"); } catch (e) {} };
	try {
		const handler = window.webkit.messageHandlers.bailey;
		handler.postMessage(mark).then(() => tell("answered"), () => tell("refused"));
		handler.postMessage("0".repeat(32) + mark).catch(() => 0);
		handler.postMessage({ toString: () => mark }).catch(() => 0);
	} catch (e) { tell("no handler"); }
	try { window.bailey.post(mark).catch(() => 0); } catch (e) {}
	try { parent.bailey.post(mark + "-by-parent").catch(() => 0); } catch (e) {}
	try { top.webkit.messageHandlers.bailey.postMessage(mark + "-by-top").catch(() => 0); } catch (e) {}
})();
