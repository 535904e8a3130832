package hosts

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerspec"
)

const (
	opStart = "hosts.start"

	hintDisplay = "open Bailey from your desktop, or say where the display is by WAYLAND_DISPLAY or DISPLAY; the commands of the terminal need none"
	hintLibrary = "install WebKitGTK 6.0 (Debian: apt-get install libwebkitgtk-6.0-4)"
	hintRoot    = "run Bailey as an ordinary user with a display; as root it answers in the terminal"
)

// loaderFailed is the exit code of the system's loader when a library is not
// there.
const loaderFailed = 127

// Start starts a host of a kind and returns once it is confined, as seen from
// outside, and waits for its first message. The end of ctx ends the start, not
// the host that it returned.
//
// Errors: errs.WindowUnavailable with a hint when there is no display, when the
// core runs as root, or when the program is missing; errs.SandboxMissing and
// errs.PostureFailed as for workers; errs.WorkerCrashed when it ended at once;
// errs.Cancelled.
func Start(ctx context.Context, kind string, o Options) (*Host, error) {
	spec, ok := workerspec.For(kind)
	if !ok || spec.Class != workerspec.Host {
		return nil, errs.New(errs.NotSupported, opStart).With("no host of kind " + kind)
	}
	if os.Geteuid() == 0 {
		return nil, errs.New(errs.WindowUnavailable, opStart).With("Bailey runs as root").WithHint(hintRoot)
	}
	if o.Program == nil {
		return nil, errs.New(errs.WindowUnavailable, opStart).With(spec.Program + " is not beside bailey-core")
	}
	g, err := give(spec, o)
	if err != nil {
		return nil, err
	}
	defer g.close()
	// From here on the host's end removes it, or the error that keeps it from
	// beginning.
	running := false
	defer func() {
		if !running {
			g.remove()
		}
	}()
	mine, theirs, err := pair()
	if err != nil {
		return nil, errs.Wrap(errs.Internal, opStart, err)
	}
	defer theirs.Close()
	said, saidW, err := os.Pipe()
	if err != nil {
		mine.Close()
		return nil, errs.Wrap(errs.Internal, opStart, err)
	}
	defer saidW.Close()
	p, err := sandbox.Start(ctx, sandbox.Config{Spec: spec, Worker: o.Program, Stub: o.Stub, Conn: theirs, Stderr: saidW, Given: g.Given})
	if err != nil {
		mine.Close()
		said.Close()
		return nil, err
	}
	h := &Host{Kind: kind, Conn: mine, proc: p, words: &words{limit: limits.WorkerStderr}, done: make(chan struct{})}
	// The child's ends have to be closed here too, or its end would not show.
	theirs.Close()
	saidW.Close()
	running = true
	go h.watch(said, g)
	if err := h.look(ctx, g.Given); err != nil {
		h.Kill()
		mine.Close()
		return nil, err
	}
	return h, nil
}

// look waits until the host is seen to be confined, and says why one has ended.
func (h *Host) look(ctx context.Context, g sandbox.Given) error {
	err := h.proc.AwaitConfined(ctx, g)
	if errs.CodeOf(err) != errs.WorkerCrashed {
		return err
	}
	<-h.done
	e := errs.Wrap(errs.WorkerCrashed, opStart, fmt.Errorf("exit %d, signal %d, said %q", h.exit.Code, h.exit.Signal, h.Words()))
	if h.exit.Code == loaderFailed {
		e = errs.Wrap(errs.WindowUnavailable, opStart, e).With("a library of the window is missing").WithHint(hintLibrary)
	}
	return e
}

// watch collects the host's last words and its end.
func (h *Host) watch(said *os.File, g *given) {
	defer close(h.done)
	defer g.remove()
	defer said.Close()
	all := make(chan struct{})
	go func() {
		defer close(all)
		buf := make([]byte, limits.WorkerStderr)
		for {
			n, err := said.Read(buf)
			h.words.write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	<-h.proc.Done()
	h.exit, _ = h.proc.Wait(context.Background())
	// Its words are there already. It may have sent its end of the pipe to another
	// program, or to us, so that the pipe does not end with it.
	_ = said.SetReadDeadline(time.Now().Add(limits.WorkerLastWords))
	<-all
}

// pair makes the connection: a byte stream, whose other end the host is born
// with.
func pair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "host")
	f := os.NewFile(uintptr(fds[0]), "core")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return c.(*net.UnixConn), theirs, nil
}
