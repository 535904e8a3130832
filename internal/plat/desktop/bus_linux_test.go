package desktop

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	godbus "github.com/godbus/dbus/v5"
	"go.uber.org/goleak"

	"github.com/bailey-run/bailey/internal/plat/sandbox"
)

func TestMain(m *testing.M) {
	if stub, err := sandbox.Stub(os.Args); stub {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if is, err := Line(os.Args); is {
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// ordinaryID is the user that some tests become when they are root. A bus
// refuses one whom the system does not know.
const ordinaryID = 65534

// asOrdinaryUser runs the calling test as one, where this is root, and reports
// whether it did.
func asOrdinaryUser(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	tmp, err := os.MkdirTemp("", "bailey-desktop")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	if err := os.Chown(tmp, ordinaryID, ordinaryID); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Dir = tmp
	cmd.Env = []string{"TMPDIR=" + tmp, "HOME=" + tmp, "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- ") {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, why, skipped := strings.Cut(string(out), "--- SKIP"); skipped {
		t.Skip("as an ordinary user: " + why)
	}
	t.Logf("%s", out)
	return true
}

// startBus runs a bus that starts no services but those of the files given.
func startBus(t *testing.T, services ...string) Display {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	dir := t.TempDir()
	for i, s := range services {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".service")), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "bus.conf")
	text := fmt.Sprintf(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth><servicedir>%s</servicedir>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`, dir, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--nofork", "--print-address", "--config-file="+config)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return Display{SessionBus: strings.TrimSpace(line)}
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

// fakePortal is a portal that does as a test says.
type fakePortal struct {
	t    *testing.T
	conn *godbus.Conn

	mu       sync.Mutex
	settings map[string]map[string]godbus.Variant
	version  any

	// open is called for each OpenFile, on the portal's goroutine; it returns
	// the handle, "" for the one that is expected.
	open func(request godbus.ObjectPath, title string) godbus.ObjectPath
	// closed gets each request that is closed.
	closed chan godbus.ObjectPath
	// reads gets a word for each ReadAll, if somebody listens.
	reads chan struct{}
	// hang holds ReadAll and OpenFile until it is closed.
	hang chan struct{}
	// looks has it look at who asks.
	looks bool
}

func newPortal(t *testing.T, d Display) *fakePortal {
	t.Helper()
	p := &fakePortal{t: t, conn: connect(t, d.SessionBus), version: uint32(3), settings: map[string]map[string]godbus.Variant{}, closed: make(chan godbus.ObjectPath, 1)}
	for name, methods := range map[string]map[string]any{
		portalSettings: {"ReadAll": p.readAll},
		portalChooser:  {"OpenFile": p.openFile},
		properties: {"Get": func(string, string) (godbus.Variant, *godbus.Error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return godbus.MakeVariant(p.version), nil
		}},
	} {
		if err := p.conn.ExportMethodTable(methods, godbus.ObjectPath(portalPath), name); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// take takes the portal's name.
func (p *fakePortal) take() *fakePortal {
	p.t.Helper()
	if r, err := p.conn.RequestName(portal, godbus.NameFlagAllowReplacement|godbus.NameFlagReplaceExisting); err != nil || r != godbus.RequestNameReplyPrimaryOwner {
		p.t.Fatal(r, err)
	}
	return p
}

func (p *fakePortal) readAll(m godbus.Message, namespaces []string) (map[string]map[string]godbus.Variant, *godbus.Error) {
	if p.looks {
		if err := p.looksAt(m.Headers[godbus.FieldSender].Value().(string)); err != nil {
			return nil, err
		}
	}
	if p.reads != nil {
		p.reads <- struct{}{}
	}
	if p.hang != nil {
		<-p.hang
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]map[string]godbus.Variant{}
	for ns, keys := range p.settings {
		out[ns] = map[string]godbus.Variant{}
		for k, v := range keys {
			out[ns][k] = v
		}
	}
	return out, nil
}

// set changes a setting; the signal is a call of its own.
func (p *fakePortal) set(namespace, key string, v any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settings[namespace] == nil {
		p.settings[namespace] = map[string]godbus.Variant{}
	}
	p.settings[namespace][key] = godbus.MakeVariant(v)
}

func (p *fakePortal) changed() {
	p.t.Helper()
	if err := p.conn.Emit(godbus.ObjectPath(portalPath), portalSettings+"."+signalOfSetting, "a", "b", godbus.MakeVariant("c")); err != nil {
		p.t.Fatal(err)
	}
}

func (p *fakePortal) openFile(m godbus.Message, parent, title string, options map[string]godbus.Variant) (godbus.ObjectPath, *godbus.Error) {
	if p.looks {
		if err := p.looksAt(m.Headers[godbus.FieldSender].Value().(string)); err != nil {
			return "", err
		}
	}
	sender := strings.ReplaceAll(strings.TrimPrefix(m.Headers[godbus.FieldSender].Value().(string), ":"), ".", "_")
	token, _ := options["handle_token"].Value().(string)
	if directory, _ := options["directory"].Value().(bool); !directory || parent != "" {
		return "", godbus.NewError("org.example.NoFolder", nil)
	}
	begin, given := options["current_folder"].Value().([]byte)
	if given != (title != "") || given && string(begin) != "/home/u\x00" {
		return "", godbus.NewError("org.example.WrongBegin", nil)
	}
	request := godbus.ObjectPath(string(portalPath) + "/request/" + sender + "/" + token)
	_ = p.conn.ExportMethodTable(map[string]any{"Close": func() *godbus.Error { p.closed <- request; return nil }}, request, portalRequest)
	if p.hang != nil {
		<-p.hang
	}
	if other := p.open(request, title); other != "" {
		return other, nil
	}
	return request, nil
}

// respond is the answer of a request, from any connection.
func respond(t *testing.T, from *godbus.Conn, request godbus.ObjectPath, values ...any) {
	if err := from.Emit(request, portalRequest+".Response", values...); err != nil {
		t.Error(err)
	}
}

func uris(v ...string) map[string]godbus.Variant {
	return map[string]godbus.Variant{"uris": godbus.MakeVariant(v), "other": godbus.MakeVariant(1.5)}
}
