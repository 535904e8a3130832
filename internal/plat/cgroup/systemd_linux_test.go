package cgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
)

// startBus runs a bus on dir/bus, for a user, and returns its socket.
func startBus(t *testing.T, dir string, uid int) string {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	config := filepath.Join(dir, "bus.conf")
	text := fmt.Sprintf(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`, dir)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--nofork", "--print-address", "--config-file="+config)
	if uid != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal("the bus did not start: ", err)
	}
	return filepath.Join(dir, "bus")
}

// wish is what a manager is asked for.
type wish struct {
	unit, mode string
	props      map[string]any
	aux        int
}

// fakeSystemd is a manager that makes scopes as a test says.
type fakeSystemd struct {
	conn *godbus.Conn
	// scope makes one; the word is the job's result, "" for none at all.
	scope func(wish) (word string, err *godbus.Error)
	// noise is sent before the answer.
	noise  func(c *godbus.Conn, job godbus.ObjectPath)
	wishes []wish
}

type wished struct {
	Name  string
	Value godbus.Variant
}

type auxiliary struct {
	Name  string
	Props []wished
}

const systemdJob = godbus.ObjectPath("/org/freedesktop/systemd1/job/7")

// StartTransientUnit has the name that it has on the bus.
func (f *fakeSystemd) StartTransientUnit(name, mode string, props []wished, aux []auxiliary) (godbus.ObjectPath, *godbus.Error) {
	w := wish{name, mode, map[string]any{}, len(aux)}
	for _, p := range props {
		w.props[p.Name] = p.Value.Value()
	}
	f.wishes = append(f.wishes, w)
	word, err := f.scope(w)
	if err != nil {
		return "", err
	}
	if f.noise != nil {
		f.noise(f.conn, systemdJob)
	}
	if word != "" {
		f.removed(systemdJob, name, word)
	}
	return systemdJob, nil
}

func (f *fakeSystemd) removed(job godbus.ObjectPath, unit, word string) {
	_ = f.conn.Emit(godbus.ObjectPath(managerPath), managerInterface+".JobRemoved", uint32(7), job, unit, word)
}

// connectAs connects to a user's bus, which takes nobody else.
func connectAs(t *testing.T, socket string, uid int) *godbus.Conn {
	t.Helper()
	type dialled struct {
		c   net.Conn
		err error
	}
	result := make(chan dialled)
	go func() {
		// The thread, which alone becomes that user, ends with this.
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			result <- dialled{nil, errno}
			return
		}
		c, err := net.Dial("unix", socket)
		result <- dialled{c, err}
	}()
	d := <-result
	if d.err != nil {
		t.Fatal(d.err)
	}
	c, err := godbus.NewConn(d.c)
	if err == nil {
		t.Cleanup(func() { c.Close() })
		if err = c.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(uid))}); err == nil {
			err = c.Hello()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func serveSystemd(t *testing.T, socket string, uid int, f *fakeSystemd) *fakeSystemd {
	t.Helper()
	c := connectAs(t, socket, uid)
	f.conn = c
	if err := c.Export(f, godbus.ObjectPath(managerPath), managerInterface); err != nil {
		t.Fatal(err)
	}
	if r, err := c.RequestName(manager, 0); err != nil || r != godbus.RequestNameReplyPrimaryOwner {
		t.Fatal(r, err)
	}
	return f
}

// TestAsk: what systemd is asked for, and that its word on the end is waited for.
func TestAsk(t *testing.T) {
	socket := startBus(t, t.TempDir(), os.Geteuid())
	f := serveSystemd(t, socket, os.Geteuid(), &fakeSystemd{scope: func(wish) (string, *godbus.Error) { return "done", nil }})
	f.noise = func(c *godbus.Conn, job godbus.ObjectPath) {
		// Other jobs end too, and what is no such signal is no answer.
		f.removed(job+"0", "other.service", "failed")
		_ = c.Emit(godbus.ObjectPath(managerPath), managerInterface+".JobRemoved", []byte{1}, job)
	}
	unit, err := askAt(t.Context(), socket, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if len(f.wishes) != 1 {
		t.Fatalf("asked %d times", len(f.wishes))
	}
	w := f.wishes[0]
	if w.unit != unit || !strings.HasPrefix(unit, "bailey-") || !strings.HasSuffix(unit, ".scope") || w.mode != "fail" || w.aux != 0 {
		t.Errorf("%q: %+v", unit, w)
	}
	if pids, ok := w.props["PIDs"].([]uint32); !ok || !slices.Equal(pids, []uint32{uint32(os.Getpid())}) {
		t.Errorf("processes %v", w.props["PIDs"])
	}
	if w.props["Delegate"] != true || w.props["CollectMode"] != "inactive-or-failed" || len(w.props) != 4 {
		t.Errorf("%v", w.props)
	}
}

// TestAskRefused: each way in which systemd makes no scope is told apart.
func TestAskRefused(t *testing.T) {
	ok := func(wish) (string, *godbus.Error) { return "done", nil }
	for name, c := range map[string]struct {
		scope  func(wish) (string, *godbus.Error)
		pid    int
		reason string
	}{
		"it denies": {func(wish) (string, *godbus.Error) {
			return "", godbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"no"})
		}, os.Getpid(), "systemd refused a scope: org.freedesktop.DBus.Error.AccessDenied"},
		"the job fails":                {func(wish) (string, *godbus.Error) { return "failed", nil }, os.Getpid(), "could not make a scope"},
		"it does not end":              {func(wish) (string, *godbus.Error) { return "", nil }, os.Getpid(), "in time"},
		"we are another process there": {ok, os.Getpid() + 1, "another process id"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := startBus(t, t.TempDir(), os.Geteuid())
			f := serveSystemd(t, socket, os.Geteuid(), &fakeSystemd{scope: c.scope})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := askAt(ctx, socket, c.pid)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Error(err)
			}
			if c.pid != os.Getpid() && len(f.wishes) > 0 {
				t.Error("somebody else's process was named")
			}
		})
	}
	socket := startBus(t, t.TempDir(), os.Geteuid())
	if _, err := askAt(t.Context(), socket, os.Getpid()); !errors.As(err, new(*noBus)) {
		t.Errorf("a bus without systemd: %v", err)
	}
	if _, err := askAt(t.Context(), socket+"-none", os.Getpid()); !errors.As(err, new(*noBus)) {
		t.Errorf("no bus: %v", err)
	}
}

// TestSystemdDelegates goes all the way as an ordinary user, on this kernel's own
// hierarchy: the manager, which is root, makes a group, leaves it to the user and
// moves them there; they divide it, and have a child born in it.
func TestSystemdDelegates(t *testing.T) {
	if dir := os.Getenv("RUNTIME"); dir != "" {
		s := host()
		s.systemd = func() bool { return true }
		g, err := s.take(t.Context(), Options{RuntimeDir: dir})
		if err != nil {
			t.Fatal(err, errs.From(err).Detail)
		}
		defer g.close()
		if !strings.HasSuffix(g.Path(), ".scope") || g.How() != "a scope that systemd made" {
			t.Errorf("%s, %s", g.Path(), g.How())
		}
		l := leaf(t, g, wide())
		cmd := attacker(t, l, "tree", 3)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(out).ReadString('\n')
		r, err := l.Report(cmd.Process.Pid)
		if err != nil || len(members(t, l)) != 4 {
			t.Errorf("%q: %v, %v, %v", line, r, members(t, l), err)
		}
		end(t, l)
		_ = cmd.Wait()
		t.Log("seen: ", r)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can be a manager who delegates")
	}
	top := real(t)
	dir, err := os.MkdirTemp("", "bailey-cgroup")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, ordinaryID, ordinaryID); err != nil {
		t.Fatal(err)
	}
	socket := startBus(t, dir, ordinaryID)
	var scopes []string
	f := serveSystemd(t, socket, ordinaryID, &fakeSystemd{scope: func(w wish) (string, *godbus.Error) {
		scope := filepath.Join(top.dir, workersName, w.unit)
		pids, _ := w.props["PIDs"].([]uint32)
		err := os.Mkdir(scope, 0o755)
		for _, name := range []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
			err = errors.Join(err, os.Chown(filepath.Join(scope, name), ordinaryID, ordinaryID))
		}
		for _, pid := range pids {
			err = errors.Join(err, write(filepath.Join(scope, "cgroup.procs"), fmt.Sprint(pid)))
		}
		scopes = append(scopes, scope)
		if err != nil {
			return "", godbus.MakeFailedError(err)
		}
		return "done", nil
	}})
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v", "-test.run=^TestSystemdDelegates$")
	cmd.Dir = "/"
	cmd.Env = []string{"RUNTIME=" + dir, "TMPDIR=/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
	out, err := cmd.CombinedOutput()
	if err != nil || len(f.wishes) != 1 {
		t.Errorf("%v, asked %d times\n%s", err, len(f.wishes), out)
	}
	t.Logf("%s", out)
	// systemd removes a scope without processes, and what is in it.
	for _, s := range scopes {
		top.sys.sweep(s, func(string) bool { return true })
		if err := unix.Rmdir(s); err != nil {
			t.Error(err)
		}
	}
}
