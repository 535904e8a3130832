package hostile

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/workerspec"
)

var update = flag.Bool("update", false, "write docs/hostile.md anew; read the difference before you commit it")

// testNames are the tests of this package.
func testNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

// inClass is what a class of kinds must answer, in words.
func (r row) inClass(c workerspec.Class) string {
	if v := r.classes[c]; v.said() {
		return v.String()
	}
	// Engines, and the kinds that will be jit, are handed what they read; those
	// that will be exec open files.
	openers, handed := r.must.String(), r.must.String()
	if r.handed.said() {
		handed = r.handed.String()
	}
	switch {
	case c == workerspec.Exec:
		if r.only == "handed" || r.only == "native" {
			return "-"
		}
		return openers
	case c != workerspec.Plain:
		if r.only == "granted" || r.only == "opens" || r.only == "native" && c == workerspec.JIT {
			return "-"
		}
		return handed
	case r.only == "native":
		return "-"
	case openers != handed && r.only == "":
		return openers + "; opens nothing: " + handed
	}
	return openers
}

// atLevel2 is the same where there are no namespaces.
func (r row) atLevel2() string {
	if r.level2.said() {
		return r.level2.String()
	}
	return r.must.String()
}

// place sorts rows: those of the requirements by number, then the others.
func (r row) place() int {
	if n, err := strconv.Atoi(strings.TrimPrefix(r.id, "E")); err == nil {
		return n
	}
	if r.id == "own" {
		return 1001
	}
	return 1000
}

// TestDocument holds docs/hostile.md against the rows.
func TestDocument(t *testing.T) {
	all, tests := rows(t), testNames(t)
	var b bytes.Buffer
	tried, lets := 0, 0
	for _, r := range all {
		if r.test != "" && !slices.Contains(tests, r.test) {
			t.Errorf("%s: there is no %s", r.attempt, r.test)
		}
		if r.untried == "" {
			tried++
		}
		if r.classes[workerspec.JIT].lets != "" || r.classes[workerspec.Exec].lets != "" {
			lets++
		}
	}
	fmt.Fprintf(&b, `# What must not happen

Generated from test/hostile/rows by `+"`go test ./test/hostile -run TestDocument -update`"+`. The package comment of test/hostile says how to add a row.

%d attempts, %d of them tried. *Reach* is outside for what gets at a file, a process, a network or a socket that is not the worker's: no class and no level
may let one of these pass, and the test refuses a row that would. Each other attempt that a class may let pass says why.

An answer is the errno that the call gives, or SIGSYS where it ends the worker; "refused" is any of them, where nobody has built the kind yet that could say
which. The classes: *plain* is index, store and inspect; *jit* will be plugins and PDF, *exec* tools: **no kind of these is built yet, so their columns are
demands that nothing has met.** *Engine* is engine. *Level 2* is without namespaces, for plain kinds: **it is not built either.** No exec kind will start there.

| row | attempt | reach | plain | jit | exec | engine | level 2 | besides | test |
|---|---|---|---|---|---|---|---|---|---|
`, len(all), tried)
	slices.SortStableFunc(all, func(a, b row) int { return cmp.Compare(a.place(), b.place()) })
	for _, r := range all {
		reach := "inside"
		if r.outside {
			reach = "**outside**"
		}
		test := "TestEscapes/*/*/" + strings.ReplaceAll(r.id+" "+r.attempt, " ", "_")
		switch {
		case r.untried != "":
			test = "none yet: " + r.untried
		case r.test != "":
			test = r.test
		}
		fmt.Fprintf(&b, "| %s | **%s**: %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.id, r.attempt, r.does, reach,
			r.inClass(workerspec.Plain), r.inClass(workerspec.JIT), r.inClass(workerspec.Exec), r.inClass(workerspec.Engine), r.atLevel2(),
			strings.Join(r.needs, ", "), test)
	}
	b.WriteString("\n## Where one layer alone stands\n\nAll other attempts that reach outside are refused with any one layer missing (TestAnyOneLayerMayFail).\n\n| attempt | layer | why |\n|---|---|---|\n")
	for _, r := range all {
		if r.alone != "" {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", r.attempt, r.alone, r.aloneWhy)
		}
	}
	b.WriteString("\n## What may be left out\n\nAnything else that is not run fails.\n\n| case | when | why |\n|---|---|---|\n")
	for _, s := range skips(t) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.what, s.when, s.why)
	}
	const file = "../../docs/hostile.md"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Error("docs/hostile.md is not what the rows say; run the test with -update and read the difference")
	}
	t.Logf("%d rows, %d tried, %d that some class may let pass", len(all), tried, lets)
}
