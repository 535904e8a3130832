// Package env is the one place where Bailey reads its environment. Everything
// else is handed an [Env], so that a test, a worker or a fuzz target says what
// it is. It refuses to read anything that is not a field here: there are no
// undocumented switches (docs/directories.md lists them all). Only the mains
// in cmd call [Read].
package env

import (
	"cmp"
	"os"
	"path/filepath"
)

// Env holds the variables that Bailey looks at. An empty field is an unset or
// an empty variable; the two are the same, as the XDG base directory
// specification 0.8 says.
type Env struct {
	// Home is HOME, an absolute path.
	Home string
	// ConfigHome, StateHome, CacheHome and RuntimeDir are the XDG variables.
	// Relative values are dropped, as the specification demands.
	ConfigHome, StateHome, CacheHome, RuntimeDir string
	// NoColor is set when NO_COLOR is not empty (no-color.org).
	NoColor bool
	// Term is TERM; "dumb" means that lines cannot be redrawn.
	Term string
	// Wayland is the socket that WAYLAND_DISPLAY names, an absolute path; a name
	// without a slash stands in RuntimeDir, as libwayland has it.
	Wayland string
	// X11 is DISPLAY.
	X11 string
	// XAuthority is XAUTHORITY, else the file that Xlib looks for in Home.
	XAuthority string
	// SessionBus is DBUS_SESSION_BUS_ADDRESS.
	SessionBus string
	// Language is the locale of messages: the first that is set of LC_ALL,
	// LC_MESSAGES and LANG, as setlocale(3) has it.
	Language string
	// Path is PATH, where `bailey sandbox run` finds a program by its name.
	Path string
}

// Read reads the process's environment.
func Read() Env { return From(os.Getenv) }

// From reads an environment through a function such as [os.Getenv].
func From(get func(string) string) Env {
	e := Env{
		Home:       absolute(get("HOME")),
		ConfigHome: absolute(get("XDG_CONFIG_HOME")),
		StateHome:  absolute(get("XDG_STATE_HOME")),
		CacheHome:  absolute(get("XDG_CACHE_HOME")),
		RuntimeDir: absolute(get("XDG_RUNTIME_DIR")),
		NoColor:    get("NO_COLOR") != "",
		Term:       get("TERM"),
		X11:        get("DISPLAY"),
		XAuthority: absolute(get("XAUTHORITY")),
		SessionBus: get("DBUS_SESSION_BUS_ADDRESS"),
		Path:       get("PATH"),
		Language:   cmp.Or(get("LC_ALL"), get("LC_MESSAGES"), get("LANG")),
	}
	switch w := get("WAYLAND_DISPLAY"); {
	case w == "":
	case filepath.IsAbs(w):
		e.Wayland = filepath.Clean(w)
	case e.RuntimeDir != "" && filepath.IsLocal(w):
		e.Wayland = filepath.Join(e.RuntimeDir, w)
	}
	if e.XAuthority == "" && e.Home != "" {
		e.XAuthority = filepath.Join(e.Home, ".Xauthority")
	}
	return e
}

// ForCore lists what the core is started with, as NAME=value: the directories
// and nothing else, so that no LD_*, GODEBUG or tool's switch of the shell that
// happened to start the core changes what it does. Where to show a window comes
// with each request for one: the core may have been started at another place.
func (e Env) ForCore() []string {
	out := []string{}
	for _, v := range []struct{ name, value string }{
		{"HOME", e.Home}, {"XDG_CONFIG_HOME", e.ConfigHome}, {"XDG_STATE_HOME", e.StateHome},
		{"XDG_CACHE_HOME", e.CacheHome}, {"XDG_RUNTIME_DIR", e.RuntimeDir},
	} {
		if v.value != "" {
			out = append(out, v.name+"="+v.value)
		}
	}
	return out
}

func absolute(p string) string {
	if !filepath.IsAbs(p) {
		return ""
	}
	return filepath.Clean(p)
}
