package passfd

import (
	"io"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// What is sealed is read from its beginning, changed by nobody, and nothing that
// its holder does to the descriptor reaches the next one.
func TestSealed(t *testing.T) {
	bytes := []byte("some bytes")
	one, err := Sealed("x", bytes)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	var first [4]byte
	if _, err := io.ReadFull(one, first[:]); err != nil || string(first[:]) != "some" {
		t.Fatal(err)
	}
	if _, err := one.WriteAt([]byte("x"), 0); err == nil {
		t.Error("it can be written")
	}
	if err := one.Truncate(3); err == nil {
		t.Error("it can be cut")
	}
	if err := one.Chmod(0); err != nil {
		t.Fatal(err)
	}
	two, err := Sealed("x", bytes)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	if got, err := io.ReadAll(two); err != nil || string(got) != "some bytes" {
		t.Fatalf("%q %v", got, err)
	}
	if st, err := two.Stat(); err != nil || st.Mode().Perm() == 0 {
		t.Errorf("%v %v", st.Mode(), err)
	}
}

// The reading end blocks, as who gets it expects, and the writing end does not.
func TestPipe(t *testing.T) {
	r, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	flags := func(f *os.File) int {
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		_ = raw.Control(func(fd uintptr) { n, err = unix.FcntlInt(fd, unix.F_GETFL, 0) })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if flags(r)&unix.O_NONBLOCK != 0 || flags(w)&unix.O_NONBLOCK == 0 {
		t.Fatalf("r %x, w %x", flags(r), flags(w))
	}
	// A writer that waits is woken by the end of its own end.
	ended := make(chan error, 1)
	go func() {
		_, err := w.Write(make([]byte, 1<<20))
		ended <- err
	}()
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := <-ended; err == nil {
		t.Fatal("a megabyte went into a pipe that nobody reads")
	}
}

// What rides on a message arrives with its first byte, and is the same.
func TestSend(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "end")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
		defer c.Close()
	}
	f, err := Sealed("x", []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Longer than the socket takes at once.
	long := make([]byte, 1<<20)
	long[len(long)-1] = 7
	sent := make(chan error, 1)
	go func() { sent <- Send(ends[0], long, f) }()
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := ends[1].ReadMsgUnix(buf, oob)
	if err != nil || oobn == 0 {
		t.Fatal(n, oobn, err)
	}
	rest := make([]byte, len(long)-n)
	if _, err := io.ReadFull(ends[1], rest); err != nil || rest[len(rest)-1] != 7 {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	scms, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(scms) != 1 {
		t.Fatal(scms, err)
	}
	got, err := unix.ParseUnixRights(&scms[0])
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	body := os.NewFile(uintptr(got[0]), "got")
	defer body.Close()
	if all, err := io.ReadAll(body); err != nil || string(all) != "body" {
		t.Fatalf("%q %v", all, err)
	}
}
