package desktop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// looksAt has a portal do as xdg-desktop-portal does: it serves nobody whose root
// directory it cannot open, which is how it tells who is in a container.
func (p *fakePortal) looksAt(sender string) *godbus.Error {
	var pid uint32
	if err := p.conn.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, sender).Store(&pid); err != nil {
		return godbus.MakeFailedError(err)
	}
	// As another process: this one may look at itself.
	if out, err := exec.Command("ls", fmt.Sprintf("/proc/%d/root/", pid)).CombinedOutput(); err != nil {
		return godbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{string(out)})
	}
	return nil
}

// TestLine: a process that is closed to its own user picks a folder and hears the
// settings by its line. The control asks without one, and is refused.
func TestLine(t *testing.T) {
	if asOrdinaryUser(t) {
		return
	}
	d := startBus(t)
	p := newPortal(t, d).take()
	p.looks = true
	p.set(nsAppearance, keyScheme, uint32(schemeDark))
	p.open = func(request godbus.ObjectPath, _ string) godbus.ObjectPath {
		respond(t, p.conn, request, uint32(0), uris("file:///home/u"))
		return ""
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) })

	direct, err := dbus.Dial(t.Context(), d.SessionBus)
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	owner, err := direct.Owner(t.Context(), portal)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := readAll(t.Context(), direct, owner); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("control: without a line %+v, %v", s, err)
	}

	if got, err := PickFolder(t.Context(), d, "Choose a folder", "/home/u"); got != "/home/u" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	Watch(ctx, d, func(s Settings) {
		if s.Scheme != "dark" {
			t.Errorf("%+v", s)
		}
		cancel()
	})
	kids, err := proc.Children(os.Getpid())
	for _, pid := range kids {
		if args, _ := proc.Cmdline(pid); len(args) > 0 && args[0] == lineName {
			t.Errorf("a line stayed behind: %q", args)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// TestNoLine: where nothing listens, and where the bus does not answer, a line ends
// with its error.
func TestNoLine(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) })
	if c, _, err := byLine(t.Context(), "/nonexistent/bus"); err == nil {
		c.Close()
		t.Error("there is no such bus")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := byLine(ctx, "/nonexistent/bus"); err == nil {
		t.Error("its time was over")
	}
	if _, err := PickFolder(t.Context(), Display{SessionBus: dbus.Address("/nonexistent/bus")}, "", ""); !errors.Is(err, ErrNoPortal) {
		t.Error(err)
	}
	if is, err := Line([]string{lineName, strings.Repeat("x", limits.SocketPath+1)}); !is || err == nil {
		t.Errorf("%v, %v", is, err)
	}
	if is, _ := Line([]string{"bailey-core", "--home"}); is {
		t.Error("a core is taken for a line")
	}
}
