package hosts

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	godbus "github.com/godbus/dbus/v5"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/prompthost"
)

const (
	registry     = "org.a11y.atspi.Registry"
	registryRoot = godbus.ObjectPath("/org/a11y/atspi/accessible/root")
	accessible   = "org.a11y.atspi.Accessible"
)

// thing is how AT-SPI names an object.
type thing struct {
	App  string
	Path godbus.ObjectPath
}

// startBus runs a bus without services.
func startBus(t *testing.T) string {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	text := fmt.Sprintf(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--nofork", "--print-address", "--config-file="+config)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func connect(t *testing.T, address string) *godbus.Conn {
	t.Helper()
	c, err := godbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// accessibility runs the system's registry on an accessibility bus, and returns
// the session's bus, which knows it, and a screen reader's connection.
func accessibility(t *testing.T) (session string, reader *godbus.Conn) {
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
	session, bus := startBus(t), startBus(t)
	offer := connect(t, session)
	get := map[string]any{"GetAddress": func() (string, *godbus.Error) { return bus, nil }}
	if err := offer.ExportMethodTable(get, "/org/a11y/bus", "org.a11y.Bus"); err != nil {
		t.Fatal(err)
	}
	if _, err := offer.RequestName("org.a11y.Bus", 0); err != nil {
		t.Fatal(err)
	}
	reader = connect(t, bus)
	signals := make(chan *godbus.Signal, 256)
	reader.Signal(signals)
	if err := reader.AddMatchSignal(godbus.WithMatchMember("NameOwnerChanged"), godbus.WithMatchArg(0, registry)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(registryd)
	cmd.Env = []string{"AT_SPI_BUS_ADDRESS=" + bus, "DBUS_SESSION_BUS_ADDRESS=" + session, "GSETTINGS_BACKEND=memory", "HOME=" + t.TempDir()}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for s := range signals {
		if s.Name == "org.freedesktop.DBus.NameOwnerChanged" {
			break
		}
	}
	reader.RemoveSignal(signals)
	return session, reader
}

// all calls f for each object of the applications that the registry knows.
func all(reader *godbus.Conn, f func(at thing, role, name string)) {
	var walk func(at thing, depth int)
	walk = func(at thing, depth int) {
		o := reader.Object(at.App, at.Path)
		var role string
		_ = o.Call(accessible+".GetRoleName", 0).Store(&role)
		name, _ := o.GetProperty(accessible + ".Name")
		s, _ := name.Value().(string)
		f(at, role, s)
		var children []thing
		if depth > 12 || o.Call(accessible+".GetChildren", 0).Store(&children) != nil {
			return
		}
		for _, c := range children {
			walk(c, depth+1)
		}
	}
	walk(thing{registry, registryRoot}, 0)
}

// TestAccessiblePrompt: a real prompt behind the proxy is read whole by a
// screen reader, and pressed by it. Whoever is behind the same proxy, as the
// window that it is about, cannot press it.
func TestAccessiblePrompt(t *testing.T) {
	needsWindows(t)
	d := display(t)
	session, reader := accessibility(t)
	d.SessionBus = session
	proxy, err := desktop.StartA11yProxy(t.Context(), d, t.TempDir(), program(t, "bailey-worker"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	h, err := Start(t.Context(), Prompt, Options{Display: d, Program: program(t, "bailey-prompt"), Stub: program(t, "bailey-worker"), Accessibility: proxy.Path})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Kill()
	sheet := prompthost.Sheet{
		Title: "Bailey", Heading: "Studio wants to read a folder", Yes: "Read this folder", No: "Don't",
		Groups: []prompthost.Group{{Heading: "Read", Rows: []prompthost.Row{{Ticked: true, Object: "/home/u/Documents", Details: []string{"until the task ends"}}}}},
		Inert:  500 * time.Millisecond, Timeout: time.Minute, Hash: strings.Repeat("ab", 32), Unread: "more", Wait: "wait",
	}
	type outcome struct {
		r   prompthost.Result
		err error
	}
	answered := make(chan outcome, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*limits.BusReply)
	defer cancel()
	go func() {
		r, err := prompthost.Ask(ctx, h.Conn, sheet)
		answered <- outcome{r, err}
	}()
	attacker := connect(t, dbus.Address(proxy.Path))
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	tried := false
	for {
		var yes thing
		seen := ""
		all(reader, func(at thing, role, name string) {
			seen += role + " " + name + "\n"
			if strings.Contains(role, "button") && name == sheet.Yes {
				yes = at
			}
		})
		if yes.App != "" {
			if !tried {
				tried = true
				for _, want := range []string{sheet.Heading, "/home/u/Documents", "until the task ends", sheet.No} {
					if !strings.Contains(seen, want) {
						t.Errorf("a screen reader does not read %q in\n%s", want, seen)
					}
				}
			}
			if err := attacker.Object(yes.App, yes.Path).Call("org.a11y.atspi.Action.DoAction", 0, int32(0)).Err; err == nil {
				t.Fatal("a window pressed the prompt's button")
			}
			// The button takes it once the prompt is not inert any more.
			_ = reader.Object(yes.App, yes.Path).Call("org.a11y.atspi.Action.DoAction", 0, int32(0)).Err
		}
		select {
		case o := <-answered:
			if o.err != nil || !o.r.Yes {
				h.Kill()
				t.Fatalf("%+v, %v, %+v; said %s; the last tree:\n%s", o.r, o.err, h.Exit(), h.Words(), seen)
			}
			if !tried {
				t.Fatal("it was answered before anything was read")
			}
			return
		case <-tick.C:
		}
	}
}

// TestAccessiblePicker: a screen reader reads a picker that reaches nobody any more.
func TestAccessiblePicker(t *testing.T) {
	needsWindows(t)
	d := display(t)
	session, reader := accessibility(t)
	d.SessionBus = session
	proxy, err := desktop.StartA11yProxy(t.Context(), d, t.TempDir(), program(t, "bailey-worker"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	h := onScreen(t, Picker, "bailey-prompt", d, proxy.Path)
	filters(t, h, 3)
	seen := ""
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); !strings.Contains(seen, "Cancel\n"); <-tick.C {
		if time.Now().After(until) {
			t.Fatalf("a screen reader does not find the picker:\n%s", seen)
		}
		seen = ""
		all(reader, func(_ thing, role, name string) { seen += role + " " + name + "\n" })
	}
}

// TestAccessibleWindow: a window is on the accessibility bus through the filter,
// and its tree of processes is confined as it is without. What is in the page is
// on no bus with GTK 4.8, without a sandbox neither: docs/untested.md.
func TestAccessibleWindow(t *testing.T) {
	needsWindows(t)
	d := display(t)
	session, reader := accessibility(t)
	d.SessionBus = session
	proxy, err := desktop.StartA11yProxy(t.Context(), d, t.TempDir(), program(t, "bailey-worker"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	h, err := Start(t.Context(), Window, Options{Display: d, Program: program(t, "bailey-window"), Stub: program(t, "bailey-worker"), Accessibility: proxy.Path})
	if err != nil {
		t.Fatal(err)
	}
	c := &core{
		t: t, conn: h.Conn, pid: h.PID(), over: h.Done(), words: h.Words, news: make(chan struct{}, 1),
		pages: map[string]string{"/index.html": "<!doctype html><title>t</title><h1>Hello</h1>"},
	}
	c.begin(h.Kill)
	c.wait("READY", kindOf(frameReady))
	seen := ""
	all(reader, func(_ thing, role, name string) { seen += role + " " + name + "\n" })
	if !strings.Contains(seen, "window Bailey Studio\n") {
		t.Errorf("a screen reader does not find the window:\n%s", seen)
	}
	if err := CheckTree(c.pid); err != nil {
		t.Error(err)
	}
}
