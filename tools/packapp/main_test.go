package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/apps"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Two packings of the same files are the same bytes, whatever else a machine
// knows of them, and the core serves what was packed.
func TestPackIsReproducible(t *testing.T) {
	files := map[string]string{"index.html": "<p>", "assets/b.js": "b", "assets/a.css": "a"}
	var digests []string
	for i := range 2 {
		dir, out := t.TempDir(), t.TempDir()
		write(t, dir, files)
		for name := range files {
			path := filepath.Join(dir, name)
			if err := os.Chtimes(path, time.Unix(int64(i)*1000, 0), time.Unix(int64(i)*1000, 0)); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, 0o600+os.FileMode(i)*0o44); err != nil {
				t.Fatal(err)
			}
		}
		var said bytes.Buffer
		if err := run([]string{dir, filepath.Join(out, "studio.tar")}, &said); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, strings.TrimSpace(said.String()))
		var flags bytes.Buffer
		if err := run([]string{"-flags", out}, &flags); err != nil || !strings.Contains(flags.String(), "release.studio="+digests[i]) || strings.Contains(flags.String(), "panels") {
			t.Fatal(flags.String(), err)
		}
		f, err := os.Open(filepath.Join(out, "studio.tar"))
		if err != nil {
			t.Fatal(err)
		}
		app, _ := apps.Find(apps.Studio)
		b, err := apps.Read(app, f, digests[i])
		f.Close()
		if err != nil || len(b.Names()) != 3 {
			t.Fatal(err)
		}
	}
	if digests[0] != digests[1] {
		t.Fatal("two packings of the same files differ")
	}
}

func TestPackRefuses(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no start page": {"a.js": ""}, "a name with a space": {"index.html": "", "a b.js": ""}, "a hidden file": {"index.html": "", ".env": "SECRET"},
		"a type that is not served": {"index.html": "", "a.exe": ""}, "a map": {"index.html": "", "a.js.map": ""},
	} {
		dir := t.TempDir()
		write(t, dir, files)
		if err := run([]string{dir, filepath.Join(t.TempDir(), "x.tar")}, &bytes.Buffer{}); err == nil {
			t.Errorf("%s was packed", name)
		}
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"index.html": ""})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "a.js")); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{dir, filepath.Join(t.TempDir(), "x.tar")}, &bytes.Buffer{}); err == nil {
		t.Error("a link was packed")
	}
}
