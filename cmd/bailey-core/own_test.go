package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What is not there yet is named as it will be called.
func TestRealName(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/real", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"/link": "/real", "/link/a/b": "/real/a/b", "/none": "/none"} {
		if got, err := realName(dir + name); err != nil || got != dir+want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
