//go:build linux

package keystore

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

func open(t *testing.T, hook safefile.Hook) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	d, err := safefile.MakeDir(path)
	if err != nil {
		t.Fatal(err)
	}
	s := Open(d.WithHook(hook))
	t.Cleanup(func() { s.Close() })
	return s, path
}

func TestKeys(t *testing.T) {
	s, path := open(t, nil)
	if _, err := s.Get("a"); errs.CodeOf(err) != errs.NotFound {
		t.Fatal(err)
	}
	k, created, err := s.Ensure("a", 32)
	if err != nil || !created || len(k) != 32 || bytes.Equal(k, make([]byte, 32)) {
		t.Fatal(k, created, err)
	}
	again, created, err := s.Ensure("a", 32)
	if err != nil || created || !bytes.Equal(k, again) {
		t.Fatal(again, created, err)
	}
	other, _, err := s.Ensure("b", 32)
	if err != nil || bytes.Equal(k, other) {
		t.Fatal("two keys are one", err)
	}
	if _, _, err := s.Ensure("a", 16); errs.CodeOf(err) != errs.HomeUnusable {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(path, "a")); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatal(st, err)
	}
	for _, n := range []int{0, limits.KeyFile + 1} {
		if err := s.Put("c", make([]byte, n)); errs.CodeOf(err) != errs.TooLarge {
			t.Error(n, err)
		}
	}
	if err := s.Put("../c", []byte("x")); err == nil {
		t.Error("a name that leads out")
	}
	if err := s.Put("a", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if k, err := s.Get("a"); err != nil || string(k) != "new" {
		t.Fatal(k, err)
	}
	if p := s.Protection(); p.Keyring || !strings.Contains(p.Detail, "not protected") {
		t.Errorf("%+v", p)
	}
}

// Erase overwrites the bytes that another open descriptor still sees, then
// removes the name; and it fails rather than leave the key behind unsaid.
func TestErase(t *testing.T) {
	fail := safefile.Op("")
	s, path := open(t, func(st safefile.Step) error {
		if st.Op == fail {
			return syscall.EIO
		}
		return nil
	})
	k, _, err := s.Ensure("a", 32)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(path, "a"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, op := range []safefile.Op{safefile.OpOpen, safefile.OpWrite, safefile.OpSync, safefile.OpUnlink} {
		fail = op
		if err := s.Erase("a"); err == nil {
			t.Errorf("%s failed and Erase says it is done", op)
		}
	}
	fail = ""
	if err := s.Erase("a"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 32)
	if _, err := f.ReadAt(b, 0); err != nil || !bytes.Equal(b, make([]byte, 32)) || bytes.Equal(b, k) {
		t.Errorf("%x, %v", b, err)
	}
	if _, err := s.Get("a"); errs.CodeOf(err) != errs.NotFound {
		t.Error(err)
	}
	if err := s.Erase("a"); err != nil {
		t.Error(err)
	}
}
