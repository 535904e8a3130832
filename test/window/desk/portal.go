package desk

import (
	"sync"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

// Look is how a person has set up the desktop.
type Look struct {
	Dark, HighContrast, ReducedMotion bool
	// Scale of text; 0 is 1.
	Scale float64
}

func (l Look) values() map[string]map[string]dbus.Variant {
	scheme, contrast, scale := uint32(2), uint32(0), l.Scale
	if l.Dark {
		scheme = 1
	}
	if l.HighContrast {
		contrast = 1
	}
	if scale == 0 {
		scale = 1
	}
	return map[string]map[string]dbus.Variant{
		"org.freedesktop.appearance":       {"color-scheme": dbus.MakeVariant(scheme), "contrast": dbus.MakeVariant(contrast)},
		"org.gnome.desktop.interface":      {"text-scaling-factor": dbus.MakeVariant(scale), "enable-animations": dbus.MakeVariant(!l.ReducedMotion)},
		"org.gnome.desktop.a11y.interface": {"high-contrast": dbus.MakeVariant(l.HighContrast)},
	}
}

// settings is the portal through which programs learn of it.
type settings struct {
	mu   sync.Mutex
	look Look
}

// ReadAll implements org.freedesktop.portal.Settings.
func (s *settings) ReadAll([]string) (map[string]map[string]dbus.Variant, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.look.values(), nil
}

// Read implements org.freedesktop.portal.Settings.
func (s *settings) Read(space, key string) (dbus.Variant, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.look.values()[space][key]
	if !ok {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.portal.Error.NotFound", nil)
	}
	return dbus.MakeVariant(v), nil
}

// Settings puts the portal for settings on the bus, and returns what changes
// them.
func (d *Desk) Settings(look Look) (change func(Look)) {
	d.t.Helper()
	const path, face = dbus.ObjectPath("/org/freedesktop/portal/desktop"), "org.freedesktop.portal.Settings"
	conn, err := dbus.Connect(d.Bus)
	must(d.t, err)
	d.t.Cleanup(func() { conn.Close() })
	s := &settings{look: look}
	must(d.t, conn.Export(s, path, face))
	_, err = prop.Export(conn, path, prop.Map{face: {"version": {Value: uint32(2)}}})
	must(d.t, err)
	_, err = conn.RequestName("org.freedesktop.portal.Desktop", dbus.NameFlagDoNotQueue)
	must(d.t, err)
	return func(l Look) {
		d.t.Helper()
		s.mu.Lock()
		s.look = l
		s.mu.Unlock()
		for space, keys := range l.values() {
			for key, v := range keys {
				must(d.t, conn.Emit(path, face+".SettingChanged", space, key, v))
			}
		}
	}
}
