package arch

import (
	"go/ast"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/table"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// TestMethodsAreComplete: rule 7. A method that the schema declares is served
// and called by something that is built; one that needs a grant has a kind that
// can be granted and words with which a person is asked; one that goes to a
// worker is in some worker's specification, and no worker's specification names
// a method that does not exist or is not for workers.
func TestMethodsAreComplete(t *testing.T) {
	tr, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, gap := range methodGaps(tr, table.All(), workerspec.All()) {
		t.Error(gap)
	}
}

func methodGaps(tr *tree, methods []*rpc.Method, specs []workerspec.Spec) []string {
	used := calls(tr)
	var gaps []string
	gap := func(m *rpc.Method, what string) { gaps = append(gaps, m.Name+" "+what) }
	for _, m := range methods {
		service := path.Base(path.Dir(m.Name))
		service = service[strings.LastIndex(service, ".")+1:]
		if !used[service+"Routes"] {
			gap(m, "is served by nothing")
		}
		// What a page calls is generated from the same schema, in TypeScript, and
		// checked there.
		page := m.Caller == policyv1.Caller_CALLER_SURFACE
		if !page && !used["New"+service+"Client"] {
			gap(m, "is called by nothing")
		}
		if m.Kind != policyv1.Kind_KIND_NONE {
			if !capability.Grantable(m.Kind) {
				gap(m, "needs a kind that is never granted")
			}
			if _, err := (prompt.Question{Actor: "bailey", Rows: []prompt.Row{{Kind: m.Kind, Path: []byte("/"), Ticked: true}}}).Verb(); err != nil {
				gap(m, "needs a kind that nobody can be asked for")
			}
		}
		served := slices.ContainsFunc(specs, func(s workerspec.Spec) bool { return s.May(m.Number) })
		if forWorkers := m.Caller != policyv1.Caller_CALLER_CLIENT && !page; forWorkers != served {
			gap(m, "is for workers and in no specification, or the other way round")
		}
	}
	for _, s := range specs {
		for _, n := range s.Methods {
			if !slices.ContainsFunc(methods, func(m *rpc.Method) bool { return m.Number == n }) {
				gaps = append(gaps, "the worker "+s.Kind+" may be called by a number that no method has")
			}
		}
		// One that no service uses has none yet, and an engine is the same with a card.
		pkg := s.Kind
		if pkg == workerspec.GraphicsKind {
			pkg = "engine"
		}
		if !s.Reserved && !slices.ContainsFunc(tr.files, func(f *source) bool { return code(f) && f.dir == "internal/worker/"+pkg }) {
			gaps = append(gaps, "the worker "+s.Kind+" has no package")
		}
	}
	return gaps
}

// calls collects the names of all functions of wire that the code calls.
func calls(tr *tree) map[string]bool {
	used := map[string]bool{}
	for _, f := range tr.files {
		if !code(f) {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok {
				if pkg, name := f.selector(c.Fun); under(pkg, modulePath+"internal/wire") {
					used[name] = true
				}
			}
			return true
		})
	}
	return used
}

// TestMethodsCanBeIncomplete: each gap is found when it is there.
func TestMethodsCanBeIncomplete(t *testing.T) {
	tr := parse(t, map[string]string{
		"internal/core/x.go": "package core\nimport " + m + "internal/wire/xv1\"\nfunc f() { xv1.AServiceRoutes(nil); xv1.NewAServiceClient(nil) }",
		// A call in a test is no use.
		"internal/core/x_test.go": "package core\nimport " + m + "internal/wire/xv1\"\nfunc g() { xv1.BServiceRoutes(nil); xv1.NewBServiceClient(nil) }",
	})
	method := func(name string, kind policyv1.Kind, caller policyv1.Caller) *rpc.Method {
		return &rpc.Method{Number: 7, Name: name, Kind: kind, Caller: caller}
	}
	for _, c := range []struct {
		method *rpc.Method
		specs  []workerspec.Spec
		want   []string
	}{
		{method("x.v1.AService/Do", policyv1.Kind_KIND_NONE, policyv1.Caller_CALLER_CLIENT), nil, nil},
		{method("x.v1.BService/Do", policyv1.Kind_KIND_NONE, policyv1.Caller_CALLER_CLIENT), nil, []string{"served by nothing", "called by nothing"}},
		{method("x.v1.AService/Do", policyv1.Kind_KIND_EXEC_RUN, policyv1.Caller_CALLER_CLIENT), nil, []string{"never granted", "nobody can be asked"}},
		{method("x.v1.AService/Do", policyv1.Kind_KIND_NONE, policyv1.Caller_CALLER_CORE), nil, []string{"in no specification"}},
		{method("x.v1.BService/Do", policyv1.Kind_KIND_NONE, policyv1.Caller_CALLER_SURFACE), nil, []string{"served by nothing"}},
		{method("x.v1.AService/Do", policyv1.Kind_KIND_NONE, policyv1.Caller_CALLER_CLIENT), []workerspec.Spec{{Kind: "odd", Methods: []uint32{7, 8}}}, []string{"or the other way round", "a number that no method has", "has no package"}},
	} {
		got := methodGaps(tr, []*rpc.Method{c.method}, c.specs)
		ok := len(got) == len(c.want)
		for i := range got {
			ok = ok && strings.Contains(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", c.method.Name, got, c.want)
		}
	}
}
