package arch

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// modulePath begins the import path of every package of the tree.
const modulePath = "github.com/bailey-run/bailey/"

// source is one parsed file of the tree.
type source struct {
	// path and dir are relative to the root, with slashes.
	path, dir string
	*ast.File
	lines           int
	generated, test bool
}

// tree is every Go file of the module.
type tree struct {
	fset  *token.FileSet
	files []*source
}

// violation is one place that breaks a rule.
type violation struct {
	path string
	line int
	// what names the offence without its place; exceptions are matched with it.
	what string
}

func (v violation) String() string { return fmt.Sprintf("%s:%d: %s", v.path, v.line, v.what) }

// load parses all files of fsys but testdata, other modules and what git does
// not keep.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p == "." {
				return nil
			}
			if slices.Contains([]string{"testdata", "build", "bin", "dist", "node_modules"}, d.Name()) || strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			if _, err := fs.Stat(fsys, path.Join(p, "go.mod")); err == nil {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		b, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(t.fset, p, b, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		t.files = append(t.files, &source{
			path: p, dir: path.Dir(p), File: f, lines: bytes.Count(b, []byte("\n")),
			generated: ast.IsGenerated(f),
			// What exists for tests alone is judged as they are.
			test: strings.HasSuffix(p, "_test.go") || under(p, "test", "internal/testkit"),
		})
		return nil
	})
	return t, err
}

func (t *tree) line(n ast.Node) int { return t.fset.Position(n.Pos()).Line }

// each reports what check finds in the files that keep picks.
func (t *tree) each(keep func(*source) bool, check func(f *source, report func(ast.Node, string, ...any))) []violation {
	var out []violation
	for _, f := range t.files {
		if keep(f) {
			check(f, func(n ast.Node, format string, args ...any) {
				out = append(out, violation{f.path, t.line(n), fmt.Sprintf(format, args...)})
			})
		}
	}
	return out
}

// imports lists what a file imports, with the name that each has in it.
func (f *source) imports() []imported {
	var out []imported
	for _, s := range f.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(p)
		if s.Name != nil {
			name = s.Name.Name
		}
		out = append(out, imported{p, name, s})
	}
	return out
}

type imported struct {
	path, name string
	spec       *ast.ImportSpec
}

// ours returns the path of an import relative to the root, if it is of this module.
func (i imported) ours() (string, bool) { return strings.CutPrefix(i.path, modulePath) }

// selector returns the import path and the name of a selector such as os.Exit,
// if its left side is an import of the file.
func (f *source) selector(e ast.Expr) (pkg, name string) {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := s.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	for _, im := range f.imports() {
		if im.name == id.Name {
			return im.path, s.Sel.Name
		}
	}
	return "", ""
}

// selectors calls visit for every use of an imported name in the file.
func (f *source) selectors(visit func(n *ast.SelectorExpr, pkg, name string)) {
	ast.Inspect(f.File, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if pkg, name := f.selector(s); pkg != "" {
				visit(s, pkg, name)
			}
		}
		return true
	})
}

// code are the files that are built into something and were written by hand.
func code(f *source) bool { return !f.test && !f.generated }

// written are all files that were written by hand.
func written(f *source) bool { return !f.generated }

func under(dir string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return dir == r || strings.HasPrefix(dir, r+"/") })
}

// text returns the value of a string literal, or of the leftmost one of a
// concatenation or a Sprintf, and whether there is one.
func (f *source) text(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			s, err := strconv.Unquote(e.Value)
			return s, err == nil
		}
	case *ast.BinaryExpr:
		return f.text(e.X)
	case *ast.CallExpr:
		if pkg, name := f.selector(e.Fun); pkg == "fmt" && name == "Sprintf" && len(e.Args) > 0 {
			return f.text(e.Args[0])
		}
	}
	return "", false
}

func sorted(vs []violation) []violation {
	slices.SortFunc(vs, func(a, b violation) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.line, b.line), cmp.Compare(a.what, b.what))
	})
	return vs
}
