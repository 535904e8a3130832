package hosts

import (
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"github.com/bailey-run/bailey/internal/plat/desktop"
)

// TestSettings: what the core read of the desktop reaches the page, at its start
// and when it changes. Contrast does not: WebKitGTK 2.50 cannot be told, so the
// page hears of it by the core's own events.
func TestSettings(t *testing.T) {
	needsWindows(t)
	page := `<!doctype html><body>page<script>
	const asks = ["(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"].map(q => matchMedia(q))
	let last = ""
	const say = () => {
		const now = asks.map(a => a.matches).join(" ") + " " + innerWidth + " " + navigator.language
		if (now !== last) bailey.post(last = now)
	}
	say()
	for (const a of asks) a.addEventListener("change", say)
	addEventListener("resize", say)
	</script>`
	c := open(t, display(t), map[string]string{"/index.html": page}, func(string) (string, bool) { return "", true })
	c.wait("the settings of the configuration", called("false false 1000 en-US"))
	c.send(frameSettings, 0, "dark\x002000\x00high\x00reduced", nil)
	c.wait("the settings that changed", called("true true 500 en-US"))
	c.send(frameSettings, 0, "light\x001000\x00\x00\x00", nil)
	c.until("the settings as they were", func(fs []frame) bool { return count(fs, called("false false 1000 en-US")) == 2 })
	// One that cannot be understood changes nothing, and harms nothing.
	for _, broken := range []string{"", "dark", "dark\x002000\x00high\x00reduced\x00more", "\x00-5\x00\x00", "\x0099999999\x00\x00"} {
		c.send(frameSettings, 0, broken, nil)
	}
	c.send(frameRaise, 0, "", nil)
	c.send(frameReload, 0, "", nil)
	c.until("the page again", func(fs []frame) bool { return count(fs, called("false false 1000 en-US")) == 3 })
}

// TestClosed: the person closes the window; the core is told, and the window is
// gone when it says so, or by itself.
func TestClosed(t *testing.T) {
	needsWindows(t)
	for _, answers := range []bool{true, false} {
		d := display(t)
		c := open(t, d, map[string]string{"/index.html": plainPage}, nil)
		c.wait("READY", kindOf(frameReady))
		askToClose(t, d, "Bailey Studio")
		c.wait("CLOSED", kindOf(frameClosed))
		if answers {
			c.send(frameClose, 0, "", nil)
		}
		select {
		case <-c.over:
		case <-time.After(patience):
			t.Errorf("the window stays (the core answers: %v)", answers)
		}
	}
}

// askToClose says to the window of a title what a window manager says when the
// person closes it (ICCCM, 4.2.8.1).
func askToClose(t *testing.T, d desktop.Display, title string) {
	t.Helper()
	x, err := xgb.NewConnDisplay(d.X11)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	atom := func(name string) xproto.Atom {
		a, err := xproto.InternAtom(x, false, uint16(len(name)), name).Reply()
		if err != nil {
			t.Fatal(err)
		}
		return a.Atom
	}
	protocols, deletes := atom("WM_PROTOCOLS"), atom("WM_DELETE_WINDOW")
	tree, err := xproto.QueryTree(x, xproto.Setup(x).DefaultScreen(x).Root).Reply()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range tree.Children {
		name, err := xproto.GetProperty(x, false, w, xproto.AtomWmName, xproto.GetPropertyTypeAny, 0, 64).Reply()
		if err != nil || string(name.Value) != title {
			continue
		}
		if speaks, err := xproto.GetProperty(x, false, w, protocols, xproto.GetPropertyTypeAny, 0, 64).Reply(); err != nil || speaks.ValueLen == 0 {
			continue
		}
		ev := xproto.ClientMessageEvent{Format: 32, Window: w, Type: protocols, Data: xproto.ClientMessageDataUnionData32New([]uint32{uint32(deletes), 0, 0, 0, 0})}
		if err := xproto.SendEventChecked(x, false, w, xproto.EventMaskNoEvent, string(ev.Bytes())).Check(); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("there is no window %q", title)
}
