package hosts

import (
	"context"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerspec"
)

const (
	opStart = "hosts.start"

	hintRoot = "run Bailey as an ordinary user with a display; as root it answers in the terminal"
)

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
	if !ok {
		return nil, errs.New(errs.NotSupported, opStart).With("no host of kind " + kind)
	}
	if os.Geteuid() == 0 {
		return nil, errs.New(errs.WindowUnavailable, opStart).With("Bailey runs as root").WithHint(hintRoot)
	}
	if o.Program == nil {
		return nil, errs.New(errs.WindowUnavailable, opStart).With(spec.Program + " is not beside bailey-core")
	}
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
	p, err := sandbox.Start(ctx, sandbox.Config{Spec: spec, Worker: o.Program, Stub: o.Stub, Conn: theirs, Stderr: saidW})
	if err != nil {
		mine.Close()
		said.Close()
		return nil, err
	}
	h := &Host{Kind: kind, Conn: mine, proc: p, words: &words{limit: limits.WorkerStderr}, done: make(chan struct{})}
	go h.watch(said)
	return h, nil
}

// watch collects the host's last words and its end.
func (h *Host) watch(said *os.File) {
	defer close(h.done)
	defer said.Close()
	buf := make([]byte, limits.WorkerStderr)
	for {
		n, err := said.Read(buf)
		h.words.write(buf[:n])
		if err != nil {
			break
		}
	}
	<-h.proc.Done()
	h.exit, _ = h.proc.Wait(context.Background())
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

// CheckTree looks at the processes of a window from outside and returns nil when
// all of them have no new privileges and a network namespace that is not the
// core's, and every web process among them is in a sandbox of its own: filtered
// system calls and namespaces that are not the host's.
func CheckTree(pid int) error {
	return errs.New(errs.PostureFailed, "hosts.tree").With("the window is gone")
}
