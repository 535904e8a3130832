package core

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bailey-run/bailey/internal/plat/folder"
)

// TestNothingTrustedIsWritten: a folder to write holds none of Bailey's programs; one
// beside or in them, that is not theirs, may be given.
func TestNothingTrustedIsWritten(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"home/notes", "opt/bailey/engine", "opt/bailey/unpacked"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c := &Core{cfg: Config{ProgramDirs: []string{base + "/opt/bailey", base + "/opt/bailey/engine"}}}
	for dir, free := range map[string]bool{
		"": false, "home": true, "home/notes": true,
		"opt": false, "opt/bailey": false, "opt/bailey/engine": false, "opt/bailey/unpacked": true,
	} {
		f, err := folder.Open(filepath.Join(base, dir))
		if err != nil {
			t.Fatal(err)
		}
		if why := c.trusted(f); (why == "") != free {
			t.Errorf("%q: %q", dir, why)
		}
		// By another name of the same one.
		f.Path = "/elsewhere"
		if why := c.trusted(f); (why == "") != free {
			t.Errorf("%q by another name: %q", dir, why)
		}
		f.Close()
	}
}
