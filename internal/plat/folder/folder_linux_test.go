package folder

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

func real(t *testing.T, p string) string {
	t.Helper()
	r, err := filepath.EvalSymlinks(p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOpenFollowsNamedLinksOnceAndSaysSo(t *testing.T) {
	d := real(t, t.TempDir())
	must(t, os.Mkdir(d+"/real", 0o700))
	must(t, os.Symlink("real", d+"/link"))
	a, err := Open(d + "/real")
	must(t, err)
	defer a.Close()
	b, err := Open(d + "/link")
	must(t, err)
	defer b.Close()
	if a.Renamed || !b.Renamed || b.Path != d+"/real" || a.Object != b.Object || !Same(a.Object, b.Object) {
		t.Fatalf("a %+v\nb %+v", a, b)
	}
	if n, err := b.Dir.Readdirnames(-1); err == nil {
		t.Fatalf("the descriptor can be read: %v", n)
	}
}

func TestOpenRefuses(t *testing.T) {
	d := real(t, t.TempDir())
	must(t, os.WriteFile(d+"/file", nil, 0o600))
	must(t, unix.Mkfifo(d+"/fifo", 0o600))
	must(t, os.Symlink("loop", d+"/loop"))
	for path, want := range map[string]errs.Code{
		d + "/none": errs.FolderMissing, d + "/file": errs.FolderNotDir, d + "/fifo": errs.FolderNotDir,
		d + "/loop": errs.FolderMissing, "relative": errs.Usage, "": errs.Usage, d + "/a\x00b": errs.Usage,
		"/proc": errs.Denied, "/proc/self": errs.Denied, "/sys": errs.Denied, "/dev/pts": errs.Denied,
		d + "/" + strings.Repeat("x/", 4000): errs.Usage, d + "/file/sub": errs.FolderNotDir,
	} {
		f, err := Open(path)
		if !errors.Is(err, errs.New(want, "")) {
			t.Errorf("%.40q: got %v, %v, want %s", path, f, err, want)
		}
	}
}

// A directory that was deleted and made anew under the same name, even with
// the same inode number, is another directory.
// TestSystemBelow: what may not be given itself is named where it stands below a
// folder that may.
func TestSystemBelow(t *testing.T) {
	f, err := Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !slices.Contains(f.System, "proc") {
		t.Errorf("below / there is %q", f.System)
	}
	if _, err := Open("/proc"); errs.CodeOf(err) != errs.Denied {
		t.Errorf("/proc itself: %v", err)
	}
	g, err := Open(t.TempDir())
	if err != nil || len(g.System) > 0 {
		t.Errorf("below a folder of documents there is %q, %v", g.System, err)
	}
	g.Close()
}

func TestSameTellsARemadeDirectoryApart(t *testing.T) {
	d := real(t, t.TempDir()) + "/x"
	reused := false
	for range 50 {
		must(t, os.Mkdir(d, 0o700))
		a, err := Open(d)
		must(t, err)
		must(t, os.Remove(d))
		a.Close()
		must(t, os.Mkdir(d, 0o700))
		b, err := Open(d)
		must(t, err)
		reused = reused || a.Object.Inode == b.Object.Inode
		if Same(a.Object, b.Object) {
			t.Fatalf("a remade directory passed for the old one: %+v", a.Object)
		}
		b.Close()
		must(t, os.Remove(d))
	}
	t.Logf("an inode number was used again: %v", reused)
}

// TestOtherMedium: the root of another medium is another directory, whatever of its
// identity the two have in common; the control is the medium itself, seen again.
func TestOtherMedium(t *testing.T) {
	st := unix.Statx_t{Mask: unix.STATX_BASIC_STATS | unix.STATX_BTIME, Ino: 2, Btime: unix.StatxTimestamp{Sec: 1_700_000_000, Nsec: 5}}
	fs := unix.Statfs_t{Fsid: unix.Fsid{Val: [2]int32{7, 0}}}
	handle := []byte{2, 0, 0, 0, 0, 0, 0, 0}
	a := identity(&st, &fs, handle)
	if again := identity(&st, &fs, handle); !Same(a, again) {
		t.Fatalf("control: %+v, %+v", a, again)
	}
	later := st
	later.Btime.Sec++
	if b := identity(&later, &fs, handle); Same(a, b) || Still(a, b) {
		t.Errorf("made at another time, as on a card in the same slot: %+v", b)
	}
	if b := identity(&st, &fs, []byte{3}); Same(a, b) {
		t.Errorf("with another handle: %+v", b)
	}
	for name, change := range map[string]func(*unix.Statx_t, *unix.Statfs_t){
		"no number of the file system (FUSE, NFS)": func(_ *unix.Statx_t, fs *unix.Statfs_t) { fs.Fsid = unix.Fsid{} },
		"no time of birth (squashfs)":              func(st *unix.Statx_t, _ *unix.Statfs_t) { st.Mask &^= unix.STATX_BTIME },
		"a time of birth of nothing (vfat)":        func(st *unix.Statx_t, _ *unix.Statfs_t) { st.Btime = unix.StatxTimestamp{} },
	} {
		st, fs := st, fs
		change(&st, &fs)
		b := identity(&st, &fs, handle)
		if Same(b, b) || b.FileHandle != "" {
			t.Errorf("%s: %+v is remembered", name, b)
		}
		if !Still(b, b) {
			t.Errorf("%s: %+v is not found a moment later", name, b)
		}
	}
}

// Where a file system tells no more than device and inode, nothing is remembered,
// and what was chosen a moment ago is found again.
func TestStill(t *testing.T) {
	d := real(t, t.TempDir())
	f, err := Open(d)
	must(t, err)
	must(t, f.Close())
	poor := f.Object
	poor.FileHandle = ""
	if Same(poor, poor) || !Still(poor, poor) || !Still(f.Object, f.Object) {
		t.Fatalf("%+v", f.Object)
	}
	for name, change := range map[string]func(*capability.Object){
		"inode": func(o *capability.Object) { o.Inode++ }, "device": func(o *capability.Object) { o.Device++ },
		"file system": func(o *capability.Object) { o.FS[0]++ }, "handle": func(o *capability.Object) { o.FileHandle = "handle:00" },
	} {
		other := poor
		change(&other)
		if Still(poor, other) || Still(other, poor) {
			t.Errorf("another %s passes", name)
		}
	}
	other := f.Object
	other.FileHandle += "00"
	if Still(f.Object, other) {
		t.Error("another handle passes for device and inode")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSystemByName: what has no number of its own is told by the name of its kind.
func TestSystemByName(t *testing.T) {
	mounts := []proc.Mountpoint{{Point: "/", Type: "ext4"}, {Point: "/dev/mqueue", Type: "mqueue"}, {Point: "/dev/mqueue/disk", Type: "ext4"}}
	for path, want := range map[string]string{"/dev/mqueue": "mqueue", "/dev/mqueues": "ext4", "/dev/mqueue/disk/x": "ext4"} {
		if got := deepest(mounts, path).Type; got != want {
			t.Errorf("%s lies in %s, want %s", path, got, want)
		}
	}
	if os.Geteuid() != 0 {
		return // it mounts nothing
	}
	for _, kind := range []string{"mqueue", "fusectl", "hugetlbfs"} {
		d := real(t, t.TempDir())
		if err := unix.Mount("none", d, kind, 0, ""); err != nil {
			t.Logf("no %s here: %v", kind, err)
			continue
		}
		defer unix.Unmount(d, unix.MNT_DETACH)
		if f, err := Open(d); errs.CodeOf(err) != errs.Denied {
			t.Errorf("%s: %+v, %v", kind, f, err)
		}
	}
}

// What an automounter has not mounted yet is not looked at because of a claim.
func TestAutomounted(t *testing.T) {
	mounts := []proc.Mountpoint{
		{Point: "/", Type: "ext4"}, {Point: "/net", Type: "autofs"}, {Point: "/net/host/export", Type: "nfs4"},
		{Point: "/boot", Type: "autofs"}, {Point: "/boot", Type: "vfat"},
	}
	for path, want := range map[string]bool{
		"/": false, "/home/u": false, "/network": false, "/net": true, "/net/other/x": true, "/net/host/exports": true,
		"/net/host/export": false, "/net/host/export/x": false, "/boot/x": false,
	} {
		if automounted(mounts, path) != want {
			t.Errorf("%s: not %v", path, want)
		}
	}
	if Automounted(t.TempDir()) {
		t.Error("a directory of this machine")
	}
}
