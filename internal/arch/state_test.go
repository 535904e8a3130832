package arch

import (
	"go/ast"
	"go/token"
	"strings"
)

// state: rule 4. A package-level variable is let through only as a table: not
// exported, given its value where it is declared, of no type that is made to be
// changed, and not assigned to anywhere in its package.
func state(t *tree) []violation {
	written := map[string]map[string]bool{} // dir → variables that are changed
	for _, f := range t.files {
		if !code(f) {
			continue
		}
		if written[f.dir] == nil {
			written[f.dir] = map[string]bool{}
		}
		changed(f, written[f.dir])
	}
	return t.each(code, func(f *source, report func(ast.Node, string, ...any)) {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				s := s.(*ast.ValueSpec)
				for _, name := range s.Names {
					switch {
					case name.Name == "_" || embedded(g, s) || sentinel(f, s):
					case name.IsExported():
						report(name, "%s: exported variable", name.Name)
					case len(s.Values) == 0:
						report(name, "%s: variable without a value", name.Name)
					case mutable(f, s):
						report(name, "%s: variable of a type that is made to be changed", name.Name)
					case written[f.dir][name.Name]:
						report(name, "%s: variable that is changed", name.Name)
					}
				}
			}
		}
	})
}

// sentinel is an error made by errors.New alone, which callers compare with.
func sentinel(f *source, s *ast.ValueSpec) bool {
	if len(s.Values) != 1 {
		return false
	}
	c, ok := s.Values[0].(*ast.CallExpr)
	if !ok {
		return false
	}
	pkg, name := f.selector(c.Fun)
	return pkg == "errors" && name == "New" && strings.HasPrefix(strings.ToLower(s.Names[0].Name), "err")
}

func embedded(g *ast.GenDecl, s *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{g.Doc, s.Doc} {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if strings.HasPrefix(c.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

// mutable reports whether a declaration names sync, sync/atomic, a channel or
// make.
func mutable(f *source, s *ast.ValueSpec) bool {
	found := false
	look := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ChanType:
			found = true
		case *ast.SelectorExpr:
			if pkg, _ := f.selector(n); under(pkg, "sync") {
				found = true
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "make" || id.Name == "new") {
				found = true
			}
		}
		return true
	}
	if s.Type != nil {
		ast.Inspect(s.Type, look)
	}
	for _, v := range s.Values {
		ast.Inspect(v, look)
	}
	return found
}

// changed collects the names that the functions of a file assign to, by
// themselves, an index or a field, or whose address they take. Without types a
// local variable of the same name counts too, which errs on the strict side
// unless the function declares it itself.
func changed(f *source, names map[string]bool) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		local := declared(fn)
		mark := func(e ast.Expr) {
			for {
				switch x := e.(type) {
				case *ast.IndexExpr:
					e = x.X
					continue
				case *ast.SelectorExpr:
					e = x.X
					continue
				case *ast.ParenExpr:
					e = x.X
					continue
				case *ast.Ident:
					if !local[x.Name] {
						names[x.Name] = true
					}
				}
				return
			}
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, l := range n.Lhs {
						mark(l)
					}
				}
			case *ast.IncDecStmt:
				mark(n.X)
			case *ast.UnaryExpr:
				// The address of an element is how a row of a table is read.
				if _, element := n.X.(*ast.IndexExpr); n.Op == token.AND && !element {
					mark(n.X)
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear" || id.Name == "copy") && len(n.Args) > 0 {
					mark(n.Args[0])
				}
			}
			return true
		})
	}
}

// declared collects the names that a function declares: parameters, results and
// variables.
func declared(fn *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, l := range n.Lhs {
					if id, ok := l.(*ast.Ident); ok {
						names[id.Name] = true
					}
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if id, ok := e.(*ast.Ident); ok && n.Tok == token.DEFINE {
					names[id.Name] = true
				}
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		}
		return true
	})
	return names
}
