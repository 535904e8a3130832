package store

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
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
