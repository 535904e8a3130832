package desktop

import (
	"context"
	"math"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
)

// Settings is how the person has set up the desktop, in the few values that a
// window knows.
type Settings struct {
	// Scheme is "dark", "light", or "" for no preference.
	Scheme string
	// Contrast is "high" or "".
	Contrast string
	// Motion is "reduced" or "".
	Motion string
	// TextScale is the size of text in thousandths: 1000 is unchanged. It is
	// between [limits.TextScaleLeast] and [limits.TextScaleMost].
	TextScale int
}

// Defaults are the settings of a desktop that says nothing.
func Defaults() Settings { return Settings{TextScale: limits.TextScaleUnit} }

// Names of the portal: org.freedesktop.portal.Settings, version 1 and 2.
const (
	portal          = "org.freedesktop.portal.Desktop"
	portalPath      = dbus.ObjectPath("/org/freedesktop/portal/desktop")
	portalSettings  = "org.freedesktop.portal.Settings"
	nsAppearance    = "org.freedesktop.appearance"
	nsInterface     = "org.gnome.desktop.interface"
	keyScheme       = "color-scheme"
	keyContrast     = "contrast"
	keyMotion       = "reduced-motion"
	keyTextScale    = "text-scaling-factor"
	keyAnimations   = "enable-animations"
	schemeDark      = 1
	schemeLight     = 2
	contrastHigh    = 1
	motionReduced   = 1
	signalOfSetting = "SettingChanged"
)

// raw is what the portal said, as far as it was of the right type.
type raw struct {
	scheme, contrast, motion uint32
	animations               bool
	scale                    float64
}

func unset() raw { return raw{animations: true, scale: 1} }

// set takes one setting of the portal. A name that is not known and a value
// of another type change nothing.
func (r *raw) set(namespace, key string, v any) {
	// Read, of the first version, wraps the value twice.
	for range 2 {
		if w, ok := v.(dbus.Variant); ok {
			v = w.Value
		}
	}
	switch n, isNumber := v.(uint32); {
	case namespace == nsAppearance && isNumber:
		switch key {
		case keyScheme:
			r.scheme = n
		case keyContrast:
			r.contrast = n
		case keyMotion:
			r.motion = n
		}
	case namespace == nsInterface && key == keyTextScale:
		if f, ok := v.(float64); ok && !math.IsNaN(f) {
			r.scale = f
		}
	case namespace == nsInterface && key == keyAnimations:
		if on, ok := v.(bool); ok {
			r.animations = on
		}
	}
}

func (r raw) settings() Settings {
	s := Defaults()
	switch r.scheme {
	case schemeDark:
		s.Scheme = "dark"
	case schemeLight:
		s.Scheme = "light"
	}
	if r.contrast == contrastHigh {
		s.Contrast = "high"
	}
	if r.motion == motionReduced || !r.animations {
		s.Motion = "reduced"
	}
	scale := math.Round(r.scale * limits.TextScaleUnit)
	s.TextScale = int(min(max(scale, limits.TextScaleLeast), limits.TextScaleMost))
	return s
}

// all takes the answer of ReadAll: a{sa{sv}}.
func (r *raw) all(values []any) {
	if len(values) != 1 {
		return
	}
	namespaces, _ := values[0].([]dbus.Entry)
	for _, ns := range namespaces {
		name, _ := ns.Key.(string)
		keys, _ := ns.Value.([]dbus.Entry)
		for _, k := range keys {
			key, _ := k.Key.(string)
			r.set(name, key, k.Value)
		}
	}
}

// readAll asks the portal.
func readAll(ctx context.Context, bus *dbus.Conn, owner string) (Settings, error) {
	out, err := bus.Call(ctx, dbus.Call{
		Destination: owner, Path: portalPath, Interface: portalSettings, Member: "ReadAll",
		Signature: "as", Args: []any{[]any{nsAppearance, nsInterface}},
	})
	if err != nil {
		return Defaults(), err
	}
	r := unset()
	r.all(out)
	return r.settings(), nil
}

// Watch calls f with the settings, after [limits.BusReply] at most, and again
// each time that they are others, one call after the other. It returns when ctx
// ends or the bus does. Without a bus, or with one that has no portal, f gets
// [Defaults] first. A portal that comes later is heard, and one that is started
// anew; while there is none, what was so stays so.
func Watch(ctx context.Context, d Display, f func(Settings)) {
	w := &watcher{f: f, again: make(chan struct{}, 1), stop: func() {}}
	first, cancel := context.WithTimeout(ctx, limits.BusReply)
	bus, err := dialPortal(first, d)
	if err == nil {
		defer bus.Close()
		if _, err = bus.Watch(first, dbus.OwnerChanged(portal), w.wake); err == nil {
			// It is started once only: one that crashes at its start is not
			// started again and again by those who wait for it.
			_, _ = bus.Start(first, portal)
			w.read(first, bus)
		}
	}
	cancel()
	if ctx.Err() != nil {
		return
	}
	w.show(Defaults(), !w.shown)
	if err != nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-bus.Done():
			return
		case <-w.again:
		}
		short, cancel := context.WithTimeout(ctx, limits.BusReply)
		w.read(short, bus)
		cancel()
		// A flood of changes is read from time to time.
		pace := time.NewTimer(limits.SettingsPace)
		select {
		case <-ctx.Done():
		case <-pace.C:
		}
		pace.Stop()
	}
}

// watcher is the state of one Watch.
type watcher struct {
	f     func(Settings)
	shown bool
	last  Settings
	// again says that something changed, no matter how often: all is read
	// anew then, so that the bus's goroutine never waits for f.
	again chan struct{}
	// owner is the portal whose signals are heard, until stop.
	owner string
	stop  func()
}

func (w *watcher) wake(*dbus.Message) {
	select {
	case w.again <- struct{}{}:
	default:
	}
}

func (w *watcher) show(s Settings, when bool) {
	if when {
		w.shown, w.last = true, s
		w.f(s)
	}
}

// read shows the settings of the portal that there is, if there is one.
func (w *watcher) read(ctx context.Context, bus *dbus.Conn) {
	owner, err := bus.Owner(ctx, portal)
	if err != nil {
		return
	}
	if owner != w.owner {
		w.stop()
		w.owner, w.stop = "", func() {}
		// Heard first, read then: a change between the two is not lost.
		stop, err := bus.Watch(ctx, dbus.Match{Sender: owner, Path: portalPath, Interface: portalSettings, Member: signalOfSetting}, w.wake)
		if err != nil {
			return
		}
		w.owner, w.stop = owner, stop
	}
	if s, err := readAll(ctx, bus, owner); err == nil {
		w.show(s, !w.shown || s != w.last)
	}
}
