package hostile

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// skip is one line of skips.txt.
type skip struct{ what, when, why string }

// skips reads what may be left out.
func skips(t testing.TB) []skip {
	t.Helper()
	b, err := os.ReadFile("skips.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []skip
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, " | ")
		if len(parts) != 3 || !slices.Contains(conditions(), parts[1]) {
			t.Fatalf("skips.txt: %q", line)
		}
		all = append(all, skip{parts[0], parts[1], parts[2]})
	}
	return all
}

// The conditions of a machine, a user or a kind under which something may be
// left out.
const (
	whenOrdinary   = "ordinary user"
	whenNoGrant    = "kind without a grant"
	whenNoMounts   = "kind without mounts"
	whenTestsOrd   = "tests run as an ordinary user"
	whenShort      = "short run"
	whenNotAMD64   = "other processor than amd64"
	whenNoCompiler = "no C compiler"
	whenEmulated   = "emulated machine"
	whenNoBwrap    = "no bubblewrap"
	whenWritten    = "folder given for writing"
	caseBubblewrap = "workers that bubblewrap starts"
	caseEveryLayer = "what each layer stops"
	caseForeign    = "programs of C"
	caseRoot       = "every case as root"
	caseEveryKind  = "every kind"
	caseEveryClass = "every class"
	caseOneLayer   = "one layer missing for every class"
	controlPrefix  = "control of "
)

func conditions() []string {
	return []string{whenOrdinary, whenNoGrant, whenNoMounts, whenTestsOrd, whenShort, whenNotAMD64, whenNoCompiler, whenEmulated, whenNoBwrap, whenWritten}
}

// leftOut says whether skips.txt lets something be left out, and why. Whoever
// leaves something out asks here; there is no other way (TestSkips).
func leftOut(t testing.TB, what, when string) (why string, ok bool) {
	t.Helper()
	for _, s := range skips(t) {
		if s.what == what && s.when == when {
			return s.why, true
		}
	}
	return "", false
}

// controlled says whether a row has a control run for a kind and a user.
func (r row) controlled(t testing.TB, s workerspec.Spec, u user) bool {
	t.Helper()
	if r.noControl != "" {
		return false
	}
	for when, holds := range map[string]bool{
		whenOrdinary: !u.root, whenNoGrant: s.Grant() < 0, whenNoMounts: len(s.Mounts) == 0, whenEmulated: *turn >= 0,
	} {
		if why, ok := leftOut(t, controlPrefix+r.attempt, when); ok && holds {
			t.Logf("no control run of %s as %s in %s: %s", r.attempt, u.name, s.Kind, why)
			return false
		}
	}
	return true
}

// TestSkips: a line of skips.txt is about something that exists, and nothing is
// left out in another way.
func TestSkips(t *testing.T) {
	all := rows(t)
	seen := map[skip]bool{}
	for _, s := range skips(t) {
		attempt, isControl := strings.CutPrefix(s.what, controlPrefix)
		known := s.what == caseRoot && s.when == whenTestsOrd || (s.what == caseEveryKind || s.what == caseOneLayer || s.what == caseEveryLayer) && s.when == whenShort ||
			s.what == caseEveryClass && s.when == whenEmulated || s.what == caseBubblewrap && s.when == whenNoBwrap ||
			s.when == whenWritten && slices.ContainsFunc(all, func(r row) bool { return r.attempt == s.what && r.only == "granted" }) ||
			s.what == caseForeign && (s.when == whenNotAMD64 || s.when == whenNoCompiler) ||
			isControl && slices.ContainsFunc(all, func(r row) bool { return r.attempt == attempt })
		if !known || seen[s] || s.why == "" {
			t.Errorf("skips.txt: %+v", s)
		}
		seen[s] = true
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				t.Errorf("%s calls %s: what is left out stands in skips.txt", name, sel.Sel.Name)
			}
			return true
		})
	}
}
