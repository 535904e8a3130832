package arch

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	proofName = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+|[a-z0-9_]+\\.txtar)`")
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	escapeRow = regexp.MustCompile(`\bE[0-9]+\b`)
)

// proofs returns the names of all Go tests and scripts below some directories.
func proofs(t *testing.T, root fs.FS, dirs ...string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, dir := range dirs {
		err := fs.WalkDir(root, dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if strings.HasSuffix(p, ".txtar") {
				out[path.Base(p)] = true
			}
			if !strings.HasSuffix(p, "_test.go") {
				return nil
			}
			b, err := fs.ReadFile(root, p)
			if err != nil {
				return err
			}
			for _, m := range testFunc.FindAllSubmatch(b, -1) {
				out[string(m[1])] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// claimFaults are the tests and rows that a text names and that are not there, and
// how many it names.
func claimFaults(text string, tests map[string]bool, hostile string) (faults []string, named int) {
	for _, m := range proofName.FindAllStringSubmatch(text, -1) {
		named++
		if !tests[m[1]] {
			faults = append(faults, "there is no test "+m[1])
		}
	}
	for _, e := range escapeRow.FindAllString(text, -1) {
		if !strings.Contains(hostile, "\n| "+e+" |") {
			faults = append(faults, "docs/hostile.md has no row "+e)
		}
	}
	return faults, named
}

// TestClaims: each test and each row that SECURITY.md names exists.
func TestClaims(t *testing.T) {
	root := os.DirFS("../..")
	text, err := fs.ReadFile(root, "SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	hostile, err := fs.ReadFile(root, "docs/hostile.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := proofs(t, root, "internal", "cmd", "test")
	faults, named := claimFaults(string(text), tests, string(hostile))
	for _, f := range faults {
		t.Error("SECURITY.md:", f)
	}
	if named < 50 {
		t.Errorf("only %d tests were found in SECURITY.md", named)
	}
	// The control: what is not there is told.
	got, _ := claimFaults("`TestOfNothing`, `nothing.txtar` and E999, `TestClaims`", tests, string(hostile))
	if len(got) != 3 {
		t.Errorf("a wrong text has the faults %q", got)
	}
}
