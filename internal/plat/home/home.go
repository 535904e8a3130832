// Package home finds and checks the directories of one Bailey: state, cache,
// configuration, and the runtime directory that holds the core's socket.
//
// They follow the XDG base directory specification 0.8, or all lie under one
// folder (`--home DIR`). Every one is made with mode 0700. What is not ours, is
// open for others to write, or is a link where another user could have put it,
// is refused with [errs.HomeUnusable], naming the path.
//
// One home has one runtime directory: the first [Open] writes its choice into
// the state directory and later ones follow it, so that a job without
// XDG_RUNTIME_DIR finds the core that a desktop session started.
//
// Called by the mains of the core and of its clients; it makes directories and
// one small file, and opens no socket.
package home

import (
	"path/filepath"

	"github.com/bailey-run/bailey/internal/plat/env"
)

// Home is a set of directories that exist, are ours and are writable.
type Home struct {
	// Dir is the folder given as --home, absolute; empty with XDG directories.
	Dir string
	// State holds the audit log, what is remembered, and the core's lock.
	State string
	// Cache may be deleted at any time.
	Cache string
	// Config holds what the user wrote.
	Config string
	// Runtime holds the socket; it need not survive a restart of the machine.
	Runtime string
	// Socket is the core's listening socket, at most [limits.SocketName] bytes.
	Socket string
}

// Options says where to look.
type Options struct {
	// Dir is --home; relative to the working directory, or empty.
	Dir string
	Env env.Env
	// RunUser and Temp replace /run/user and /tmp in tests.
	RunUser, Temp string
}

// LockName is the file in State whose lock makes a core the only one of its home.
// The core that holds it has written its process number there.
const LockName = "core.lock"

const (
	appName    = "bailey"
	socketName = "core.sock"
	// runName is the runtime directory in a folder given as --home.
	runName = "run"
	// choiceName is the file in State that names the runtime directory.
	choiceName = "runtime-dir"
)

// Open finds, makes and checks the directories. It is safe to call from several
// processes at once. Its errors are [errs.HomeUnusable] with the path and what
// to do.
func Open(o Options) (*Home, error) { return open(o) }

// Locate says where the directories would be, without making or checking any.
// Runtime and Socket are empty where that cannot be known. It is for reports.
func Locate(o Options) (*Home, error) { return locate(o) }

func locate(o Options) (*Home, error) {
	if o.Dir != "" {
		dir, err := filepath.Abs(o.Dir)
		if err != nil {
			return nil, unusable(o.Dir, "it cannot be made absolute", err)
		}
		return &Home{Dir: dir, State: filepath.Join(dir, "state"), Cache: filepath.Join(dir, "cache"), Config: filepath.Join(dir, "config")}, nil
	}
	h := &Home{}
	for _, d := range []struct {
		to         *string
		xdg, under string
	}{
		{&h.State, o.Env.StateHome, ".local/state"},
		{&h.Cache, o.Env.CacheHome, ".cache"},
		{&h.Config, o.Env.ConfigHome, ".config"},
	} {
		base := d.xdg
		if base == "" {
			if o.Env.Home == "" {
				return nil, unusable("HOME", "it is not set, or not an absolute path", nil).
					WithHint("set HOME, or name a folder with --home DIR")
			}
			base = filepath.Join(o.Env.Home, d.under)
		}
		*d.to = filepath.Join(base, appName)
	}
	return h, nil
}
