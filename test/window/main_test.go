// Package window shows real windows on a desktop of the tests' own and looks at
// them as a person does and as an attacker would: hostile pages in the window
// that is shipped, the whole story of Studio, and what happens when something of
// it is taken away.
//
// Every attack has a control run in a bare host, where it succeeds.
package window

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/test/window/desk"
	"github.com/bailey-run/bailey/test/window/driver"
)

// wait bounds everything that is awaited; a promise in milliseconds is held at
// ten times its value.
const wait = desk.Wait

func TestMain(m *testing.M) { os.Exit(desk.Main(m, build)) }

//go:embed pages
var pages embed.FS

//go:embed bare/naive.js
var naiveScript string

// Where build puts things below desk.Dir().
const (
	release    = "bin"
	automated  = "automated"
	bareHost   = "bare"
	hostWindow = "bailey-window"
	axeFile    = "axe.js"
	storyDir   = "stories"
)

// build compiles everything as make does, once for all tests.
func build(dir string) error {
	top, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	run := func(at string, env []string, argv ...string) error {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = at, append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
		}
		return nil
	}
	bin, auto := filepath.Join(dir, release), filepath.Join(dir, automated)
	for _, d := range []string{bin, auto} {
		if err := os.MkdirAll(filepath.Join(d, "apps"), 0o755); err != nil {
			return err
		}
	}
	// Without the apps everything that needs no page of ours is tested all the
	// same.
	var linked []string
	if _, err := exec.LookPath("npm"); err == nil {
		if err := run(top, nil, "make", "BIN="+bin, bin+"/apps/studio.tar", bin+"/apps/panels.tar"); err != nil {
			return err
		}
		if err := run(top, nil, "npm", "run", "stories"); err != nil {
			return err
		}
		if err := os.CopyFS(filepath.Join(dir, storyDir), os.DirFS(filepath.Join(top, "build", "stories"))); err != nil {
			return err
		}
		out, err := exec.Command("go", "run", "../../tools/packapp", "-flags", bin+"/apps").Output()
		if err != nil {
			return err
		}
		axe, err := os.ReadFile(filepath.Join(top, "node_modules", "axe-core", "axe.min.js"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, axeFile), axe, 0o644)
		}
		if err != nil {
			return err
		}
		linked = []string{"-ldflags", strings.Join(strings.Fields(string(out)), " ")}
	}
	programs := []string{"./cmd/bailey", "./cmd/bailey-core", "./cmd/bailey-worker", "./cmd/bailey-engine"}
	build := append([]string{"go", "build", "-trimpath"}, linked...)
	for _, argv := range [][]string{
		append(append(slices.Clone(build), "-o", bin+"/"), programs...),
		append(append(slices.Clone(build), "-tags", "automation", "-o", auto+"/"), programs...),
		{"make", "BIN=" + bin, bin + "/bailey-window", bin + "/bailey-prompt"},
		{"make", "automation"},
	} {
		if err := run(top, []string{"CGO_ENABLED=0"}, argv...); err != nil {
			return err
		}
	}
	for from, to := range map[string]string{
		filepath.Join(top, "build", "automation", hostWindow): hostWindow, bin + "/bailey-prompt": "bailey-prompt",
		bin + "/apps/studio.tar": "apps/studio.tar", bin + "/apps/panels.tar": "apps/panels.tar",
	} {
		b, err := os.ReadFile(from)
		if errors.Is(err, os.ErrNotExist) && linked == nil {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(auto, to), b, 0o755)
		}
		if err != nil {
			return err
		}
	}
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "webkitgtk-6.0").Output()
	if err != nil {
		return err
	}
	argv := append([]string{"gcc", "-O1", "-o", filepath.Join(dir, bareHost), filepath.Join(top, "test", "window", "bare", "bare.c")}, strings.Fields(string(flags))...)
	return errors.Join(run(top, nil, argv...), driver.Build(dir))
}

// site is what a page consists of: names and contents.
type site map[string]string

// hostile is the site whose page is a script of pages/, or a text.
func hostile(t testing.TB, script string) site {
	t.Helper()
	s := site{}
	must(t, fs.WalkDir(pages, "pages", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := pages.ReadFile(path)
		s["/"+strings.TrimPrefix(path, "pages/")] = string(b)
		return err
	}))
	if strings.HasSuffix(script, ".js") {
		script = s["/"+script]
	}
	s["/page.js"] = script
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	desk.Until(t, what, ok)
}

// within is until for what has to be so soon.
func within(t testing.TB, d time.Duration, what string, ok func() bool) {
	t.Helper()
	began := time.Now()
	desk.Until(t, what, ok)
	if took := time.Since(began); took > d {
		t.Errorf("%s took %v, over %v", what, took, d)
	}
}
