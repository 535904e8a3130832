package datadir

import (
	"errors"
	"os"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
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
