package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"testing"

	"github.com/bailey-run/bailey/bench/corpus"
)

// The child reads all of a folder, and the second time has less to do; sqlite3
// reads as many files.
func TestChildAndPeer(t *testing.T) {
	texts, err := corpus.Load("../answers/collections")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := corpus.Small(dir, texts, 250); err != nil {
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
