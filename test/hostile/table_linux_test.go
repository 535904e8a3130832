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

const (
	// groupTests is where what control groups stop is tried, which is a matter of
	// what all processes of a worker take and not of what one of them calls.
	groupTests = "internal/plat/cgroup"
	// What a worker or a folder is before anything is attacked is tried where it is made.
	sandboxTests = "internal/plat/sandbox"
	folderTests  = "internal/plat/folder"
	// coreTests is where a hostile worker meets a real core.
	coreTests = "test/e2e"
	// fakeTests is where it meets one with an engine that was taken over too.
	fakeTests = "test/core"
	// What a client does to the core is tried where the core refuses it.
	frameTests = "internal/ipc"
	grantTests = "internal/service/grant"
	keptTests  = "internal/grant"
	auditTests = "internal/service/audit"
	// And what a page, a worker's word and a program's output do, beside what stops it.
	pageTests   = "internal/window"
	wordTests   = "internal/core"
	outputTests = "cmd/bailey"
)

// testNames are the tests of this package, and those of others with that name
// before them.
func testNames(t *testing.T) []string {
	t.Helper()
	names := testsIn(t, ".")
	for _, dir := range []string{groupTests, sandboxTests, folderTests, coreTests, fakeTests, frameTests, grantTests, keptTests, auditTests, pageTests, wordTests, outputTests} {
		for _, n := range testsIn(t, "../../"+dir) {
			names = append(names, dir+" "+n)
		}
	}
	return names
}

func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
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
		return v.String() + r.inKinds(c)
	}
	// Engines, and what compiles at run time, are handed what they read; tools and
	// drivers open files.
	openers, handed := r.must.String(), r.must.String()
	if r.handed.said() {
		handed = r.handed.String()
	}
	switch {
	case r.only == "engine":
		if c != workerspec.Engine {
			return "-"
		}
		return openers
	case c == workerspec.Exec || c == workerspec.Graphics:
		if r.only == "handed" || c == workerspec.Exec && r.only == "native" || c == workerspec.Graphics && (r.only == "granted" || r.only == "writes") {
			return "-"
		}
		return openers
	case c != workerspec.Plain:
		if r.only == "granted" || r.only == "opens" || r.only == "writes" || r.only == "native" && c == workerspec.JIT {
			return "-"
		}
		return handed
	case r.only == "native":
		return "-"
	case openers != handed && r.only == "":
		return openers + "; opens nothing: " + handed + r.inKinds(c)
	}
	return openers + r.inKinds(c)
}

// inKinds are the answers of single kinds of a class that differ.
func (r row) inKinds(c workerspec.Class) string {
	text := ""
	for _, s := range workerspec.All() {
		if v := r.kinds[s.Kind]; v.said() && s.Class == c {
			text += "; " + s.Kind + ": " + v.String()
		}
	}
	if r.only == "offline" && c == workerspec.Plain {
		text += "; not of net, which connects"
	}
	return text
}

// ofClass are the kinds of a class, in words; a star marks those that no service
// uses yet.
func ofClass(c workerspec.Class) string {
	var names []string
	for _, s := range workerspec.All() {
		if s.Class != c {
			continue
		}
		name := s.Kind
		if s.Reserved {
			name += "\\*"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
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
		if slices.ContainsFunc(r.verdicts(), func(v verdict) bool { return v.lets != "" }) {
			lets++
		}
	}
	fmt.Fprintf(&b, `# What must not happen

Generated from test/hostile/rows by `+"`go test ./test/hostile -run TestDocument -update`"+`. The package comment of test/hostile says how to add a row, and how to try it alone.

%d attempts, %d of them tried; what stands in the row of one that is not is what is demanded, and nobody has seen it. *Reach* is outside for what gets at a file, a process, a network or a socket that is not the worker's: no class and no level
may let one of these pass, and the test refuses a row that would. Each other attempt that a class may let pass says why.

An answer is the errno that the call gives, or SIGSYS where it ends the worker. The classes:

| class | kinds |
|---|---|
| plain | %s |
| jit | %s |
| exec | %s |
| engine | %s |
| graphics | %s |

A star marks kinds that no service uses yet: their sandboxes are attacked like the others'. *Level 2* is without namespaces, for kinds that execute nothing
and have neither devices nor sockets; its column is a demand that docs/untested.md says more about. What a class lets pass stands again at the end, with its reason.

| row | attempt | reach | plain | jit | exec | engine | graphics | level 2 | besides | test |
|---|---|---|---|---|---|---|---|---|---|---|
`, len(all), tried, ofClass(workerspec.Plain), ofClass(workerspec.JIT), ofClass(workerspec.Exec), ofClass(workerspec.Engine), ofClass(workerspec.Graphics))
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
		fmt.Fprintf(&b, "| %s | **%s**: %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.id, r.attempt, r.does, reach,
			r.inClass(workerspec.Plain), r.inClass(workerspec.JIT), r.inClass(workerspec.Exec), r.inClass(workerspec.Engine), r.inClass(workerspec.Graphics), r.atLevel2(),
			strings.Join(r.needs, ", "), test)
	}
	b.WriteString("\n## What a class lets pass\n\nNone of these reaches outside.\n\n| attempt | class | why |\n|---|---|---|\n")
	for _, r := range all {
		for _, c := range classes() {
			if v := r.classes[c]; v.lets != "" {
				fmt.Fprintf(&b, "| %s | %s%s | %s |\n", r.attempt, c, r.inKinds(c), v.lets)
			}
		}
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
