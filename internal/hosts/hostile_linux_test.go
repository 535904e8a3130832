package hosts

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

const plainPage = `<!doctype html><body>page`

// whole is every process of a window.
func whole(t testing.TB, c *core) []process {
	t.Helper()
	tree, err := readTree(c.pid)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree) < 4 {
		t.Fatalf("a window of %d processes", len(tree))
	}
	return tree
}

// TestTreeIsConfined looks at every process of a window: none can gain
// privileges, none has the core's network, none listens, and none sees a file of
// the person. The control is the same program started as others are.
func TestTreeIsConfined(t *testing.T) {
	needsWindows(t)
	d := display(t)
	home := filepath.Join(t.TempDir(), "home")
	secret := filepath.Join(home, ".ssh", "id")
	if err := errors.Join(os.MkdirAll(filepath.Dir(secret), 0o700), os.WriteFile(secret, []byte("secret"), 0o600)); err != nil {
		t.Fatal(err)
	}
	ours, err := proc.Namespaces(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	sees := func(p process) bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/root%s", p.pid, secret))
		return err == nil && string(b) == "secret"
	}
	t.Run("sandboxed", func(t *testing.T) {
		c := open(t, d, map[string]string{"/index.html": plainPage}, nil)
		c.wait("READY", kindOf(frameReady))
		for _, p := range whole(t, c) {
			if !p.status.NoNewPrivs || p.status.Seccomp != 2 {
				t.Errorf("%s: no_new_privs %v, seccomp %d", p.program, p.status.NoNewPrivs, p.status.Seccomp)
			}
			for n, ns := range p.namespaces {
				if ns == ours[n] {
					t.Errorf("%s shares the %s namespace", p.program, n)
				}
			}
			if sees(p) {
				t.Errorf("%s sees a file of the person", p.program)
			}
			ls, err := proc.Listeners(p.pid)
			if err != nil {
				t.Error(err)
			}
			for _, l := range ls {
				if l.Network != "unix" {
					t.Errorf("%s listens: %+v", p.program, l)
				}
			}
			if rest := environment(t, p.pid); len(rest) > 0 {
				t.Errorf("%s has %q in its environment", p.program, rest)
			}
		}
	})
	t.Run("control", func(t *testing.T) {
		c := bare(t, d, nil, map[string]string{"/index.html": plainPage}, nil)
		c.wait("READY", kindOf(frameReady))
		gain, shared, saw := 0, 0, 0
		for _, p := range whole(t, c) {
			if !p.status.NoNewPrivs {
				gain++
			}
			if p.namespaces["net"] == ours["net"] {
				shared++
			}
			if sees(p) {
				saw++
			}
		}
		if gain == 0 || shared == 0 || saw == 0 {
			t.Errorf("the program confines itself: %d could gain privileges, %d share the network, %d see the file", gain, shared, saw)
		}
		if err := CheckTree(c.pid); errs.CodeOf(err) != errs.PostureFailed {
			t.Errorf("a window without a sandbox passes: %v", err)
		}
	})
}

// environment lists what of a process's environment lowers a guard.
func environment(t testing.TB, pid int) (bad []string) {
	env, err := proc.Environ(pid)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		t.Error(err)
	}
	for _, e := range env {
		for _, p := range []string{"WEBKIT_", "LD_", "GTK_MODULES", "GTK_DEBUG", "GTK_PATH", "DBUS_SESSION", "BAILEY_TEST"} {
			if strings.HasPrefix(e, p) {
				bad = append(bad, e)
			}
		}
	}
	return bad
}

// TestEnvironmentIsScrubbed: what switches WebKit's sandbox off, opens its
// inspector or loads code reaches no process of a window. In the control it
// does, and the page's process has no sandbox.
func TestEnvironmentIsScrubbed(t *testing.T) {
	needsWindows(t)
	d := display(t)
	hostile := []string{"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS=1", "WEBKIT_INSPECTOR_SERVER=127.0.0.1:29981",
		"GTK_MODULES=x", "GTK_DEBUG=interactive", "BAILEY_TEST=1"}
	for _, e := range hostile {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	reached := func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:29981")
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	t.Run("sandboxed", func(t *testing.T) {
		c := open(t, d, map[string]string{"/index.html": plainPage}, nil)
		c.wait("READY", kindOf(frameReady))
		if err := CheckTree(c.pid); err != nil {
			t.Error(err)
		}
		for _, p := range whole(t, c) {
			if bad := environment(t, p.pid); len(bad) > 0 {
				t.Errorf("%s has %q", p.program, bad)
			}
		}
		if reached() {
			t.Error("the inspector listens")
		}
	})
	t.Run("control", func(t *testing.T) {
		c := bare(t, d, hostile, map[string]string{"/index.html": plainPage}, nil)
		c.wait("READY", kindOf(frameReady))
		tree, err := readTree(c.pid)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range tree {
			if p.program == webProcess && p.status.Seccomp != 0 {
				t.Error("WebKit's switch does nothing any more: this test shows nothing")
			}
		}
		if !reached() {
			t.Error("WebKit's inspector does not listen: this test shows nothing")
		}
	})
}

// TestPageReachesNoPort: a page without any policy of content tries to connect
// to this machine, by every way that an engine has. The control reaches it.
func TestPageReachesNoPort(t *testing.T) {
	needsWindows(t)
	d := display(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	touched := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			select {
			case touched <- struct{}{}:
			default:
			}
			conn.Close()
		}
	}()
	page := strings.ReplaceAll(`<!doctype html><body><script>
	const at = "ADDRESS", tries = []
	for (const u of ["http://" + at, "https://" + at, "http://localhost:" + at.split(":")[1]]) {
		tries.push(fetch(u, {mode: "no-cors"}).catch(() => 0))
		for (const [tag, key] of [["img", "src"], ["script", "src"], ["iframe", "src"], ["link", "href"], ["video", "src"], ["object", "data"]]) {
			const e = document.createElement(tag)
			if (tag === "link") e.rel = "stylesheet"
			e[key] = u + "/" + tag
			tries.push(new Promise(r => { e.onload = e.onerror = r; setTimeout(r, 2000) }))
			document.body.append(e)
		}
		for (const rel of ["preconnect", "prefetch", "dns-prefetch", "preload"]) {
			const e = document.createElement("link")
			e.rel = rel; e.href = u; e.as = "image"
			document.head.append(e)
		}
		navigator.sendBeacon && navigator.sendBeacon(u, "x")
		new Worker(URL.createObjectURL(new Blob(["fetch('" + u + "', {mode: 'no-cors'})"])))
	}
	const x = new XMLHttpRequest(); x.open("GET", "http://" + at); try { x.send() } catch (e) {}
	Promise.all(tries).then(() => bailey.post("tried"))
	</script>`, "ADDRESS", l.Addr().String())
	pages := map[string]string{"/index.html": page}
	t.Run("sandboxed", func(t *testing.T) {
		c := open(t, d, pages, func(string) (string, bool) { return "", true })
		c.wait("the page has tried", called("tried"))
		// What is on its way when the page is done would come while its process ends.
		select {
		case <-touched:
			t.Error("the page reached a port of this machine")
		case <-time.After(200 * time.Millisecond):
		}
	})
	t.Run("control", func(t *testing.T) {
		c := bare(t, d, nil, pages, func(string) (string, bool) { return "", true })
		c.wait("the page has tried", called("tried"))
		select {
		case <-touched:
		case <-time.After(patience):
			t.Error("a page outside reaches no port either: this test shows nothing")
		}
	})
}
