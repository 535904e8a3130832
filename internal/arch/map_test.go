package arch

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// named finds the paths in a document: internal/…, cmd/… and so on, with one
// list in braces at most.
var named = regexp.MustCompile(`\b(?:internal|cmd|schema|test|tools|bench|docs)(?:/(?:[a-z0-9_.-]+|\{[a-z,]+\}|…|KIND))+`)

// pathsIn returns every path that a document names, braces written out. One
// that ends with /… stands for all below it.
func pathsIn(text string) []string {
	var out []string
	for _, p := range named.FindAllString(text, -1) {
		p = strings.TrimRight(p, ".")
		before, rest, braces := strings.Cut(p, "{")
		if !braces {
			out = append(out, p)
			continue
		}
		list, after, _ := strings.Cut(rest, "}")
		for _, name := range strings.Split(list, ",") {
			out = append(out, before+name+after)
		}
	}
	return out
}

// mapFaults holds a map against the tree.
func mapFaults(text string, fsys fs.FS, packages []string) []string {
	var faults []string
	names := pathsIn(text)
	for _, p := range names {
		p = strings.TrimSuffix(strings.TrimSuffix(p, "/…"), "/KIND")
		if _, err := fs.Stat(fsys, p); err != nil {
			faults = append(faults, p+" does not exist")
		}
	}
	for _, dir := range packages {
		covered := false
		for _, p := range names {
			all, below := strings.CutSuffix(p, "/…")
			covered = covered || p == dir || below && under(dir, all)
		}
		if !covered {
			faults = append(faults, dir+" is not on the map")
		}
	}
	return faults
}

// TestMap: ARCHITECTURE.md names what exists, and every package of internal/.
func TestMap(t *testing.T) {
	root := os.DirFS("../..")
	tr, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	text, err := fs.ReadFile(root, "ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var packages []string
	for _, f := range tr.files {
		if under(f.dir, "internal") && !seen[f.dir] {
			seen[f.dir] = true
			packages = append(packages, f.dir)
		}
	}
	if len(packages) < 40 {
		t.Fatalf("only %d packages were found", len(packages))
	}
	for _, fault := range mapFaults(string(text), root, packages) {
		t.Error("ARCHITECTURE.md:", fault)
	}
	// The control: a map that is wrong in both ways.
	if got := mapFaults("see internal/{errs,nothing} and internal/wire/…", root, []string{"internal/errs", "internal/wire/rpc", "internal/ipc"}); len(got) != 2 {
		t.Errorf("a wrong map has the faults %q", got)
	}
}

var linked = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)

// TestLinks: a link from one document to another file leads there.
func TestLinks(t *testing.T) {
	root := os.DirFS("../..")
	checked := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "bench/*.md", "changelog/*/*.md"} {
		files, err := fs.Glob(root, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := fs.ReadFile(root, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range linked.FindAllStringSubmatch(string(text), -1) {
				if strings.Contains(m[1], ":") {
					continue // the web
				}
				checked++
				if _, err := fs.Stat(root, path.Join(path.Dir(f), m[1])); err != nil {
					t.Errorf("%s: the link to %s leads nowhere", f, m[1])
				}
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d links were found", checked)
	}
}
