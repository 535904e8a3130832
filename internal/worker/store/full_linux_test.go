package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
)

// A real file system that is full.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a small file system of its own is mounted, which root may do")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	s := at(t, dir)
	t.Cleanup(func() { s.Close() })
	id := talk(t, s, "kept")
	fills(t, s, id, func() {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=8m"); err != nil {
			t.Fatal(err)
		}
	})
}

// What stands in the database's place and is no file is named, and stays.
func TestNoOrdinaryFile(t *testing.T) {
	for what, put := range map[string]func(path string) error{
		"a pipe":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, fileName)
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		s := at(t, dir)
		err := s.with(t.Context(), func(*database) error { return nil })
		if e := errs.From(err); e.Code != errs.HomeUnusable || !strings.Contains(e.Detail, fileName) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		s.Close()
	}
}
