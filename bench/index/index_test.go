package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestCorpus(t *testing.T) {
	texts, err := loadTexts("../answers/collections")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	n, err := writeCopies(dir, texts, 5e6)
	if err != nil || n < 5e6 || folderSize(dir) != n {
		t.Fatalf("%d bytes, %d there, %v", n, folderSize(dir), err)
	}
	a, err := os.ReadFile(filepath.Join(dir, "copy0000", texts[0].name))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "copy0001", texts[0].name))
	if err != nil || bytes.Equal(a, b) {
		t.Errorf("two copies are the same, %v", err)
	}
	small := t.TempDir()
	if err := writeSmall(small, texts, 250); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(small, "d*", "note*.md"))
	if err != nil || len(files) != 250 {
		t.Errorf("%d small files, %v", len(files), err)
	}
}

// The child reads all of a folder, and the second time has less to do; sqlite3
// reads as many files.
func TestChildAndPeer(t *testing.T) {
	texts, err := loadTexts("../answers/collections")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := writeSmall(dir, texts, 250); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := child(t.Context(), dir, t.TempDir(), &out); err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Files != 250 || r.Bytes != folderSize(dir) || r.Chunks < 250 || r.Peak < 1<<20 || r.Stored == 0 || r.Seconds <= 0 {
		t.Errorf("%+v", r)
	}
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Fatal("sqlite3 is not installed; Debian: sqlite3")
	}
	b := &bench{dir: t.TempDir(), log: io.Discard}
	s, err := b.sqlite(t.Context(), "small", dir, r.Bytes)
	if err != nil || s.Files != 250 {
		t.Errorf("sqlite3: %+v, %v", s, err)
	}
}

func TestMedian(t *testing.T) {
	if m := median([]float64{3, 1, 2}); m != 2 {
		t.Error(m)
	}
	if m := median([]float64{4, 1, 2, 3}); m != 2.5 {
		t.Error(m)
	}
}
