package walk

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// tree makes files below a new directory; a name ending in / is a directory.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		put(t, root, name, content)
	}
	return root
}

func put(t testing.TB, root, name, content string) {
	t.Helper()
	p := filepath.Join(root, name)
	if name[len(name)-1] == '/' {
		if err := os.MkdirAll(p, 0o755); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// walked runs a walk and returns the files' paths and the skipped with reasons.
func walked(t testing.TB, root string, opt Options) (files []string, skipped map[string]doc.Reason, c Count) {
	t.Helper()
	d, err := dirfd.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	skipped = map[string]doc.Reason{}
	c, err = Walk(context.Background(), d, opt, func(e *Entry) error {
		files = append(files, e.Path)
		return nil
	}, func(s doc.Skipped) { skipped[string(s.Path)] = s.Reason })
	if err != nil {
		t.Fatal(err)
	}
	return files, skipped, c
}

func TestOrderIsFilesFirstThenDirectoriesByName(t *testing.T) {
	root := tree(t, map[string]string{"b.txt": "x", "a/z.txt": "x", "a/b/c.txt": "x", "a.txt": "x", "B.txt": "x"})
	files, _, c := walked(t, root, Options{})
	want := []string{"B.txt", "a.txt", "b.txt", "a/z.txt", "a/b/c.txt"}
	if !slices.Equal(files, want) {
		t.Errorf("order %q, want %q", files, want)
	}
	if c.Files != 5 || c.Bytes != 5 || c.Dirs != 3 {
		t.Errorf("count %+v", c)
	}
}
