package desktop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// A Proxy is the way of one window or prompt to the accessibility bus. A screen
// reader on that bus reads the window through it; the window can say that it
// is there, hear which events somebody wants, and send its own. It cannot call
// any other application, so that it cannot press another window's buttons.
//
// It is the system's xdg-dbus-proxy as a host of its own (package workerspec): it
// parses what a window that was taken over may send. It sees the system's libraries,
// the one bus, and the directory in which it makes its socket.
type Proxy struct {
	// Path is the socket to be given to the host.
	Path string

	proc *sandbox.Process
	conn *os.File // closing it ends the program
	done chan struct{}
	once sync.Once
}

// proxyPrograms are where systems have it. PATH is never searched.
var proxyPrograms = []string{"/usr/bin/xdg-dbus-proxy", "/usr/libexec/xdg-dbus-proxy"}

// What an application needs of the registry (AT-SPI's interfaces Socket and
// Registry, and the registry's own signals). Everything else is refused, calls
// to other applications above all.
func proxyRules() []string {
	const registry = "org.a11y.atspi.Registry"
	call := func(rule string) string { return "--call=" + registry + "=" + rule }
	hear := func(rule string) string { return "--broadcast=" + registry + "=" + rule }
	return []string{
		"--filter",
		call("org.a11y.atspi.Socket.Embed@/org/a11y/atspi/accessible/root"),
		call("org.a11y.atspi.Socket.Unembed@/org/a11y/atspi/accessible/root"),
		call("org.a11y.atspi.Registry.GetRegisteredEvents@/org/a11y/atspi/registry"),
		hear("org.a11y.atspi.Registry.EventListenerRegistered@/org/a11y/atspi/registry"),
		hear("org.a11y.atspi.Registry.EventListenerDeregistered@/org/a11y/atspi/registry"),
	}
}

// StartA11yProxy asks the session bus for the accessibility bus, and starts a
// proxy in front of it whose socket is in a directory of its own in dir, which must
// be the person's alone. stub is bailey-worker, which builds its sandbox; it is not
// closed. It takes [limits.A11yStart] at most. Errors: [ErrNoAccessibility].
func StartA11yProxy(ctx context.Context, d Display, dir string, stub *os.File) (*Proxy, error) {
	ctx, cancel := context.WithTimeout(ctx, limits.A11yStart)
	defer cancel()
	p, err := startProxy(ctx, d, dir, stub)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAccessibility, err)
	}
	return p, nil
}

func startProxy(ctx context.Context, d Display, dir string, stub *os.File) (*Proxy, error) {
	switch {
	case os.Geteuid() == 0:
		return nil, errors.New("root has no windows")
	case stub == nil:
		return nil, errors.New("bailey-worker is not beside bailey-core")
	}
	var program *os.File
	for _, path := range proxyPrograms {
		if f, err := os.Open(path); err == nil {
			program = f
			break
		}
	}
	if program == nil {
		return nil, errors.New("xdg-dbus-proxy is not installed")
	}
	defer program.Close()
	bus, err := accessibilityBus(ctx, d)
	if err != nil {
		return nil, err
	}
	// By its real name, as the sandbox finds it again.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	Sweep(dir, a11yKind)
	own, err := os.MkdirTemp(dir, Prefix(a11yKind)+"*")
	if err != nil {
		return nil, err
	}
	p, err := launchProxy(ctx, program, stub, bus, own)
	if err != nil {
		os.RemoveAll(own)
	}
	return p, err
}

// a11yKind is what a proxy's directory is called by.
const a11yKind = "a11y"

// launchProxy starts the program with a socket in own. From there on that directory
// goes with it.
func launchProxy(ctx context.Context, program, stub *os.File, bus, own string) (*Proxy, error) {
	const socket = "bus"
	var given sandbox.Given
	for _, place := range []sandbox.Place{
		{Target: workerspec.AccessibilityTarget, Path: bus},
		{Target: workerspec.SocketsTarget, Path: own, Sockets: true},
	} {
		fd, err := unix.Open(place.Path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		place.At = os.NewFile(uintptr(fd), place.Path)
		defer place.At.Close()
		given.Places = append(given.Places, place)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "proxy")
	defer theirs.Close()
	_ = unix.SetNonblock(fds[0], true) // for the deadline below; of an open socket it does not fail
	conn := os.NewFile(uintptr(fds[0]), "core")
	spec, _ := workerspec.For("proxy")
	proc, err := sandbox.Start(ctx, sandbox.Config{Spec: spec, Worker: program, Stub: stub, Conn: theirs, Given: given})
	if err != nil {
		conn.Close()
		return nil, err
	}
	// Or its end would not show.
	theirs.Close()
	p := &Proxy{Path: filepath.Join(own, socket), proc: proc, conn: conn, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		<-proc.Done()
		os.RemoveAll(own) // it removes no socket itself
	}()
	if err = proc.AwaitConfined(ctx, given); err == nil {
		err = p.begin(ctx, append([]string{dbus.Address(workerspec.AccessibilityTarget), workerspec.SocketsTarget + "/" + socket}, proxyRules()...))
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// begin tells the program what it is to do, which it reads to the end, and waits for
// the byte by which it says that it listens.
func (p *Proxy) begin(ctx context.Context, args []string) error {
	if d, ok := ctx.Deadline(); ok {
		_ = p.conn.SetDeadline(d)
	}
	defer context.AfterFunc(ctx, func() { _ = p.conn.SetDeadline(time.Unix(1, 0)) })()
	_, err := p.conn.WriteString(strings.Join(args, "\x00") + "\x00")
	if err == nil {
		err = shutWriting(p.conn)
	}
	if err == nil {
		_, err = p.conn.Read(make([]byte, 1))
	}
	if err != nil {
		return fmt.Errorf("xdg-dbus-proxy did not start: %w", err)
	}
	return nil
}

// shutWriting ends what is written to a socket and leaves it open.
func shutWriting(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.Shutdown(int(fd), unix.SHUT_WR) })
	return errors.Join(err, failed)
}

// accessibilityBus returns the socket of the accessibility bus. One with an
// abstract name belongs to the network namespace of the desktop, which a proxy
// does not get.
func accessibilityBus(ctx context.Context, d Display) (string, error) {
	const service, object, iface = "org.a11y.Bus", dbus.ObjectPath("/org/a11y/bus"), "org.a11y.Bus"
	session, err := dbus.Dial(ctx, d.SessionBus)
	if err != nil {
		return "", err
	}
	defer session.Close()
	owner, err := session.Start(ctx, service)
	if err != nil {
		return "", err
	}
	out, err := session.Call(ctx, dbus.Call{Destination: owner, Path: object, Interface: iface, Member: "GetAddress"})
	if err != nil {
		return "", err
	}
	address := ""
	if len(out) == 1 {
		address, _ = out[0].(string)
	}
	for _, socket := range dbus.Sockets(address) {
		if !strings.HasPrefix(socket, "/") {
			continue
		}
		// By its real name, since rules are for places and not for names.
		if real, err := filepath.EvalSymlinks(socket); err == nil && answers(ctx, real, nil) == nil {
			return real, nil
		}
	}
	return "", errors.New("the accessibility bus has no socket that can be used")
}

// PID is the program's process. It may be gone.
func (p *Proxy) PID() int { return p.proc.PID() }

// Done is closed when the program has ended; the window goes on without a
// screen reader then.
func (p *Proxy) Done() <-chan struct{} { return p.done }

// Close ends the program and waits for it. It is idempotent.
func (p *Proxy) Close() error {
	p.once.Do(func() {
		// It would end by itself when the connection closes, unless it hangs.
		p.conn.Close()
		_ = p.proc.Kill() // it may be gone
		<-p.done
	})
	return nil
}
