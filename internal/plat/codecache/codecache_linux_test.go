package codecache

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

func open(t *testing.T) *Store {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(filepath.Join(base, "code"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func blank(t *testing.T, content string) *os.File {
	t.Helper()
	f, err := Blank()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestPutGetRemove: what was put is there for everybody to read where it is mounted,
// and takes the place of all before it.
func TestPutGetRemove(t *testing.T) {
	s := open(t)
	if d, err := s.Get("a"); d != nil || err != nil {
		t.Fatal(d, err)
	}
	for _, key := range []string{"a", "b"} {
		if err := s.Put(key, blank(t, "code of "+key), 9); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := s.Get("a"); d != nil || err != nil {
		t.Error("an older one is kept", err)
	}
	d, err := s.Get("b")
	if err != nil || d == nil {
		t.Fatal(err)
	}
	defer d.Close()
	b, err := os.ReadFile(filepath.Join(d.Path, Name))
	if err != nil || !bytes.Equal(b, []byte("code of b")) {
		t.Errorf("%q, %v", b, err)
	}
	if st, err := os.Stat(filepath.Join(d.Path, Name)); err != nil || st.Mode().Perm() != fileMode {
		t.Error(st.Mode(), err)
	}
	if st, err := os.Stat(d.Path); err != nil || st.Mode().Perm() != dirMode {
		t.Error(st.Mode(), err)
	}
	// It is a place, and nothing is read or listed by it.
	if flags, err := unix.FcntlInt(d.Dir.Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_PATH == 0 {
		t.Error(flags, err)
	}
	s.Remove("b")
	if d, err := s.Get("b"); d != nil || err != nil {
		t.Error("it is there still", err)
	}
}

// TestSealed: after Put nobody changes the memory, and memory that somebody can
// still change is not kept.
func TestSealed(t *testing.T) {
	s := open(t)
	f := blank(t, "code")
	other, err := os.OpenFile("/proc/self/fd/"+itoa(int(f.Fd())), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	// The control: until then another descriptor writes.
	if _, err := other.WriteAt([]byte("C"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Put("a", f, 4); err != nil {
		t.Fatal(err)
	}
	if _, err := other.WriteAt([]byte("X"), 0); err == nil {
		t.Error("it was written to")
	}
	if err := other.Truncate(0); err == nil {
		t.Error("it was cut")
	}
	mapped := blank(t, "code")
	m, err := unix.Mmap(int(mapped.Fd()), 0, 4, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	if err := s.Put("a", mapped, 4); err == nil {
		t.Error("memory that is mapped for writing was kept")
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestRefused(t *testing.T) {
	s := open(t)
	for what, put := range map[string]func() error{
		"nothing":      func() error { return s.Put("a", blank(t, ""), 0) },
		"another size": func() error { return s.Put("a", blank(t, "code"), 5) },
		"a large one": func() error {
			f := blank(t, "")
			if err := f.Truncate(limits.PDFFileSize + 1); err != nil {
				t.Fatal(err)
			}
			return s.Put("a", f, limits.PDFFileSize+1)
		},
	} {
		if err := put(); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A link in the place of a key is not followed.
	if err := os.Symlink("/etc", filepath.Join(s.path, "link")); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Get("link"); d != nil || err == nil {
		t.Error("a link was followed")
	}
	if d, err := s.Get("../.."); d != nil || err == nil {
		t.Error("a key leads out")
	}
	// What was left half made goes when it is opened again; a parent that others may
	// read is refused.
	if err := os.Mkdir(filepath.Join(s.path, half+"x"), 0o700); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if _, err := os.Lstat(filepath.Join(s.path, half+"x")); err == nil {
		t.Error("what was half made is there still")
	}
	if err := os.Chmod(s.path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.path); errs.CodeOf(err) != errs.HomeUnusable {
		t.Errorf("open to others: %v", err)
	}
}

// A FIFO in the place of the parent is refused at once, not waited at.
func TestFIFOInTheParentsPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "code")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); errs.CodeOf(err) != errs.HomeUnusable {
		t.Errorf("got %v", err)
	}
}
