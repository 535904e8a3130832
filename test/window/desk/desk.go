package desk

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// Wait bounds everything that is awaited of a desktop.
const Wait = 45 * time.Second

// Options say what is on the desktop.
type Options struct {
	// Width and Height of the screen in pixels; 0 = 1280×800.
	Width, Height int
	// Unmanaged leaves the window manager out: windows come without focus.
	Unmanaged bool
	// Portal gives the bus the services that the system has, so that a portal
	// starts where somebody asks for one. Without it the bus starts nothing.
	Portal bool
	// Accessible starts the accessibility bus.
	Accessible bool
}

// Desk is a running desktop.
type Desk struct {
	t testing.TB
	// Display is the X server's name, ":7"; XAuthority the file with the cookie
	// that it asks for.
	Display, XAuthority string
	// Bus is the address of the session bus; A11y of the accessibility bus, if
	// there is one.
	Bus, A11y string
	// Home is the home directory of who sits at the desk, Runtime his
	// XDG_RUNTIME_DIR.
	Home, Runtime string
	// X is the connection of who sits at the desk.
	X      *xgb.Conn
	server *Process
	root   xproto.Window
	keys   keyboard
	atoms  map[string]xproto.Atom
}

// Start starts a desktop that ends with the test.
func Start(t testing.TB, o Options) *Desk {
	t.Helper()
	Need(t)
	if o.Width == 0 {
		o.Width, o.Height = 1280, 800
	}
	run := newRuntime(t)
	d := &Desk{t: t, Home: newHome(t), Runtime: run, XAuthority: run + "/xauthority", atoms: map[string]xproto.Atom{}}
	must(t, socketDir())
	must(t, os.WriteFile(d.XAuthority, cookie(), 0o600))
	d.display(o)
	d.bus(o)
	d.connect()
	if !o.Unmanaged {
		d.manager()
	}
	if o.Accessible {
		d.accessible()
	}
	return d
}

// newHome is a home directory for one test. It is not below /tmp, of which every
// window has one of its own.
func newHome(t testing.TB) string {
	t.Helper()
	above, err := os.UserHomeDir()
	must(t, err)
	above, err = filepath.EvalSymlinks(above)
	must(t, err)
	dir, err := os.MkdirTemp(above, ".bailey-desk-")
	must(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// newRuntime is the directory of one test's sockets. Its name is short, for
// sockets have short names.
func newRuntime(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "run-")
	must(t, err)
	dir, err = filepath.EvalSymlinks(dir)
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// cookie is a file with one cookie for every display, as libXau reads it: family
// "any", no address, no number, the protocol's name and its 16 bytes.
func cookie() []byte {
	var b bytes.Buffer
	field := func(s []byte) {
		_ = binary.Write(&b, binary.BigEndian, uint16(len(s)))
		b.Write(s)
	}
	const anyFamily = 0xffff
	_ = binary.Write(&b, binary.BigEndian, uint16(anyFamily))
	field(nil)
	field(nil)
	field([]byte("MIT-MAGIC-COOKIE-1"))
	secret := make([]byte, 16)
	_, _ = rand.Read(secret)
	field(secret)
	return b.Bytes()
}

// display starts the X server under a number of its own: two servers that look for a
// free one at the same time take each other's socket away.
func (d *Desk) display(o Options) {
	d.t.Helper()
	const first, numbers, tries = 1000, 50000, 8
	var line string
	for n := 0; line == ""; n++ {
		r, w, err := os.Pipe()
		must(d.t, err)
		d.server = d.run(exec.Command("Xvfb", fmt.Sprintf(":%d", first+mrand.IntN(numbers)), "-displayfd", "3",
			"-screen", "0", fmt.Sprintf("%dx%dx24", o.Width, o.Height), "-nolisten", "tcp", "-noreset", "-auth", d.XAuthority), w)
		w.Close()
		must(d.t, r.SetReadDeadline(time.Now().Add(Wait)))
		line, err = bufio.NewReader(r).ReadString('\n')
		r.Close()
		if err != nil && n == tries {
			d.t.Fatalf("the X server does not start: %v\n%s", err, d.server.Words())
		}
	}
	d.Display = ":" + strings.TrimSpace(line)
}

// busConfig is a session bus for one user that starts nothing by itself.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><keep_umask/><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
`

func (d *Desk) bus(o Options) {
	d.t.Helper()
	conf := filepath.Join(d.Runtime, "bus.conf")
	must(d.t, os.WriteFile(conf, fmt.Appendf(nil, busConfig, d.Runtime+"/bus"), 0o600))
	cmd := exec.Command("dbus-daemon", "--nofork", "--nosyslog", "--print-address=3", "--config-file="+conf)
	if o.Portal {
		cmd = exec.Command("dbus-daemon", "--nofork", "--nosyslog", "--print-address=3", "--session", "--address=unix:path="+d.Runtime+"/bus")
	}
	r, w, err := os.Pipe()
	must(d.t, err)
	defer r.Close()
	p := d.run(cmd, w)
	w.Close()
	must(d.t, r.SetReadDeadline(time.Now().Add(Wait)))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		d.t.Fatalf("the message bus does not start: %v\n%s", err, p.Words())
	}
	d.Bus = strings.TrimSpace(line)
	// A busy machine has been seen to refuse the first who came.
	d.Until("the message bus to take somebody", func() bool {
		c, err := dbus.Connect(d.Bus)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

// a11yLauncher owns org.a11y.Bus and starts the accessibility bus and its
// registry.
const a11yLauncher = "/usr/libexec/at-spi-bus-launcher"

func (d *Desk) accessible() {
	d.t.Helper()
	d.run(exec.Command(a11yLauncher, "--launch-immediately"))
	conn, err := dbus.Connect(d.Bus)
	must(d.t, err)
	defer conn.Close()
	d.Until("the accessibility bus", func() bool {
		return conn.Object("org.a11y.Bus", "/org/a11y/bus").Call("org.a11y.Bus.GetAddress", 0).Store(&d.A11y) == nil && d.A11y != ""
	})
	// A screen reader is there: without that toolkits may keep quiet.
	set := conn.Object("org.a11y.Bus", "/org/a11y/bus").Call("org.freedesktop.DBus.Properties.Set", 0, "org.a11y.Status", "IsEnabled", dbus.MakeVariant(true))
	must(d.t, set.Err)
}

// connect is the person's own connection to the server.
func (d *Desk) connect() {
	d.t.Helper()
	d.t.Setenv("XAUTHORITY", d.XAuthority)
	xgb.Logger.SetOutput(io.Discard)
	x, err := xgb.NewConnDisplay(d.Display)
	must(d.t, err)
	d.t.Cleanup(x.Close)
	must(d.t, xtest.Init(x))
	d.X, d.root = x, xproto.Setup(x).DefaultScreen(x).Root
	d.keys = d.readKeyboard()
}

func (d *Desk) manager() {
	d.t.Helper()
	p := d.run(exec.Command("openbox", "--sm-disable"))
	d.Until("the window manager", func() bool {
		if p.Ended() {
			d.t.Fatalf("the window manager ended: %s", p.Words())
		}
		return len(d.property(d.root, "_NET_SUPPORTING_WM_CHECK")) > 0
	})
	d.managed()
}

// managed waits until the window manager takes windows. openbox says that it is
// there before it does, and loses what is mapped in between: one first window in
// 15, on a busy machine.
func (d *Desk) managed() {
	d.t.Helper()
	first, err := xproto.NewWindowId(d.X)
	must(d.t, err)
	screen := xproto.Setup(d.X).DefaultScreen(d.X)
	must(d.t, xproto.CreateWindowChecked(d.X, screen.RootDepth, first, d.root, 0, 0, 20, 20, 0, xproto.WindowClassInputOutput, screen.RootVisual, 0, nil).Check())
	d.Until("the window manager to take a window", func() bool {
		_ = xproto.MapWindowChecked(d.X, first).Check()
		return len(d.Windows()) > 0
	})
	must(d.t, xproto.DestroyWindowChecked(d.X, first).Check())
	d.Until("the window manager to let it go", func() bool { return len(d.Windows()) == 0 })
}

// Env is the environment of a program that a person starts at this desk.
func (d *Desk) Env(more ...string) []string {
	env := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + d.Home, "XDG_RUNTIME_DIR=" + d.Runtime, "TMPDIR=" + os.TempDir(),
		"LANG=C.UTF-8", "DISPLAY=" + d.Display, "XAUTHORITY=" + d.XAuthority, "DBUS_SESSION_BUS_ADDRESS=" + d.Bus,
	}
	return append(env, more...)
}

// Kill ends the X server, as a crash of it would.
func (d *Desk) Kill() { d.server.Kill() }

// Process is a program on the desk.
type Process struct {
	*exec.Cmd
	done  chan struct{}
	words *words
}

// words is the end of what a program said.
type words struct {
	mu sync.Mutex
	b  []byte
}

// kept is how much of a program's words is kept, for the report of a failure.
const kept = 64 << 10

// Write implements io.Writer.
func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, b...)
	if over := len(w.b) - kept; over > 0 {
		w.b = append(w.b[:0], w.b[over:]...)
	}
	return len(b), nil
}

// Words is what the program said, by both of its outputs, if they were not
// taken.
func (p *Process) Words() string {
	p.words.mu.Lock()
	defer p.words.mu.Unlock()
	return string(p.words.b)
}

// Ended reports whether the program has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill ends the program and waits for that.
func (p *Process) Kill() {
	_ = p.Process.Kill()
	<-p.done
}

// Run starts a program at the desk that is ended with the test at the latest.
func (d *Desk) Run(cmd *exec.Cmd, files ...*os.File) *Process {
	d.t.Helper()
	return d.run(cmd, files...)
}

func (d *Desk) run(cmd *exec.Cmd, files ...*os.File) *Process {
	d.t.Helper()
	if cmd.Env == nil {
		cmd.Env = d.Env()
	}
	return start(d.t, cmd, files...)
}

func start(t testing.TB, cmd *exec.Cmd, files ...*os.File) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, done: make(chan struct{}), words: &words{}}
	if cmd.Stdout == nil {
		cmd.Stdout = p.words
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.words
	}
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, files...)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	}
	// Something that a program left behind may hold its output open.
	cmd.WaitDelay = time.Second
	must(t, Begin(cmd))
	go func() {
		defer close(p.done)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(Wait / 10):
			p.Kill()
		}
		if t.Failed() && p.Words() != "" {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), p.Words())
		}
	})
	return p
}

// starter is a thread that lasts as long as this process.
var starter = sync.OnceValue(func() chan<- func() {
	todo := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range todo {
			f()
		}
	}()
	return todo
})

// Begin starts a program that is to end with this process. The signal for that
// follows the *thread* that started it, and each window that a test starts in its
// sandbox takes one of this process's threads along when it ends.
func Begin(cmd *exec.Cmd) error {
	result := make(chan error)
	starter() <- func() { result <- cmd.Start() }
	return <-result
}

// Until polls for a state outside of this process, and where it does not come says
// what is on the desk.
func (d *Desk) Until(what string, ok func() bool) {
	d.t.Helper()
	came := false
	defer func() {
		if !came && d.X != nil {
			d.t.Logf("on the desk:\n%s", d.shown())
		}
	}()
	Until(d.t, what, ok)
	came = true
}

// Until polls for a state outside of this process.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	over := time.After(Wait)
	for !ok() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("waited %v in vain for %s", Wait, what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// errNone says that a window or a key is not there.
var errNone = errors.New("none there")
