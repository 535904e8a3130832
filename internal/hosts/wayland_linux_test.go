package hosts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// compositor starts a Wayland compositor without a screen, of a size as one has.
func compositor(t testing.TB, size ...string) desktop.Display {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("weston", "--backend=headless-backend.so", "--socket=wayland-7", "--idle-time=0", "--no-config", "--use-pixman")
	cmd.Args = append(cmd.Args, size...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	if err := cmd.Start(); err != nil {
		t.Skip("weston is not installed: no Wayland to show a window on")
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	socket := filepath.Join(dir, "wayland-7")
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if _, err := os.Stat(socket); err == nil {
			return desktop.Display{Wayland: socket, X11: ":0", Language: "de_DE.UTF-8"}
		}
	}
	t.Fatal("the compositor does not start")
	return desktop.Display{}
}

// TestWayland: where there is Wayland a window has that socket and no X11, paints
// there, and its page stands in its own sandbox; a prompt and a picker as well.
func TestWayland(t *testing.T) {
	needsWindows(t)
	d := compositor(t, "--width=1280", "--height=800")
	c := open(t, d, map[string]string{"/index.html": plainPage}, nil)
	c.wait("READY", kindOf(frameReady))
	if err := CheckTree(c.pid); err != nil {
		t.Error(err)
	}
	for _, p := range whole(t, c) {
		names, err := os.ReadDir("/proc/" + strconv.Itoa(p.pid) + "/root/tmp")
		if err == nil && len(names) > 0 {
			t.Errorf("%s sees %v in /tmp", p.program, names)
		}
		env, err := proc.Environ(p.pid)
		if err != nil {
			t.Error(err)
		}
		for _, e := range env {
			if len(e) > 8 && e[:8] == "DISPLAY=" {
				t.Errorf("%s has %s", p.program, e)
			}
		}
	}
	questionsOn(t, d)
}

// TestWaylandLarge: a screen of many pixels, whose pictures are four times as large:
// each is a file in memory, and a prompt's files have a limit.
func TestWaylandLarge(t *testing.T) {
	needsWindows(t)
	questionsOn(t, compositor(t, "--width=3840", "--height=2160", "--scale=2"))
}

// questionsOn shows a prompt and a picker on a display.
func questionsOn(t *testing.T, d desktop.Display) {
	t.Helper()
	h, answer := ask(t, Prompt, d)
	if r, err := answer(); err != nil || r.Yes {
		t.Errorf("%+v, %v, said %s", r, err, h.Words())
	}
	<-h.Done()
	if h.Exit().Code != 0 {
		t.Errorf("%+v, said %s", h.Exit(), h.Words())
	}
	h = onScreen(t, Picker, "bailey-prompt", d, "")
	filters(t, h, 3)
	h.Conn.Close()
	<-h.Done()
	if h.Exit().Code != 0 || h.Exit().Forbidden {
		t.Errorf("%+v, said %s", h.Exit(), h.Words())
	}
}

// TestBlank: a page that never paints is told to the core.
func TestBlank(t *testing.T) {
	t.Parallel() // it waits more than it works
	needsWindows(t)
	c := open(t, display(t), map[string]string{"/index.html": `<!doctype html><body>page<script>for (;;);</script>`}, nil)
	c.wait("BLANK", kindOf(frameBlank))
	if n := count(c.frames(), kindOf(frameReady)); n != 0 {
		t.Error("a page that never painted is ready")
	}
}
