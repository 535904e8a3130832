package sandbox

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
)

// TestHide (C17) has a worker look for what is Bailey's own in a granted folder.
func TestHide(t *testing.T) {
	dir, db := realDir(t), realDir(t)
	for _, d := range []string{"deep/own", "beside", "closed/own"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
		note(t, filepath.Join(dir, d))
	}
	if err := os.Symlink("deep/own", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, "closed"), 0o755)
	look := func(hide ...string) map[string]string {
		t.Helper()
		defer os.Chmod(filepath.Join(dir, "closed"), 0)
		c, conn, _ := config(t, dir, db)
		c.Mounts[0].Hide = hide
		p, err := Start(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { p.Kill(); <-p.Done() }()
		w := plain{p, conn, json.NewDecoder(conn)}
		// It is opened once the worker runs.
		if err := os.Chmod(filepath.Join(dir, "closed"), 0o755); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, d := range []string{"deep/own", "beside", "link", "closed/own"} {
			got[d] = w.read("/grant/" + d + "/note.txt")
		}
		pos, err := p.Posture()
		if err != nil {
			t.Fatal(err)
		}
		if bad := checkRoot(pos, c.Spec); len(bad) > 0 {
			t.Errorf("posture: %q", bad)
		}
		return got
	}
	if got := look(); got["deep/own"] != "the note" || got["link"] != "the note" || got["closed/own"] != "the note" {
		t.Errorf("control run: %q", got)
	}
	got := look("deep/own", "not/there", "closed/own")
	const none = "no such file or directory"
	if got["deep/own"] != none || got["link"] != none || got["closed/own"] != none || got["beside"] != "the note" {
		t.Errorf("hidden: %q", got)
	}
	// A name that leads elsewhere by a link is refused, not followed.
	c, _, _ := config(t, dir, db)
	c.Mounts[0].Hide = []string{"link"}
	_, err := Start(t.Context(), c)
	wantCode(t, err, errs.FolderChanged)
}

// TestHiddenBehindAMode: what a start without mounts of its own must find in a folder
// is found also where a mode keeps the core from looking, which can be changed later.
func TestHiddenBehindAMode(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("no mode keeps root from looking")
	}
	dir := realDir(t)
	if err := os.MkdirAll(dir+"/closed/own", 0o755); err != nil {
		t.Fatal(err)
	}
	// Where nothing can be hidden because the folder itself was closed meanwhile, there
	// is no start.
	if err := os.Chmod(dir+"/closed", 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root)
	if err := hide(root, "closed", "own", false, nil); !errors.Is(err, unix.EACCES) {
		t.Errorf("hidden in a folder that is closed: %v", err)
	}
	if err := os.Chmod(dir+"/closed", 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir+"/closed", 0o755)
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got := (Mount{Dir: d, Hide: []string{"closed/own", "none"}}).hidden(); !slices.Equal(got, []string{"closed/own"}) {
		t.Errorf("found %q", got)
	}
	if err := isHidden(int(d.Fd()), "closed/own"); err != unix.EACCES {
		t.Errorf("taken for hidden: %v", err)
	}
}
