package hosts

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestSettings: what the core read of the desktop reaches the page, at its start
// and when it changes. Contrast does not: WebKitGTK 2.50 cannot be told, so the
// page hears of it by the core's own events.
func TestSettings(t *testing.T) {
	needsWindows(t)
	page := `<!doctype html><body>page<script>
	const asks = ["(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"].map(q => matchMedia(q))
	let last = ""
	const say = () => {
		const now = asks.map(a => a.matches).join(" ") + " " + innerWidth + " " + navigator.language
		if (now !== last) bailey.post(last = now)
	}
	say()
	for (const a of asks) a.addEventListener("change", say)
	addEventListener("resize", say)
	</script>`
	c := open(t, display(t), map[string]string{"/index.html": page}, func(string) (string, bool) { return "", true })
	c.wait("the settings of the configuration", called("false false 1000 en-US"))
	c.send(frameSettings, 0, "dark\x002000\x00high\x00reduced", nil)
	c.wait("the settings that changed", called("true true 500 en-US"))
	c.send(frameSettings, 0, "light\x001000\x00\x00\x00", nil)
	c.until("the settings as they were", func(fs []frame) bool { return count(fs, called("false false 1000 en-US")) == 2 })
	// One that cannot be understood changes nothing, and harms nothing.
	for _, broken := range []string{"", "dark", "dark\x002000\x00high\x00reduced\x00more", "\x00-5\x00\x00", "\x0099999999\x00\x00"} {
		c.send(frameSettings, 0, broken, nil)
	}
	c.send(frameRaise, 0, "", nil)
	c.send(frameReload, 0, "", nil)
	c.until("the page again", func(fs []frame) bool { return count(fs, called("false false 1000 en-US")) == 3 })
}

// TestClosed: the person closes the window; the core is told, and the window is
// gone when it says so, or by itself.
func TestClosed(t *testing.T) {
	needsWindows(t)
	for _, answers := range []bool{true, false} {
		d := display(t)
		wm := exec.Command("openbox", "--sm-disable")
		wm.Env = []string{"DISPLAY=" + d.X11, "PATH=/usr/bin:/bin", "HOME=" + t.TempDir()}
		if err := wm.Start(); err != nil {
			t.Skip("openbox is not installed: nobody closes a window")
		}
		t.Cleanup(func() { wm.Process.Kill(); wm.Wait() })
		c := open(t, d, map[string]string{"/index.html": plainPage}, nil)
		c.wait("READY", kindOf(frameReady))
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(patience); count(c.frames(), kindOf(frameClosed)) == 0; <-tick.C {
			key := exec.Command("xdotool", "search", "--name", "Bailey Studio", "windowactivate", "key", "--clearmodifiers", "alt+F4")
			key.Env = wm.Env
			if out, err := key.CombinedOutput(); err != nil && strings.Contains(err.Error(), "executable file not found") {
				t.Skipf("xdotool is not installed: %s", out)
			}
			if time.Now().After(end) {
				t.Fatal("the window cannot be closed")
			}
			select {
			case <-c.over:
				t.Fatal("the window vanished without a word")
			default:
			}
		}
		if answers {
			c.send(frameClose, 0, "", nil)
		}
		select {
		case <-c.over:
		case <-time.After(patience):
			t.Errorf("the window stays (the core answers: %v)", answers)
		}
	}
}
