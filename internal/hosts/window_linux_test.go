package hosts

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestWindow shows a page in the sandbox, and carries a call there and back.
func TestWindow(t *testing.T) {
	needsWindows(t)
	d := display(t)
	page := `<!doctype html><title>t</title><body style="background:#fff"><h1 id=h>Hello from the page</h1>
	<script>bailey.post("ping\u0000\u00ff").then(r => { document.getElementById("h").textContent = r; bailey.post("got " + r) })</script>`
	c := open(t, d, map[string]string{"/index.html": page}, func(m string) (string, bool) { return "reply " + m, strings.HasPrefix(m, "ping") })
	c.wait("READY", kindOf(frameReady))
	c.wait("the reply in the page", called("got reply ping\x00\xff"))
	if shot := os.Getenv("BAILEY_SHOT"); shot != "" {
		exec.Command("import", "-display", d.X11, "-window", "root", shot).Run()
	}
}
