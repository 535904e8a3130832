package arch

import (
	"go/ast"
	"strings"
)

// layer is one step of the tree; imports go to a lower step only.
type layer struct {
	name string
	dirs []string
	// peers allows imports between different dirs of the same layer.
	peers bool
}

// layers, lowest first. A directory that is not here is a violation, so that a
// new package is put somewhere on purpose.
func layers() []layer {
	return []layer{
		{"leaf", []string{"internal/errs", "internal/limits", "internal/clock", "internal/release", "internal/visible"}, true},
		{"wire", []string{"internal/wire"}, true},
		{"pure", []string{"internal/capability", "internal/workerspec", "internal/auditlog"}, true},
		{"plat", []string{"internal/plat"}, true},
		{"subsystem", []string{
			"internal/ipc", "internal/grant", "internal/audit", "internal/consent", "internal/supervise", "internal/hosts",
			"internal/workerkit", "internal/session", "internal/client", "internal/models", "internal/prompthost",
			"internal/apps", "internal/window",
		}, true},
		// Services never import each other; neither do kinds of workers.
		{"service", []string{"internal/service/*"}, false},
		{"process", []string{"internal/core", "internal/worker/*"}, false},
		{"command", []string{"cmd/*"}, false},
		{"outside", []string{"internal/arch", "internal/testkit", "tools/*", "test/*", "test"}, false},
	}
}

// place returns the layer of a directory and the entry of it that matched, in
// which a * stands for one name.
func place(dir string) (at int, group string) {
	parts := strings.Split(dir, "/")
	for i, l := range layers() {
		for _, pattern := range l.dirs {
			want := strings.Split(pattern, "/")
			if len(parts) < len(want) {
				continue
			}
			match := true
			for j, w := range want {
				match = match && (w == "*" || w == parts[j])
			}
			if match {
				return i, strings.Join(parts[:len(want)], "/")
			}
		}
	}
	return -1, ""
}

// arrows: rule 1. Tests are free: one that goes through several layers has to
// import them, and nothing is built from it.
func arrows(t *tree) []violation {
	all := layers()
	return t.each(func(f *source) bool { return true }, func(f *source, report func(ast.Node, string, ...any)) {
		from, group := place(f.dir)
		if from < 0 {
			report(f.Name, "package %s stands in no layer of layers_test.go", f.dir)
			return
		}
		if all[from].name == "outside" || f.test {
			return
		}
		for _, im := range f.imports() {
			dir, ok := im.ours()
			if !ok {
				continue
			}
			to, target := place(dir)
			switch {
			case to < 0:
				report(im.spec, "imports %s, which stands in no layer", dir)
			case to > from:
				report(im.spec, "%s imports %s upwards (%s imports %s)", f.dir, dir, all[from].name, all[to].name)
			case to == from && target != group && !all[from].peers:
				report(im.spec, "%s imports %s, another %s", f.dir, dir, all[from].name)
			}
		}
	})
}
