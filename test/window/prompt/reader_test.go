package prompt

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/bailey-run/bailey/internal/prompthost"
	"github.com/bailey-run/bailey/test/window/desk"
)

// States of AT-SPI 2, bits of the set that GetState returns.
const (
	stateChecked   = 4
	stateFocused   = 12
	stateSensitive = 24
)

// node is what a screen reader is told of one thing on the screen.
type node struct {
	at                      dbus.BusObject
	role, name, description string
	states                  uint64
	actions                 int32
}

func (n node) has(state uint) bool { return n.states>>state&1 == 1 }

// reader is a screen reader, which is on the accessibility bus itself.
type reader struct {
	t    *testing.T
	conn *dbus.Conn
}

func listen(t *testing.T, address string) *reader {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &reader{t, conn}
}

const accessible = "org.a11y.atspi.Accessible"

type ref struct {
	Bus  string
	Path dbus.ObjectPath
}

// read walks all that the applications show, in the order of reading.
func (r *reader) read() []node {
	var out []node
	ctx, stop := context.WithTimeout(context.Background(), desk.Wait)
	defer stop()
	var walk func(o dbus.BusObject, depth int)
	walk = func(o dbus.BusObject, depth int) {
		n := node{at: o}
		_ = o.CallWithContext(ctx, accessible+".GetRoleName", 0).Store(&n.role)
		_ = o.StoreProperty(accessible+".Name", &n.name)
		_ = o.StoreProperty(accessible+".Description", &n.description)
		_ = o.StoreProperty("org.a11y.atspi.Action.NActions", &n.actions)
		var bits []uint32
		if o.CallWithContext(ctx, accessible+".GetState", 0).Store(&bits) == nil && len(bits) == 2 {
			n.states = uint64(bits[0]) | uint64(bits[1])<<32
		}
		out = append(out, n)
		var children []ref
		if err := o.CallWithContext(ctx, accessible+".GetChildren", 0).Store(&children); err != nil || depth == 0 {
			return
		}
		for _, c := range children {
			walk(r.conn.Object(c.Bus, c.Path), depth-1)
		}
	}
	const deep = 20
	walk(r.conn.Object("org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root"), deep)
	return out
}

// find waits for something of a name and a role.
func (r *reader) find(role, name string) node {
	r.t.Helper()
	var all []node
	i := -1
	defer func() {
		if r.t.Failed() {
			for _, n := range all {
				r.t.Logf("%s %q %q %x %d", n.role, n.name, n.description, n.states, n.actions)
			}
		}
	}()
	desk.Until(r.t, role+" "+name, func() bool {
		all = r.read()
		i = slices.IndexFunc(all, func(n node) bool { return n.role == role && n.name == name })
		return i >= 0
	})
	return all[i]
}

// press asks for the only action of a thing, as any program on the bus can.
func (r *reader) press(n node) bool {
	r.t.Helper()
	var done bool
	if err := n.at.Call("org.a11y.atspi.Action.DoAction", 0, int32(0)).Store(&done); err != nil {
		r.t.Logf("DoAction: %v", err)
	}
	return done
}

// TestReader: a screen reader is told everything, in the order in which it has to
// be heard: title, who, what, on what, for how long, then the buttons.
func TestReader(t *testing.T) {
	d := desk.Start(t, desk.Options{Accessible: true})
	s := bundle(2)
	s.Words = []prompthost.Words{{Label: "The app says:", Text: "I promise that this is safe."}}
	s.Warning = "On this display other programs can press buttons."
	s.Inert = 2 * time.Second
	q := start(t, d, s, "AT_SPI_BUS_ADDRESS="+d.A11y)
	q.until("painted", 1)
	r := listen(t, d.A11y)

	yes := r.find("button", s.Yes)
	if yes.has(stateSensitive) || yes.description != s.Wait {
		t.Errorf("yes is said to be %x, %q while nothing counts", yes.states, yes.description)
	}
	all := r.read()
	var heard []string
	for _, n := range all {
		if n.name != "" && (n.role != "application" && n.role != "desktop frame") {
			heard = append(heard, n.role+": "+n.name)
		}
	}
	t.Logf("heard:\n%s", strings.Join(heard, "\n"))
	want := []string{
		"alert dialog: " + s.Title,
		"label: " + s.Heading,
		"checkbox: /home/maria/Documents/part 0", "label: until this task ends",
		"checkbox: /home/maria/Documents/part 1", "label: until this task ends",
		"label: " + s.Groups[1].Heading,
		"checkbox: smollm2-135m-instruct-q4_1", "label: for chat, 98.1 MB, sha256 3f2a09c1d77e", "label: until this task ends",
		"label: The app says:", "label: I promise that this is safe.",
		"label: " + s.Denies[0], "label: " + s.Stop[0], "label: " + s.Warning,
		"button: " + s.No, "button: " + s.Yes,
	}
	at := 0
	for _, h := range heard {
		if at < len(want) && h == want[at] {
			at++
		}
	}
	if at < len(want) {
		t.Errorf("not heard in its place: %q", want[at])
	}
	window := r.find("alert dialog", s.Title)
	for _, part := range []string{s.Heading, s.Groups[1].Heading, "/home/maria/Documents/part 0", "until this task ends", s.Denies[0], s.Stop[0], s.Warning, s.Wait} {
		if !strings.Contains(window.description, part) {
			t.Errorf("the window's description lacks %q", part)
		}
	}
	row := r.find("checkbox", "/home/maria/Documents/part 1")
	if !row.has(stateChecked) || row.actions != 1 || row.description != "until this task ends" {
		t.Errorf("the row is said to be %x with %d actions, %q", row.states, row.actions, row.description)
	}
	if no := r.find("button", s.No); !no.has(stateFocused) {
		t.Error("the focus is not said to be on no")
	}

	// The wait: said, then over, and said to be.
	q.ready()
	desk.Until(t, "yes to be offered", func() bool {
		yes = r.find("button", s.Yes)
		return yes.has(stateSensitive) && yes.description == ""
	})
	if window = r.find("alert dialog", s.Title); strings.Contains(window.description, s.Wait) {
		t.Error("the window still says that an answer does not count")
	}
	if !r.press(row) {
		t.Error("a row cannot be unticked by a screen reader")
	}
	desk.Until(t, "the row to be unticked", func() bool { return !r.find("checkbox", row.name).has(stateChecked) })
	r.press(yes)
	q.want("yes 0,2")
}

// TestActionWhileInert: another program on the accessibility bus presses "yes"
// while it does not count, and nothing happens; the same press later is an
// answer. So whoever must not answer must not be on that bus.
func TestActionWhileInert(t *testing.T) {
	d := desk.Start(t, desk.Options{Accessible: true})
	s := sheet()
	s.Inert = 1500 * time.Millisecond
	q := start(t, d, s, "AT_SPI_BUS_ADDRESS="+d.A11y)
	q.until("painted", 1)
	r := listen(t, d.A11y)
	yes := r.find("button", s.Yes)
	for range 10 {
		if r.press(yes) && q.count("ready") == 0 {
			t.Error("an insensitive button says that it was pressed")
		}
		if q.count("ready") > 0 {
			break
		}
	}
	q.ready()
	select {
	case <-q.came:
		t.Fatalf("answered %q before anything counts", said(q.result))
	default:
	}
	r.press(yes)
	q.want("yes 0")
}

// TestNoBus: without the address of the accessibility bus the prompt looks for
// none.
func TestNoBus(t *testing.T) {
	d := desk.Start(t, desk.Options{Accessible: true})
	q := start(t, d, sheet())
	q.window()
	q.ready()
	r := listen(t, d.A11y)
	if i := slices.IndexFunc(r.read(), func(n node) bool { return n.name == q.sheet.Yes }); i >= 0 {
		t.Error("the prompt found a bus by itself")
	}
	d.Key("Escape")
	q.want("no denied")
}

// TestWayland: the prompt is painted by a compositor, and answers. There is no
// seat, so no focus to wait for and nobody to press anything but a screen reader.
func TestWayland(t *testing.T) {
	c := desk.Weston(t)
	s := sheet()
	s.Timeout = 8 * time.Second // on a busy machine it is painted within
	q := start(t, c, s)
	q.until("painted", 1)
	q.ready()
	q.want("no timeout")
	q = start(t, c, s)
	q.until("painted", 1)
	c.Kill()
	q.want("no lost")
}
