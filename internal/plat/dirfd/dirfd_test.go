//go:build linux

package dirfd

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestReadAndList(t *testing.T) {
	root := t.TempDir()
	for name, make := range map[string]func(string) error{
		"file": func(p string) error { return os.WriteFile(p, []byte("content"), 0o600) },
		"dir":  func(p string) error { return os.Mkdir(p, 0o700) },
		"link": func(p string) error { return os.Symlink("file", p) },
		"pipe": func(p string) error { return syscall.Mkfifo(p, 0o600) },
	} {
		if err := make(filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	names, more, err := open(t, root).List(10)
	if err != nil || more || len(names) != 4 {
		t.Fatalf("%v, %v, %v", names, more, err)
	}
	for _, n := range names {
		want := map[string]Kind{"file": Regular, "dir": Directory, "link": Link, "pipe": Other}[n.Name]
		if n.Kind != want && n.Kind != Unknown {
			t.Errorf("%s is of kind %d", n.Name, n.Kind)
		}
	}
	if names, more, err := open(t, root).List(3); err != nil || !more || len(names) != 3 {
		t.Errorf("at most three: %v, %v, %v", names, more, err)
	}
	f, err := open(t, root).File("file")
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Info()
	st, err2 := os.Stat(filepath.Join(root, "file"))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if info.Kind != Regular || info.Size != 7 || info.MTime != st.ModTime().UnixNano() || info.Inode != st.Sys().(*syscall.Stat_t).Ino {
		t.Errorf("%+v", info)
	}
	if b, err := io.ReadAll(f); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Error(err)
	}
}

// TestOnlySingleNames: a name with a slash would be a path, and could lead out.
func TestOnlySingleNames(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "in/deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "secret"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := open(t, filepath.Join(root, "in"))
	// Control: openat itself goes out of the directory.
	if fd, err := syscall.Openat(d.fd, "../secret", 0, 0); err != nil {
		t.Fatalf("the attack does not work without the check: %v", err)
	} else {
		syscall.Close(fd)
	}
	for _, name := range []string{"../secret", "..", ".", "", "deep/../../secret", "/etc/passwd", "deep/"} {
		if f, err := d.File(name); err == nil {
			f.Close()
			t.Errorf("File(%q) is open", name)
		}
		if s, err := d.Dir(name); err == nil {
			s.Close()
			t.Errorf("Dir(%q) is open", name)
		}
	}
}

func TestFailures(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.Symlink("/", filepath.Join(root, "link")), os.WriteFile(filepath.Join(root, "file"), nil, 0o600), syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	d := open(t, root)
	_, missing := d.File("missing")
	_, link := d.File("link")
	_, dirLink := d.Dir("link")
	_, notDir := d.Dir("file")
	for _, c := range []struct {
		err  error
		want []Failure
	}{{missing, []Failure{FailedGone}}, {link, []Failure{FailedLink}}, {dirLink, []Failure{FailedLink, FailedKind}}, {notDir, []Failure{FailedKind}}, {syscall.EACCES, []Failure{FailedDenied}}, {syscall.EMFILE, []Failure{FailedSpace}}, {syscall.EIO, []Failure{FailedIO}}} {
		got := FailureOf(c.err)
		if got != c.want[0] && got != c.want[len(c.want)-1] {
			t.Errorf("%v is failure %d", c.err, got)
		}
	}
	// Opening a pipe without a writer returns at once.
	f, err := d.File("pipe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Info(); err != nil || info.Kind != Other {
		t.Errorf("%+v, %v", info, err)
	}
}
