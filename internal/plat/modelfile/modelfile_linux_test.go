package modelfile

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, content string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	path := filepath.Join(dir, "m.gguf")
	must(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func refused(t *testing.T, path string, code errs.Code) {
	t.Helper()
	f, err := OpenSource(path)
	if err == nil {
		f.Close()
	}
	if err == nil || errs.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s", path, err, code)
	}
}

func TestOpenSource(t *testing.T) {
	path := file(t, "bytes")
	dir := filepath.Dir(path)
	f, err := OpenSource(path)
	must(t, err)
	defer f.Close()
	if f.Path != path || f.Identity.Size != 5 {
		t.Errorf("%+v", f)
	}
	if size, err := HandedOver(f.File); err != nil || size != 5 {
		t.Error(size, err)
	}
	// A link is followed, once, and its target named.
	link := filepath.Join(dir, "link")
	must(t, os.Symlink(path, link))
	l, err := OpenSource(link)
	must(t, err)
	defer l.Close()
	if l.Path != path || l.Identity != f.Identity {
		t.Errorf("%+v", l)
	}
	must(t, os.Symlink(link+"2", link+"1"))
	must(t, os.Symlink(link+"1", link+"2"))
	must(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600))
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	s, err := net.Listen("unix", filepath.Join(dir, "sock"))
	must(t, err)
	defer s.Close()
	refused(t, "m.gguf", errs.Usage)
	refused(t, path+"\x00", errs.Usage)
	refused(t, dir, errs.ModelRefused)
	refused(t, filepath.Join(dir, "empty"), errs.ModelRefused)
	// A pipe is told by what it is: opening it would wait for a writer.
	refused(t, filepath.Join(dir, "fifo"), errs.ModelRefused)
	refused(t, filepath.Join(dir, "sock"), errs.ModelRefused)
	refused(t, "/dev/zero", errs.ModelRefused)
	refused(t, "/proc/self/maps", errs.ModelRefused)
	refused(t, filepath.Join(dir, "none"), errs.NotFound)
	refused(t, path+"/below", errs.NotFound)
	refused(t, link+"1", errs.NotFound)
	if os.Geteuid() != 0 {
		must(t, os.Chmod(path, 0))
		refused(t, path, errs.Denied)
	}
}

func TestHandedOverRefuses(t *testing.T) {
	path := file(t, "bytes")
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer w.Close()
	d, err := os.Open(filepath.Dir(path))
	must(t, err)
	defer d.Close()
	r, p, err := os.Pipe()
	must(t, err)
	defer r.Close()
	defer p.Close()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	must(t, err)
	o := os.NewFile(uintptr(fd), path)
	defer o.Close()
	for name, f := range map[string]*os.File{"open for writing": w, "a folder": d, "a pipe": r, "a path": o} {
		if _, err := HandedOver(f); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of many leases only that of the file that is opened breaks; truncating breaks
// it too; after Release nobody is held up.
func TestLeases(t *testing.T) {
	w := NewWatcher()
	defer w.Close()
	paths := []string{file(t, "a"), file(t, "b"), file(t, "c")}
	var leases []*Lease
	broken := make(chan int, len(paths))
	for i, p := range paths {
		f, err := OpenSource(p)
		must(t, err)
		defer f.Close()
		l, err := w.Hold(f, func() { broken <- i })
		if errs.CodeOf(err) == errs.NotSupported {
			t.Skip("the file system of the tests has no leases")
		}
		must(t, err)
		leases = append(leases, l)
	}
	_, err := unix.Open(paths[1], unix.O_WRONLY|unix.O_NONBLOCK, 0)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		t.Fatalf("not held up: %v", err)
	}
	want(t, broken, 1)
	leases[1].Release()
	leases[1].Release()
	must(t, os.WriteFile(paths[1], []byte("x"), 0o600))
	done := make(chan error, 1)
	go func() { done <- os.Truncate(paths[2], 0) }()
	want(t, broken, 2)
	leases[2].Release()
	must(t, <-done)
	// Who has a file open for writing keeps others from leasing it.
	f, err := OpenSource(paths[1])
	must(t, err)
	defer f.Close()
	o, err := os.OpenFile(paths[1], os.O_WRONLY, 0)
	must(t, err)
	_, err = w.Hold(f, func() {})
	if errs.CodeOf(err) != errs.ModelChanged {
		t.Errorf("a lease beside a writer: %v", err)
	}
	must(t, o.Close())
	w.Close()
	w.Close()
	must(t, os.WriteFile(paths[0], []byte("x"), 0o600))
	if _, err := w.Hold(f, func() {}); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("a lease of a closed watcher: %v", err)
	}
	select {
	case i := <-broken:
		t.Errorf("told of %d", i)
	default:
	}
}

func want(t *testing.T, c <-chan int, n int) {
	t.Helper()
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	select {
	case i := <-c:
		if i != n {
			t.Fatalf("told of file %d, not %d", i, n)
		}
	case <-timer.C:
		t.Fatalf("not told of file %d", n)
	}
}
