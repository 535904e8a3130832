package hosts

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/plat/desktop"
)

// Types of frames, as cmd/bailey-window/frame.h has them.
const (
	frameConfig, frameResponse, frameReply, frameSettings, frameRaise, frameClose, frameReload = 1, 2, 3, 4, 5, 6, 7

	frameReady, frameRequest, frameCall, frameRefused, frameCancelled, frameDocument, frameCrashed, frameClosed, frameDropped, frameBlank = 16, 17, 18, 19, 20, 21, 22, 23, 24, 25
)

// patience bounds every wait of these tests: a machine may be busy.
const patience = time.Minute

type frame struct {
	kind    byte
	id      uint64
	payload string
}

// core is the least of a core: it answers requests from a map of pages and calls
// by a function, and keeps what else it is told.
type core struct {
	t    testing.TB
	conn *net.UnixConn
	pid  int
	// over is closed when the window has ended; words is what it said.
	over  <-chan struct{}
	words func() string
	pages map[string]string
	// deaf says that nothing is read.
	deaf atomic.Bool
	// special answers a request itself, or not.
	special func(frame) bool
	call    func(message string) (reply string, answer bool)

	mu   sync.Mutex
	seen []frame
	news chan struct{}
}

// display starts an X server of its own.
func display(t testing.TB, more ...string) desktop.Display {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// A number of its own: two servers that look for a free one at the same time
	// take each other's socket away.
	number := fmt.Sprintf(":%d", 1000+rand.IntN(50000))
	x := exec.Command("Xvfb", append([]string{number, "-displayfd", "3", "-nolisten", "tcp", "-screen", "0", "1280x800x24"}, more...)...)
	x.ExtraFiles = []*os.File{w}
	if err := x.Start(); err != nil {
		t.Skip("Xvfb is not installed: no display to show a window on")
	}
	w.Close()
	t.Cleanup(func() { x.Process.Signal(syscall.SIGTERM); x.Wait() })
	// To its end: a server that cannot finish its line is killed by it.
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal("the X server does not start: ", err)
	}
	return desktop.Display{X11: ":" + strings.TrimSpace(line), Language: "en_US.UTF-8"}
}

func program(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join(programs, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// needsWindows ends a test that cannot run here.
func needsWindows(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("a window is refused to root; TestAsOrdinaryUser runs this")
	}
	if programs == "" {
		t.Skip("WebKitGTK is not installed")
	}
}

// open starts a window over pages.
func open(t testing.TB, d desktop.Display, pages map[string]string, call func(string) (string, bool), set ...func(*core)) *core {
	t.Helper()
	h, err := Start(t.Context(), Window, Options{Display: d, Program: program(t, "bailey-window"), Stub: program(t, "bailey-worker")})
	if err != nil {
		t.Fatal(err)
	}
	c := &core{t: t, conn: h.Conn, pid: h.PID(), over: h.Done(), words: h.Words, pages: pages, call: call, news: make(chan struct{}, 1)}
	for _, f := range set {
		f(c)
	}
	c.begin(h.Kill)
	return c
}

// bare starts the same program as any other one is: the control of what the
// sandbox is for.
func bare(t testing.TB, d desktop.Display, env []string, pages map[string]string, call func(string) (string, bool)) *core {
	t.Helper()
	mine, theirs, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(programs, "bailey-window"))
	cmd.Env = append(append(os.Environ(), "DISPLAY="+d.X11, "GDK_BACKEND=x11", "GSK_RENDERER=cairo", "GTK_A11Y=none"), env...)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	over := make(chan struct{})
	go func() { cmd.Wait(); close(over) }()
	c := &core{t: t, conn: mine, pid: cmd.Process.Pid, over: over, words: func() string { return "" }, pages: pages, call: call, news: make(chan struct{}, 1)}
	c.begin(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); <-over })
	return c
}

// begin says what to show, and has frames read until the end of the test.
func (c *core) begin(kill func()) {
	done := make(chan struct{})
	go func() { defer close(done); c.serve() }()
	c.t.Cleanup(func() {
		kill()
		c.conn.Close()
		<-done
		if c.t.Failed() {
			c.t.Logf("the window said: %s", c.words())
			fs := c.frames()
			c.t.Logf("%d frames, the last: %v", len(fs), fs[max(0, len(fs)-20):])
		}
	})
	c.send(frameConfig, 0, strings.Join([]string{"studio", "Bailey Studio", "1000", "700", "en_US.UTF-8", "light", "1000", "", "", "auto"}, "\x00"), nil)
}

func (c *core) send(kind byte, id uint64, payload string, f *os.File) {
	b := make([]byte, 16, 16+len(payload))
	binary.LittleEndian.PutUint32(b, uint32(len(payload)))
	b[4] = kind
	binary.LittleEndian.PutUint64(b[8:], id)
	b = append(b, payload...)
	var rights []byte
	if f != nil {
		rights = syscall.UnixRights(int(f.Fd()))
	}
	_, _, err := c.conn.WriteMsgUnix(b, rights, nil)
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		c.t.Error(err)
	}
}

// serve reads frames until the host is gone.
func (c *core) serve() {
	for {
		for c.deaf.Load() {
			select {
			case <-c.over:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
		var head [16]byte
		if _, err := io.ReadFull(c.conn, head[:]); err != nil {
			return
		}
		payload := make([]byte, binary.LittleEndian.Uint32(head[:]))
		if _, err := io.ReadFull(c.conn, payload); err != nil {
			return
		}
		f := frame{head[4], binary.LittleEndian.Uint64(head[8:]), string(payload)}
		switch f.kind {
		case frameRequest:
			if c.special == nil || !c.special(f) {
				c.respond(f)
			}
		case frameCall:
			if c.call != nil {
				if reply, answer := c.call(f.payload); answer {
					c.send(frameReply, f.id, reply, nil)
				}
			}
		}
		c.mu.Lock()
		c.seen = append(c.seen, f)
		c.mu.Unlock()
		select {
		case c.news <- struct{}{}:
		default:
		}
	}
}

// respond answers a request by a pipe.
func (c *core) respond(f frame) {
	body, ok := c.pages[f.payload]
	if !ok {
		c.send(frameResponse, f.id, "\x94\x01Content-Type: text/plain\n", nil)
		return
	}
	r, w, err := os.Pipe()
	if err != nil {
		c.t.Error(err)
		return
	}
	kind := "text/html; charset=utf-8"
	if strings.HasSuffix(f.payload, ".js") {
		kind = "text/javascript"
	}
	c.send(frameResponse, f.id, "\xc8\x00Content-Type: "+kind+"\nX-Content-Type-Options: nosniff\n", r)
	r.Close()
	go func() { io.WriteString(w, body); w.Close() }()
}

func (c *core) frames() []frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]frame(nil), c.seen...)
}

// wait returns the first frame that match takes, and fails when none comes.
func (c *core) wait(what string, match func(frame) bool) frame {
	c.t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, f := range c.frames() {
			if match(f) {
				return f
			}
		}
		select {
		case <-c.news:
		case <-tick.C:
		case <-c.over:
			c.t.Fatalf("the window ended while waiting for %s", what)
		case <-end.C:
			c.t.Fatalf("no %s", what)
		}
	}
}

func kindOf(kind byte) func(frame) bool { return func(f frame) bool { return f.kind == kind } }

func refusedFor(word string) func(frame) bool {
	return func(f frame) bool {
		w, _, _ := strings.Cut(f.payload, "\x00")
		return f.kind == frameRefused && w == word
	}
}

func called(message string) func(frame) bool {
	return func(f frame) bool { return f.kind == frameCall && f.payload == message }
}
