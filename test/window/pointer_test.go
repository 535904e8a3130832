package window

import (
	"slices"
	"strings"
	"testing"

	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"

	"github.com/bailey-run/bailey/test/window/desk"
)

// pointer is how large the picture of the pointer is, and whether it is of the colour
// that the page of TestPointer paints.
func pointer(t testing.TB, d *desk.Desk) (width, height int, pages bool) {
	t.Helper()
	r, err := xfixes.GetCursorImage(d.X).Reply()
	must(t, err)
	for _, p := range r.CursorImage {
		if p == 0xffff00ff {
			return int(r.Width), int(r.Height), true
		}
	}
	return int(r.Width), int(r.Height), false
}

// TestPointer: the pointer over a page is one of the system's: a picture of the
// page's would lie over all that is around the pointer, other windows and a question
// to the person too.
func TestPointer(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	must(t, xfixes.Init(d.X))
	_, err := xfixes.QueryVersion(d.X, 4, 0).Reply()
	must(t, err)
	s := hostile(t, `const c = document.createElement("canvas"), g = c.getContext("2d"); c.width = c.height = 128;
		g.fillStyle = "#f0f"; g.fillRect(0, 0, 128, 128);
		document.documentElement.style.cssText = "height: 100%; cursor: url(" + c.toDataURL() + ") 127 127, pointer";
		addEventListener("mousemove", () => { say("moved"); setTimeout(say, 1500, "rested"); }, { once: true });
		say("ready");`)
	at := func(title string, report func(string) string, reports func() []string) {
		w := d.Await(title)
		report("ready")
		d.AwaitActive(w)
		point(t, d, w, reports)
	}
	control := showBare(t, d, s)
	at("bare", control.report, control.reports)
	until(t, "the bare host's picture at the pointer", func() bool { _, _, pages := pointer(t, d); return pages })
	control.proc.Kill()
	d.Gone("bare")
	h := showHost(t, d, s, hostOptions{unguarded: true})
	defer h.end()
	at("Hostile", h.report, h.reports)
	h.report("rested")
	if w, h, pages := pointer(t, d); pages {
		t.Errorf("a picture of the page's of %d×%d lies over what is around the pointer", w, h)
	}
}

// button presses and releases the first button where the pointer is.
func button(t *testing.T, d *desk.Desk) func(kind byte) {
	return func(kind byte) {
		t.Helper()
		root := xproto.Setup(d.X).DefaultScreen(d.X).Root
		must(t, xtest.FakeInputChecked(d.X, kind, 1, 0, root, 0, 0, 0).Check())
	}
}

// TestDragAcross: what a page has dragged is not taken for the person's files where it
// is let go, on another of Bailey's windows.
func TestDragAcross(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	fake := button(t, d)
	target := showHost(t, d, hostile(t, `addEventListener("click", () => say("clicked")); say("ready");`), hostOptions{title: "Target"})
	over := d.Await("Target")
	target.report("ready")
	page := func(file string) site {
		return hostile(t, `const e = document.createElement("div"); e.draggable = true; e.style.cssText = "position: fixed; inset: 0"; document.body.append(e);
			addEventListener("dragstart", e => { e.dataTransfer.setData("text/uri-list", "file://`+file+`"); say("dragstart"); });
			addEventListener("mousemove", () => say("moved"), { once: true }); say("ready");`)
	}
	dropped := func(file string) bool {
		return slices.ContainsFunc(target.of(fromDropped), func(s string) bool { return strings.Contains(s, file) })
	}
	drag := func(title string, report func(string) string, reports func() []string) {
		w := d.Await(title)
		report("ready")
		d.Raise(w)
		d.AwaitActive(w)
		point(t, d, w, reports)
		x, y := w.Frame.Min.X+200, w.Frame.Min.Y+200
		d.Move(x, y)
		fake(xproto.ButtonPress)
		for i := range 60 {
			d.Move(x+2*i, y+2*i)
		}
		report("dragstart")
		d.Raise(over)
		d.AwaitActive(over)
		// As slowly as a person, so that both windows come to speak of it.
		i := 0
		until(t, "the pointer to be over the other window", func() bool {
			i++
			d.Move(over.Frame.Min.X+300+i, over.Frame.Min.Y+300+i)
			return i == 200
		})
		fake(xproto.ButtonRelease)
	}
	control := showBare(t, d, page("/control"))
	until(t, "the files of the bare host's page to be dropped", func() bool {
		if !dropped("/control") {
			drag("bare", control.report, control.reports)
		}
		return dropped("/control")
	})
	control.proc.Kill()
	d.Gone("bare")
	h := showHost(t, d, page("/attack"), hostOptions{unguarded: true})
	drag("Hostile", h.report, h.reports)
	until(t, "the drag to be refused", func() bool { return h.refused("permission") > 0 })
	d.Click(over.Frame.Min.X+400, over.Frame.Min.Y+400)
	target.report("clicked")
	if dropped("/attack") {
		t.Error("the page's own files were dropped")
	}
}

// TestDrag: a page has nothing dragged: neither does a picture of its own go with the
// pointer over all windows, nor is a list of files of its own dropped on another one,
// and the pointer is the page's again afterwards.
func TestDrag(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	fake := button(t, d)
	paint := `const c = document.createElement("canvas"), g = c.getContext("2d"), im = new Image(); c.width = 800; c.height = 500;
		g.fillStyle = "#f0f"; g.fillRect(0, 0, 800, 500); im.src = c.toDataURL();
		addEventListener("dragstart", e => { e.dataTransfer.setData("text/uri-list", "file:///home/x/.ssh"); e.dataTransfer.setDragImage(im, 400, 250); say("dragstart"); });
		addEventListener("click", () => say("clicked"));
		addEventListener("mousemove", () => say("moved"), { once: true });
		im.decode().then(() => say("ready"));`
	painted := func() bool {
		im := d.Screen()
		for i := 0; i < len(im.Pix); i += 4 {
			if im.Pix[i] > 200 && im.Pix[i+1] < 60 && im.Pix[i+2] > 200 {
				return true
			}
		}
		return false
	}
	drag := func(title string, report func(string) string, reports func() []string) (w desk.Window, seen bool) {
		w = d.Await(title)
		report("ready")
		d.AwaitActive(w)
		point(t, d, w, reports)
		x, y := w.Frame.Min.X+200, w.Frame.Min.Y+200
		d.Move(x, y)
		fake(xproto.ButtonPress)
		for i := range 60 {
			d.Move(x+2*i, y+2*i)
			seen = painted() || seen
		}
		report("dragstart")
		return w, seen
	}
	for name, script := range map[string]string{
		"element":   `const e = document.createElement("div"); e.draggable = true; e.style.cssText = "position: fixed; inset: 0"; document.body.append(e);`,
		"selection": `document.body.innerHTML = "<p style='font-size: 60px'>" + "attack ".repeat(200); getSelection().selectAllChildren(document.body);`,
		"frame": `const f = document.createElement("iframe"); f.style.cssText = "position: fixed; inset: 0; width: 100%; height: 100%"; document.body.append(f);
			const e = f.contentDocument.createElement("div"); e.draggable = true; e.style.cssText = "position: fixed; inset: 0"; f.contentDocument.body.append(e);
			e.addEventListener("dragstart", e => { e.dataTransfer.setDragImage(im, 400, 250); say("dragstart"); }); e.addEventListener("click", () => say("clicked"));
			e.addEventListener("mousemove", () => say("moved"), { once: true });`,
	} {
		t.Run(name, func(t *testing.T) {
			s := hostile(t, script+paint)
			control := showBare(t, d, s)
			drag("bare", control.report, control.reports)
			until(t, "the picture of the bare host's page", func() bool { d.Move(500, 500); d.Move(510, 500); return d.Popups() > 0 })
			fake(xproto.ButtonRelease)
			control.proc.Kill()
			d.Gone("bare")
			until(t, "the picture to be gone", func() bool { return d.Popups() == 0 })
			h := showHost(t, d, s, hostOptions{unguarded: true})
			defer d.Gone("Hostile")
			defer h.end()
			w, seen := drag("Hostile", h.report, h.reports)
			if seen {
				t.Error("the page's picture was shown")
			}
			until(t, "the drag to be refused", func() bool { return h.refused("permission") > 0 })
			until(t, "nothing to lie over the others", func() bool { return d.Popups() == 0 })
			fake(xproto.ButtonRelease)
			d.Click(w.Frame.Min.X+300, w.Frame.Min.Y+300)
			h.report("clicked")
			if a := h.of(fromDropped); len(a) > 0 {
				t.Errorf("the page's own files were dropped: %q", a)
			}
		})
	}
}
