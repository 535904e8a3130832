package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMakeSweepRemove(t *testing.T) {
	base := t.TempDir()
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/precious", []byte("x"), 0o600))
	p, err := Open(base + "/index")
	must(t, err)
	defer p.Close()
	for _, n := range []string{"task-1", "kept-a", "kept-b"} {
		d, err := p.Make(n)
		must(t, err)
		must(t, os.WriteFile(d.Path+"/db", nil, 0o600))
		// What a hostile worker would leave: a link to something of the user's.
		must(t, os.Symlink(outside, d.Path+"/link"))
		must(t, d.Close())
	}
	must(t, os.WriteFile(base+"/index/other", nil, 0o600))
	must(t, p.Sweep(func(n string) bool { return n == "kept-a" }))
	for n, want := range map[string]bool{"task-1": false, "kept-a": true, "kept-b": false, "other": true} {
		if _, err := os.Lstat(base + "/index/" + n); (err == nil) != want {
			t.Errorf("%s exists: %v, want %v", n, err == nil, want)
		}
	}
	d, err := p.Make("kept-a")
	must(t, err)
	must(t, d.Remove())
	if _, err := os.Lstat(base + "/index/kept-a"); err == nil {
		t.Error("still there")
	}
	if _, err := os.Stat(outside + "/precious"); err != nil {
		t.Fatal("a link was followed while removing")
	}
}

// A core of another home whose cache is the same removes nothing of what one that
// lives has there.
func TestTwoParentsAtOnePlace(t *testing.T) {
	base := t.TempDir()
	none := func(string) bool { return false }
	open := func() *Parent {
		p, err := Open(base + "/index")
		must(t, err)
		must(t, p.Sweep(none))
		return p
	}
	first := open()
	d, err := first.Make("task-1")
	must(t, err)
	must(t, d.Close())
	second := open()
	third := open()
	if _, err := os.Lstat(base + "/index/task-1"); err != nil {
		t.Error(err)
	}
	must(t, first.Close())
	must(t, second.Close())
	open().Close()
	if _, err := os.Lstat(base + "/index/task-1"); err != nil {
		t.Errorf("beside the third: %v", err)
	}
	must(t, third.Close())
	open().Close()
	if _, err := os.Lstat(base + "/index/task-1"); err == nil {
		t.Error("left behind")
	}
}

func TestALinkInTheWayIsRefused(t *testing.T) {
	base := t.TempDir()
	p, err := Open(base + "/index")
	must(t, err)
	defer p.Close()
	must(t, os.Symlink(t.TempDir(), base+"/index/task-1"))
	if _, err := p.Make("task-1"); !errors.Is(err, errs.New(errs.HomeUnusable, "")) {
		t.Fatalf("got %v", err)
	}
	must(t, os.Chmod(base+"/index", 0o755))
	if _, err := Open(base + "/index"); !errors.Is(err, errs.New(errs.HomeUnusable, "")) {
		t.Fatalf("an open directory was taken: %v", err)
	}
}

// ordinary makes the test's thread act on files as an ordinary user, whom modes
// stop, and gives it a directory.
func ordinary(t *testing.T) string {
	t.Helper()
	const id = 20001
	base := t.TempDir()
	if os.Geteuid() != 0 {
		return base
	}
	must(t, errors.Join(os.Chown(base, id, id), os.Chmod(filepath.Dir(base), 0o711)))
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	must(t, unix.Setfsuid(id))
	t.Cleanup(func() { must(t, unix.Setfsuid(0)) })
	return base
}

// deep makes directories in one another, and a file at the end.
func deep(t *testing.T, dir string, levels int) {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_RDONLY, 0)
	must(t, err)
	for range levels {
		must(t, unix.Mkdirat(fd, "d", 0o700))
		below, err := unix.Openat(fd, "d", unix.O_RDONLY, 0)
		must(t, err)
		must(t, unix.Close(fd))
		fd = below
	}
	end, err := unix.Openat(fd, "end", unix.O_CREAT|unix.O_WRONLY, 0o600)
	must(t, err)
	must(t, errors.Join(unix.Close(end), unix.Close(fd)))
}

// few bounds the descriptors of the test for a while.
func few(t *testing.T, n uint64) {
	t.Helper()
	var old unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: old.Max}))
	t.Cleanup(func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &old)) })
}

// TestTraps removes what a worker can make so as never to be removed. The
// control is os.RemoveAll, which each of them stops.
func TestTraps(t *testing.T) {
	const descriptors, levels = 64, 400
	closed := func(mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			must(t, os.MkdirAll(dir+"/trap/in", 0o700))
			must(t, os.WriteFile(dir+"/trap/in/file", nil, 0o600))
			must(t, os.WriteFile(dir+"/trap/file", nil, 0))
			must(t, os.Chmod(dir+"/trap/in", mode))
			must(t, os.Chmod(dir+"/trap", mode))
		}
	}
	for name, trap := range map[string]func(*testing.T, string){
		"unreadable":  closed(0o300),
		"unwritable":  closed(0o500),
		"no rights":   closed(0),
		"deep":        func(t *testing.T, dir string) { deep(t, dir, levels) },
		"itself shut": func(t *testing.T, dir string) { closed(0)(t, dir); must(t, os.Chmod(dir, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			base := ordinary(t)
			p, err := Open(base + "/index")
			must(t, err)
			defer p.Close()
			for _, n := range []string{"task-control", "task-trap"} {
				d, err := p.Make(n)
				must(t, err)
				must(t, d.Close())
				trap(t, d.Path)
			}
			few(t, descriptors)
			if err := p.root.RemoveAll("task-control"); err == nil {
				t.Error("control: it stops nobody")
			}
			must(t, p.Remove("task-control"))
			must(t, p.Sweep(func(string) bool { return false }))
			if left, err := os.ReadDir(base + "/index"); err != nil || len(left) != 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

// TestManyNames: more names than are read at once, in both kinds of directory
// that are emptied.
func TestManyNames(t *testing.T) {
	p, err := Open(t.TempDir() + "/index")
	must(t, err)
	defer p.Close()
	d, err := p.Make("task-1")
	must(t, err)
	must(t, os.Mkdir(d.Path+"/sub", 0o700))
	for range limits.DataRemoveNames + 200 {
		for _, in := range []string{d.Path, d.Path + "/sub"} {
			f, err := os.CreateTemp(in, "")
			must(t, err)
			must(t, f.Close())
		}
		f, err := os.MkdirTemp(d.Path+"/sub", "")
		must(t, err)
		must(t, os.WriteFile(f+"/x", nil, 0o600))
	}
	must(t, d.Remove())
	if _, err := os.Lstat(d.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

// TestSweepGoesOn: what cannot be removed is named, and the rest is removed.
func TestSweepGoesOn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make what another user owns")
	}
	base := ordinary(t)
	p, err := Open(base + "/index")
	must(t, err)
	defer p.Close()
	for _, n := range []string{"task-1", "task-2", "task-3"} {
		d, err := p.Make(n)
		must(t, err)
		must(t, errors.Join(os.WriteFile(d.Path+"/db", nil, 0o600), d.Close()))
	}
	// Nobody but its owner may change its mode.
	foreign := base + "/index/task-2/foreign"
	must(t, os.Mkdir(foreign, 0o700))
	must(t, os.WriteFile(foreign+"/file", nil, 0o600))
	must(t, unix.Setfsuid(0))
	must(t, os.Chown(foreign, 20002, 20002))
	must(t, unix.Setfsuid(20001))
	err = p.Sweep(func(string) bool { return false })
	if !errors.Is(err, errs.New(errs.HomeUnusable, "")) || !strings.Contains(err.Error(), base+"/index/task-2") {
		t.Errorf("got %v", err)
	}
	left, err := os.ReadDir(base + "/index")
	must(t, err)
	if len(left) != 1 || left[0].Name() != "task-2" {
		t.Errorf("left %v", left)
	}
	if _, err := p.Make("task-4"); err != nil {
		t.Errorf("the parent is of no use any more: %v", err)
	}
}

// What stands in the parent's place and is no directory is refused at once: a FIFO
// would be waited at for ever.
func TestNoDirectoryInTheParentsPlace(t *testing.T) {
	base := t.TempDir()
	must(t, unix.Mkfifo(base+"/fifo", 0o600))
	must(t, os.WriteFile(base+"/file", nil, 0o600))
	must(t, os.Symlink("fifo", base+"/link"))
	for _, n := range []string{"fifo", "file", "link"} {
		_, err := Open(base + "/" + n)
		if e := errs.From(err); e == nil || e.Code != errs.HomeUnusable || !strings.Contains(e.Message(), base+"/"+n+": it is not a directory") {
			t.Errorf("%s: %v", n, err)
		}
	}
	must(t, os.Mkdir(base+"/dir", 0o700))
	must(t, os.Symlink("dir", base+"/followed"))
	p, err := Open(base + "/followed")
	must(t, err)
	must(t, p.Close())
}
