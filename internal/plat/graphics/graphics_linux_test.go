package graphics

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// A card of NVIDIA's has nodes beside its own; what is no device has none.
func TestNodes(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"nvidia0", "nvidia1", "nvidiactl"} {
		if err := os.WriteFile(filepath.Join(root, "dev", n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for node, want := range map[string][]string{
		"/dev/dri/renderD128": {"/dev/dri/renderD128"}, "/dev/nvidia0": {"/dev/nvidia0", "/dev/nvidiactl"},
		"/usr/share/vulkan/icd.d/lvp_icd.x86_64.json": nil, "": nil,
	} {
		if got := nodesOf(root, node); !slices.Equal(got, want) {
			t.Errorf("%s: %v", node, got)
		}
	}
}

// What not everybody may open, root's workers may not.
func TestRootsWorkersAreNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user's workers are that user")
	}
	dir := t.TempDir()
	for mode, want := range map[uint32]error{0o666: nil, 0o660: errNobody, 0o664: errNobody} {
		name := filepath.Join(dir, strconv.FormatUint(uint64(mode), 8))
		// The device is /dev/null's.
		if err := syscall.Mknod(name, syscall.S_IFCHR|mode, 1<<8|3); err != nil {
			t.Skip("this container makes no device nodes: ", err)
		}
		if err := os.Chmod(name, os.FileMode(mode)); err != nil {
			t.Fatal(err)
		}
		if err := open(name); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	_, err := find("/", func(string) error { return errNobody })
	if d := errs.From(err).Detail; err == nil || d == "" {
		t.Errorf("%v", err)
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
