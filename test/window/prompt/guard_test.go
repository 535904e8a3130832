package prompt

import (
	"fmt"
	"image"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"

	"github.com/bailey-run/bailey/test/window/desk"
)

// place is the middle of a button on the screen, found by its colour: "yes" is
// the only thing that is filled with the key colour.
func (q *question) place() image.Point {
	q.t.Helper()
	var r image.Rectangle
	desk.Until(q.t, "a button to say yes with", func() bool {
		im := q.d.Screen()
		r = image.Rectangle{}
		for y := range im.Rect.Dy() {
			for x := range im.Rect.Dx() {
				c := im.RGBAAt(x, y)
				if c.R == 0x1d && c.G == 0x56 && c.B == 0xc4 {
					r = r.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
		return r.Dx() > 50 && r.Dy() > 20
	})
	return image.Pt((r.Min.X+r.Max.X)/2, r.Min.Y+4)
}

// click is the n-th click, which the prompt has seen when it returns. The window
// manager holds each press up and lets it go by its time, and with another behind it
// within a millisecond, as no hand can, it may hold that one for good.
func (q *question) click(x, y, n int) {
	q.t.Helper()
	q.d.Click(x, y)
	q.until("press", n)
}

// TestClick: a click says yes (the control of all that follows).
func TestClick(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	q := start(t, d, sheet())
	q.window()
	q.ready()
	at := q.place()
	d.Click(at.X, at.Y)
	q.want("yes 0")
}

// TestInert: what is pressed before the wait is over is not an answer, also if it
// is let go afterwards. Each attack is followed by Escape, so that a yes that
// came would have come before.
func TestInert(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	// Where "yes" will be: the window stands where the last one stood.
	q := start(t, d, sheet())
	q.window()
	q.ready()
	at := q.place()
	d.Key("Escape")
	q.want("no denied")

	slow := sheet()
	slow.Inert = time.Second
	for _, c := range []struct {
		name   string
		attack func(q *question)
	}{
		{"clicks", func(q *question) {
			for n := range 5 {
				q.click(at.X, at.Y, n+1)
			}
		}},
		{"a button that is held", func(q *question) {
			hold(d, at, q.ready)
		}},
		{"a key that is held", func(q *question) {
			d.Hold("space", func() { q.ready(); q.until("key 32 held", 3) })
		}},
		{"keys in a row", func(q *question) {
			d.Key("Tab")
			for range 5 {
				d.Key("Return")
				d.Key("space")
			}
		}},
		{"a key that is held on yes while the wait begins anew", func(q *question) {
			q.ready()
			d.Key("Tab")
			d.Hold("space", func() {
				w := q.window()
				d.Resize(w, w.Visible().Dx()+40, w.Visible().Dy()+40)
				q.until("ready", 2)
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := start(t, d, slow)
			q.window()
			q.until("painted", 1)
			c.attack(q)
			d.Key("Escape")
			q.want("no denied")
			if q.count("up 32 whole")+q.count("up 65293 whole") > 0 {
				t.Errorf("a key counts:\n%s", q.p.Words())
			}
		})
	}
}

// hold presses the pointer's button, does something, and lets it go.
func hold(d *desk.Desk, at image.Point, do func()) {
	fake := func(kind byte) { _ = xtest.FakeInputChecked(d.X, kind, 1, 0, xproto.WindowNone, 0, 0, 0).Check() }
	d.Move(at.X, at.Y)
	fake(xproto.ButtonPress)
	do()
	fake(xproto.ButtonRelease)
}

// minimise asks the window manager as a title bar's button does.
func minimise(t *testing.T, d *desk.Desk, w desk.Window) {
	t.Helper()
	const iconic = 3
	change, err := xproto.InternAtom(d.X, false, uint16(len("WM_CHANGE_STATE")), "WM_CHANGE_STATE").Reply()
	if err != nil {
		t.Fatal(err)
	}
	e := xproto.ClientMessageEvent{Format: 32, Window: w.ID, Type: change.Atom, Data: xproto.ClientMessageDataUnionData32New([]uint32{iconic, 0, 0, 0, 0})}
	root := xproto.Setup(d.X).DefaultScreen(d.X).Root
	if err := xproto.SendEventChecked(d.X, false, root, xproto.EventMaskSubstructureNotify|xproto.EventMaskSubstructureRedirect, string(e.Bytes())).Check(); err != nil {
		t.Fatal(err)
	}
}

// TestHeldBefore: a key that was down when the prompt came, for another window,
// answers nothing, neither by its repeats nor when it is let go.
func TestHeldBefore(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	for _, key := range []string{"space", "Return"} {
		t.Run(key, func(t *testing.T) {
			var q *question
			d.Hold(key, func() {
				q = start(t, d, sheet())
				q.window()
				q.ready()
				q.until("key", 3)
			})
			q.until("up", 1)
			if q.count("up")-q.count("up 32 stray")-q.count("up 65293 stray") != 0 {
				t.Errorf("a key of another window counts:\n%s", q.p.Words())
			}
			d.Key("Escape")
			q.want("no denied")
		})
	}
}

// TestAgain: the wait begins anew when the window gets the focus back, changes
// its size, is moved, and is shown again.
func TestAgain(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	q := start(t, d, sheet())
	w := q.window()
	q.ready()

	other := sheet()
	other.Title = "Another window"
	o := start(t, d, other)
	o.window()
	q.until("active 0", 1)
	if q.sensitive() {
		t.Error("yes counts without the focus")
	}
	d.Key("Escape")
	o.want("no denied")
	d.Raise(w)
	d.AwaitActive(w)
	q.until("ready", 2)

	d.Resize(w, w.Visible().Dx()+60, w.Visible().Dy()+60)
	q.until("inert", 3)
	q.until("ready", 3)

	if err := xproto.ConfigureWindowChecked(d.X, w.ID, xproto.ConfigWindowX|xproto.ConfigWindowY, []uint32{20, 30}).Check(); err != nil {
		t.Fatal(err)
	}
	q.until("inert", 4)
	q.until("ready", 4)

	minimise(t, d, w)
	q.until("inert", 5)
	d.Raise(w)
	d.AwaitActive(w)
	q.until("ready", 5)
	d.Key("Tab")
	d.Key("space")
	q.want("yes 0")
}

// TestAbove: an ordinary window that comes later does not cover the prompt, and
// takes its focus, so that nothing counts. One that the window manager does not
// manage can cover it: X11 has no means against that, see SECURITY.md.
func TestAbove(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	q := start(t, d, sheet())
	w := q.window()
	q.ready()
	v := w.Visible()
	over, err := xproto.NewWindowId(d.X)
	if err != nil {
		t.Fatal(err)
	}
	scr := xproto.Setup(d.X).DefaultScreen(d.X)
	white := scr.WhitePixel
	if err := xproto.CreateWindowChecked(d.X, scr.RootDepth, over, scr.Root, 0, 0, scr.WidthInPixels, scr.HeightInPixels, 0,
		xproto.WindowClassInputOutput, scr.RootVisual, xproto.CwBackPixel, []uint32{white}).Check(); err != nil {
		t.Fatal(err)
	}
	title := "a window that covers all"
	if err := xproto.ChangePropertyChecked(d.X, xproto.PropModeReplace, over, xproto.AtomWmName, xproto.AtomString, 8, uint32(len(title)), []byte(title)).Check(); err != nil {
		t.Fatal(err)
	}
	if err := xproto.MapWindowChecked(d.X, over).Check(); err != nil {
		t.Fatal(err)
	}
	o := d.Await(title)
	d.Raise(o)
	d.AwaitActive(o)
	q.until("active 0", 1)
	if q.sensitive() {
		t.Error("yes counts without the focus")
	}
	edge := func() bool { return d.Screen().RGBAAt(v.Min.X-20, v.Min.Y+20).R == 0xff }
	desk.Until(t, "the other window to be painted", edge)
	if c := d.Screen().RGBAAt(v.Min.X+8, v.Min.Y+8); c.R != 0xfc || c.G != 0xfc || c.B != 0xfd {
		t.Errorf("where the prompt was is %v", c)
	}
	d.Raise(w)
	d.AwaitActive(w)
	q.until("ready", 2)
	d.Key("Escape")
	q.want("no denied")
}

// TestClickRun: the first of a run of clicks may fall anywhere; none of the
// others says yes.
func TestClickRun(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	s := sheet()
	s.Inert = 2 * time.Second // within which two clicks come on a busy machine too
	q := start(t, d, s)
	w := q.window()
	q.ready()
	at := q.place()
	q.click(w.Visible().Min.X+40, w.Visible().Min.Y+100, 1)
	q.click(at.X, at.Y, 2)
	q.until("inert", 2)
	q.until("ready", 2)
	d.Key("Escape")
	q.want("no denied")
}

// TestNeverEnter: for what sends, starts or deletes Enter says nothing, and Space
// does (the control, and TestAnswers for Enter elsewhere).
func TestNeverEnter(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	s := sheet()
	s.NeverEnter = true
	for key, want := range map[string]string{"Return": "no denied", "space": "yes 0"} {
		t.Run(key, func(t *testing.T) {
			q := start(t, d, s)
			q.window()
			q.ready()
			d.Key("Tab")
			d.Key(key)
			q.until("up", 1)
			if want != "yes 0" {
				d.Key("Escape")
			}
			q.want(want)
		})
	}
}

// further waits for a page to have been seen, or for the end, which is only told
// after the last page was.
func further(q *question, pages int) {
	q.t.Helper()
	desk.Until(q.t, fmt.Sprintf("page %d or the end of\n%s", pages, q.p.Words()), func() bool {
		return q.count("seen") >= pages || q.count("read") > 0
	})
}

// TestFold: what does not fit has to have been on screen to its end, without a
// gap, before there is a yes.
func TestFold(t *testing.T) {
	d := desk.Start(t, desk.Options{Width: 800, Height: 600})
	long := bundle(9)
	for name, steps := range map[string]func(*question){
		"page by page": func(q *question) {
			for n := 2; q.count("read") == 0; n++ {
				d.Key("PageDown")
				further(q, n)
			}
		},
		"end goes a page at a time": func(q *question) {
			d.Key("End")
			q.until("seen", 2)
			if q.count("read") > 0 {
				t.Error("the end was reached in one leap")
			}
			for n := 3; q.count("read") == 0; n++ {
				d.Key("End")
				further(q, n)
			}
		},
		"wheel": func(q *question) {
			v := q.window().Visible()
			for n := 2; q.count("read") == 0; n++ {
				// More than a page, of which a page is taken.
				d.Scroll(v.Min.X+200, v.Min.Y+200, 30)
				further(q, n)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := start(t, d, long)
			q.window()
			q.until("painted", 1)
			q.until("status Scroll down to read all", 1)
			if q.count("ready") > 0 || q.count("read") > 0 {
				t.Error("yes counts before all was read")
			}
			steps(q)
			q.ready()
			d.Key("Tab")
			d.Key("space")
			q.want("yes 0,1,2,3,4,5,6,7,8,9")
		})
	}
}
