package arch

import (
	"strings"
	"testing"
	"testing/fstest"
)

// fixture is a small tree that breaks one rule; want lists a part of each
// violation, in order.
type fixture struct {
	rule  string
	files map[string]string
	want  []string
}

// at is a tree of one file.
func at(path, body string) map[string]string {
	return map[string]string{path: body}
}

const m = `"` + modulePath

func fixtures() []fixture {
	lines := "package a\n" + strings.Repeat("// x\n", 600)
	return []fixture{
		{"arrows", at("internal/errs/x.go", "package errs\nimport _ "+m+`internal/ipc"`), []string{"internal/errs imports internal/ipc upwards"}},
		{"arrows", at("internal/plat/proc/x_darwin.go", "package proc\nimport _ "+m+`internal/grant"`), []string{"upwards"}},
		{"arrows", at("internal/service/a/x.go", "package a\nimport _ "+m+`internal/service/b"`), []string{"another service"}},
		{"arrows", at("internal/worker/index/x.go", "package index\nimport _ "+m+`internal/worker/file/io"`), []string{"another process"}},
		{"arrows", at("internal/core/x.go", "package core\nimport _ "+m+`internal/worker/index"`), []string{"another process"}},
		{"arrows", at("internal/grant/x.go", "package grant\nimport _ "+m+`internal/testkit"`), []string{"upwards"}},
		{"arrows", at("internal/stray/x.go", "package stray"), []string{"stands in no layer"}},
		{"arrows", at("internal/grant/x.go", "package grant\nimport _ "+m+`internal/stray"`), []string{"imports internal/stray, which stands in no layer"}},
		{"system", at("internal/grant/x.go", "package grant\nimport (\n_ \"os\"\n_ \"os/exec\"\n_ \"net/http\"\n_ \"syscall\"\n_ \"golang.org/x/sys/unix\"\n)"),
			[]string{"imports os", "imports os/exec", "imports net/http", "imports syscall", "imports golang.org/x/sys/unix"}},
		{"system", at("internal/grant/x_windows.go", "//go:build windows\n\npackage grant\nimport _ \"os\""), []string{"imports os"}},
		{"environment", at("internal/plat/proc/x.go", "package proc\nimport o \"os\"\nvar _ = o.Getenv(\"HOME\")\nfunc f() { g := o.LookupEnv; _ = g }"), []string{"Getenv", "LookupEnv"}},
		{"unsafe", at("internal/plat/proc/x.go", "package proc\nimport _ \"unsafe\"\n//go:linkname f runtime.f\nfunc f()"), []string{"unsafe outside", "go:linkname"}},
		{"cgo", at("internal/plat/proc/x.go", "package proc\nimport \"C\""), []string{"cgo"}},
		{"init", at("internal/plat/proc/x.go", "package proc\nfunc init() {}"), []string{"func init"}},
		{"state", at("internal/grant/x.go", `package grant
import ("sync"; "errors")
var Exported = 1
var empty int
var once sync.Once
var cache = map[string]int{}
var seen = make(map[string]bool)
var counter = 0
var fields = struct{ n int }{}
var taken = 3
var ErrLate = errors.New("late")
var table = []int{1, 2}
func f() { cache["x"] = 1; counter++; fields.n = 2; _ = &taken; table := []int{}; table[0] = 1 }`),
			[]string{"Exported: exported", "empty: variable without a value", "once: variable without", "cache: variable that is changed", "seen: variable of a type",
				"counter: variable that is changed", "fields: variable that is changed", "taken: variable that is changed"}},
		{"logger", at("internal/grant/x.go", "package grant\nimport (\n_ \"log\"\n\"log/slog\"\n\"fmt\"\n)\nfunc f() {\nslog.Info(\"x\")\nfmt.Println(1)\n}"), []string{"imports log", "slog.Info", "fmt.Println"}},
		{"numbers", at("internal/grant/x.go", `package grant
import ("time"; "context")
const maxRows = 7
const nobody = 65534
const window = 1 << 16
var a = 5 * time.Second
func f() {
	context.WithTimeout(nil, time.Second)
	_ = 4096
	_ = 1 << 20
	_ = 1000
	_ = 1 << 40
	_ = 0x10ffff
	_ = 1 << 3
}`), []string{"limit maxRows", "a size without", "a duration without", "a duration without", "number 4096", "a size without"}},
		{"shell", at("internal/plat/proc/x.go", `package proc
import "os/exec"
func f() {
	exec.Command("sh", "-c", "ls")
	_ = "/bin/bash"
	_ = "bash"
	exec.Command("/usr/bin/env", "x")
}`), []string{"starts the shell sh", "names the shell /bin/bash", "names the shell /usr/bin/env", "starts the shell /usr/bin/env"}},
		{"panic", at("internal/grant/x.go", "package grant\nimport \"fmt\"\nfunc f(err error) {\npanic(err)\npanic(\"no\")\npanic(\"BUG: yes\" + err.Error())\npanic(fmt.Sprintf(\"BUG: %v\", err))\npanic(fmt.Sprintf(\"%v\", err))\n}"), []string{"panic", "panic", "panic"}},
		{"exit", at("cmd/x/x.go", "package main\nimport (\"os\"; \"golang.org/x/sys/unix\")\nfunc main() { os.Exit(f()) }\nfunc f() int { os.Exit(1); unix.Exit(2); return 0 }"), []string{"Exit outside", "Exit outside"}},
		{"exit", at("internal/plat/proc/x.go", "package proc\nimport \"os\"\nfunc main() { os.Exit(1) }"), []string{"Exit outside"}},
		{"comment", at("internal/grant/x.go", "// About something else.\npackage grant"), []string{"no comment"}},
		{"comment", at("cmd/x/x.go", "package main"), []string{"no comment"}},
		{"length", at("internal/grant/x.go", lines), []string{"more than 600 lines"}},
		{"sleep", at("internal/grant/x_test.go", "package grant\nimport \"time\"\nfunc f() { time.Sleep(1) }"), []string{"time.Sleep"}},
		{"skip", at("internal/grant/x_test.go", "package grant\nimport \"testing\"\nfunc TestX(t *testing.T) { t.SkipNow(); t.Skip(); t.Skip(\"why\") }"), []string{"left out", "left out"}},
		{"unfinished", at("internal/grant/x.go", "package grant\n// TODO: more\nfunc f() {}"), []string{"TODO"}},
	}
}

// TestRulesCanFail: each fixture is found, each finding is expected, and every
// rule has one.
func TestRulesCanFail(t *testing.T) {
	tested := map[string]bool{}
	for _, f := range fixtures() {
		tested[f.rule] = true
		tr := parse(t, f.files)
		var got []violation
		for _, r := range rules() {
			if r.name == f.rule {
				got = sorted(r.check(tr))
			}
		}
		ok := len(got) == len(f.want)
		for i := range got {
			ok = ok && strings.Contains(got[i].what, f.want[i])
		}
		if !ok {
			t.Errorf("%s: %v\n\tgot  %v\n\twant %q", f.rule, f.files, got, f.want)
		}
	}
	for _, r := range rules() {
		if !tested[r.name] {
			t.Errorf("rule %s has no fixture that breaks it", r.name)
		}
	}
}

// TestRulesCanPass: a tree that keeps to the rules is left alone.
func TestRulesCanPass(t *testing.T) {
	tr := parse(t, map[string]string{
		"internal/errs/x.go":       "// Package errs is.\npackage errs\nimport _ \"net/url\"",
		"internal/plat/proc/x.go":  "// Package proc is.\npackage proc\nimport (\n_ \"os\"\n_ " + m + "internal/errs\"\n)\nvar _ = 3",
		"internal/core/x.go":       "// Package core is.\npackage core\nimport _ " + m + "internal/service/a\"",
		"internal/core/x_test.go":  "package core_test\nimport _ " + m + "internal/testkit\"\nvar update = 1",
		"internal/service/a/x.go":  "// Package a is.\npackage a\nimport (\n_ " + m + "internal/grant\"\n_ " + m + "internal/ipc\"\n)",
		"internal/wire/x/x.pb.go":  "// Code generated by x. DO NOT EDIT.\n\npackage x\nimport _ \"unsafe\"\nvar X int\nfunc init() {}",
		"internal/a/testdata/x.go": "package nothing at all",
		"test/hostile/x.go":        "// Package hostile is.\npackage hostile\nimport _ \"os\"\nvar n int\nfunc f() { panic(4096) }",
		"cmd/x/main.go":            "// Command x is.\npackage main\nimport (\n\"os\"\n_ " + m + "internal/core\"\n)\nfunc main() { os.Exit(0) }",
		"bench/go.mod":             "module bench",
		"bench/x.go":               "package stray\nfunc init() {}",
	})
	for _, r := range rules() {
		if vs := r.check(tr); len(vs) > 0 {
			t.Errorf("%s: %v", r.name, vs)
		}
	}
}

// TestExceptionsAreNarrow: an exception is for its rule, place and offence only.
func TestExceptionsAreNarrow(t *testing.T) {
	if _, ok := excepted("system", violation{"internal/clock/clock_linux.go", 1, "internal/clock imports golang.org/x/sys/unix"}); !ok {
		t.Error("the control is not excepted")
	}
	for rule, v := range map[string]violation{
		"exit":   {"internal/clock/clock_linux.go", 1, "internal/clock imports golang.org/x/sys/unix"},
		"system": {"internal/clockwork/x.go", 1, "internal/clockwork imports golang.org/x/sys/unix"},
	} {
		if e, ok := excepted(rule, v); ok {
			t.Errorf("%v is excepted by %v", v, e)
		}
	}
	if _, ok := excepted("system", violation{"internal/clock/clock_linux.go", 1, "internal/clock imports net"}); ok {
		t.Error("internal/clock may import net")
	}
}

func parse(t *testing.T, files map[string]string) *tree {
	t.Helper()
	fsys := fstest.MapFS{}
	for p, body := range files {
		fsys[p] = &fstest.MapFile{Data: []byte(body)}
	}
	tr, err := load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}
