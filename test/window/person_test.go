package window

import (
	"testing"

	"github.com/jezek/xgb/xproto"

	"github.com/bailey-run/bailey/test/window/desk"
)

// selected reports whether somebody has the selection that the middle button pastes.
func selected(t testing.TB, d *desk.Desk) bool {
	t.Helper()
	r, err := xproto.GetSelectionOwner(d.X, xproto.AtomPrimary).Reply()
	must(t, err)
	return r.Owner != 0
}

// TestSelection: a page puts no words of its own where the person's next middle
// click pastes them; what the person selects is there.
func TestSelection(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	s := hostile(t, `const a = document.createElement("textarea"); a.value = "attack\n"; document.body.append(a); a.style.cssText = "position: fixed; top: 80%";
		addEventListener("mousemove", () => { a.focus(); a.select(); say("moved"); setTimeout(say, 1000, "rested"); }, { once: true });
		say("ready");`)
	at := func(title string, report func(string) string, reports func() []string) desk.Window {
		w := d.Await(title)
		report("ready")
		d.AwaitActive(w)
		point(t, d, w, reports)
		return w
	}
	control := showBare(t, d, s)
	at("bare", control.report, control.reports)
	until(t, "the bare host to have the selection", func() bool { return selected(t, d) })
	control.proc.Kill()
	d.Gone("bare")
	until(t, "the selection to be gone", func() bool { return !selected(t, d) })
	h := showHost(t, d, s, hostOptions{unguarded: true})
	defer h.end()
	w := at("Hostile", h.report, h.reports)
	h.report("rested")
	if selected(t, d) {
		t.Error("the page has taken the selection")
	}
	// No two clicks: on a busy machine they are too far apart to be one deed.
	d.Drag(w.Frame.Min.X+30, w.Frame.Min.Y+45, w.Frame.Min.X+120, w.Frame.Min.Y+45)
	until(t, "the selection of the person's", func() bool { return selected(t, d) })
}

// TestMenu: the menu of a field opens by the person's click, and by their key.
func TestMenu(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	h := showHost(t, d, hostile(t, `const s = document.createElement("select"); s.append(new Option("one"), new Option("two")); document.body.append(s);
		s.style.cssText = "position: fixed; top: 200px; left: 100px; width: 200px; height: 40px"; s.focus();
		addEventListener("keydown", e => { if (e.key === "Shift") say("keyed"); }); say("ready");`), hostOptions{})
	defer h.end()
	w := d.Await("Hostile")
	h.report("ready")
	d.AwaitActive(w)
	for name, open := range map[string]func(){"key": func() { d.Key("space") }, "click": func() { d.Click(w.Frame.Min.X+200, w.Frame.Min.Y+220) }} {
		keyed := len(h.reports())
		until(t, "the page to have the keyboard", func() bool { d.Key("Shift"); return len(h.reports()) > keyed })
		open()
		until(t, "the menu by a "+name, func() bool { return d.Popups() > 0 })
		d.Key("Escape")
		until(t, "the menu to be gone", func() bool { return d.Popups() == 0 })
	}
}
