package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/sandboxv1"
)

// rawFrame is a frame of a client's, of which nothing is checked.
func rawFrame(kind, descriptors byte, length uint32, stream uint64, method uint32, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, length)
	b = append(b, kind, 0, descriptors, 0)
	b = binary.LittleEndian.AppendUint64(b, stream)
	b = binary.LittleEndian.AppendUint32(b, method)
	return append(append(b, 0, 0, 0, 0), body...)
}

// TestHostileClient has a process of the same user, which greets as a client does,
// do what it likes on the core's socket. The core lives, does not grow, keeps
// nothing that it was sent, and answers the client beside it.
func TestHostileClient(t *testing.T) {
	p := newPlace(t)
	beside := p.connect()
	core := beside.PID
	_, own := p.grant(beside)
	if err := p.tell(beside, own.Handle, "how is a release signed?"); err != nil {
		t.Fatal(err)
	}
	h, err := home.Open(home.Options{Dir: p.home, Env: env.Read()})
	if err != nil {
		t.Fatal(err)
	}
	dial := func() *net.UnixConn {
		t.Helper()
		c, err := net.Dial("unix", h.Socket)
		if err != nil {
			t.Fatal(err)
		}
		return c.(*net.UnixConn)
	}
	dir, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	rights := func(c *net.UnixConn, b []byte, n int) {
		fds := make([]int, n)
		for i := range fds {
			fds[i] = int(dir.Fd())
		}
		_, _, _ = c.WriteMsgUnix(b, unix.UnixRights(fds...), nil)
	}
	run := sandboxv1.SandboxServiceRunMethod().Number
	hello := corev1.CoreServiceHelloMethod().Number
	garbage := bytes.Repeat([]byte{0xff, 3, 0}, 4000)
	attacks := map[string]func(*net.UnixConn){
		"4 GiB":                  func(c *net.UnixConn) { _, _ = c.Write(rawFrame(1, 0, math.MaxUint32, 1, hello, nil)) },
		"half a head":            func(c *net.UnixConn) { _, _ = c.Write(rawFrame(1, 0, 0, 1, hello, nil)[:9]) },
		"half a frame":           func(c *net.UnixConn) { _, _ = c.Write(rawFrame(1, 0, 64<<10, 1, run, garbage)) },
		"descriptors and a run":  func(c *net.UnixConn) { rights(c, rawFrame(1, 4, 3, 1, run, garbage[:3]), 4) },
		"descriptors and a half": func(c *net.UnixConn) { rights(c, rawFrame(1, 4, 3, 1, run, nil), 4) },
		"253 descriptors":        func(c *net.UnixConn) { rights(c, rawFrame(1, 4, 3, 1, run, garbage[:3]), 253) },
		"descriptors by driblets": func(c *net.UnixConn) {
			for i := range 250 {
				rights(c, rawFrame(1, 4, 3, 1, run, nil)[i%24:i%24+1], 4)
			}
		},
		"an answer to nobody": func(c *net.UnixConn) { _, _ = c.Write(rawFrame(3, 0, 0, 2, 0, nil)) },
		"garbage for a hello": func(c *net.UnixConn) { _, _ = c.Write(rawFrame(1, 0, 300, 1, hello, garbage[:300])) },
		"a flood of hellos": func(c *net.UnixConn) {
			_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			for id := uint64(1); ; id += 2 {
				// It never reads an answer.
				if _, err := c.Write(rawFrame(1, 0, 0, id, hello, nil)); err != nil {
					return
				}
			}
		},
		"a flood": func(c *net.UnixConn) {
			_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			for {
				if _, err := c.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		},
	}
	before, files := peak(t, core), openFiles(t, core)
	worst := time.Duration(0)
	ask := func(after string) {
		t.Helper()
		begin := time.Now()
		if err := p.tell(beside, own.Handle, "how is a release signed?"); err != nil {
			t.Errorf("after %s, the client beside it: %v", after, err)
		}
		worst = max(worst, time.Since(begin))
	}
	for name, attack := range attacks {
		var open []*net.UnixConn
		for range limits.ClientsPerProcess {
			c := dial()
			attack(c)
			open = append(open, c) // as many as may stay
		}
		ask(name)
		for _, c := range open {
			c.Close()
		}
	}
	for range 3000 {
		c := dial()
		_, _ = c.Write(rawFrame(9, 0, 0, 1, 0, nil))
		c.Close()
	}
	ask("3000 connections")
	p.strangeRuns(beside, dir)
	ask("runs with strange descriptors")
	grown := peak(t, core) - before
	t.Logf("the core grew by %d kB; the client beside took %v at most", grown, worst)
	if grown > coreGrowth {
		t.Errorf("the core grew by %d kB", grown)
	}
	if worst > neighbour {
		t.Errorf("the client beside waited for %v", worst)
	}
	p.until(wait, "the core to close what it was sent", func() bool { return openFiles(t, core) <= files })
	// The same breach again and again has no record each.
	out, _, _ := p.bailey("audit", "show", "--json", "--last", "5000")
	broken := strings.Count(out, `"malformed-peer"`)
	t.Logf("%d records of broken connections", broken)
	if broken == 0 || broken > limits.RefusalsMost {
		t.Errorf("%d records of broken connections", broken)
	}
	p.verified()
}

// TestClientThatGivesItselfAway greets, hands the core its own end of the connection
// within half a frame, and goes. It is as gone as any other: its place is free.
func TestClientThatGivesItselfAway(t *testing.T) {
	p := newPlace(t)
	p.connect() // which starts the core, and has a place itself
	h, err := home.Open(home.Options{Dir: p.home, Env: env.Read()})
	if err != nil {
		t.Fatal(err)
	}
	hello, err := proto.Marshal(&corev1.HelloRequest{Release: release.Version()})
	if err != nil {
		t.Fatal(err)
	}
	greet := func() *net.UnixConn {
		c, err := net.Dial("unix", h.Socket)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Write(rawFrame(1, 0, uint32(len(hello)), 1, corev1.CoreServiceHelloMethod().Number, hello))
		// A place is free a moment after its client is gone.
		if n, _ := c.Read(make([]byte, 1<<10)); err != nil || n < len(rawFrame(0, 0, 0, 0, 0, nil))+len(release.Version()) {
			c.Close()
			return nil
		}
		return c.(*net.UnixConn)
	}
	for _, gives := range []bool{false, true} {
		for range limits.ClientsPerProcess + 1 {
			var c *net.UnixConn
			p.until(wait, fmt.Sprintf("a place: %v", gives), func() bool { c = greet(); return c != nil })
			own, err := c.File()
			if err != nil {
				t.Fatal(err)
			}
			var rights []byte
			if gives {
				rights = unix.UnixRights(int(own.Fd()))
			}
			_, _, err = c.WriteMsgUnix(rawFrame(1, 4, 3, 3, sandboxv1.SandboxServiceRunMethod().Number, nil)[:9], rights, nil)
			if err = errors.Join(err, own.Close(), c.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// strangeRuns asks for runs with descriptors that are no pipes, too few and too
// many: each is refused, and nothing is started.
func (p *place) strangeRuns(c *client.Client, dir *os.File) {
	t := p.t
	t.Helper()
	task := p.task(c)
	open := func(path string, flags int) *os.File {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), path)
		t.Cleanup(func() { f.Close() })
		return f
	}
	write := open(p.folder+"/notes.txt", unix.O_RDWR)
	path := open("/", unix.O_PATH)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	sock, far := os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "socket")
	defer sock.Close()
	defer far.Close()
	for _, f := range []*os.File{dir, write, path, sock} {
		for n := range 5 {
			if f == sock && n > 0 {
				c = p.connect() // a socket ends the connection
				task = p.task(c)
			}
			files := make([]*os.File, n)
			for i := range files {
				files[i] = f
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			in, err := c.Sandbox.Run(ipc.WithFiles(ctx, files...), &sandboxv1.RunRequest{Task: task, Worker: "index", Program: []byte("/bin/true"), Args: [][]byte{[]byte("true")}})
			if err == nil {
				_, err = in.Recv()
				in.Close()
			}
			cancel()
			if err == nil || errs.CodeOf(err) == errs.Internal || errs.CodeOf(err) == errs.Cancelled {
				t.Errorf("a run with %d of %s: %v", n, f.Name(), err)
			}
			if f == sock && n > 0 {
				c.Close()
			}
		}
	}
}
