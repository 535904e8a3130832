package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mapsFile reports whether a source maps memory of a descriptor: the only kind that
// who holds the file can take away again.
func mapsFile(t *testing.T, name string, src any) bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Mmap" && sel.Sel.Name != "MmapPtr" {
				return true
			}
			// Anonymous memory has no descriptor: -1.
			if u, ok := n.Args[0].(*ast.UnaryExpr); ok && u.Op == token.SUB {
				if one, ok := u.X.(*ast.BasicLit); ok && one.Value == "1" {
					return true
				}
			}
			found = true
		case *ast.SelectorExpr:
			if n.Sel.Name == "SYS_MMAP" || n.Sel.Name == "SYS_MMAP2" {
				found = true
			}
		}
		return true
	})
	return found
}

// TestNobodyMapsFiles: no package that the core is linked of maps a file, so no
// worker can take memory away from it. The tables of system calls' numbers are
// for filters.
func TestNobodyMapsFiles(t *testing.T) {
	for src, want := range map[string]bool{
		"package x; func f() { unix.Mmap(fd, 0, 1, 0, 0) }":      true,
		"package x; func f() { unix.Syscall(unix.SYS_MMAP, 0) }": true,
		"package x; func f() { unix.Mmap(-1, 0, 1, 0, 0) }":      false,
	} {
		if got := mapsFile(t, "x.go", src); got != want {
			t.Errorf("control: %s: %v", src, got)
		}
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command, to list what the core is linked of")
	}
	out, err := exec.CommandContext(t.Context(), goTool, "list", "-deps", "-f", "{{if not .Standard}}{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}{{end}}", "github.com/bailey-run/bailey/cmd/bailey-core").Output()
	if err != nil {
		t.Skip("needs the sources, to list what the core is linked of: as an ordinary user they may be out of reach")
	}
	files := strings.Fields(string(out))
	if len(files) < 100 {
		t.Fatalf("%d sources", len(files))
	}
	for _, path := range files {
		// x/sys offers the call, the numbers are what filters are made of, and the
		// last runs in a worker alone, and asks for anonymous memory at an address.
		name := filepath.Base(path)
		if strings.Contains(path, "/golang.org/x/sys@") || strings.HasPrefix(name, "arch_linux_") || name == "foreign_linux_unsafe.go" {
			continue
		}
		if mapsFile(t, path, nil) {
			t.Errorf("%s maps a file", path)
		}
	}
}
