package hosts

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/plat/proc"
)

func count(fs []frame, match func(frame) bool) int {
	n := 0
	for _, f := range fs {
		if match(f) {
			n++
		}
	}
	return n
}

// until waits for a condition on the frames.
func (c *core) until(what string, ok func([]frame) bool) {
	c.t.Helper()
	c.wait(what, func(frame) bool { return ok(c.frames()) })
}

// TestReload: a reload is a new document with another secret, of which the core
// is told before anything of it comes; what the one before left open is over.
func TestReload(t *testing.T) {
	needsWindows(t)
	page := `<!doctype html><body>page<script>bailey.post("never answered").then(() => bailey.post("answered"), e => 0); bailey.post("here")
		addEventListener("beforeunload", e => e.preventDefault())</script>`
	c := open(t, display(t), map[string]string{"/index.html": page}, func(m string) (string, bool) { return "", m == "here" })
	c.wait("READY", kindOf(frameReady))
	left := c.wait("the open call", called("never answered"))
	c.send(frameReload, 0, "", nil)
	c.until("the second document", func(fs []frame) bool { return count(fs, called("here")) == 2 })
	c.send(frameReply, left.id, "late", nil)
	c.send(frameReply, 1<<40, "of nothing", nil)
	c.send(frameReload, 0, "", nil)
	c.until("the third document", func(fs []frame) bool { return count(fs, called("here")) == 3 })
	fs := c.frames()
	if count(fs, called("answered")) > 0 {
		t.Error("a reply to a document that is gone reached the next one")
	}
	if n := count(fs, kindOf(frameDocument)); n != 3 {
		t.Errorf("%d documents", n)
	}
	if n := count(fs, kindOf(frameReady)); n != 1 {
		t.Errorf("READY %d times", n)
	}
	order := slices.IndexFunc(fs, kindOf(frameDocument))
	if first := slices.IndexFunc(fs, kindOf(frameCall)); first < order {
		t.Error("a call came before its document")
	}
}

// webProcessOf is the page's process.
func webProcessOf(t testing.TB, c *core) int {
	for _, p := range whole(t, c) {
		if p.program == webProcess {
			return p.pid
		}
	}
	t.Fatal("no process of a page")
	return 0
}

// TestCrash: the page's process dies, and the page comes back; when it dies too
// often the window says so itself and stays.
func TestCrash(t *testing.T) {
	needsWindows(t)
	d := display(t)
	c := open(t, d, map[string]string{"/index.html": plainPage}, nil)
	for n := range 4 {
		c.until("a document", func(fs []frame) bool { return count(fs, kindOf(frameDocument)) == n+1 })
		c.until("the page's own process", func([]frame) bool { return CheckTree(c.pid) == nil })
		if err := syscall.Kill(webProcessOf(t, c), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.until("the end of the page", func(fs []frame) bool { return count(fs, kindOf(frameCrashed)) == n+1 })
	}
	if f := c.wait("a reason", kindOf(frameCrashed)); f.payload != "crashed" {
		t.Errorf("ended by %q", f.payload)
	}
	// The window is alive, and answers.
	c.send(frameSettings, 0, "dark\x002000\x00high\x00reduced", nil)
	shoot(t, d.X11, "crashed")
	// None of it brings the page back, which ended for good.
	c.send(frameReload, 0, "", nil)
	c.send(frameReply, 1, "", nil)
	c.send(frameRaise, 0, "", nil)
	c.until("the page's process to be gone", func([]frame) bool {
		tree, err := readTree(c.pid)
		return err == nil && !slices.ContainsFunc(tree, func(p process) bool { return p.program == webProcess })
	})
	if n := count(c.frames(), kindOf(frameDocument)); n != 4 {
		t.Errorf("%d documents", n)
	}
	c.send(frameClose, 0, "", nil)
	<-c.over
}

// TestCoreGone: without a core the window ends by itself, and nothing of it is
// left.
func TestCoreGone(t *testing.T) {
	needsWindows(t)
	c := open(t, display(t), map[string]string{"/index.html": plainPage}, nil)
	c.wait("READY", kindOf(frameReady))
	tree := whole(t, c)
	c.conn.CloseWrite()
	select {
	case <-c.over:
	case <-time.After(10 * time.Second):
		t.Fatal("the window stays")
	}
	for _, p := range tree {
		if proc.Alive(p.pid) {
			t.Errorf("%s is left", p.program)
		}
	}
}

// TestFlood: a page that calls without end gets refusals, the core gets a bounded
// number of calls and of reports, and both go on.
func TestFlood(t *testing.T) {
	needsWindows(t)
	page := `<!doctype html><body>page<script>
	const p = []
	for (let i = 0; i < 5000; i++) p.push(bailey.post("call " + i).then(() => "ok", () => "refused"))
	Promise.all(p).then(r => bailey.post("refused " + r.filter(x => x === "refused").length))
	</script>`
	var answers atomic.Bool
	c := open(t, display(t), map[string]string{"/index.html": page}, func(string) (string, bool) { return "", answers.Load() })
	c.wait("a refusal", refusedFor("flood"))
	fs := c.frames()
	if n := count(fs, kindOf(frameCall)); n != 256 {
		t.Errorf("%d calls on the way", n)
	}
	answers.Store(true)
	for _, f := range fs {
		if f.kind == frameCall {
			c.send(frameReply, f.id, "", nil)
		}
	}
	last := c.wait("the page's count", func(f frame) bool { return f.kind == frameCall && strings.HasPrefix(f.payload, "refused ") })
	fs = c.frames()
	passed := count(fs, func(f frame) bool { return strings.HasPrefix(f.payload, "call ") })
	if last.payload != fmt.Sprintf("refused %d", 5000-passed) || passed == 5000 {
		t.Errorf("%d calls came, and the page counts %q", passed, last.payload)
	}
	if n := count(fs, kindOf(frameRefused)); n > 200 {
		t.Errorf("%d reports of %d refusals", n, 5000-passed)
	}
}

// TestDeafCore: a core that reads nothing makes the window refuse, not grow and
// not hang.
func TestDeafCore(t *testing.T) {
	needsWindows(t)
	page := `<!doctype html><body>page<script>
	let n = 0
	const big = "x".repeat(1 << 20)
	const go = () => { if (++n <= 64) bailey.post(big).catch(() => document.title = "refused"); setTimeout(go, 5) }
	bailey.post("deaf").then(go)
	</script>`
	c := open(t, display(t), map[string]string{"/index.html": page}, nil)
	c.wait("READY", kindOf(frameReady))
	begin := c.wait("the call that begins it", called("deaf"))
	c.deaf.Store(true)
	c.send(frameReply, begin.id, "", nil)
	before := resident(t, c.pid)
	for grown, at := uint64(0), time.Now(); time.Since(at) < 3*time.Second; {
		grown = max(grown, resident(t, c.pid))
		if grown > before+200<<20 {
			t.Fatalf("the window grew from %d to %d", before, grown)
		}
		select {
		case <-c.over:
			t.Fatal("the window ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
	c.deaf.Store(false)
	c.wait("a refusal", refusedFor("flood"))
}

func resident(t testing.TB, pid int) uint64 {
	s, err := proc.ReadStatus(pid)
	if err != nil {
		t.Fatal(err)
	}
	return s.RSS
}

// TestBrokenCore: a frame that breaks the form ends the window at once.
func TestBrokenCore(t *testing.T) {
	needsWindows(t)
	d := display(t)
	head := func(length uint32, kind byte, flags byte) string {
		b := make([]byte, 16)
		binary.LittleEndian.PutUint32(b, length)
		b[4], b[5] = kind, flags
		return string(b)
	}
	for what, bytes := range map[string]string{
		"too long":          head(1<<20+4097, frameReply, 0),
		"of no type":        head(0, 99, 0),
		"of the other side": head(0, frameReady, 0),
		"with flags":        head(0, frameReply, 1),
	} {
		t.Run(what, func(t *testing.T) {
			c := open(t, d, map[string]string{"/index.html": plainPage}, nil)
			c.wait("a request", kindOf(frameRequest))
			if _, err := c.conn.Write([]byte(bytes)); err != nil {
				t.Fatal(err)
			}
			select {
			case <-c.over:
			case <-time.After(patience):
				t.Error("the window goes on")
			}
		})
	}
	t.Run("with a descriptor in its middle", func(t *testing.T) {
		c := open(t, d, map[string]string{"/index.html": plainPage}, nil)
		c.wait("a request", kindOf(frameRequest))
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		c.conn.Write([]byte(head(4, frameReply, 0)))
		if _, _, err := c.conn.WriteMsgUnix([]byte("abcd"), syscall.UnixRights(int(null.Fd())), nil); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.over:
		case <-time.After(patience):
			t.Error("the window goes on")
		}
	})
}

// TestNoConfiguration: nothing is shown before the core has said what.
func TestNoConfiguration(t *testing.T) {
	needsWindows(t)
	for _, first := range []string{"", fmt.Sprintf("%c\x00\x00\x00%c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00x", 1, frameConfig)} {
		h, err := Start(t.Context(), Window, Options{Display: display(t), Program: program(t, "bailey-window"), Stub: program(t, "bailey-worker")})
		if err != nil {
			t.Fatal(err)
		}
		h.Conn.Write([]byte(first))
		h.Conn.Close()
		<-h.Done()
		if h.Exit().Code != 2 {
			t.Errorf("%q: %+v, said %s", first, h.Exit(), h.Words())
		}
	}
}
