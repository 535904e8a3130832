package desktop

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	godbus "github.com/godbus/dbus/v5"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
)

const (
	atspiRegistry = "org.a11y.atspi.Registry"
	atspiRoot     = godbus.ObjectPath("/org/a11y/atspi/accessible/root")
	atspiButton   = godbus.ObjectPath("/org/a11y/atspi/accessible/7")
)

// object is how AT-SPI names an object: its application and its path.
type object struct {
	App  string
	Path godbus.ObjectPath
}

// desktopWithA11y has a session bus that knows an accessibility bus, on which
// the system's registry runs.
func desktopWithA11y(t *testing.T) (d Display, a11y string) {
	t.Helper()
	registryd := ""
	for _, p := range []string{"/usr/libexec/at-spi2-registryd", "/usr/lib/at-spi2-core/at-spi2-registryd"} {
		if _, err := os.Stat(p); err == nil {
			registryd = p
		}
	}
	if registryd == "" {
		t.Skip("at-spi2-registryd is not installed")
	}
	if _, err := os.Stat(proxyPrograms[0]); err != nil {
		t.Skip("xdg-dbus-proxy is not installed")
	}
	d = startBus(t)
	a11y = startBus(t).SessionBus
	offerA11y(t, d, a11y)
	// The registry is there when it has its name.
	bus, err := dbus.Dial(t.Context(), a11y)
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	owned := make(chan struct{}, 8)
	if _, err := bus.Watch(t.Context(), dbus.OwnerChanged(atspiRegistry), func(*dbus.Message) { owned <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(registryd)
	cmd.Env = []string{"AT_SPI_BUS_ADDRESS=" + a11y, "DBUS_SESSION_BUS_ADDRESS=" + d.SessionBus, "GSETTINGS_BACKEND=memory", "HOME=" + t.TempDir()}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	<-owned
	return d, a11y
}

// offerA11y answers as org.a11y.Bus does.
func offerA11y(t *testing.T, d Display, address any) {
	t.Helper()
	s := connect(t, d.SessionBus)
	get := map[string]any{"GetAddress": func() (any, *godbus.Error) { return address, nil }}
	if a, ok := address.(string); ok {
		get["GetAddress"] = func() (string, *godbus.Error) { return a, nil }
	}
	if err := s.ExportMethodTable(get, "/org/a11y/bus", "org.a11y.Bus"); err != nil {
		t.Fatal(err)
	}
	if r, err := s.RequestName("org.a11y.Bus", 0); err != nil || r != godbus.RequestNameReplyPrimaryOwner {
		t.Fatal(r, err)
	}
}

// connectInOrder is connect for what goes through xdg-dbus-proxy, which hangs up on a
// message whose serial is not above the last one's. godbus answers a call of the
// registry's and makes one of its own at once, and may send them the other way round.
func connectInOrder(t *testing.T, address string) *godbus.Conn {
	t.Helper()
	path, _, _ := strings.Cut(strings.TrimPrefix(address, "unix:path="), ",")
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &inOrder{Conn: c, sent: make(chan struct{}, 1), closed: make(chan struct{})}
	conn, err := godbus.NewConn(s, godbus.WithSerialGenerator(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := errors.Join(conn.Auth(nil), conn.Hello()); err != nil {
		t.Fatal(err)
	}
	return conn
}

// inOrder gives out a serial once the message with the last one is on its way.
type inOrder struct {
	net.Conn
	last   uint32
	sent   chan struct{} // holds one while a message is between its serial and its first byte
	closed chan struct{}
	once   sync.Once
}

func (s *inOrder) GetSerial() uint32 {
	select {
	case s.sent <- struct{}{}:
	case <-s.closed:
	}
	return atomic.AddUint32(&s.last, 1)
}

func (*inOrder) RetireSerial(uint32) {}

func (s *inOrder) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	select {
	case <-s.sent:
	default:
	}
	return n, err
}

func (s *inOrder) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Conn.Close()
}

// application is one on the accessibility bus with a button.
type application struct {
	*godbus.Conn
	name    string
	pressed chan struct{}
}

func startApplication(t *testing.T, address string) *application {
	t.Helper()
	a := &application{Conn: connectInOrder(t, address), pressed: make(chan struct{}, 1)}
	a.name = a.Names()[0]
	for path, methods := range map[godbus.ObjectPath]struct {
		iface string
		m     map[string]any
	}{
		atspiButton: {"org.a11y.atspi.Action", map[string]any{"DoAction": func(int32) (bool, *godbus.Error) { a.pressed <- struct{}{}; return true, nil }}},
		atspiRoot:   {"org.a11y.atspi.Accessible", map[string]any{"GetRole": func() (uint32, *godbus.Error) { return 75, nil }}},
	} {
		if err := a.ExportMethodTable(methods.m, path, methods.iface); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func (a *application) embed() (object, error) {
	var root object
	err := a.Object(atspiRegistry, atspiRoot).Call("org.a11y.atspi.Socket.Embed", 0, object{a.name, atspiRoot}).Store(&root)
	return root, err
}

func (a *application) press(other *application) error {
	return a.Object(other.name, atspiButton).Call("org.a11y.atspi.Action.DoAction", 0, int32(0)).Err
}

// TestA11yProxy: through the proxy an application is read by a screen reader and
// cannot press what is another's. The control without it can.
func TestA11yProxy(t *testing.T) {
	if asOrdinaryUser(t) {
		return
	}
	d, a11y := desktopWithA11y(t)
	prompt := startApplication(t, a11y)
	reader := connect(t, a11y)

	direct := startApplication(t, a11y)
	if err := direct.press(prompt); err != nil {
		t.Fatalf("without the proxy nothing is pressed either: %v", err)
	}
	<-prompt.pressed

	dir := t.TempDir()
	p, err := StartA11yProxy(t.Context(), d, dir, stub(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	host := startApplication(t, dbus.Address(p.Path))
	for what, err := range map[string]error{
		"press":               host.press(prompt),
		"press by the old":    host.Object(prompt.name, atspiButton).Call("org.a11y.atspi.Action.DoAction", godbus.FlagNoReplyExpected, int32(0)).Err,
		"read":                host.Object(prompt.name, atspiRoot).Call("org.a11y.atspi.Accessible.GetRole", 0).Err,
		"list applications":   host.Object(atspiRegistry, atspiRoot).Call("org.a11y.atspi.Accessible.GetChildren", 0).Err,
		"hear keys":           host.Object(atspiRegistry, "/org/a11y/atspi/registry/deviceeventcontroller").Call("org.a11y.atspi.DeviceEventController.GetKeystrokeListeners", 0).Err,
		"press keys":          host.Object(atspiRegistry, "/org/a11y/atspi/registry/deviceeventcontroller").Call("org.a11y.atspi.DeviceEventController.GenerateKeyboardEvent", 0, int32(38), "", uint32(0)).Err,
		"hear others":         host.Object(atspiRegistry, "/org/a11y/atspi/registry").Call("org.a11y.atspi.Registry.RegisterEvent", 0, "object:text-changed").Err,
		"embed elsewhere":     host.Object(atspiRegistry, "/org/a11y/atspi/registry").Call("org.a11y.atspi.Socket.Embed", 0, object{host.name, atspiRoot}).Err,
		"the session's bus":   host.Object("org.a11y.Bus", "/org/a11y/bus").Call("org.a11y.Bus.GetAddress", 0).Err,
		"a name of its own":   func() error { _, err := host.RequestName("org.example.Host", 0); return err }(),
		"become the registry": func() error { _, err := host.RequestName(atspiRegistry, godbus.NameFlagReplaceExisting); return err }(),
	} {
		if err == nil && what != "press by the old" { // a call without an answer has no error
			t.Errorf("%s: it was allowed", what)
		}
	}
	// What other applications say is not heard; without the proxy it is.
	heard, control := make(chan *godbus.Signal, 64), make(chan *godbus.Signal, 64)
	host.Signal(heard)
	direct.Signal(control)
	for _, a := range []*application{host, direct} {
		if err := a.AddMatchSignal(); err != nil {
			t.Fatal(err)
		}
	}
	if err := prompt.Emit(atspiButton, "org.a11y.atspi.Event.Object.TextChanged", "insert", int32(0), int32(6), godbus.MakeVariant("secret")); err != nil {
		t.Fatal(err)
	}
	for s := range control {
		if s.Sender == prompt.name {
			break
		}
	}

	root, err := host.embed()
	if err != nil || root.Path != atspiRoot {
		t.Fatalf("embed: %v, %v", root, err)
	}
	if err := host.Object(atspiRegistry, "/org/a11y/atspi/registry").Call("org.a11y.atspi.Registry.GetRegisteredEvents", 0).Err; err != nil {
		t.Errorf("which events are wanted: %v", err)
	}
	// A screen reader finds it, and reads it.
	var children []object
	if err := reader.Object(atspiRegistry, atspiRoot).Call("org.a11y.atspi.Accessible.GetChildren", 0).Store(&children); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(children, object{host.name, atspiRoot}) {
		t.Fatalf("the registry lists %v, not %s", children, host.name)
	}
	var role uint32
	if err := reader.Object(host.name, atspiRoot).Call("org.a11y.atspi.Accessible.GetRole", 0).Store(&role); err != nil || role != 75 {
		t.Fatalf("a screen reader reads %d, %v", role, err)
	}
	if err := reader.Object(host.name, atspiButton).Call("org.a11y.atspi.Action.DoAction", 0, int32(0)).Err; err != nil {
		t.Fatalf("a screen reader cannot press: %v", err)
	}
	<-host.pressed
	// And hears it.
	events := make(chan *godbus.Signal, 8)
	reader.Signal(events)
	if err := reader.AddMatchSignal(godbus.WithMatchInterface("org.a11y.atspi.Event.Object")); err != nil {
		t.Fatal(err)
	}
	if err := host.Emit(atspiButton, "org.a11y.atspi.Event.Object.StateChanged", "focused", int32(1), int32(0), godbus.MakeVariant("")); err != nil {
		t.Fatal(err)
	}
	for s := range events {
		if s.Sender == host.name && strings.HasSuffix(s.Name, "StateChanged") {
			break
		}
	}
	// Which events are wanted from now on is told to it.
	if err := reader.Object(atspiRegistry, "/org/a11y/atspi/registry").Call("org.a11y.atspi.Registry.RegisterEvent", 0, "object:state-changed").Err; err != nil {
		t.Fatal(err)
	}
	for s := range heard {
		if s.Name == "org.a11y.atspi.Registry.EventListenerRegistered" {
			break
		}
		if s.Sender == prompt.name {
			t.Errorf("the host heard %v of the prompt", s)
		}
	}
	for len(heard) > 0 {
		if s := <-heard; s.Sender == prompt.name {
			t.Errorf("the host heard %v of the prompt", s)
		}
	}
	select {
	case <-prompt.pressed:
		t.Error("the prompt was pressed through the proxy")
	default:
	}
	posture(t, p)

	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v stayed behind", left)
	}
	if _, err := host.embed(); err == nil {
		t.Error("the way is still open")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// stub is this test, which is a stub when it is started as one.
func stub(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// posture looks at the proxy from outside.
func posture(t *testing.T, p *Proxy) {
	t.Helper()
	at := filepath.Join("/proc", strconv.Itoa(p.PID()))
	status, err := os.ReadFile(at + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NoNewPrivs:\t1\n", "CapEff:\t0000000000000000\n", "CapBnd:"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("the proxy's status lacks %q:\n%s", want, status)
		}
	}
	if !strings.Contains(string(status), "Seccomp:\t2\n") {
		t.Errorf("the proxy has no filter:\n%s", status)
	}
	for _, ns := range []string{"user", "mnt", "net", "pid", "ipc", "uts"} {
		theirs, err := os.Readlink(at + "/ns/" + ns)
		ours, err2 := os.Readlink("/proc/self/ns/" + ns)
		if err != nil || err2 != nil || theirs == ours {
			t.Errorf("namespace %s: %s, ours %s, %v %v", ns, theirs, ours, err, err2)
		}
	}
	if env, err := os.ReadFile(at + "/environ"); err != nil || len(env) != 0 {
		t.Errorf("environment %q, %v", env, err)
	}
	lim, err := os.ReadFile(at + "/limits")
	if err != nil || !strings.Contains(string(lim), strconv.Itoa(limits.A11yOpenFiles)) {
		t.Errorf("limits: %v\n%s", err, lim)
	}
}

// TestNoA11y: without a bus, with one that says nonsense, and for root.
func TestNoA11y(t *testing.T) {
	if os.Geteuid() == 0 {
		if _, err := StartA11yProxy(t.Context(), Display{}, t.TempDir(), nil); !errors.Is(err, ErrNoAccessibility) || !strings.Contains(err.Error(), "root") {
			t.Errorf("as root: %v", err)
		}
	}
	if asOrdinaryUser(t) {
		return
	}
	if _, err := os.Stat(proxyPrograms[0]); err != nil {
		t.Skip("xdg-dbus-proxy is not installed")
	}
	none := func(what string, d Display, dir string) {
		t.Helper()
		if p, err := StartA11yProxy(t.Context(), d, dir, stub(t)); !errors.Is(err, ErrNoAccessibility) {
			t.Errorf("%s: %v, %v", what, p, err)
		}
	}
	none("no bus", Display{}, t.TempDir())
	none("no service", startBus(t), t.TempDir())
	for _, address := range []any{"", "tcp:host=localhost,port=1", "unix:path=/nonexistent", "unix:path=/etc/passwd", "unix:abstract=/tmp/x", "unixexec:path=/bin/true", "\x01", uint32(7)} {
		d := startBus(t)
		offerA11y(t, d, address)
		none("at "+strconv.Quote(toString(address)), d, t.TempDir())
	}
	d := startBus(t)
	offerA11y(t, d, d.SessionBus)
	none("no directory", d, "/nonexistent")
	if p, err := StartA11yProxy(t.Context(), d, t.TempDir(), nil); !errors.Is(err, ErrNoAccessibility) {
		t.Errorf("without a stub: %v, %v", p, err)
	}
}

func toString(v any) string {
	s, _ := v.(string)
	return s
}
