package hosts

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
)

// shoot keeps a picture of a display where the tests are asked for some.
func shoot(t testing.TB, x11, name string) {
	if dir := os.Getenv("BAILEY_SHOTS"); dir != "" {
		<-time.After(time.Second) // what is asked for has to be drawn
		if out, err := exec.Command("import", "-display", x11, "-window", "root", dir+"/"+name+".png").CombinedOutput(); err != nil {
			t.Logf("no picture: %v: %s", err, out)
		}
	}
}

// TestWindow shows a page in the sandbox, and carries a call there and back.
func TestWindow(t *testing.T) {
	needsWindows(t)
	d := display(t)
	page := `<!doctype html><title>t</title><body style="background:#fff"><h1 id=h>Hello from the page</h1>
	<script>bailey.post("ping\u0000\u00ff").then(r => { document.getElementById("h").textContent = r; bailey.post("got " + r) })</script>`
	c := open(t, d, map[string]string{"/index.html": page}, func(m string) (string, bool) { return "reply " + m, strings.HasPrefix(m, "ping") })
	c.wait("READY", kindOf(frameReady))
	c.wait("the reply in the page", called("got reply ping\x00\xff"))
	if err := CheckTree(c.pid); err != nil {
		t.Error(err)
	}
	shoot(t, d.X11, "window")
}

// TestContent: a body comes by a pipe or a file in memory, and who does not want
// it any more says so.
func TestContent(t *testing.T) {
	needsWindows(t)
	page := `<!doctype html><script>(async () => {
		const big = new Uint8Array(await (await fetch("/big")).arrayBuffer())
		let sum = 0
		for (const b of big) sum = (sum + b) % 65536
		await bailey.post("big " + big.length + " " + sum)
		const none = await fetch("/absent")
		await bailey.post("absent " + none.status + " " + (await none.text()).length)
		const stop = new AbortController()
		const endless = await fetch("/endless", {signal: stop.signal})
		const r = endless.body.getReader()
		await r.read()
		stop.abort()
		bailey.post("stopped")
	})()</script>`
	var c *core
	special := func(f frame) bool {
		switch f.payload {
		case "/big":
			c.send(frameResponse, f.id, "\xc8\x00Content-Type: application/octet-stream\n", inMemory(t, strings.Repeat("0123456789abcdef", 1<<20)))
		case "/endless":
			r, w, err := os.Pipe()
			if err != nil {
				t.Error(err)
				return true
			}
			c.send(frameResponse, f.id, "\xc8\x00Content-Type: application/octet-stream\n", r)
			r.Close()
			go func() {
				defer w.Close()
				for {
					if _, err := io.WriteString(w, strings.Repeat("x", 1<<16)); err != nil {
						return
					}
				}
			}()
		default:
			return false
		}
		return true
	}
	c = open(t, display(t), map[string]string{"/index.html": page}, func(string) (string, bool) { return "", true }, func(made *core) { c, made.special = made, special })
	// 16 times the bytes' sum: 2^20 * 1140 modulo 2^16 is 0.
	c.wait("the large body", called("big 16777216 0"))
	c.wait("an absent one", called("absent 404 0"))
	c.wait("the page has stopped", called("stopped"))
	endless := c.wait("the request", func(f frame) bool { return f.kind == frameRequest && f.payload == "/endless" })
	c.wait("the core is told", func(f frame) bool { return f.kind == frameCancelled && f.id == endless.id })
	for _, f := range c.frames() {
		if f.kind == frameCancelled && f.id != endless.id {
			t.Errorf("request %d was read to its end, and is said not to be wanted", f.id)
		}
	}
}

func inMemory(t testing.TB, text string) *os.File {
	fd, err := unix.MemfdCreate("body", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "body")
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestRefused: what a person can mend has its code and a hint.
func TestRefused(t *testing.T) {
	d := display(t)
	for what, o := range map[string]func(*Options){
		"no display":    func(o *Options) { o.Display.X11 = "" },
		"far away":      func(o *Options) { o.Display.X11 = "elsewhere:0" },
		"not there":     func(o *Options) { o.Display.X11 = ":65535" },
		"no compositor": func(o *Options) { o.Display.Wayland = "/nonexistent/wayland-0" },
		"no program":    func(o *Options) { o.Program = nil },
		"no cookies":    func(o *Options) { o.Display.XAuthority = "/dev/zero" },
	} {
		opts := Options{Display: d}
		if programs != "" {
			opts.Program, opts.Stub = program(t, "bailey-window"), program(t, "bailey-worker")
		}
		o(&opts)
		_, err := Start(t.Context(), Window, opts)
		if e := errs.From(err); err == nil || e.Code != errs.WindowUnavailable || e.HintText() == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Start(t.Context(), "index", Options{Display: d}); errs.CodeOf(err) != errs.NotSupported {
		t.Errorf("a worker as a host: %v", err)
	}
}
