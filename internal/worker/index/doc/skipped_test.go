package doc

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/skipped.md anew")

// page is docs/skipped.md, made from the table so that it cannot be wrong.
func page() string {
	var b strings.Builder
	b.WriteString("# What is not read, and why\n\n`ask` and `summarize` list each file and directory that was not read under `skipped`, with one of these reasons.\nReasons are stable: programs may compare them. This page is made from the table in `internal/worker/index/doc`.\n")
	for _, e := range Reasons() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", e.Reason, e.Page)
		if e.Hint != "" {
			fmt.Fprintf(&b, "\nWhat to do: %s.\n", e.Hint)
		}
	}
	return b.String()
}

func TestSkippedPageIsCurrent(t *testing.T) {
	const path = "../../../../docs/skipped.md"
	if *update {
		if err := os.WriteFile(path, []byte(page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page() {
		t.Errorf("%s is not what the table says; run go test ./internal/worker/index/doc -update", path)
	}
}

func TestReasons(t *testing.T) {
	seen := map[Reason]bool{}
	for _, e := range Reasons() {
		if e.Reason == Read || seen[e.Reason] || e.Page == "" || len(e.Reason) > 64 || len(e.Hint) > 256 {
			t.Errorf("entry %+v", e)
		}
		seen[e.Reason] = true
		if s := Skip("a\xffb", e.Reason); string(s.Path) != "a\xffb" || s.Hint != e.Hint || s.Reason != e.Reason {
			t.Errorf("Skip gives %+v", s)
		}
	}
	for _, r := range []Reason{Binary, Empty, Encoding, TooLarge, Archive, Damaged, Unreadable, Link, Special, Ignored, Costly, Hidden, Generated, Secret, Vanished, Changed, TooDeep, TooMany, IOError, Locked, OldFormat, LargeDoc, BadDoc, NoText, PDFDamaged, PDFCostly, NoReader, Faulty} {
		if !seen[r] {
			t.Errorf("%q is not in the table", r)
		}
	}
	if s := Skip("a", "unknown"); s.Reason != "unknown" || s.Hint != "" {
		t.Errorf("Skip of an unknown reason gives %+v", s)
	}
}
