package desk

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// Window is a window that the window manager knows.
type Window struct {
	ID    xproto.Window
	Title string
	Class string
	// Frame is where the client's area is on the screen, with the invisible border
	// that GTK draws shadows in; Shadow is the width of that border.
	Frame  image.Rectangle
	Shadow image.Rectangle
}

// Visible is the part of the screen that the window takes for the eye.
func (w Window) Visible() image.Rectangle {
	return image.Rect(w.Frame.Min.X+w.Shadow.Min.X, w.Frame.Min.Y+w.Shadow.Min.Y, w.Frame.Max.X-w.Shadow.Max.X, w.Frame.Max.Y-w.Shadow.Max.Y)
}

func (d *Desk) atom(name string) xproto.Atom {
	if a, ok := d.atoms[name]; ok {
		return a
	}
	r, err := xproto.InternAtom(d.X, false, uint16(len(name)), name).Reply()
	if err != nil {
		return 0
	}
	d.atoms[name] = r.Atom
	return r.Atom
}

// property is a property's value; nil where there is none.
func (d *Desk) property(w xproto.Window, name string) []byte {
	const words = 4096
	r, err := xproto.GetProperty(d.X, false, w, d.atom(name), xproto.GetPropertyTypeAny, 0, words).Reply()
	if err != nil {
		return nil
	}
	return r.Value
}

func (d *Desk) cardinals(w xproto.Window, name string) []uint32 {
	b := d.property(w, name)
	out := make([]uint32, 0, len(b)/4)
	for ; len(b) >= 4; b = b[4:] {
		out = append(out, binary.LittleEndian.Uint32(b))
	}
	return out
}

// Windows are those of the window manager, oldest first.
func (d *Desk) Windows() []Window {
	var out []Window
	for _, id := range d.cardinals(d.root, "_NET_CLIENT_LIST") {
		w := Window{ID: xproto.Window(id)}
		w.Title = string(d.property(w.ID, "_NET_WM_NAME"))
		if w.Title == "" {
			w.Title = string(d.property(w.ID, "WM_NAME"))
		}
		w.Class, _, _ = strings.Cut(string(d.property(w.ID, "WM_CLASS")), "\x00")
		g, err := xproto.GetGeometry(d.X, xproto.Drawable(w.ID)).Reply()
		if err != nil {
			continue
		}
		at, err := xproto.TranslateCoordinates(d.X, w.ID, d.root, 0, 0).Reply()
		if err != nil {
			continue
		}
		w.Frame = image.Rect(int(at.DstX), int(at.DstY), int(at.DstX)+int(g.Width), int(at.DstY)+int(g.Height))
		if e := d.cardinals(w.ID, "_GTK_FRAME_EXTENTS"); len(e) == 4 {
			w.Shadow = image.Rectangle{Min: image.Pt(int(e[0]), int(e[2])), Max: image.Pt(int(e[1]), int(e[3]))}
		}
		out = append(out, w)
	}
	return out
}

// shown lists the windows, those too that the window manager does not know.
func (d *Desk) shown() string {
	var b strings.Builder
	for _, w := range d.Windows() {
		fmt.Fprintf(&b, "window %x %q %v\n", w.ID, w.Title, w.Frame)
	}
	all, err := xproto.QueryTree(d.X, d.root).Reply()
	if err != nil {
		return b.String() + err.Error()
	}
	for _, w := range all.Children {
		if a, err := xproto.GetWindowAttributes(d.X, w).Reply(); err == nil {
			fmt.Fprintf(&b, "of the screen %x %q, map state %d, own place %v\n", w, d.property(w, "_NET_WM_NAME"), a.MapState, a.OverrideRedirect)
		}
	}
	return b.String()
}

// Find returns the newest window whose title has the words.
func (d *Desk) Find(words string) (Window, error) {
	all := d.Windows()
	for i := len(all) - 1; i >= 0; i-- {
		if strings.Contains(all[i].Title, words) {
			return all[i], nil
		}
	}
	return Window{}, fmt.Errorf("a window %q: %w", words, errNone)
}

// Await waits for a window whose title has the words.
func (d *Desk) Await(words string) Window {
	d.t.Helper()
	var w Window
	d.Until(fmt.Sprintf("a window %q", words), func() (ok bool) {
		var err error
		w, err = d.Find(words)
		return err == nil
	})
	return w
}

// Gone waits until no window has the words in its title.
func (d *Desk) Gone(words string) {
	d.t.Helper()
	d.Until(fmt.Sprintf("the window %q to be gone", words), func() bool {
		_, err := d.Find(words)
		return err != nil
	})
}

// Popups counts the windows that lie over all others and that the window manager
// does not know: tooltips, menus and the like.
func (d *Desk) Popups() (n int) {
	d.t.Helper()
	all, err := xproto.QueryTree(d.X, d.root).Reply()
	must(d.t, err)
	for _, w := range all.Children {
		a, err := xproto.GetWindowAttributes(d.X, w).Reply()
		if err != nil || !a.OverrideRedirect || a.MapState != xproto.MapStateViewable {
			continue
		}
		// Window managers have some of a pixel, on which they take the keyboard.
		if g, err := xproto.GetGeometry(d.X, xproto.Drawable(w)).Reply(); err == nil && g.Width > 8 && g.Height > 8 {
			n++
		}
	}
	return n
}

// Active is the window that has the keyboard.
func (d *Desk) Active() xproto.Window {
	if a := d.cardinals(d.root, "_NET_ACTIVE_WINDOW"); len(a) > 0 {
		return xproto.Window(a[0])
	}
	return 0
}

// AwaitActive waits until the window has the keyboard.
func (d *Desk) AwaitActive(w Window) {
	d.t.Helper()
	d.Until(fmt.Sprintf("%q to have the keyboard", w.Title), func() bool { return d.Active() == w.ID })
}

// Asked begins to note who asks the window manager for the keyboard; what it
// returns lists the windows that have, in the order of their asking.
func (d *Desk) Asked() (windows func() []xproto.Window) {
	d.t.Helper()
	must(d.t, xproto.ChangeWindowAttributesChecked(d.X, d.root, xproto.CwEventMask, []uint32{xproto.EventMaskSubstructureNotify}).Check())
	return func() (out []xproto.Window) {
		for {
			ev, err := d.X.PollForEvent()
			if ev == nil && err == nil {
				return out
			}
			if m, ok := ev.(xproto.ClientMessageEvent); ok && m.Type == d.atom("_NET_ACTIVE_WINDOW") {
				out = append(out, m.Window)
			}
		}
	}
}

// Raise asks the window manager for the window, as a task bar does.
func (d *Desk) Raise(w Window) {
	d.t.Helper()
	const fromPager = 2
	d.tell(w.ID, "_NET_ACTIVE_WINDOW", fromPager, 0, 0)
	d.AwaitActive(w)
}

// Close presses the window's close button, by the window manager's protocol.
func (d *Desk) Close(w Window) {
	d.t.Helper()
	const fromPager = 2
	d.tell(w.ID, "_NET_CLOSE_WINDOW", 0, fromPager, 0)
}

func (d *Desk) tell(w xproto.Window, name string, data ...uint32) {
	d.t.Helper()
	for len(data) < 5 {
		data = append(data, 0)
	}
	ev := xproto.ClientMessageEvent{Format: 32, Window: w, Type: d.atom(name), Data: xproto.ClientMessageDataUnionData32New(data)}
	const mask = xproto.EventMaskSubstructureRedirect | xproto.EventMaskSubstructureNotify
	must(d.t, xproto.SendEventChecked(d.X, false, d.root, mask, string(ev.Bytes())).Check())
}

// Resize asks the window manager for another size of the client's area.
func (d *Desk) Resize(w Window, width, height int) {
	d.t.Helper()
	must(d.t, xproto.ConfigureWindowChecked(d.X, w.ID, xproto.ConfigWindowWidth|xproto.ConfigWindowHeight, []uint32{uint32(width), uint32(height)}).Check())
}

// keyboard is the server's table from keycodes to symbols.
type keyboard struct {
	first xproto.Keycode
	per   int
	syms  []xproto.Keysym
}

func (d *Desk) readKeyboard() keyboard {
	d.t.Helper()
	s := xproto.Setup(d.X)
	r, err := xproto.GetKeyboardMapping(d.X, s.MinKeycode, byte(s.MaxKeycode-s.MinKeycode+1)).Reply()
	must(d.t, err)
	return keyboard{s.MinKeycode, int(r.KeysymsPerKeycode), r.Keysyms}
}

// find returns the key of a symbol and whether Shift goes with it.
func (k keyboard) find(sym xproto.Keysym) (code xproto.Keycode, shift, ok bool) {
	for level := range min(2, k.per) {
		for i := 0; i+level < len(k.syms); i += k.per {
			if k.syms[i+level] == sym {
				return k.first + xproto.Keycode(i/k.per), level == 1, true
			}
		}
	}
	return 0, false, false
}

// Symbols of keys that are no letters, as keysymdef.h has them.
func symbol(name string) xproto.Keysym {
	named := map[string]xproto.Keysym{
		"Return": 0xff0d, "Escape": 0xff1b, "Tab": 0xff09, "BackSpace": 0xff08, "Delete": 0xffff, "Home": 0xff50, "End": 0xff57,
		"Left": 0xff51, "Up": 0xff52, "Right": 0xff53, "Down": 0xff54, "PageUp": 0xff55, "PageDown": 0xff56,
		"Shift": 0xffe1, "Control": 0xffe3, "Alt": 0xffe9, "F1": 0xffbe, "F5": 0xffc2, "F12": 0xffc9, "Menu": 0xff67, "space": 0x20,
	}
	if s, ok := named[name]; ok {
		return s
	}
	if r := []rune(name); len(r) == 1 {
		return runeSymbol(r[0])
	}
	return 0
}

// runeSymbol: Latin-1 letters are their own symbols, others have a bit set
// (X11 protocol, appendix A).
func runeSymbol(r rune) xproto.Keysym {
	if r < 0x100 {
		return xproto.Keysym(r)
	}
	const unicode = 0x01000000
	return xproto.Keysym(unicode | r)
}

func (d *Desk) fake(kind, detail byte, x, y int) {
	d.t.Helper()
	must(d.t, xtest.FakeInputChecked(d.X, kind, detail, 0, d.root, int16(x), int16(y), 0).Check())
}

// Key presses and lets go a key, with modifiers before it: "Control+l", "Tab".
func (d *Desk) Key(chord string) {
	d.t.Helper()
	d.Hold(chord, func() {})
}

// Hold presses a key, does something, and lets it go.
func (d *Desk) Hold(chord string, do func()) {
	d.t.Helper()
	parts := strings.Split(chord, "+")
	var codes []xproto.Keycode
	for _, p := range parts {
		code, shift, ok := d.keys.find(symbol(p))
		if !ok {
			d.t.Fatalf("no key for %q", p)
		}
		if shift {
			s, _, _ := d.keys.find(symbol("Shift"))
			codes = append(codes, s)
		}
		codes = append(codes, code)
	}
	for _, c := range codes {
		d.fake(xproto.KeyPress, byte(c), 0, 0)
	}
	do()
	for i := len(codes) - 1; i >= 0; i-- {
		d.fake(xproto.KeyRelease, byte(codes[i]), 0, 0)
	}
}

// Type types a text. What the keyboard has no key for gets one for a moment.
func (d *Desk) Type(text string) {
	d.t.Helper()
	for _, r := range text {
		switch r {
		case '\n':
			d.Key("Return")
			continue
		case '\t':
			d.Key("Tab")
			continue
		case '+':
			code, shift, _ := d.keys.find('+')
			d.strike(code, shift)
			continue
		}
		code, shift, ok := d.keys.find(runeSymbol(r))
		if !ok {
			code, shift = d.spare(runeSymbol(r)), false
		}
		d.strike(code, shift)
	}
}

func (d *Desk) strike(code xproto.Keycode, shift bool) {
	d.t.Helper()
	s, _, _ := d.keys.find(symbol("Shift"))
	if shift {
		d.fake(xproto.KeyPress, byte(s), 0, 0)
	}
	d.fake(xproto.KeyPress, byte(code), 0, 0)
	d.fake(xproto.KeyRelease, byte(code), 0, 0)
	if shift {
		d.fake(xproto.KeyRelease, byte(s), 0, 0)
	}
}

// spare gives a symbol a key that has none.
func (d *Desk) spare(sym xproto.Keysym) xproto.Keycode {
	d.t.Helper()
	k := d.keys
	for i := len(k.syms) - k.per; i >= 0; i -= k.per {
		free := true
		for _, s := range k.syms[i : i+k.per] {
			free = free && s == 0
		}
		if !free {
			continue
		}
		code := k.first + xproto.Keycode(i/k.per)
		k.syms[i] = sym
		must(d.t, xproto.ChangeKeyboardMappingChecked(d.X, 1, code, byte(k.per), k.syms[i:i+k.per]).Check())
		return code
	}
	d.t.Fatal("no key is free")
	return 0
}

// Move moves the pointer.
func (d *Desk) Move(x, y int) {
	d.t.Helper()
	d.fake(xproto.MotionNotify, 0, x, y)
}

// Click presses the first button at a place of the screen.
func (d *Desk) Click(x, y int) {
	d.t.Helper()
	d.button(x, y, 1)
}

// Drag holds the first button from one place of the screen to another.
func (d *Desk) Drag(fromX, fromY, toX, toY int) {
	d.t.Helper()
	d.Move(fromX, fromY)
	d.fake(xproto.ButtonPress, 1, 0, 0)
	d.Move(toX, toY)
	d.fake(xproto.ButtonRelease, 1, 0, 0)
}

// Scroll turns the wheel there, down for positive notches.
func (d *Desk) Scroll(x, y, notches int) {
	d.t.Helper()
	b := byte(5)
	if notches < 0 {
		b, notches = 4, -notches
	}
	for range notches {
		d.button(x, y, b)
	}
}

// Secondary presses the third button, which asks for a menu.
func (d *Desk) Secondary(x, y int) {
	d.t.Helper()
	d.button(x, y, 3)
}

func (d *Desk) button(x, y int, b byte) {
	d.t.Helper()
	d.Move(x, y)
	d.fake(xproto.ButtonPress, b, 0, 0)
	d.fake(xproto.ButtonRelease, b, 0, 0)
}

// Screen is what is to be seen.
func (d *Desk) Screen() *image.RGBA {
	d.t.Helper()
	g, err := xproto.GetGeometry(d.X, xproto.Drawable(d.root)).Reply()
	must(d.t, err)
	r, err := xproto.GetImage(d.X, xproto.ImageFormatZPixmap, xproto.Drawable(d.root), 0, 0, g.Width, g.Height, 0xffffffff).Reply()
	must(d.t, err)
	im := image.NewRGBA(image.Rect(0, 0, int(g.Width), int(g.Height)))
	for i := 0; i+3 < len(r.Data) && i+3 < len(im.Pix); i += 4 {
		im.Pix[i], im.Pix[i+1], im.Pix[i+2], im.Pix[i+3] = r.Data[i+2], r.Data[i+1], r.Data[i], 0xff
	}
	return im
}

// Shot keeps a picture of the screen as build/screens/NAME.png.
func (d *Desk) Shot(name string) image.Image {
	d.t.Helper()
	im := d.Screen()
	save(d.t, name, im)
	return im
}

// ShotWindow keeps a picture of one window's place on the screen.
func (d *Desk) ShotWindow(name string, w Window) image.Image {
	d.t.Helper()
	im := d.Screen()
	part := im.SubImage(w.Visible().Intersect(im.Rect))
	save(d.t, name, part)
	return part
}

func save(t testing.TB, name string, im image.Image) {
	t.Helper()
	dir, err := screenDir()
	must(t, err)
	f, err := os.Create(filepath.Join(dir, name+".png"))
	must(t, err)
	defer f.Close()
	must(t, png.Encode(f, im))
}

// Colours counts the different colours of a picture, up to a bound: a window
// that shows nothing has one.
func Colours(im image.Image, bound int) int {
	seen := map[[3]uint32]bool{}
	b := im.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl, _ := im.At(x, y).RGBA()
			seen[[3]uint32{r, g, bl}] = true
			if len(seen) >= bound {
				return len(seen)
			}
		}
	}
	return len(seen)
}

// Content is where the page is on the screen: its viewport reaches down to the
// lower edge of the window, whatever the window has above it.
func (d *Desk) Content(w Window, inner func() (width, height int)) image.Rectangle {
	d.t.Helper()
	width, height := inner()
	v := w.Visible()
	return image.Rect(v.Min.X, v.Max.Y-height, v.Min.X+width, v.Max.Y)
}
