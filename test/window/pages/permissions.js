// C20: everything that an engine could allow a page.
"use strict";
(async () => {
	const ask = {
		geolocation: () => new Promise((ok, no) => navigator.geolocation.getCurrentPosition(() => ok("granted"), e => ok("denied " + e.code))),
		microphone: () => navigator.mediaDevices.getUserMedia({ audio: true }).then(() => "granted"),
		camera: () => navigator.mediaDevices.getUserMedia({ video: true }).then(() => "granted"),
		screen: () => navigator.mediaDevices.getDisplayMedia({ video: true }).then(() => "granted"),
		devices: () => navigator.mediaDevices.enumerateDevices().then(d => d.some(x => x.label) ? "granted" : "unlabelled"),
		notification: () => Notification.requestPermission(),
		clipboard: () => navigator.clipboard.readText().then(() => "granted"),
		"clipboard-write": () => navigator.clipboard.writeText("attack").then(() => "granted"),
		"storage-access": () => document.requestStorageAccess().then(() => "granted"),
		persist: () => navigator.storage.persist().then(v => v ? "granted" : "denied"),
		fullscreen: () => document.documentElement.requestFullscreen().then(() => "granted"),
		"pointer-lock": () => Promise.resolve(document.body.requestPointerLock()).then(() => document.pointerLockElement ? "granted" : "denied"),
		"wake-lock": () => navigator.wakeLock.request("screen").then(() => "granted"),
		push: () => navigator.serviceWorker.ready.then(() => "granted"),
		"file-system": () => navigator.storage.getDirectory().then(() => "granted"),
		websocket: () => new Promise((ok, no) => { const w = new WebSocket("ws://127.0.0.1:9/"); w.onopen = () => ok("granted"); w.onerror = () => ok("failed"); }),
		rtc: async () => new RTCPeerConnection() && "granted",
		xr: () => navigator.xr.requestSession("inline").then(() => "granted"),
		gpu: () => navigator.gpu.requestAdapter().then(a => a ? "granted" : "none"),
		credentials: () => navigator.credentials.get({ publicKey: { challenge: new Uint8Array(16) } }).then(() => "granted"),
		share: () => navigator.share({ text: "attack" }).then(() => "granted"),
		indexeddb: () => new Promise((ok, no) => { const r = indexedDB.open("a"); r.onsuccess = () => ok("granted"); r.onerror = () => no(r.error); }),
		"local-storage": async () => { localStorage.setItem("a", "b"); return "granted"; },
		cookie: async () => { document.cookie = "a=b"; return document.cookie.includes("a=b") ? "granted" : "denied"; },
		caches: () => caches.open("a").then(() => "granted"),
		broadcast: async () => new BroadcastChannel("a") && "granted",
		"shared-worker": async () => new SharedWorker("/worker.js") && "granted",
		"service-worker": () => navigator.serviceWorker.register("/worker.js").then(() => "granted"),
		wasm: async () => new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])) && "granted",
		eval: async () => (0, eval)("'granted'"),
		"new-function": async () => new Function("return 'granted'")(),
	};
	for (const name of Object.keys(ask)) await attempt("ask-" + name, ask[name]);
	const names = ["geolocation", "notifications", "camera", "microphone", "clipboard-read", "clipboard-write", "persistent-storage", "push", "screen-wake-lock", "midi", "storage-access", "speaker-selection"];
	for (const name of names) await attempt("query-" + name, () => navigator.permissions.query({ name }).then(s => s.state));
	await say("done");
})();
