package window

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/test/window/desk"
)

// controls is a page of three controls that says after each Tab which of them has
// the focus, and what is typed.
const controls = `
const put = (kind, id) => { const e = document.createElement(kind); e.id = id; document.body.append(e); };
put("button", "first"), put("button", "second"), put("input", "last");
let n = 0;
addEventListener("keyup", e => { if (e.code === "Tab") say("tab" + ++n + " " + document.activeElement.id) });
document.querySelector("#last").addEventListener("input", e => say("typed " + e.target.value));
addEventListener("keydown", e => { if (e.ctrlKey && e.key === "k") say("shortcut came") });
requestAnimationFrame(() => say("here now"));`

// TestTabGoesRound: at either end of a page WebKit hands the focus back to the
// window, where nothing else could take it. The keys go on to the page, whose
// other end is one or two strokes away.
func TestTabGoesRound(t *testing.T) {
	desk.Need(t)
	d := desk.Start(t, desk.Options{})
	h := showHost(t, d, hostile(t, controls), hostOptions{})
	h.report("here")
	d.AwaitActive(d.Await("Hostile"))
	strokes := 0
	stroke := func(key string) string {
		d.Key(key)
		strokes++
		return h.report(fmt.Sprint("tab", strokes))
	}
	for _, step := range []struct{ key, id string }{
		{"Tab", "first"}, {"Tab", "second"}, {"Tab", "last"}, {"Tab", "first"}, {"Tab", "second"},
		{"Shift+Tab", "first"}, {"Shift+Tab", "last"}, {"Shift+Tab", "second"}, {"Tab", "last"},
	} {
		id := stroke(step.key)
		if id == "" {
			id = stroke(step.key)
		}
		if id != step.id {
			t.Fatalf("%s goes to %q, not to %q: %q", step.key, id, step.id, h.reports())
		}
	}
	d.Type("hm")
	until(t, "what is typed to arrive", func() bool { return strings.Contains(strings.Join(h.reports(), "\n"), "typed hm") })
	// At the end too, where no control has the focus.
	stroke("Tab")
	d.Key("Control+k")
	h.report("shortcut")
}
