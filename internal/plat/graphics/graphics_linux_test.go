package graphics

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
)

func TestFind(t *testing.T) {
	const first, second = "/dev/dri/renderD128", "/dev/dri/renderD129"
	for _, c := range []struct {
		name  string
		nodes []string
		// refuse says what opening a node gives.
		refuse       map[string]error
		want, reason string
	}{
		{"nothing", nil, nil, "", "this system has none"},
		{"a display without computing", []string{"/dev/dri/card0"}, nil, "", "this system has none"},
		{"one", []string{first}, nil, first, ""},
		{"two", []string{second, first}, nil, first, ""},
		{"the first is another's", []string{first, second}, map[string]error{first: fs.ErrPermission}, second, ""},
		{"not this user's", []string{first}, map[string]error{first: &fs.PathError{Op: "open", Path: first, Err: syscall.EACCES}}, "",
			"there is only " + first + ", which this user may not open (group render or video)"},
		{"no driver behind it", []string{first}, map[string]error{first: syscall.ENXIO}, "", "there is only " + first + ", which cannot be used"},
		{"NVIDIA", []string{"/dev/nvidia0", "/dev/nvidiactl"}, nil, "/dev/nvidia0", ""},
		{"NVIDIA without its control", []string{"/dev/nvidia0"}, nil, "", "this system has none"},
	} {
		root := t.TempDir()
		for _, n := range c.nodes {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, n)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, n), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := find(root, func(name string) error { return c.refuse[strings.TrimPrefix(name, root)] })
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q %v", c.name, got, err)
		}
		if err != nil && (errs.CodeOf(err) != errs.NotSupported || errs.From(err).Detail != c.reason) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A file or a FIFO with a card's name is none, and is not opened.
func TestNoDevice(t *testing.T) {
	dir := t.TempDir()
	file, fifo := filepath.Join(dir, "file"), filepath.Join(dir, "fifo")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, fifo, filepath.Join(dir, "nothing")} {
		if err := open(name); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if err := open("/dev/null"); err != nil {
		t.Errorf("a device: %v", err)
	}
}
