// Package hosts starts the processes that draw: the window, the prompt and the
// picker. They are programs in C on GTK, each in a sandbox of its own that
// package sandbox builds from the spec of its kind, and they are seen from
// outside to be confined before a byte is written to them.
//
// It knows nothing of what is said to them: whoever starts one owns its
// connection and speaks its wire. It refuses to start one for root (a window of
// root's would be a program of root's that runs a web engine), without a
// display, and with any layer missing that the spec requires.
//
// Only the core calls it, and the command for a notice that the core is gone.
package hosts

import (
	"net"
	"os"
	"sync"

	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
)

// The kinds of hosts, as workerspec names them.
const (
	Window = "window"
	Prompt = "prompt"
	Picker = "picker"
)

// Options say what a host is given. Nothing else reaches it: neither the core's
// environment nor any of its files.
type Options struct {
	// Display is where it shows itself.
	Display desktop.Display
	// Program is the host's binary, and Stub bailey-worker, which builds the
	// sandbox; both opened by the core. Start closes neither.
	Program, Stub *os.File
	// Accessibility is the absolute path of a socket that speaks for the
	// accessibility bus, filtered; "" where there is none. It is never the bus
	// itself.
	Accessibility string
	// Home is the person's directory, which a picker sees for reading; "" for
	// the other kinds.
	Home string
	// Hidden returns what a picker does not see of a directory of the person's, by
	// names relative to it: what is Bailey's own. nil hides nothing.
	Hidden func(*folder.Folder) []string
	// Runtime is a directory of the core's for what is made for the host, as long
	// as it runs: the one cookie of X11. "" is the system's for such files.
	Runtime string
}

// Host is one running process that draws. Its methods may be called from any
// goroutine.
type Host struct {
	// Kind is what it was started as.
	Kind string
	// Conn is the core's end of the host's one connection, its descriptor 3. The
	// caller owns it; closing it tells the host that the core is gone.
	Conn *net.UnixConn

	proc  *sandbox.Process
	words *words
	done  chan struct{}
	exit  sandbox.Exit
}

// PID is the host's process, as the core sees it. It may be gone.
func (h *Host) PID() int { return h.proc.PID() }

// Done is closed when the host has ended, and with it everything in its pid
// namespace.
func (h *Host) Done() <-chan struct{} { return h.done }

// Exit is how it ended; valid after Done.
func (h *Host) Exit() sandbox.Exit { return h.exit }

// Words is the last that it and its children wrote to standard error, for
// reports. It may hold what a page made it say: it is never shown unquoted.
func (h *Host) Words() string { return h.words.String() }

// Kill ends it at once, with everything in its pid namespace, and returns when
// it is gone. Idempotent.
func (h *Host) Kill() {
	// The error of a process that is gone is no error, and there is no other.
	_ = h.proc.Kill()
	<-h.done
}

// words keeps the last bytes of a pipe.
type words struct {
	limit int
	mu    sync.Mutex
	b     []byte
}

func (w *words) write(p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, p...)
	if over := len(w.b) - w.limit; over > 0 {
		w.b = append(w.b[:0], w.b[over:]...)
	}
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.b)
}
