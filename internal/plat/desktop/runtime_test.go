package desktop

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	keep := []string{Prefix("a11y") + "1", "core.sock", "host-1-x", "a11y"}
	for _, name := range append(keep, "a11y-1-x", "a11y-x") {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "a11y-dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	Sweep(dir, "a11y")
	Sweep(filepath.Join(dir, "none"), "a11y")
	var left []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := append(keep, "a11y-dir")
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}
