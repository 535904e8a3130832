package window

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// raw opens a window whose host is the test's goroutine, without one that reads
// beside it.
func raw(tb testing.TB, b *bench) *net.UnixConn {
	tb.Helper()
	conns := pair(tb)
	done := make(chan struct{})
	b.m.cfg.Start = func(context.Context, desktop.Display, string) (*Host, error) {
		return &Host{Conn: conns[0], PID: os.Getpid(), Done: done, Kill: func() { conns[1].Close() }, Ended: func() map[string]string { return nil }}, nil
	}
	if _, _, err := b.m.Open(context.Background(), apps.Studio, "", desktop.Display{}); err != nil {
		tb.Fatal(err)
	}
	if _, err := conns[1].Write(appendFrame(nil, kindDocument, 0)); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { close(done) })
	return conns[1]
}

func pair(tb testing.TB) [2]*net.UnixConn {
	tb.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		tb.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			tb.Fatal(err)
		}
		conns[i] = c.(*net.UnixConn)
	}
	return conns
}

// BenchmarkCall is a call of 200 bytes from the host's socket and back; the echo
// beside it is the same bytes over the same kind of socket, with nothing between.
func BenchmarkCall(b *testing.B) {
	message, err := proto.Marshal(&surfacev1.Call{Method: 7, Message: make([]byte, 200)})
	if err != nil {
		b.Fatal(err)
	}
	call := appendFrame(nil, kindCall, 1, message)
	b.Run("window", func(b *testing.B) {
		n := newBench(b)
		n.routes[7] = rpc.Route{Method: method(7, none, false, app), Unary: func(ctx context.Context, q []byte) ([]byte, error) {
			session.From(ctx)
			return q, nil
		}}
		c := raw(b, n)
		in := bufio.NewReader(c)
		skip := func() {
			head := make([]byte, headerSize)
			if _, err := io.ReadFull(in, head); err != nil {
				b.Fatal(err)
			}
			if _, err := in.Discard(int(binary.LittleEndian.Uint32(head))); err != nil {
				b.Fatal(err)
			}
		}
		skip() // the configuration
		b.ResetTimer()
		for range b.N {
			if _, err := c.Write(call); err != nil {
				b.Fatal(err)
			}
			skip()
		}
	})
	b.Run("echo", func(b *testing.B) {
		c := pair(b)
		defer c[0].Close()
		go func() {
			buf := make([]byte, len(call))
			for {
				if _, err := io.ReadFull(c[1], buf); err != nil {
					c[1].Close()
					return
				}
				if _, err := c[1].Write(buf); err != nil {
					return
				}
			}
		}()
		buf := make([]byte, len(call))
		b.ResetTimer()
		for range b.N {
			if _, err := c[0].Write(call); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c[0], buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStream is one token of 8 bytes in a stream's body, read and
// acknowledged as a page does.
func BenchmarkStream(b *testing.B) {
	n := newBench(b)
	tokens := b.N
	n.routes[7] = rpc.Route{Method: method(7, none, true, app), Stream: func(_ context.Context, _ []byte, out rpc.Sender) error {
		for range tokens {
			if err := out.Send([]byte("a token ")); err != nil {
				return err
			}
		}
		return nil
	}}
	_, f := n.show(apps.Studio)
	id := f.call(7, nil).Stream
	_, _, body := f.get("/.stream/" + hexOf(id))
	drain(b, f, id, body)
}

// drain reads a stream to its end, acknowledging as it goes.
func drain(tb testing.TB, f *fake, id []byte, body io.Reader) int {
	buf, read, acked := make([]byte, 64<<10), 0, 0
	for {
		n, err := body.Read(buf)
		read += n
		if read-acked >= limits.WindowStreamBytes/4 {
			f.call(1001, ackOf(id, uint32(read-acked)))
			acked = read
		}
		if err == io.EOF {
			return read
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// R35 on the core's side: 200 messages of nearly a megabyte to a page that reads
// in its own time leave nothing behind and never need more than a few of them at
// a time.
func TestLargeStreamsAreFlat(t *testing.T) {
	b := newBench(t)
	const messages, size = 200, 1_000_000
	b.stream(7, func(_ context.Context, out rpc.Sender) error {
		m := make([]byte, size)
		for range messages {
			if err := out.Send(m); err != nil {
				return err
			}
		}
		return nil
	})
	_, f := b.show(apps.Studio)
	id := f.call(7, nil).Stream
	_, _, body := f.get("/.stream/" + hexOf(id))
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	base, most := heap(), 0
	buf, read, acked := make([]byte, 256<<10), 0, 0
	for {
		n, err := body.Read(buf)
		read += n
		if read-acked > size {
			f.call(1001, ackOf(id, uint32(read-acked)))
			acked = read
			most = max(most, heap()-base)
		}
		if err == io.EOF {
			break
		}
		must(t, err)
	}
	if read < messages*size || most > 16<<20 {
		t.Fatalf("%d bytes were read, the heap grew by %d", read, most)
	}
}
