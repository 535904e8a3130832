package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// markers counts this process's descriptors of files made by [marker]: those
// that a test is about, whatever else is open.
func markers(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.Contains(to, "bailey-marker") {
			n++
		}
	}
	return n
}

// marker returns a memory file that holds text.
func marker(t testing.TB, text string) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("bailey-marker", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "marker")
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return f
}

// contents is a handler that reads the files of a request, and says whether
// they are close-on-exec. It takes them only if the request says so.
func contents(ctx context.Context, b []byte) ([]byte, error) {
	if string(b) == "leave" {
		return nil, nil
	}
	var out []byte
	for _, f := range TakeFiles(ctx) {
		defer f.Close()
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			return nil, fmt.Errorf("flags %x %v", flags, err)
		}
		text, err := io.ReadAll(io.NewSectionReader(f, 0, 100))
		if err != nil {
			return nil, err
		}
		out = append(append(out, text...), ';')
	}
	if len(TakeFiles(ctx)) != 0 {
		return nil, fmt.Errorf("files twice")
	}
	return append(out, b...), nil
}

func descriptorOptions() Options {
	return Options{
		Mux: rpc.NewMux([]rpc.Route{unary(1, core, contents), unary(2, core, echo)}), Peer: core, Even: true,
		Descriptors: func(m *rpc.Method) int {
			if m.Number == 1 {
				return limits.IPCDescriptors
			}
			return 0
		},
	}
}

func TestDescriptors(t *testing.T) {
	before := markers(t)
	c, _ := pairOf(t, Options{}, descriptorOptions())
	m := unary(1, core, contents).Method
	files := []*os.File{marker(t, "a"), marker(t, "b"), marker(t, "c"), marker(t, "d")}
	for n := range len(files) + 1 {
		want := strings.Join([]string{"a", "b", "c", "d"}[:n], ";")
		if n > 0 {
			want += ";"
		}
		b, err := c.Invoke(WithFiles(context.Background(), files[:n]...), m, []byte("body"))
		if err != nil || string(b) != want+"body" {
			t.Fatalf("%d files: %q %v", n, b, err)
		}
	}
	if _, err := c.Invoke(WithFiles(context.Background(), files...), m, []byte("leave")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Invoke(WithFiles(context.Background(), append(files, files[0])...), m, nil)
	wantCode(t, err, errs.TooLarge)
	closed := marker(t, "closed")
	closed.Close()
	_, err = c.Invoke(WithFiles(context.Background(), files[0], closed), m, nil)
	wantCode(t, err, errs.Internal)
	if n := markers(t) - before; n != len(files) {
		t.Errorf("%d descriptors of %d files are open", n, len(files))
	}
}

// TestDescriptorsThroughAFullSocket sends many at once, so that frames wait in
// the queue, with large and small ones between, and the files closed at once.
func TestDescriptorsThroughAFullSocket(t *testing.T) {
	before := markers(t)
	c, _ := pairOf(t, Options{}, descriptorOptions())
	with, without := unary(1, core, contents).Method, unary(2, core, echo).Method
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for j := range 10 {
				text := fmt.Sprintf("%d.%d", i, j)
				f := marker(t, text)
				body := strings.Repeat("x", (i%3)*40_000)
				b, err := c.Invoke(WithFiles(context.Background(), f, f), with, []byte(body))
				f.Close()
				if err != nil || string(b) != text+";"+text+";"+body {
					t.Errorf("%s: %.20q %v", text, b, err)
				}
				if _, err := c.Invoke(context.Background(), without, make([]byte, 100_000)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := markers(t) - before; n != 0 {
		t.Errorf("%d descriptors leaked", n)
	}
}

// TestDescriptorsThatNobodyAskedFor: each way to smuggle descriptors in ends
// the peer, and every one of them is closed.
func TestDescriptorsThatNobodyAskedFor(t *testing.T) {
	f := marker(t, "smuggled")
	rights := func(n int) []byte {
		fds := make([]int, n)
		for i := range fds {
			fds[i] = int(f.Fd())
		}
		return unix.UnixRights(fds...)
	}
	request := func(method uint32, n uint8, body string) []byte {
		return bytesOf(header{kind: kindRequest, stream: 1, method: method, descriptors: n}, body)
	}
	type part struct {
		b   []byte
		oob []byte
	}
	two := request(1, 2, "")
	big := request(2, 0, strings.Repeat("x", 2*limits.IPCReadBuffer))
	for _, c := range []struct {
		name, reason string
		parts        []part
	}{
		{"with a frame that names none", "descriptors that no frame named", []part{{request(1, 0, ""), rights(1)}}},
		{"more than named", "descriptors that no frame named", []part{{request(1, 1, ""), rights(2)}}},
		{"fewer than named", "descriptors are missing", []part{{request(1, 2, ""), rights(1)}}},
		{"with a method that takes none", "descriptors where none belong", []part{{request(2, 1, ""), rights(1)}}},
		{"with a cancel", "descriptors outside a request", []part{{bytesOf(header{kind: kindCancel, stream: 1, descriptors: 1}, ""), rights(1)}}},
		{"one more than a frame may bring", "too many descriptors", []part{{request(1, 4, ""), rights(limits.IPCDescriptors + 1)}}},
		{"as many as the kernel sends", "too many descriptors", []part{{request(1, 4, ""), rights(253)}}},
		{"inside a header", "descriptors that no frame named", []part{{two[:8], rights(2)}, {two[8:], rights(2)}}},
		{"inside a body", "descriptors inside a frame", []part{{big[:100], nil}, {big[100 : len(big)-1], nil}, {big[len(big)-1:], rights(1)}}},
		{"by driblets", "descriptors that no frame named", []part{{two[:1], rights(4)}, {two[1:2], rights(4)}, {two[2:3], rights(4)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := markers(t)
			p := raw(t, descriptorOptions())
			for _, part := range c.parts {
				if _, _, err := p.conn.WriteMsgUnix(part.b, part.oob, nil); err != nil {
					t.Fatal(err)
				}
			}
			p.wantEnded(c.reason)
			if n := markers(t) - before; n != 0 {
				t.Errorf("%d descriptors stay open", n)
			}
		})
	}
}

// TestSockets: the core may send one, and from nobody else is one taken, wherever it
// stands: it could be the peer's own end, which then never shows that the peer is gone.
func TestSockets(t *testing.T) {
	head := bytesOf(header{kind: kindRequest, stream: 1, method: 1, descriptors: 1}, "")
	for _, c := range []struct {
		from   policyv1.Caller
		b      []byte
		reason string
	}{
		{core, head, ""},
		{policyv1.Caller_CALLER_CLIENT, head, "a socket among the descriptors"},
		{policyv1.Caller_CALLER_CLIENT, head[:1], "a socket among the descriptors"},
		{policyv1.Caller_CALLER_WORKER, head, "a socket among the descriptors"},
		{policyv1.Caller_CALLER_UNSPECIFIED, head[:1], "a socket among the descriptors"},
	} {
		took := make(chan int, 1)
		p := raw(t, Options{
			Mux: rpc.NewMux([]rpc.Route{unary(1, c.from, func(ctx context.Context, _ []byte) ([]byte, error) {
				fs := TakeFiles(ctx)
				for _, f := range fs {
					f.Close()
				}
				took <- len(fs)
				return nil, nil
			})}), Peer: c.from, Even: true, Descriptors: func(*rpc.Method) int { return 1 },
		})
		own, err := p.conn.File()
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = p.conn.WriteMsgUnix(c.b, unix.UnixRights(int(own.Fd())), nil)
		if err = errors.Join(err, own.Close()); err != nil {
			t.Fatal(err)
		}
		if c.reason != "" {
			p.wantEnded(c.reason)
		} else if n := <-took; n != 1 {
			t.Errorf("the core's socket: %d came", n)
		}
	}
}

// TestDescriptorsWithoutTheCheck is the control: a reader that ignores control
// data keeps what it is sent.
func TestDescriptorsWithoutTheCheck(t *testing.T) {
	before := markers(t)
	a, b := sockets(t)
	defer a.Close()
	defer b.Close()
	f := marker(t, "smuggled")
	if _, _, err := a.WriteMsgUnix([]byte("x"), unix.UnixRights(int(f.Fd())), nil); err != nil {
		t.Fatal(err)
	}
	oob := make([]byte, rightsSpace)
	_, n, flags, _, err := b.ReadMsgUnix(make([]byte, 10), oob)
	if err != nil {
		t.Fatal(err)
	}
	if got := markers(t) - before; got != 2 {
		t.Errorf("%d descriptors, want the file's and the smuggled one", got)
	}
	fds, err := rights(oob[:n], flags)
	if err != nil || len(fds) != 1 {
		t.Fatal(fds, err)
	}
	closeAll(fds)
}
