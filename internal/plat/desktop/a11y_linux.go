package desktop

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
)

// A Proxy is the way of one window or prompt to the accessibility bus. A screen
// reader on that bus reads the window through it; the window can say that it
// is there, hear which events somebody wants, and send its own. It cannot call
// any other application, so that it cannot press another window's buttons.
//
// It is the system's xdg-dbus-proxy, a process of its own that ends with the
// core, without new privileges, in its own user, network, pid, ipc and uts
// namespaces, restricted by Landlock to the system's programs and the two
// sockets. It has no root of its own and no system call filter.
type Proxy struct {
	// Path is the socket to be given to the host.
	Path string

	pid, pidfd int      // pidfd is -1 where nothing was started
	stop       *os.File // closing it ends the program
	done       chan struct{}
	once       sync.Once
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
// proxy in front of it whose socket is in dir, which must be the person's alone.
// It takes [limits.A11yStart] at most. Errors: [ErrNoAccessibility].
func StartA11yProxy(ctx context.Context, d Display, dir string) (*Proxy, error) {
	ctx, cancel := context.WithTimeout(ctx, limits.A11yStart)
	defer cancel()
	p, err := startProxy(ctx, d, dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAccessibility, err)
	}
	return p, nil
}

func startProxy(ctx context.Context, d Display, dir string) (*Proxy, error) {
	if os.Geteuid() == 0 {
		return nil, errors.New("root has no windows")
	}
	program := ""
	for _, path := range proxyPrograms {
		if unix.Access(path, unix.X_OK) == nil {
			program = path
			break
		}
	}
	if program == "" {
		return nil, errors.New("xdg-dbus-proxy is not installed")
	}
	bus, err := accessibilityBus(ctx, d)
	if err != nil {
		return nil, err
	}
	name := make([]byte, 8)
	_, _ = rand.Read(name) // it never fails
	const kind = "a11y"
	Sweep(dir, kind)
	path := filepath.Join(dir, Prefix(kind)+hex.EncodeToString(name))
	if len(path) > limits.SocketPath {
		return nil, errors.New("the name of its socket would be too long")
	}
	ready, stop, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &Proxy{Path: path, pidfd: -1, stop: ready, done: make(chan struct{})}
	started := make(chan error, 1)
	args := append([]string{"--fd=3", dbus.Address(bus), path}, proxyRules()...)
	go p.own(program, args, stop, dir, filepath.Dir(bus), started)
	err = <-started
	stop.Close()
	if err == nil {
		err = p.ready(ctx)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
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

// own starts the program from a thread that is restricted as it is to be, and
// is its parent until it ends: the parent-death signal follows the thread, which
// ends with this goroutine, since it can serve nothing else.
func (p *Proxy) own(program string, args []string, stop *os.File, dir, busDir string, started chan<- error) {
	runtime.LockOSThread()
	defer close(p.done)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		started <- err
		return
	}
	defer null.Close()
	if err := sandbox.RestrictThread(dir, busDir); err != nil {
		started <- err
		return
	}
	// It reads what to do from a pipe, and so does nothing before it has its ids and
	// its limits.
	orders, order, err := os.Pipe()
	if err != nil {
		started <- err
		return
	}
	pid, err := syscall.ForkExec(program, []string{program, "--args=4"}, &syscall.ProcAttr{
		Dir: "/", Env: []string{}, Files: []uintptr{null.Fd(), null.Fd(), null.Fd(), stop.Fd(), orders.Fd()},
		Sys: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
			Setsid:     true,
			Pdeathsig:  unix.SIGKILL,
			PidFD:      &p.pidfd,
		},
	})
	orders.Close()
	if err != nil {
		order.Close()
		started <- err
		return
	}
	p.pid = pid
	// The ids stay what they are: the bus compares them with what the kernel says of
	// the connection.
	if err = sandbox.MapIDs(pid, os.Geteuid(), os.Getegid()); err == nil {
		err = bound(pid)
	}
	if err == nil {
		_, err = order.WriteString(strings.Join(args, "\x00") + "\x00")
	}
	order.Close()
	started <- err
	var ws syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != syscall.EINTR {
			break
		}
	}
	_ = os.Remove(p.Path) // it removes no socket itself
}

// bound limits what the program may take.
func bound(pid int) error {
	for _, l := range []struct {
		what int
		most uint64
	}{{unix.RLIMIT_NOFILE, limits.A11yOpenFiles}, {unix.RLIMIT_AS, limits.A11yMemory}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_FSIZE, 0}} {
		if err := unix.Prlimit(pid, l.what, &unix.Rlimit{Cur: l.most, Max: l.most}, nil); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}

// ready waits for the byte by which the program says that it listens.
func (p *Proxy) ready(ctx context.Context) error {
	if d, ok := ctx.Deadline(); ok {
		_ = p.stop.SetReadDeadline(d)
	}
	defer context.AfterFunc(ctx, func() { _ = p.stop.SetReadDeadline(time.Unix(1, 0)) })()
	_, err := p.stop.Read(make([]byte, 1))
	if err != nil {
		return fmt.Errorf("xdg-dbus-proxy did not start: %w", err)
	}
	return nil
}

// PID is the program's process. It may be gone.
func (p *Proxy) PID() int { return p.pid }

// Done is closed when the program has ended; the window goes on without a
// screen reader then.
func (p *Proxy) Done() <-chan struct{} { return p.done }

// Close ends the program and waits for it. It is idempotent.
func (p *Proxy) Close() error {
	p.once.Do(func() {
		// It would end by itself when the pipe closes, unless it hangs.
		p.stop.Close()
		if p.pidfd >= 0 {
			_ = unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0) // it may be gone
		}
		<-p.done
		if p.pidfd >= 0 {
			unix.Close(p.pidfd)
		}
	})
	return nil
}
