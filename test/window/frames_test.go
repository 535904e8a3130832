package window

import (
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/test/window/desk"
)

// TestR1R2R5R8Frames: no frame of another or of an opaque origin gets a call
// through, whatever kind of frame, worker or nested frame it is; a child frame
// has none of our globals. There are no frames of our own that could be exempt.
func TestR1R2R5R8Frames(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	s := hostile(t, "frames.js")

	control := showBare(t, d, s)
	control.report("done")
	works := control.attacks()
	// In a bare host these get through. The others would need a handler where
	// WebKit shows none: in a worker.
	for _, name := range []string{"blank", "blank-guess", "srcdoc", "sandboxed", "nested", "nested-origins", "blob", "data", "own"} {
		if !slices.ContainsFunc(works, func(w string) bool { return w == name || strings.HasSuffix(w, name) }) {
			t.Errorf("%s does not succeed in a bare host either: %v, the page says %v", name, works, control.reports())
		}
	}
	control.proc.Kill()

	for name, o := range map[string]hostOptions{"as shipped": {}, "without a policy": {unguarded: true}} {
		t.Run(name, func(t *testing.T) {
			h := showHost(t, d, s, o)
			defer h.end()
			h.report("done")
			if got := h.report("globals"); got != "" {
				t.Errorf("a child frame finds %q", got)
			}
			for _, a := range h.attacks() {
				// A child of the page's own origin is the page.
				if !slices.Contains([]string{"srcdoc-by-parent", "own-by-parent", "javascript-by-parent"}, a) {
					t.Errorf("a call came from %s", a)
				}
			}
			if n := h.refused("secret"); n == 0 {
				t.Error("no call without the secret was refused: the attack did not happen")
			}
			t.Log(h.reports(), h.of(fromRefused))
		})
	}
}

// TestReloadedFrame: a frame that script has written to has its parent's address,
// and does not load the document by being loaded again.
func TestReloadedFrame(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	const script = `if (window === top) {
			const f = document.createElement("iframe"), began = performance.now();
			document.body.append(f);
			f.contentDocument.open();
			f.contentDocument.close();
			f.contentWindow.location.reload();
			const look = setInterval(() => {
				const n = f.contentDocument.scripts.length;
				if (n < 2 && performance.now() - began < PATIENCE) return;
				clearInterval(look);
				say("scripts " + n);
			}, 50);
		}`
	waiting := func(ms string) site { return hostile(t, strings.Replace(script, "PATIENCE", ms, 1)) }
	s := waiting("1500")
	control := showBare(t, d, waiting("20000"), "-frames")
	if got := control.report("scripts"); got != "2" {
		t.Errorf("in a bare host the frame has %s scripts", got)
	}
	control.proc.Kill()
	for name, o := range map[string]hostOptions{"as shipped": {}, "without a policy": {unguarded: true}} {
		t.Run(name, func(t *testing.T) {
			h := showHost(t, d, s, o)
			defer h.end()
			if got := h.report("scripts"); got != "0" {
				t.Errorf("the document is in a frame, with %s scripts", got)
			}
		})
	}
}
