//go:build linux

package safefile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

func home(t testing.TB) (*Dir, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a", "home")
	d, err := MakeDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, code errs.Code) {
	t.Helper()
	if errs.CodeOf(err) != code || err == nil {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestDirectoriesOfOthersAreRefused(t *testing.T) {
	d, path := home(t)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o700 {
		t.Fatal(st, err)
	}
	must(t, d.Close())
	must(t, d.Close())
	for _, mode := range []os.FileMode{0o755, 0o710, 0o701, 0o770} {
		must(t, os.Chmod(path, mode))
		_, err := OpenDir(path)
		wantCode(t, mode.String(), err, errs.HomeUnusable)
	}
	must(t, os.Chmod(path, 0o700))
	if os.Geteuid() == 0 {
		must(t, os.Chown(path, 4711, 4711))
		_, err := OpenDir(path)
		wantCode(t, "another user's", err, errs.HomeUnusable)
		must(t, os.Chown(path, 0, 0))
	} else {
		_, err := OpenDir("/usr")
		wantCode(t, "another user's", err, errs.HomeUnusable)
	}
	_, err := OpenDir(filepath.Join(path, "no"))
	wantCode(t, "missing", err, errs.NotFound)
	file := filepath.Join(path, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err = OpenDir(file)
	wantCode(t, "a file", err, errs.HomeUnusable)
	_, err = MakeDir(filepath.Join(file, "below"))
	wantCode(t, "below a file", err, errs.HomeUnusable)
	// The user's own word may be a link.
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(path, link))
	l, err := OpenDir(link)
	must(t, err)
	must(t, l.Close())
	// OpenCopy reads what others may read, and nothing more than that.
	must(t, os.Chmod(path, 0o755))
	must(t, os.Chmod(file, 0o644))
	c, err := OpenCopy(path)
	must(t, err)
	defer c.Close()
	if _, err := c.Read("file", 10); err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	d, _ := home(t)
	for _, n := range []string{"", ".", "..", "a/b", "/etc/passwd", "../x", "a\x00b", ".new.x", strings.Repeat("a", limits.StateName+1)} {
		if _, err := d.Open(n); err == nil {
			t.Errorf("Open(%q)", n)
		}
		if _, _, err := d.OpenAppend(n); err == nil {
			t.Errorf("OpenAppend(%q)", n)
		}
		if err := d.Publish(n, nil); err == nil {
			t.Errorf("Publish(%q)", n)
		}
		if err := d.Remove(n); err == nil {
			t.Errorf("Remove(%q)", n)
		}
		if _, err := d.Sub(n); err == nil {
			t.Errorf("Sub(%q)", n)
		}
		if _, err := d.Lock(n); err == nil {
			t.Errorf("Lock(%q)", n)
		}
		if err := d.Move(n, d, "x"); err == nil {
			t.Errorf("Move(%q)", n)
		}
	}
}

// Links and odd files planted in a state directory lead nowhere. The control
// shows that the same name opens the target without RESOLVE_NO_SYMLINKS.
func TestPlantedFiles(t *testing.T) {
	d, path := home(t)
	target := filepath.Join(t.TempDir(), "target")
	must(t, os.WriteFile(target, []byte("precious"), 0o600))
	must(t, os.Symlink(target, filepath.Join(path, "link")))
	if b, err := os.ReadFile(filepath.Join(path, "link")); err != nil || string(b) != "precious" {
		t.Fatal("control: the link leads nowhere anyway")
	}
	must(t, os.Symlink(filepath.Dir(target), filepath.Join(path, "dirlink")))
	must(t, os.Link(target, filepath.Join(path, "hard")))
	must(t, unix.Mkfifo(filepath.Join(path, "fifo"), 0o600))
	must(t, os.WriteFile(filepath.Join(path, "open"), nil, 0o600))
	must(t, os.Chmod(filepath.Join(path, "open"), 0o644))
	must(t, os.Mkdir(filepath.Join(path, "dir"), 0o700))
	for _, n := range []string{"link", "hard", "fifo", "open", "dir"} {
		if _, err := d.Open(n); err == nil {
			t.Errorf("Open(%s)", n)
		}
		if _, err := d.OpenWrite(n); err == nil {
			t.Errorf("OpenWrite(%s)", n)
		}
		if _, _, err := d.OpenAppend(n); err == nil {
			t.Errorf("OpenAppend(%s)", n)
		}
		if _, err := d.Lock(n); err == nil {
			t.Errorf("Lock(%s)", n)
		}
	}
	if _, err := d.Sub("dirlink"); err == nil {
		t.Error("Sub follows a link")
	}
	if _, err := d.OpenSub("fifo"); err == nil {
		t.Error("OpenSub opens a FIFO")
	}
	// A publication replaces the link itself, and a link planted under the
	// temporary name is removed, not followed.
	must(t, os.Symlink(target, filepath.Join(path, tmpPrefix+"link")))
	must(t, d.Publish("link", []byte("new")))
	if b, _ := os.ReadFile(target); string(b) != "precious" {
		t.Fatalf("the target was written: %q", b)
	}
	if b, err := d.Read("link", 10); err != nil || string(b) != "new" {
		t.Fatalf("%q, %v", b, err)
	}
}

func TestPublishReadListMoveRemove(t *testing.T) {
	d, path := home(t)
	must(t, d.Publish("b", []byte("one")))
	must(t, d.Publish("b", []byte("two")))
	must(t, d.Publish("a", nil))
	if st, err := os.Stat(filepath.Join(path, "b")); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatal(st, err)
	}
	if b, err := d.Read("b", 3); err != nil || string(b) != "two" {
		t.Fatalf("%q, %v", b, err)
	}
	_, err := d.Read("b", 2)
	wantCode(t, "over the limit", err, errs.TooLarge)
	_, err = d.Read("c", 2)
	wantCode(t, "missing", err, errs.NotFound)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("fs.ErrNotExist is not in the chain")
	}
	must(t, os.WriteFile(filepath.Join(path, tmpPrefix+"left"), nil, 0o600))
	for range 2 {
		if names, err := d.List(); err != nil || strings.Join(names, " ") != "a b" {
			t.Fatal(names, err)
		}
	}
	s, err := d.Sub("sub")
	must(t, err)
	defer s.Close()
	must(t, d.Move("a", s, "moved"))
	must(t, d.Publish("a", nil))
	wantCode(t, "Move over a file", d.Move("a", s, "moved"), errs.HomeUnusable)
	must(t, d.Remove("a"))
	must(t, d.Remove("a"))
	if names, err := s.List(); err != nil || strings.Join(names, " ") != "moved" {
		t.Fatal(names, err)
	}
	if n, err := d.Free(); err != nil || n == 0 {
		t.Error(n, err)
	}
}

func TestAppend(t *testing.T) {
	d, path := home(t)
	f, created, err := d.OpenAppend("log")
	must(t, err)
	if !created {
		t.Error("not created")
	}
	g, created, err := d.OpenAppend("log")
	must(t, err)
	if created {
		t.Error("created twice")
	}
	for i, h := range []*File{f, g, f} {
		if n, err := h.Write([]byte{'a' + byte(i)}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	must(t, f.Sync())
	if b, _ := os.ReadFile(filepath.Join(path, "log")); string(b) != "abc" {
		t.Fatalf("%q", b)
	}
	must(t, f.Truncate(1))
	if n, err := f.Size(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	b := make([]byte, 4)
	if n, err := f.ReadAt(b, 0); n != 1 || err == nil {
		t.Fatal(n, err)
	}
	must(t, f.Close())
	must(t, f.Close())
	must(t, g.Close())
	if _, err := f.Write(b); err == nil {
		t.Error("written after Close")
	}
}

func TestLockExcludes(t *testing.T) {
	d, path := home(t)
	l, err := d.Lock("lock")
	must(t, err)
	other, err := OpenDir(path)
	must(t, err)
	defer other.Close()
	_, err = other.Lock("lock")
	wantCode(t, "second lock", err, errs.CoreBusy)
	if held, pid, err := other.Holder("lock"); !held || pid != os.Getpid() || err != nil {
		t.Errorf("the holder: %v %d %v", held, pid, err)
	}
	must(t, l.Close())
	must(t, l.Close())
	for _, n := range []string{"lock", "none"} {
		if held, _, err := other.Holder(n); held || err != nil {
			t.Errorf("%s is held: %v", n, err)
		}
	}
	l, err = other.Lock("lock")
	must(t, err)
	must(t, l.Close())
}

// Who holds a lock is what the file says, as far as it says a number.
func TestHolderOfAnOddFile(t *testing.T) {
	d, path := home(t)
	l, err := d.Lock("lock")
	must(t, err)
	for text, want := range map[string]int{"": 0, "12": 12, "12\n3456\n": 12, "-3\n": 0, "x\n": 0, strings.Repeat("1", 100): 0} {
		must(t, os.WriteFile(filepath.Join(path, "lock"), []byte(text), 0o600))
		if held, pid, err := d.Holder("lock"); !held || pid != want || err != nil {
			t.Errorf("%q: %v %d %v", text, held, pid, err)
		}
	}
	must(t, l.Close())
	must(t, unix.Mkfifo(filepath.Join(path, "fifo"), 0o600))
	_, _, err = d.Holder("fifo")
	wantCode(t, "a FIFO", err, errs.HomeUnusable)
}

// What stands in the place of a file is said.
func TestWhatIsInTheWay(t *testing.T) {
	d, path := home(t)
	must(t, os.Symlink("x", filepath.Join(path, "link")))
	must(t, unix.Mkfifo(filepath.Join(path, "fifo"), 0o600))
	must(t, os.Mkdir(filepath.Join(path, "dir"), 0o700))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(path, "socket")}))
	for n, why := range map[string]string{"link": "it is a link", "fifo": "it is not a regular file", "dir": "it is a directory", "socket": "it is not a regular file"} {
		_, err := d.Lock(n)
		if e := errs.From(err); e == nil || e.Code != errs.HomeUnusable || e.Detail != n+": "+why {
			t.Errorf("%s: %v", n, err)
		}
	}
}

// A publication that fails at any step leaves the old content whole; a listing
// never shows half of one.
func TestPublishFailsAtEveryStep(t *testing.T) {
	d, _ := home(t)
	var ops []Op
	must(t, d.WithHook(func(s Step) error { ops = append(ops, s.Op); return nil }).Publish("f", []byte("old")))
	if len(ops) != 5 {
		t.Fatalf("steps: %v", ops)
	}
	for n := range ops {
		for _, fault := range []error{syscall.EIO, syscall.ENOSPC, &Short{N: 2, Err: syscall.ENOSPC}} {
			must(t, d.Publish("f", []byte("old")))
			i := 0
			err := d.WithHook(func(Step) error {
				i++
				if i-1 == n {
					return fault
				}
				return nil
			}).Publish("f", []byte("new content"))
			if err == nil {
				t.Fatalf("step %d, %v: no error", n, fault)
			}
			if want := errs.NoSpace; errors.Is(fault, syscall.ENOSPC) {
				wantCode(t, "code", err, want)
			} else {
				wantCode(t, "code", err, errs.HomeUnusable)
			}
			want := "old"
			if ops[n] == OpSyncDir { // renamed, but perhaps not durable
				want = "new content"
			}
			if b, err := d.Read("f", 100); err != nil || string(b) != want {
				t.Fatalf("step %d, %v: %q, %v", n, fault, b, err)
			}
			if names, err := d.List(); err != nil || len(names) != 1 {
				t.Fatal(names, err)
			}
		}
	}
}

// The hook reaches everything that is opened through the directory.
func TestHookIsInherited(t *testing.T) {
	d, _ := home(t)
	seen := map[Op]int{}
	h := d.WithHook(func(s Step) error { seen[s.Op]++; return nil })
	s, err := h.Sub("sub")
	must(t, err)
	defer s.Close()
	f, _, err := s.OpenAppend("f")
	must(t, err)
	defer f.Close()
	_, err = f.Write([]byte("abc"))
	must(t, err)
	_, err = f.WriteAt([]byte("abc"), 0) // an append handle has no WriteAt
	if err == nil {
		t.Error("WriteAt on an append handle")
	}
	must(t, f.Sync())
	must(t, f.Truncate(0))
	must(t, s.Publish("g", nil))
	_, err = s.Read("g", 1)
	must(t, err)
	must(t, s.Move("g", h, "g"))
	must(t, h.Remove("g"))
	l, err := s.Lock("l")
	must(t, err)
	must(t, l.Close())
	for _, op := range []Op{OpMkdir, OpOpen, OpCreate, OpRead, OpWrite, OpTruncate, OpSync, OpRename, OpUnlink, OpSyncDir, OpLock} {
		if seen[op] == 0 {
			t.Errorf("%s was not seen", op)
		}
	}
	if len(seen) != 11 {
		t.Errorf("%v", seen)
	}
}

func TestShortWrite(t *testing.T) {
	d, path := home(t)
	f, _, err := d.WithHook(func(s Step) error {
		if s.Op == OpWrite {
			return &Short{N: 3, Err: syscall.EIO}
		}
		return nil
	}).OpenAppend("f")
	must(t, err)
	defer f.Close()
	if n, err := f.Write([]byte("abcdef")); n != 3 || !errors.Is(err, syscall.EIO) {
		t.Error(n, err)
	}
	if b, _ := os.ReadFile(filepath.Join(path, "f")); !bytes.Equal(b, []byte("abc")) {
		t.Errorf("%q", b)
	}
}

func FuzzName(f *testing.F) {
	d, path := home(f)
	must(f, os.WriteFile(filepath.Join(filepath.Dir(path), "outside"), []byte("x"), 0o600))
	for _, s := range []string{"a", "../outside", "..", "a/../../outside", ".new.a", "\x00", "/proc/self/status"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if err := d.Publish(name, []byte("y")); err != nil {
			return
		}
		names, err := d.List()
		if err != nil || len(names) != 1 || names[0] != name {
			t.Fatalf("%q made %q, %v", name, names, err)
		}
		must(t, d.Remove(name))
	})
}
