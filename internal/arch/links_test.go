package arch

import (
	"bytes"
	"flag"
	"fmt"
	"go/build"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

var update = flag.Bool("update", false, "rewrite the lists of what each program links; read the difference before you commit it")

// forbidden is what a program may not link, directly or through others.
type forbidden struct{ program, pkg, reason string }

// That no program links C is not here: all are built without cgo, which leaves
// out every file that imports it.
func forbiddenLinks() []forbidden {
	const (
		parse = "what the core parses is our frames, our files and what keyring and desktop answer; documents are parsed in workers"
		serve = "the core has one private unix socket and no server that speaks to a network"
		apart = "what the core would link of a worker would run with the user's authority"
		mint  = "only the core mints grants and writes the log"
	)
	return []forbidden{
		{"bailey-core", "internal/worker", apart},
		{"bailey-core", "net/http", serve},
		{"bailey-core", "net/rpc", serve},
		{"bailey-core", "crypto/tls", serve},
		{"bailey-core", "os/exec", "processes are started by plat/sandbox alone, which confines them"},
		{"bailey-core", "archive", parse},
		{"bailey-core", "image", parse},
		{"bailey-core", "encoding/xml", parse},
		{"bailey-core", "html", parse},
		{"bailey-core", "text/template", "it reaches any method by name, so that the linker can drop none"},
		{"bailey-core", "golang.org/x/net/html", parse},
		{"bailey-core", "golang.org/x/net/http2", serve},
		{"bailey-core", "github.com/yuin/goldmark", parse},
		{"bailey-core", "github.com/blevesearch", parse},
		{"bailey-core", "modernc.org", parse},
		{"bailey-core", "buf.build/go/protovalidate", "rules are checked by generated code; this one costs 6 MB and 5 ms of start"},
		{"bailey-core", "cel.dev", "as protovalidate"},
		{"bailey-worker", "internal/core", mint},
		{"bailey-worker", "internal/grant", mint},
		{"bailey-worker", "internal/audit", mint},
		{"bailey-worker", "internal/consent", mint},
		{"bailey-worker", "internal/client", "a worker never calls the core as a client"},
		{"bailey-worker", "internal/session", mint},
		{"bailey-worker", "internal/supervise", "a worker starts nothing"},
		{"bailey-worker", "net/http", "no worker so far has a network"},
		{"bailey-worker", "buf.build/go/protovalidate", "as for the core"},
		{"bailey-worker", "github.com/ebitengine/purego", "a pure Go worker loads no library, and needs no loader in its root"},
		{"bailey-engine", "internal/core", mint},
		{"bailey-engine", "internal/grant", mint},
		{"bailey-engine", "internal/audit", mint},
		{"bailey-engine", "internal/consent", mint},
		{"bailey-engine", "internal/client", "a worker never calls the core as a client"},
		{"bailey-engine", "internal/session", mint},
		{"bailey-engine", "internal/supervise", "a worker starts nothing"},
		{"bailey-engine", "net/http", "no engine has a network"},
		{"bailey-engine", "internal/worker/index", "an engine reads no documents"},
		{"bailey-engine", "modernc.org", "an engine keeps nothing"},
		{"bailey-engine", "buf.build/go/protovalidate", "as for the core"},
		{"bailey-core", "github.com/ebitengine/purego", "nothing native is loaded with the user's authority"},
		{"bailey", "internal/core", "the command is a client with no authority of its own"},
		{"bailey", "internal/worker/*", "documents are parsed in workers"},
		{"bailey", "net/http", "the command speaks to the core's socket only"},
		{"bailey", "buf.build/go/protovalidate", "as for the core"},
	}
}

// linker finds what a package imports, in this process.
type linker struct {
	root, cache string
	modules     map[string]string // path → directory
	context     build.Context
}

func newLinker(t *testing.T, goos string) *linker {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &linker{root: root, modules: map[string]string{}, context: build.Default}
	l.context.GOOS, l.context.GOARCH, l.context.CgoEnabled = goos, "amd64", false
	l.context.BuildTags = nil
	l.cache = os.Getenv("GOMODCACHE")
	if l.cache == "" {
		l.cache = filepath.Join(filepath.SplitList(l.context.GOPATH)[0], "pkg", "mod")
	}
	for _, r := range mod.Require {
		p, err := module.EscapePath(r.Mod.Path)
		if err != nil {
			t.Fatal(err)
		}
		l.modules[r.Mod.Path] = filepath.Join(l.cache, p+"@"+r.Mod.Version)
	}
	return l
}

// dir is where the source of an import path lies.
func (l *linker) dir(pkg, from string) (string, error) {
	if rest, ok := strings.CutPrefix(pkg, modulePath); ok {
		return filepath.Join(l.root, rest), nil
	}
	std := filepath.Join(l.context.GOROOT, "src")
	if d := filepath.Join(std, "vendor", pkg); strings.HasPrefix(from, std) && exists(d) {
		return d, nil
	}
	for p := pkg; p != "."; p = path.Dir(p) {
		if dir, ok := l.modules[p]; ok {
			return filepath.Join(dir, strings.TrimPrefix(pkg, p)), nil
		}
	}
	if d := filepath.Join(std, pkg); exists(d) {
		return d, nil
	}
	return "", fmt.Errorf("no source of %s, imported in %s", pkg, from)
}

func exists(dir string) bool { _, err := os.Stat(dir); return err == nil }

// links returns all that a program of cmd/ links, in order, each with one that
// imports it.
func (l *linker) links(t *testing.T, program string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	var visit func(pkg, dir string)
	visit = func(pkg, dir string) {
		p, err := l.context.ImportDir(dir, 0)
		if err != nil {
			t.Fatalf("%s: %v", pkg, err)
		}
		for _, im := range p.Imports {
			d, err := l.dir(im, dir)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(d, filepath.Join(l.context.GOROOT, "src", "vendor")) {
				im = "vendor/" + im
			}
			if _, ok := seen[im]; ok {
				continue
			}
			seen[im] = pkg
			visit(im, d)
		}
	}
	visit("cmd/"+program, filepath.Join(l.root, "cmd", program))
	return seen
}

// TestForbiddenLinks follows every import of every program.
func TestForbiddenLinks(t *testing.T) {
	l := newLinker(t, "linux")
	for _, program := range []string{"bailey", "bailey-core", "bailey-worker", "bailey-engine"} {
		seen := l.links(t, program)
		if len(seen) < 50 {
			t.Fatalf("%s: only %d packages were found", program, len(seen))
		}
		for _, v := range breaks(program, seen) {
			t.Error(v)
		}
	}
}

func breaks(program string, seen map[string]string) []string {
	var out []string
	for pkg, by := range seen {
		short := strings.TrimPrefix(pkg, modulePath)
		for _, f := range forbiddenLinks() {
			if f.program == program && under(short, strings.TrimSuffix(f.pkg, "/*")) {
				out = append(out, fmt.Sprintf("%s links %s (by %s): %s", program, pkg, by, f.reason))
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestForbiddenLinksCanFail: a program that links all that is forbidden is told
// so, and a near name is not.
func TestForbiddenLinksCanFail(t *testing.T) {
	for _, f := range forbiddenLinks() {
		pkg := strings.TrimSuffix(f.pkg, "/*")
		if strings.HasPrefix(pkg, "internal/") {
			pkg = modulePath + pkg
		}
		if got := breaks(f.program, map[string]string{pkg: "x"}); len(got) != 1 {
			t.Errorf("%v: %q", f, got)
		}
		if got := breaks(f.program, map[string]string{pkg + "er": "x"}); len(got) != 0 {
			t.Errorf("%v: %q", f, got)
		}
	}
	// The walk itself sees through others: the generator links protobuf's own
	// compiler packages by way of protogen.
	if by := newLinker(t, "linux").links(t, "protoc-gen-bailey")["google.golang.org/protobuf/types/pluginpb"]; by == "" {
		t.Error("an import of an import was not found")
	}
}

// TestCoreLinks compares what the core links with a list that a person has
// read. The standard library's own internals are left out: they change with
// each release of Go and are its business.
func TestCoreLinks(t *testing.T) {
	const golden = "testdata/bailey-core.txt"
	var got bytes.Buffer
	var list []string
	for pkg := range newLinker(t, "linux").links(t, "bailey-core") {
		inside := under(pkg, "internal", "vendor") || strings.Contains(pkg+"/", "/internal/")
		if !inside || strings.HasPrefix(pkg, modulePath) {
			list = append(list, strings.TrimPrefix(pkg, modulePath))
		}
	}
	slices.Sort(list)
	for _, p := range list {
		fmt.Fprintln(&got, p)
	}
	if *update {
		if os.Getenv("CI") != "" {
			t.Fatal("-update is for a person who reads the difference, not for CI")
		}
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range difference(got.String(), string(want)) {
		t.Errorf("bailey-core %s (go test ./internal/arch -update)", line)
	}
}

func difference(got, want string) []string {
	g, w := strings.Fields(got), strings.Fields(want)
	var out []string
	for _, p := range g {
		if !slices.Contains(w, p) {
			out = append(out, "now links "+p)
		}
	}
	for _, p := range w {
		if !slices.Contains(g, p) {
			out = append(out, "no longer links "+p)
		}
	}
	return out
}

func TestDifference(t *testing.T) {
	got := difference("a\nb\n", "b\nc\n")
	if !slices.Equal(got, []string{"now links a", "no longer links c"}) {
		t.Errorf("%q", got)
	}
}
