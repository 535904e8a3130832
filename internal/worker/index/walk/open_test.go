package walk_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/walk"
)

// Whatever path is asked for, also one that no walk has ever visited, nothing but a
// regular file below the root is opened.
func TestOpen(t *testing.T) {
	outside := t.TempDir()
	root := filepath.Join(outside, "granted")
	for _, name := range []string{"secret.txt", "granted/a.txt", "granted/sub/b.txt"} {
		path := filepath.Join(outside, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link": "../secret.txt", "up": "..", "self": "a.txt", "down": "sub"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := dirfd.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	open := func(path string) (doc.Reason, string) {
		text := ""
		why, err := walk.Open(d, path, func(e *walk.Entry) error {
			b, err := io.ReadAll(e)
			text = string(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return why, text
	}
	for path, want := range map[string]string{"a.txt": "granted/a.txt", "sub/b.txt": "granted/sub/b.txt"} {
		if why, text := open(path); why != doc.Read || text != want {
			t.Errorf("the control %q: %q %q", path, why, text)
		}
	}
	// The control of the attack: by its path the secret can be read.
	if b, err := os.ReadFile(filepath.Join(root, "../secret.txt")); err != nil || string(b) != "secret.txt" {
		t.Fatal(err)
	}
	for _, path := range []string{
		"../secret.txt", "sub/../../secret.txt", "link", "up/secret.txt", "self", "down/b.txt", filepath.Join(outside, "secret.txt"), "/etc/passwd",
		"./a.txt", "sub/./b.txt", "sub//b.txt", "a.txt/", "/a.txt", "", ".", "..", "sub", "a.txt\x00", "none", "none/a.txt", "a.txt/b",
		strings.Repeat("d/", limits.WalkDepth) + "x", strings.Repeat("x", limits.WalkPath+1),
	} {
		if why, text := open(path); why == doc.Read || text != "" {
			t.Errorf("%q was opened: %q", path, text)
		}
	}
}
