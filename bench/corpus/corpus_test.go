package corpus

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestFolders(t *testing.T) {
	texts, err := Load("../answers/collections")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	n, err := Copies(dir, texts, 5e6)
	if err != nil || n < 5e6 || size(t, dir) != n {
		t.Fatalf("%d bytes, %d there, %v", n, size(t, dir), err)
	}
	a, err := os.ReadFile(filepath.Join(dir, "copy0000", texts[0].Name))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "copy0001", texts[0].Name))
	if err != nil || bytes.Equal(a, b) {
		t.Errorf("two copies are the same, %v", err)
	}
	small := t.TempDir()
	if err := Small(small, texts, 250); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(small, "d*", "note*.md"))
	if err != nil || len(files) != 250 {
		t.Errorf("%d small files, %v", len(files), err)
	}
	mixed := t.TempDir()
	if err := Mixed(mixed, texts, 150, 9000); err != nil {
		t.Fatal(err)
	}
	files, err = filepath.Glob(filepath.Join(mixed, "part*", "notes*.md"))
	if err != nil || len(files) != 150 || size(t, mixed) < 150*9000 {
		t.Errorf("%d mixed files of %d bytes, %v", len(files), size(t, mixed), err)
	}
}

func size(t *testing.T, dir string) (n int64) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			n += i.Size()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}
