package desk

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Compositor is a Wayland compositor without a screen and without a seat:
// windows are mapped and painted there, and have no keyboard and no focus.
type Compositor struct {
	t testing.TB
	// Socket is the absolute path of its socket, Bus the session bus.
	Socket, Bus   string
	Home, Runtime string
	server        *Process
}

// Weston starts a compositor that ends with the test.
func Weston(t testing.TB) *Compositor {
	t.Helper()
	Need(t)
	if _, err := os.Stat("/usr/bin/weston"); err != nil {
		t.Skip("needs a Wayland compositor: apt-get install weston")
	}
	c := &Compositor{t: t, Home: newHome(t), Runtime: newRuntime(t)}
	c.Socket = c.Runtime + "/wayland-7"
	d := &Desk{t: t, Home: c.Home, Runtime: c.Runtime}
	d.bus(Options{})
	c.Bus = d.Bus
	cmd := exec.Command("weston", "--backend=headless-backend.so", "--socket=wayland-7", "--idle-time=0", "--width=1280", "--height=800", "--no-config", "--use-pixman")
	cmd.Env = c.Env()
	c.server = start(t, cmd)
	Until(t, "the compositor's socket", func() bool {
		if c.server.Ended() {
			t.Fatalf("the compositor ended: %s", c.server.Words())
		}
		_, err := os.Stat(c.Socket)
		return err == nil
	})
	return c
}

// Env is the environment of a program that a person starts there. The socket has
// the name that it has in the runtime directory: WebKit hands its web process none
// that is given by its whole path.
func (c *Compositor) Env(more ...string) []string {
	env := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + c.Home, "XDG_RUNTIME_DIR=" + c.Runtime, "TMPDIR=" + os.TempDir(),
		"LANG=C.UTF-8", "WAYLAND_DISPLAY=" + filepath.Base(c.Socket), "DBUS_SESSION_BUS_ADDRESS=" + c.Bus,
	}
	return append(env, more...)
}

// Run starts a program there.
func (c *Compositor) Run(cmd *exec.Cmd, files ...*os.File) *Process {
	c.t.Helper()
	if cmd.Env == nil {
		cmd.Env = c.Env()
	}
	return start(c.t, cmd, files...)
}

// Kill ends the compositor, as a crash of it would.
func (c *Compositor) Kill() { c.server.Kill() }
