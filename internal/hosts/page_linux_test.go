package hosts

import (
	"fmt"
	"strings"
	"testing"
)

// attempts are what a page tries. js runs in an async function of the page;
// what it returns is posted as "NAME: result".
type attempt struct {
	name string
	js   string
	// want is the result, "" for any that does not begin with "done".
	want string
	// refused is the word that the core must be told, "" for none.
	refused string
}

func attempts() []attempt {
	return []attempt{
		{"a message without the secret", `return await raw.postMessage("x".repeat(64)).catch(e => "rejected")`, "rejected", "secret"},
		{"a short message", `return await raw.postMessage("").catch(e => "rejected")`, "rejected", "secret"},
		{"an object as a message", `return await raw.postMessage({a: 1}).catch(e => "rejected")`, "rejected", "type"},
		{"typed bytes as a message", `return await bailey.post(new Uint8Array(3)).catch(e => "rejected")`, "rejected", ""},
		{"a character that is no byte", `return await bailey.post("\u0100").catch(e => "rejected")`, "rejected", "type"},
		{"a lone surrogate", `return await bailey.post("\ud800").catch(e => "rejected")`, "rejected", "type"},
		{"ten megabytes", `return await bailey.post("x".repeat(10 << 20)).catch(e => "rejected")`, "rejected", ""},
		{"ten megabytes past the script", `return await raw.postMessage("x".repeat(10 << 20)).catch(e => "rejected")`, "rejected", "secret"},
		{"another bailey", `"use strict"; try { window.bailey = {} } catch (e) { return "rejected" }; return "done"`, "rejected", ""},
		{"another post", `"use strict"; try { bailey.post = () => 1 } catch (e) { return "rejected" }; return "done"`, "rejected", ""},
		{"bailey defined anew", `try { Object.defineProperty(window, "bailey", {value: 1}) } catch (e) { return "rejected" }; return "done"`, "rejected", ""},
		{"the text of the script", `return /[0-9a-f]{32}/.test(bailey.post.toString() + bailey.post.constructor + Object.getOwnPropertyNames(bailey)) ? "done" : "nothing"`, "nothing", ""},
		{"polluted prototypes", `
			let seen = ""
			const {apply} = Reflect
			for (const p of [String.prototype, Array.prototype, Function.prototype, Promise.prototype, Object.prototype])
				for (const k of Object.getOwnPropertyNames(p)) {
					const d = Object.getOwnPropertyDescriptor(p, k)
					if (!d.configurable || typeof d.value !== "function" || ["then", "constructor", "hasOwnProperty"].includes(k)) continue
					Object.defineProperty(p, k, {configurable: true, writable: true, value: function (...a) {
						if (typeof this === "string") seen += this
						for (let i = 0; i < a.length; i++) if (typeof a[i] === "string") seen += a[i]
						return apply(d.value, this, a) } })
					undo.push(() => Object.defineProperty(p, k, d))
				}
			await bailey.post("polluted")
			for (const u of undo) u()
			return /[0-9a-f]{32}/.test(seen) ? "done" : "nothing"`, "nothing", ""},
		{"a window", `return window.open("bailey://studio/index.html") === null ? "nothing" : "done"`, "nothing", ""},
		{"a link to a new window", `const a = document.createElement("a"); a.href = "https://example.com/"; a.target = "_blank"; a.click(); return await later()`, "", ""},
		{"going elsewhere", `location.href = "https://example.com/"; return await later()`, "", "navigation"},
		{"going to a data URL", `location.href = "data:text/html,x"; return await later()`, "", "navigation"},
		{"going to another page of its own", `location.href = "/other.html"; return await later()`, "", "navigation"},
		{"going to another app", `location.href = "bailey://panels/index.html"; return await later()`, "", "navigation"},
		{"a fragment of its own", `location.hash = "#x"; return await later()`, "later", ""},
		{"a srcdoc frame", `const f = document.createElement("iframe"); f.srcdoc = "<script>parent.framed = 1; webkit.messageHandlers.bailey.postMessage('x'.repeat(40))<\/script>"; document.body.append(f); await later(); return window.framed ? "done" : "nothing"`, "nothing", "frame"},
		{"a frame of a blob", `const f = document.createElement("iframe"); f.src = URL.createObjectURL(new Blob(["<script>parent.framed = 1<\/script>"], {type: "text/html"})); document.body.append(f); await later(); return window.framed ? "done" : "nothing"`, "nothing", "navigation"},
		{"a frame of itself", `const f = document.createElement("iframe"); f.src = "/index.html"; document.body.append(f); await later(); return f.contentWindow && f.contentWindow.bailey ? "done" : "nothing"`, "nothing", "navigation"},
		{"a blank frame's handler", `const f = document.createElement("iframe"); document.body.append(f); const w = f.contentWindow; if (w.bailey) return "done"; return w.webkit && w.webkit.messageHandlers.bailey ? await w.webkit.messageHandlers.bailey.postMessage("y".repeat(40)).catch(e => "rejected") : "rejected"`, "rejected", "secret"},
		{"a request that is no GET", `return String((await fetch("/index.html", {method: "POST", body: "x"})).status)`, "405", "method"},
		{"content of another app", `return await fetch("bailey://panels/index.html").then(r => "done" + r.status, e => "rejected")`, "", ""},
		{"the place where it is", `return await new Promise(r => navigator.geolocation ? navigator.geolocation.getCurrentPosition(() => r("done"), () => r("rejected")) : r("absent"))`, "absent", ""},
		{"the camera", `return navigator.mediaDevices ? await navigator.mediaDevices.getUserMedia({video: true}).then(() => "done", () => "rejected") : "absent"`, "absent", ""},
		{"the clipboard, read", `return await Promise.race([navigator.clipboard.readText().then(() => "done", () => "rejected"), later()])`, "", ""},
		{"a service worker", `return navigator.serviceWorker ? await navigator.serviceWorker.register("/sw.js").then(() => "done", () => "rejected") : "absent"`, "absent", ""},
		{"a web socket", `return typeof WebSocket`, "undefined", ""},
		{"a peer connection", `return typeof RTCPeerConnection`, "undefined", ""},
		{"WebGL", `return String(document.createElement("canvas").getContext("webgl"))`, "null", ""},
		{"a database", `return typeof indexedDB`, "undefined", ""},
		{"storage", `try { return String(window.localStorage) } catch (e) { return "rejected" }`, "null", ""},
		{"a cookie", `document.cookie = "a=1"; return document.cookie === "" ? "nothing" : "done"`, "nothing", ""},
		{"a dialog", `alert("x"); return confirm("x") ? "done" : "nothing"`, "nothing", ""},
		{"a download", `const a = document.createElement("a"); a.href = "/file.bin"; a.download = "x"; document.body.append(a); a.click(); return await later()`, "", "navigation"},
		{"the whole screen", `return document.documentElement.requestFullscreen ? await Promise.race([document.documentElement.requestFullscreen().then(() => "done", () => "rejected"), later()]) : "absent"`, "absent", ""},
	}
}

// TestPageMayNot has a page try what it may not do, one thing after another in
// one document, which must be alive at the end.
func TestPageMayNot(t *testing.T) {
	needsWindows(t)
	var js strings.Builder
	js.WriteString(`<!doctype html><body><script>
		const raw = webkit.messageHandlers.bailey
		const undo = []
		const later = () => new Promise(r => setTimeout(() => r("later"), 150))
		const list = []
	`)
	for _, a := range attempts() {
		fmt.Fprintf(&js, "list.push([%q, async () => { %s }])\n", a.name, a.js)
	}
	js.WriteString(`
		;(async () => {
			for (const [name, f] of list) {
				let result
				try { result = await f() } catch (e) { result = "rejected by " + e.name }
				await bailey.post(name + ": " + result)
			}
			bailey.post("end")
		})()
	</script>`)
	c := open(t, display(t), map[string]string{"/index.html": js.String(), "/file.bin": "x", "/other.html": "x"}, func(m string) (string, bool) { return "", true })
	c.wait("the end of the page's attempts", called("end"))
	var results []string
	refused := map[string][]string{}
	documents := 0
	for _, f := range c.frames() {
		switch f.kind {
		case frameRefused:
			word, _, _ := strings.Cut(f.payload, "\x00")
			for _, w := range []string{word} {
				refused[w] = append(refused[w], f.payload)
			}
		case frameCall:
			results = append(results, f.payload)
		case frameDocument:
			documents++
		}
	}
	for _, a := range attempts() {
		got := ""
		for _, r := range results {
			if v, ok := strings.CutPrefix(r, a.name+": "); ok {
				got = v
			}
		}
		if got == "" || a.want != "" && got != a.want || strings.HasPrefix(got, "done") {
			t.Errorf("%s: %q, want %q", a.name, got, a.want)
		}
		if a.refused != "" && len(refused[a.refused]) == 0 {
			t.Errorf("%s: the core was not told %q: %v", a.name, a.refused, refused)
		}
	}
	if documents != 1 {
		t.Errorf("%d documents", documents)
	}
	t.Logf("refused: %v", refused)
}
