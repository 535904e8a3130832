package env_test

import (
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/plat/env"
)

func TestFrom(t *testing.T) {
	vars := map[string]string{
		"HOME": "/home/u/", "XDG_STATE_HOME": "relative/is/dropped", "XDG_CACHE_HOME": "/c//x",
		"NO_COLOR": "1", "TERM": "dumb", "LD_PRELOAD": "/evil.so", "GODEBUG": "x=1",
	}
	e := env.From(func(k string) string { return vars[k] })
	want := env.Env{Home: "/home/u", CacheHome: "/c/x", NoColor: true, Term: "dumb", XAuthority: "/home/u/.Xauthority"}
	if e != want {
		t.Fatalf("got %+v, want %+v", e, want)
	}
	if got := e.ForCore(); !slices.Equal(got, []string{"HOME=/home/u", "XDG_CACHE_HOME=/c/x"}) {
		t.Fatalf("the core would get %q", got)
	}
}

// TestDisplay: where windows are shown is read as the libraries that use it do.
func TestDisplay(t *testing.T) {
	for _, c := range []struct {
		name string
		vars map[string]string
		want env.Env
	}{
		{"nothing", nil, env.Env{}},
		{"a Wayland display by its name", map[string]string{"WAYLAND_DISPLAY": "wayland-1", "XDG_RUNTIME_DIR": "/run/user/7"},
			env.Env{RuntimeDir: "/run/user/7", Wayland: "/run/user/7/wayland-1"}},
		{"by its path", map[string]string{"WAYLAND_DISPLAY": "/mnt//wayland-0"}, env.Env{Wayland: "/mnt/wayland-0"}},
		{"a name without a directory", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, env.Env{}},
		{"a name that leads out", map[string]string{"WAYLAND_DISPLAY": "../x", "XDG_RUNTIME_DIR": "/run/user/7"}, env.Env{RuntimeDir: "/run/user/7"}},
		{"X11", map[string]string{"DISPLAY": ":1", "XAUTHORITY": "/run/xauth", "HOME": "/home/u"},
			env.Env{Home: "/home/u", X11: ":1", XAuthority: "/run/xauth"}},
		{"X11 without a file", map[string]string{"DISPLAY": ":1", "XAUTHORITY": "relative"}, env.Env{X11: ":1"}},
		{"the bus", map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/bus"}, env.Env{SessionBus: "unix:path=/run/bus"}},
		{"LC_ALL goes first", map[string]string{"LC_ALL": "de_DE.UTF-8", "LC_MESSAGES": "fr_FR", "LANG": "C"}, env.Env{Language: "de_DE.UTF-8"}},
		{"then LC_MESSAGES", map[string]string{"LC_MESSAGES": "fr_FR", "LANG": "C"}, env.Env{Language: "fr_FR"}},
		{"then LANG", map[string]string{"LANG": "ar_EG.UTF-8"}, env.Env{Language: "ar_EG.UTF-8"}},
	} {
		if got := env.From(func(k string) string { return c.vars[k] }); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
	// The core learns it with the request, never by being started.
	e := env.From(func(string) string { return "/x" })
	if got := e.ForCore(); len(got) != 5 {
		t.Errorf("the core would get %q", got)
	}
}

func TestReadSeesTheProcess(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/somewhere")
	if got := env.Read().RuntimeDir; got != "/run/somewhere" {
		t.Fatalf("got %q", got)
	}
}
