package prompt

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"

	"github.com/bailey-run/bailey/internal/prompthost"
	"github.com/bailey-run/bailey/test/window/desk"
)

// looks are questions that are hard to draw. A picture of each is kept.
func looks() map[string]prompthost.Sheet {
	out := map[string]prompthost.Sheet{}
	add := func(name string, s prompthost.Sheet, change func(*prompthost.Sheet)) {
		s.Inert = 50 * time.Millisecond
		change(&s)
		out[name] = s
	}
	german := func(s *prompthost.Sheet) {
		s.Language, s.Title = "de", "Bailey – Erlaubnis"
		s.Heading = "Studio möchte alle Dateien in diesem Ordner und in den Ordnern darunter lesen"
		s.Denies = []string{"Studio kann die Dateien nicht ändern, nichts außerhalb lesen und nichts über das Netzwerk senden."}
		s.Stop = []string{"So beenden Sie es: in „Berechtigungen“ auf „Widerrufen“ drücken, jederzeit."}
		s.Yes, s.No = "Diesen Ordner lesen", "Nicht erlauben"
		s.Unread, s.Wait = "Nach unten blättern, um alles zu lesen", "Sie können gleich antworten"
	}
	long := "/home/maria"
	for len(long) < 400 {
		long += "/A rather long folder name"
	}
	add("light", sheet(), func(*prompthost.Sheet) {})
	add("dark", sheet(), func(s *prompthost.Sheet) { s.Scheme = "dark" })
	add("contrast", bundle(1), func(s *prompthost.Sheet) { s.HighContrast = true })
	add("contrast-dark", bundle(1), func(s *prompthost.Sheet) { s.HighContrast, s.Scheme = true, "dark" })
	add("large", sheet(), func(s *prompthost.Sheet) { s.Scale = 2000 })
	add("large-german-dark", bundle(1), func(s *prompthost.Sheet) { german(s); s.Scale, s.Scheme = 2000, "dark" })
	add("german", bundle(1), german)
	add("five", bundle(4), func(s *prompthost.Sheet) {
		s.Scheme = "dark"
		s.Words = []prompthost.Words{{Label: "The app says:", Text: "I need your notes to answer what you asked."}}
	})
	add("words", sheet(), func(s *prompthost.Sheet) {
		s.Words = []prompthost.Words{{Label: "The app says:", Text: "I need your notes to answer the question that you asked, and I promise that all of this is quite safe."}}
		s.Warning = "On this display (X11) other programs can read keys and press buttons. Say yes only if you asked for this."
	})
	add("long-path", sheet(), func(s *prompthost.Sheet) { s.Groups[0].Rows[0].Object = long })
	add("long-word", sheet(), func(s *prompthost.Sheet) {
		s.Groups[0].Rows[0].Object = "/home/maria/" + strings.Repeat("w", 388)
		s.Scale = 2000
	})
	add("arabic-names", sheet(), func(s *prompthost.Sheet) {
		s.Groups[0].Rows[0].Object = "/home/maria/مستندات/أبحاث 2026/ملاحظات"
	})
	add("arabic", sheet(), func(s *prompthost.Sheet) {
		s.Language, s.Heading, s.Yes, s.No = "ar", "يريد Studio قراءة هذا المجلد", "قراءة المجلد", "عدم السماح"
		s.Groups[0].Rows[0] = prompthost.Row{Ticked: true, Object: "/home/maria/مستندات", Details: []string{"حتى تنتهي هذه المهمة"}}
		s.Denies, s.Stop = []string{"لا يمكنه تغيير الملفات أو إرسال أي شيء عبر الشبكة."}, []string{"للإيقاف: افتح «الأذونات» واضغط «إلغاء»."}
	})
	add("long-buttons", sheet(), func(s *prompthost.Sheet) {
		german(s)
		s.Scale, s.Yes, s.No = 2000, "Diesen Ordner und die Ordner darunter lesen", "Nichts davon erlauben"
	})
	return out
}

// TestLooks shows each of them on a large and on a small screen. The window is on
// the screen as a whole and in its middle, nothing is wider than it, and the
// buttons are in it; what is longer can be scrolled to.
func TestLooks(t *testing.T) {
	names := []string{}
	for name := range looks() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, size := range []image.Point{{1280, 800}, {800, 600}} {
		d := desk.Start(t, desk.Options{Width: size.X, Height: size.Y, Accessible: true})
		r := listen(t, d.A11y)
		for _, name := range names {
			t.Run(fmt.Sprintf("%s at %d×%d", name, size.X, size.Y), func(t *testing.T) {
				s := looks()[name]
				q := start(t, d, s, "AT_SPI_BUS_ADDRESS="+d.A11y)
				w := q.window()
				q.until("status", 2)
				v := w.Visible()
				if !v.In(image.Rect(0, 0, size.X, size.Y)) {
					t.Errorf("the window is at %v", v)
				}
				if off := v.Min.Add(v.Max).Sub(size); max(off.X, -off.X, off.Y, -off.Y) > 4 {
					t.Errorf("the window is not in the middle: %v", v)
				}
				r.find("button", s.Yes)
				measured := 0
				for _, n := range r.read() {
					var at struct{ X, Y, Wide, High int32 }
					const ofWindow = uint32(1)
					if n.at.Call("org.a11y.atspi.Component.GetExtents", 0, ofWindow).Store(&at) != nil || n.name == "" {
						continue
					}
					switch n.role {
					case "label", "status", "button", "checkbox":
						measured++
						if at.X < 0 || int(at.X+at.Wide) > v.Dx() || at.Wide <= 0 && n.role != "status" {
							t.Errorf("%s %q is cut off: %d+%d of %d", n.role, n.name, at.X, at.Wide, v.Dx())
						}
					}
					if n.role == "button" && (at.Y < 0 || int(at.Y+at.High) > v.Dy()) {
						t.Errorf("%q is below the edge: %d+%d of %d", n.name, at.Y, at.High, v.Dy())
					}
				}
				if measured < 8 {
					t.Errorf("only %d things were measured", measured)
				}
				q.settle()
				d.ShotWindow(fmt.Sprintf("prompt-%s-%d", name, size.X), w)
				d.Key("Escape")
				q.want("no denied")
			})
		}
	}
}

// TestPoints: where an X11 desktop says that its screen has small points, or its
// person large text, the prompt is as large, once and not twice.
func TestPoints(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	root := xproto.Setup(d.X).DefaultScreen(d.X).Root
	width := func(dpi string, scale uint32) int {
		resources := "Xft.dpi:\t" + dpi + "\n"
		if err := xproto.ChangePropertyChecked(d.X, xproto.PropModeReplace, root, xproto.AtomResourceManager, xproto.AtomString, 8, uint32(len(resources)), []byte(resources)).Check(); err != nil {
			t.Fatal(err)
		}
		s := sheet()
		s.Scale = scale
		q := start(t, d, s)
		w := q.window()
		d.Key("Escape")
		q.want("no denied")
		return w.Visible().Dx()
	}
	plain := width("96", 1000)
	for _, c := range []struct {
		dpi   string
		scale uint32
	}{{"192", 1000}, {"96", 2000}, {"192", 2000}} {
		if got := width(c.dpi, c.scale); got < plain*2-4 || got > plain*2+4 {
			t.Errorf("%+v: %d pixels wide, twice %d is wanted", c, got, plain)
		}
	}
}

// settle waits until "yes" is drawn as what it is: ready, or waiting for the end
// to be read.
func (q *question) settle() {
	q.t.Helper()
	if q.count("read") == 0 {
		return
	}
	q.ready()
	rest(q.t, q.d)
}

// rest waits until the screen shows something and does not change any more.
func rest(t testing.TB, d *desk.Desk) {
	t.Helper()
	before, same := d.Screen(), 0
	desk.Until(t, "the screen to rest", func() bool {
		now := d.Screen()
		if same++; !slices.Equal(now.Pix, before.Pix) || desk.Colours(now, 20) < 20 {
			same = 0
		}
		before = now
		return same == 10
	})
}
