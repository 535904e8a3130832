package folder

import (
	"os"
	"testing"
)

// TestWithin renames what was opened, so that names say nothing.
func TestWithin(t *testing.T) {
	base := real(t, t.TempDir())
	for _, d := range []string{"/own/state/keys", "/own/a/b/c", "/other", "/ownish"} {
		must(t, os.MkdirAll(base+d, 0o700))
	}
	must(t, os.Symlink(base+"/other", base+"/own/link"))
	for name, want := range map[string]bool{"/own": true, "/own/state": true, "/own/state/keys": true, "/other": false, "/ownish": false, "": false} {
		f, err := Open(base + name)
		must(t, err)
		f.Path = "/elsewhere"
		if got := f.Within(base + "/own"); got != want {
			t.Errorf("%q: %v", name, got)
		}
		if f.Is(base+"/own") != (name == "/own") || f.Is(base+"/missing") {
			t.Errorf("%q: is another, or none", name)
		}
		if f.Within(base + "/missing") {
			t.Errorf("%q is within nothing", name)
		}
		must(t, f.Close())
	}
}

func TestFind(t *testing.T) {
	base := real(t, t.TempDir())
	must(t, os.MkdirAll(base+"/user/.local/bailey", 0o700))
	// The same name, and another directory.
	must(t, os.MkdirAll(base+"/other/bailey", 0o700))
	own := base + "/user/.local/bailey"
	for name, want := range map[string]string{"/user": ".local/bailey", "/user/.local": "bailey", "": "user/.local/bailey", "/other": "", "/user/.local/bailey": ""} {
		f, err := Open(base + name)
		must(t, err)
		f.Path = "/elsewhere"
		if rel, ok := f.Find(own); rel != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", name, rel, ok)
		}
		must(t, f.Close())
	}
}
