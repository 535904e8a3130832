package arch

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
)

// rule is one house rule.
type rule struct {
	name  string
	why   string
	check func(*tree) []violation
}

func rules() []rule {
	return []rule{
		{"arrows", "imports point down, so that a part can be read without what is built on it", arrows},
		{"system", "what touches the operating system is in few packages, each with a port per system", system},
		{"environment", "settings that nobody documented come in through the environment", environment},
		{"unsafe", "a reader finds all unsafe code by its file names", unsafeFiles},
		{"cgo", "our binaries are static, and C has no bounds", cgo},
		{"init", "nothing happens before main", inits},
		{"state", "a package without state can be tested twice in one process", state},
		{"logger", "a log that nobody passed goes where nobody looks, and cannot be tested", logger},
		{"numbers", "every limit has a name and a reason in package limits", numbers},
		{"shell", "a shell reads file names as programs", shell},
		{"panic", "a library reports errors; a panic is a bug of ours and says so", panics},
		{"exit", "only main ends the process, so that deferred clean-up runs", exits},
		{"comment", "every package says what it is for", comments},
		{"length", "a file fits in a reader's head", length},
		{"sleep", "a test that sleeps is slow when it passes and wrong when it is busy", sleeps},
		{"skip", "a test that does not run says why", skips},
		{"unfinished", "what is begun is finished or deleted", unfinished},
	}
}

// system: rule 3.
func system(t *tree) []violation {
	// Pure helpers that live under these names.
	pure := []string{"net/netip", "net/url", "net/mail", "net/textproto"}
	return t.each(code, func(f *source, report func(ast.Node, string, ...any)) {
		if under(f.dir, "internal/plat", "internal/ipc", "cmd", "tools") {
			return
		}
		for _, im := range f.imports() {
			if under(im.path, "os", "net", "syscall", "golang.org/x/sys", "golang.org/x/term") && !slices.Contains(pure, im.path) {
				report(im.spec, "%s imports %s", f.dir, im.path)
			}
		}
	})
}

// environment: one package reads it.
func environment(t *tree) []violation {
	names := []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv"}
	return t.each(code, func(f *source, report func(ast.Node, string, ...any)) {
		if under(f.dir, "internal/plat/env", "tools") {
			return
		}
		f.selectors(func(n *ast.SelectorExpr, pkg, name string) {
			if under(pkg, "os", "syscall", "golang.org/x/sys/unix") && slices.Contains(names, name) {
				report(n, "%s uses the environment by %s", f.dir, name)
			}
		})
	})
}

func unsafeFiles(t *tree) []violation {
	return t.each(written, func(f *source, report func(ast.Node, string, ...any)) {
		if strings.HasSuffix(f.path, "_unsafe.go") {
			return
		}
		for _, im := range f.imports() {
			if im.path == "unsafe" {
				report(im.spec, "unsafe outside of a *_unsafe.go file")
			}
		}
		for _, g := range f.Comments {
			for _, c := range g.List {
				if strings.HasPrefix(c.Text, "//go:linkname") {
					report(c, "go:linkname outside of a *_unsafe.go file")
				}
			}
		}
	})
}

func cgo(t *tree) []violation {
	return t.each(func(*source) bool { return true }, func(f *source, report func(ast.Node, string, ...any)) {
		for _, im := range f.imports() {
			if im.path == "C" {
				report(im.spec, "cgo")
			}
		}
	})
}

func inits(t *tree) []violation {
	return t.each(written, func(f *source, report func(ast.Node, string, ...any)) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				report(fn, "func init")
			}
		}
	})
}

func logger(t *tree) []violation {
	return t.each(code, func(f *source, report func(ast.Node, string, ...any)) {
		for _, im := range f.imports() {
			if im.path == "log" {
				report(im.spec, "imports log")
			}
		}
		f.selectors(func(n *ast.SelectorExpr, pkg, name string) {
			global := []string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "DebugContext", "InfoContext", "WarnContext", "ErrorContext"}
			if pkg == "log/slog" && slices.Contains(global, name) {
				report(n, "uses the process's logger by slog.%s", name)
			}
			if pkg == "fmt" && strings.HasPrefix(name, "Print") && !under(f.dir, "cmd", "tools") {
				report(n, "writes to standard output by fmt.%s", name)
			}
		})
	})
}

// limitName are names that promise a limit.
func limitName(s string) bool {
	return regexp.MustCompile(`(?i)^(max|min|limit|timeout|deadline|depth|quota)|(max|limit|timeout|deadline|interval|depth|bytes|cap|quota|window|backoff)$`).MatchString(s)
}

// numbers: rule 5, as far as a parser can see it: durations written as a
// number of units, sizes written as a shift, constants whose name promises a
// limit, and large decimal numbers that are not the value of a constant.
func numbers(t *tree) []violation {
	return t.each(code, func(f *source, report func(ast.Node, string, ...any)) {
		if under(f.dir, "internal/limits", "tools") {
			return
		}
		named := map[ast.Expr]bool{}
		literal := func(e ast.Expr) (int64, bool) {
			l, ok := e.(*ast.BasicLit)
			if !ok || l.Kind != token.INT {
				return 0, false
			}
			n, err := strconv.ParseInt(l.Value, 0, 64)
			return n, err == nil
		}
		unit := func(e ast.Expr) bool {
			pkg, name := f.selector(e)
			return pkg == "time" && slices.Contains([]string{"Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"}, name)
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				for _, s := range n.Specs {
					if v, ok := s.(*ast.ValueSpec); ok && n.Tok == token.CONST {
						for _, e := range v.Values {
							named[e] = true
						}
					}
				}
			case *ast.BinaryExpr:
				_, x := literal(n.X)
				y, isLiteral := literal(n.Y)
				if n.Op == token.MUL && (x && unit(n.Y) || isLiteral && unit(n.X)) {
					report(n, "a duration without a name")
				}
				if n.Op == token.SHL && x && isLiteral && y >= limits.BareShift && y < limits.RangeShift {
					report(n, "a size without a name")
				}
			case *ast.CallExpr:
				pkg, name := f.selector(n.Fun)
				timed := pkg == "context" && name == "WithTimeout" || pkg == "time" && slices.Contains([]string{"After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}, name)
				for _, a := range n.Args {
					if timed && unit(a) {
						report(a, "a duration without a name")
					}
				}
			case *ast.BasicLit:
				if v, ok := literal(n); ok && v > limits.BareNumber && !named[n] && !strings.HasPrefix(n.Value, "0") {
					report(n, "the number %s without a name", n.Value)
				}
			}
			return true
		})
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				s := s.(*ast.ValueSpec)
				for i, name := range s.Names {
					if i < len(s.Values) && limitName(name.Name) {
						if _, ok := literal(s.Values[i]); ok {
							report(name, "the limit %s outside of package limits", name.Name)
						}
					}
				}
			}
		}
	})
}

// shell: rule 6.
func shell(t *tree) []violation {
	shells := []string{"sh", "bash", "dash", "zsh", "fish", "env"}
	base := func(s string) string { return s[strings.LastIndex(s, "/")+1:] }
	return t.each(code, func(f *source, report func(ast.Node, string, ...any)) {
		ast.Inspect(f.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if s, ok := f.text(n); ok && strings.HasPrefix(s, "/") && slices.Contains(shells, base(s)) && strings.Contains(s, "bin/") {
					report(n, "names the shell %s", s)
				}
			case *ast.CallExpr:
				if pkg, name := f.selector(n.Fun); pkg == "os/exec" && strings.HasPrefix(name, "Command") {
					for _, a := range n.Args {
						if s, ok := f.text(a); ok && slices.Contains(shells, base(s)) {
							report(n, "starts the shell %s", s)
						}
					}
				}
			}
			return true
		})
	})
}

// bug reports whether e is a text that begins with "BUG: ".
func (f *source) bug(e ast.Expr) bool { s, ok := f.text(e); return ok && strings.HasPrefix(s, "BUG: ") }

func panics(t *tree) []violation {
	return t.each(code, func(f *source, report func(ast.Node, string, ...any)) {
		ast.Inspect(f.File, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if id, ok := c.Fun.(*ast.Ident); ok && id.Name == "panic" && !f.bug(c.Args[0]) {
				report(c, `a panic that does not begin with "BUG: "`)
			}
			return true
		})
	})
}

func exits(t *tree) []violation {
	return t.each(code, func(f *source, report func(ast.Node, string, ...any)) {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && f.Name.Name == "main" && fn.Name.Name == "main" && fn.Recv == nil {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, name := f.selector(s)
				if under(pkg, "os", "syscall", "golang.org/x/sys/unix") && name == "Exit" {
					report(s, "%s outside of main", name)
				}
				return true
			})
		}
	})
}

func comments(t *tree) []violation {
	documented, first := map[string]bool{}, map[string]*source{}
	for _, f := range t.files {
		if f.test {
			continue
		}
		if first[f.dir] == nil {
			first[f.dir] = f
		}
		// A doc comment begins with "Package name" or, for a program, with
		// "Command" or the program's own name.
		begins := []string{"package " + f.Name.Name + " "}
		if f.Name.Name == "main" {
			begins = []string{"command ", path.Base(f.dir) + " "}
		}
		text := strings.ToLower(f.Doc.Text())
		if slices.ContainsFunc(begins, func(b string) bool { return strings.HasPrefix(text, b) }) {
			documented[f.dir] = true
		}
	}
	var out []violation
	for dir, f := range first {
		if !documented[dir] && !generatedOnly(t, dir) {
			out = append(out, violation{f.path, 1, "package " + dir + " has no comment that says what it is for"})
		}
	}
	return out
}

// generatedOnly: the schema has the comment.
func generatedOnly(t *tree, dir string) bool {
	for _, f := range t.files {
		if f.dir == dir && !f.test && !f.generated {
			return false
		}
	}
	return true
}

func length(t *tree) []violation {
	return t.each(written, func(f *source, report func(ast.Node, string, ...any)) {
		if f.lines > limits.FileLines {
			report(f.Name, "the file has more than %d lines", limits.FileLines)
		}
	})
}

func sleeps(t *tree) []violation {
	return t.each(func(f *source) bool { return f.test }, func(f *source, report func(ast.Node, string, ...any)) {
		f.selectors(func(n *ast.SelectorExpr, pkg, name string) {
			if pkg == "time" && name == "Sleep" {
				report(n, "time.Sleep in a test")
			}
		})
	})
}

func skips(t *tree) []violation {
	return t.each(func(f *source) bool { return f.test }, func(f *source, report func(ast.Node, string, ...any)) {
		ast.Inspect(f.File, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			s, ok := c.Fun.(*ast.SelectorExpr)
			if ok && (s.Sel.Name == "SkipNow" || s.Sel.Name == "Skip" && len(c.Args) == 0) {
				report(c, "a test is left out without a reason")
			}
			return true
		})
	})
}

func unfinished(t *tree) []violation {
	marks := regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	return t.each(written, func(f *source, report func(ast.Node, string, ...any)) {
		for _, g := range f.Comments {
			for _, c := range g.List {
				if m := marks.FindString(c.Text); m != "" && f.dir != "internal/arch" {
					report(c, "a comment says %s", m)
				}
			}
		}
	})
}
