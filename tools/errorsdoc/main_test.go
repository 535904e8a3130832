package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
)

// TestPageIsCurrent holds the committed page against the table.
func TestPageIsCurrent(t *testing.T) {
	got, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page(errs.Table()) {
		t.Error("docs/errors.md is not what the table says; run make generate")
	}
}

// TestTableIsComplete: each code is there once, with all that a person needs.
func TestTableIsComplete(t *testing.T) {
	seen := map[errs.Code]bool{}
	for _, e := range errs.Table() {
		if seen[e.Code] {
			t.Errorf("%s stands twice", e.Code)
		}
		seen[e.Code] = true
		if e.Sentence == "" || e.Page == "" || e.Exit == errs.ExitOK || e.Exit > errs.ExitUnavailable {
			t.Errorf("%s: sentence, page or exit code is missing", e.Code)
		}
		if strings.HasSuffix(e.Sentence, ".") || strings.HasSuffix(e.Hint, ".") {
			t.Errorf("%s: sentence and hint are parts of a line and have no full stop", e.Code)
		}
	}
}

func TestWrites(t *testing.T) {
	at := filepath.Join(t.TempDir(), "errors.md")
	if code := doMain([]string{at}); code != 0 {
		t.Fatalf("exit %d", code)
	}
	b, err := os.ReadFile(at)
	if err != nil || !strings.Contains(string(b), "## grant-revoked\n") {
		t.Errorf("%v\n%s", err, b)
	}
	if doMain(nil) != 2 || doMain([]string{filepath.Join(at, "no")}) != 1 {
		t.Error("bad arguments or a bad path were accepted")
	}
}
