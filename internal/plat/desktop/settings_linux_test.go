package desktop

import (
	"context"
	"math"
	"testing"
	"time"

	godbus "github.com/godbus/dbus/v5"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
)

// settingsOf is what Watch says first.
func settingsOf(t *testing.T, d Display) Settings {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var first Settings
	Watch(ctx, d, func(s Settings) {
		if ctx.Err() == nil {
			first = s
			cancel()
		}
	})
	return first
}

func TestSettings(t *testing.T) {
	d := startBus(t)
	if got := settingsOf(t, d); got != Defaults() {
		t.Fatalf("without a portal: %+v", got)
	}
	p := newPortal(t, d).take()
	p.set(nsAppearance, keyScheme, uint32(1))
	p.set(nsAppearance, keyContrast, uint32(1))
	p.set(nsInterface, keyTextScale, 1.25)
	p.set(nsInterface, keyAnimations, false)
	p.set(nsInterface, "something-else", []string{"x"})
	if got, want := settingsOf(t, d), (Settings{"dark", "high", "reduced", 1250}); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if got := settingsOf(t, Display{}); got != Defaults() {
		t.Fatalf("without a bus: %+v", got)
	}
}

// TestMeanings: what a value means, and that one of another type or out of range
// means nothing.
func TestMeanings(t *testing.T) {
	const n, i = nsAppearance, nsInterface
	for _, c := range []struct {
		namespace, key string
		value          any
		want           Settings
	}{
		{n, keyScheme, uint32(0), Defaults()},
		{n, keyScheme, uint32(1), Settings{"dark", "", "", 1000}},
		{n, keyScheme, uint32(2), Settings{"light", "", "", 1000}},
		{n, keyScheme, uint32(3), Defaults()},
		{n, keyScheme, int32(1), Defaults()},
		{n, keyScheme, "dark", Defaults()},
		{n, keyScheme, dbus.Variant{Signature: "v", Value: dbus.Variant{Signature: "u", Value: uint32(1)}}, Settings{"dark", "", "", 1000}},
		{n, keyContrast, uint32(1), Settings{"", "high", "", 1000}},
		{n, keyContrast, uint32(9), Defaults()},
		{n, keyMotion, uint32(1), Settings{"", "", "reduced", 1000}},
		{i, keyMotion, uint32(1), Defaults()},
		{i, keyAnimations, false, Settings{"", "", "reduced", 1000}},
		{i, keyAnimations, true, Defaults()},
		{i, keyAnimations, uint32(0), Defaults()},
		{n, keyAnimations, false, Defaults()},
		{i, keyTextScale, 2.0, Settings{TextScale: 2000}},
		{i, keyTextScale, 1.0004, Defaults()},
		{i, keyTextScale, 0.0, Settings{TextScale: limits.TextScaleLeast}},
		{i, keyTextScale, -1.0, Settings{TextScale: limits.TextScaleLeast}},
		{i, keyTextScale, 1e300, Settings{TextScale: limits.TextScaleMost}},
		{i, keyTextScale, math.Inf(-1), Settings{TextScale: limits.TextScaleLeast}},
		{i, keyTextScale, math.NaN(), Defaults()},
		{i, keyTextScale, "2", Defaults()},
		{"", "", nil, Defaults()},
	} {
		r := unset()
		r.set(c.namespace, c.key, c.value)
		if got := r.settings(); got != c.want {
			t.Errorf("%s %s %v: %+v, want %+v", c.namespace, c.key, c.value, got, c.want)
		}
	}
}

// FuzzSettings: whatever the portal answers, what comes out is one of the few
// values.
func FuzzSettings(f *testing.F) {
	add := func(sig dbus.Signature, v ...any) {
		b, err := dbus.Encode(sig, v...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(sig), b)
	}
	add("a{sa{sv}}", []dbus.Entry{{Key: nsInterface, Value: []dbus.Entry{{Key: keyTextScale, Value: dbus.Variant{Signature: "d", Value: 1.5}}}},
		{Key: nsAppearance, Value: []dbus.Entry{{Key: keyScheme, Value: dbus.Variant{Signature: "u", Value: uint32(1)}}}}})
	add("a{su}", []dbus.Entry{{Key: nsInterface, Value: uint32(1)}})
	add("s", "x")
	f.Fuzz(func(t *testing.T, sig string, body []byte) {
		v, err := dbus.Decode(dbus.Signature(sig), body, false)
		if err != nil {
			return
		}
		r := unset()
		r.all(v)
		s := r.settings()
		if s.TextScale < limits.TextScaleLeast || s.TextScale > limits.TextScaleMost || len(s.Scheme) > 5 || len(s.Contrast) > 4 || len(s.Motion) > 7 {
			t.Fatalf("%+v", s)
		}
	})
}

// watching runs Watch and hands on what it says.
func watching(t *testing.T, d Display) (got chan Settings, ended chan struct{}) {
	t.Helper()
	got, ended = make(chan Settings), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		Watch(ctx, d, func(s Settings) {
			select {
			case got <- s:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return got, ended
}

func TestWatch(t *testing.T) {
	d := startBus(t)
	p := newPortal(t, d).take()
	got, ended := watching(t, d)
	if s := <-got; s != Defaults() {
		t.Fatalf("%+v", s)
	}
	p.set(nsAppearance, keyScheme, uint32(1))
	p.changed()
	if s := <-got; s.Scheme != "dark" {
		t.Fatalf("%+v", s)
	}
	// Nothing new: nothing is said. What another connection says is not heard.
	p.changed()
	p.set(nsInterface, keyTextScale, 1.5)
	liar := connect(t, d.SessionBus)
	if err := liar.Emit(godbus.ObjectPath(portalPath), portalSettings+"."+signalOfSetting, "a", "b", godbus.MakeVariant(1)); err != nil {
		t.Fatal(err)
	}
	p.set(nsInterface, keyTextScale, 1.75)
	p.changed()
	// Two changes at once may be one.
	for s := range got {
		if s.TextScale == 1750 && s.Scheme == "dark" {
			break
		}
	}
	// The portal is started anew, with other settings.
	q := newPortal(t, d)
	q.set(nsAppearance, keyScheme, uint32(2))
	q.take()
	if s := <-got; s != (Settings{"light", "", "", 1000}) {
		t.Fatalf("%+v", s)
	}
	// From the old one nothing is heard any more; without one all stays as it is.
	q.conn.Close()
	r := newPortal(t, d)
	r.set(nsAppearance, keyContrast, uint32(1))
	r.take()
	if s := <-got; s != (Settings{"", "high", "", 1000}) {
		t.Fatalf("%+v", s)
	}
	select {
	case <-ended:
		t.Fatal("it ended")
	default:
	}
}

// TestWatchLatePortal: a window that is shown before the desktop is ready gets
// the settings when they come.
func TestWatchLatePortal(t *testing.T) {
	d := startBus(t)
	got, _ := watching(t, d)
	if s := <-got; s != Defaults() {
		t.Fatalf("%+v", s)
	}
	p := newPortal(t, d)
	p.set(nsAppearance, keyScheme, uint32(1))
	p.take()
	if s := <-got; s.Scheme != "dark" {
		t.Fatalf("%+v", s)
	}
}

func TestWatchNobody(t *testing.T) {
	got, ended := watching(t, Display{SessionBus: "unix:path=/nonexistent/bus"})
	if s := <-got; s != Defaults() {
		t.Fatalf("%+v", s)
	}
	<-ended
}

// TestWatchBusEnds: the bus goes away in mid-run.
func TestWatchBusEnds(t *testing.T) {
	d := startBus(t)
	got, ended := watching(t, d)
	<-got
	// A connection that breaks the protocol is cut off; here ours is, by a
	// portal that sends more than is read.
	p := newPortal(t, d)
	p.set(nsAppearance, "x", make([]byte, limits.BusMessage))
	p.take()
	<-ended
}

// TestPortalHangs: a portal that never answers costs the time that is set for
// it, and then there are defaults.
func TestPortalHangs(t *testing.T) {
	d := startBus(t)
	p := newPortal(t, d)
	p.hang = make(chan struct{})
	defer close(p.hang)
	p.take()
	began := time.Now()
	if s := settingsOf(t, d); s != Defaults() {
		t.Fatalf("%+v", s)
	}
	if took := time.Since(began); took < limits.BusReply || took > 5*limits.BusReply {
		t.Errorf("it took %v", took)
	}
}
