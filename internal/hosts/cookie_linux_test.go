package hosts

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// TestOneCookie: an X server that wants a cookie lets the window in, and of the
// person's file the window sees that one alone.
func TestOneCookie(t *testing.T) {
	needsWindows(t)
	xauth, err := exec.LookPath("xauth")
	if err != nil {
		t.Skip("xauth is not installed")
	}
	file := filepath.Join(t.TempDir(), "cookies")
	const ours, other = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := display(t, "-auth", file)
	add := func(name, secret string) {
		t.Helper()
		if out, err := exec.Command(xauth, "-q", "-f", file, "add", name, ".", secret).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	add("192.0.2.1:0", other)
	add(d.X11, ours)
	if out, err := exec.Command("xauth", "-f", file, "list").Output(); err != nil || !strings.Contains(string(out), other) {
		t.Fatalf("the person's file: %s, %v", out, err)
	}
	page := map[string]string{"/index.html": "<!doctype html><p>painted"}
	// Without the cookie there is no window: the server does want one.
	bad := d
	bad.XAuthority = ""
	h, err := Start(t.Context(), Window, options(t, bad))
	if err != nil {
		t.Fatal(err)
	}
	refused := &core{t: t, conn: h.Conn, pid: h.PID(), over: h.Done(), words: h.Words, pages: page, news: make(chan struct{}, 1)}
	refused.begin(h.Kill)
	<-h.Done()

	d.XAuthority = file
	o := options(t, d)
	o.Runtime = t.TempDir()
	h, err = Start(t.Context(), Window, o)
	if err != nil {
		t.Fatal(err)
	}
	c := &core{t: t, conn: h.Conn, pid: h.PID(), over: h.Done(), words: h.Words, pages: page, news: make(chan struct{}, 1)}
	c.begin(h.Kill)
	c.wait("READY", kindOf(frameReady))
	seen, err := os.ReadFile(fmt.Sprintf("/proc/%d/root%s", c.pid, workerspec.XAuthorityTarget))
	if err != nil {
		t.Fatal(err)
	}
	want, err := d.Cookie()
	if err != nil || !bytes.Equal(seen, want) || len(want) == 0 {
		t.Errorf("the window sees %q, not %q, %v", seen, want, err)
	}
	h.Kill()
	if left, err := os.ReadDir(o.Runtime); err != nil || len(left) != 0 {
		t.Errorf("%v stayed behind, %v", left, err)
	}
}

func options(t *testing.T, d desktop.Display) Options {
	t.Helper()
	return Options{Display: d, Program: program(t, "bailey-window"), Stub: program(t, "bailey-worker")}
}
