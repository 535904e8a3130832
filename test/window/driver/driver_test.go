package driver

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/test/window/desk"
)

func TestMain(m *testing.M) { os.Exit(desk.Main(m, build)) }

//go:embed testdata/host.c
var hostSource string

// build compiles a bare host that can be driven.
func build(dir string) error {
	if err := Build(dir); err != nil {
		return err
	}
	src := filepath.Join(dir, "host.c")
	if err := os.WriteFile(src, []byte(hostSource), 0o644); err != nil {
		return err
	}
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "webkitgtk-6.0").Output()
	if err != nil {
		return err
	}
	out, err := exec.Command("gcc", append([]string{"-o", filepath.Join(dir, "host"), src}, strings.Fields(string(flags))...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// TestDriver: a window in a network namespace of its own is driven from outside
// of it, and keys and clicks arrive as a person's do.
func TestDriver(t *testing.T) {
	d := desk.Start(t, desk.Options{})
	cmd := exec.Command(filepath.Join(desk.Dir(), "host"))
	cmd.Env = d.Env("GDK_BACKEND=x11", "GSK_RENDERER=cairo")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
	}
	p := d.Run(cmd)
	s := Attach(t, desk.Dir(), p.Process.Pid)
	w := d.Await("driven")
	d.AwaitActive(w)
	s.AwaitText("Good morning")
	r, err := s.Place("", "Press me")
	must(t, err)
	x, y := r.Middle()
	in := d.Content(w, s.Inner)
	d.Click(in.Min.X+x, in.Min.Y+y)
	s.AwaitText("pressed")
	r, err = s.Place("", "Your name")
	must(t, err)
	x, y = r.Middle()
	d.Click(in.Min.X+x, in.Min.Y+y)
	// Keys go where the last click has put the focus, once the page knows.
	s.Await("the focus", "document.activeElement && document.activeElement.id === 'name'")
	d.Type("Zoë ☺")
	s.Await("what was typed", "document.getElementById('name').value === 'Zoë ☺'")
	d.Shot("driver")
	if err := s.Try(nil, "throw new Error('no')"); err == nil || !strings.Contains(err.Error(), "no") {
		t.Errorf("an error in the page came as %v", err)
	}
	if _, err := s.Place("", "Not there"); err == nil {
		t.Error("found what is not there")
	}
}
