package syslibs

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// system is a made-up system: its libraries, and Bailey's.
func system(t *testing.T) (spec workerspec.Spec, libs, engine string) {
	t.Helper()
	spec, ok := workerspec.For("engine")
	if !ok {
		t.Fatal("no engine")
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	libs, engine = filepath.Join(base, "libs"), filepath.Join(base, "engine")
	for _, d := range []string{libs, engine} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range spec.Mounts {
		if !m.File {
			continue
		}
		// As most systems have them: a name that leads to a version.
		name := filepath.Join(libs, path.Base(m.Target))
		if err := os.WriteFile(name+".1.2", []byte(m.Target), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Base(name)+".1.2", name); err != nil {
			t.Fatal(err)
		}
	}
	return spec, libs, engine
}

func TestOpen(t *testing.T) {
	spec, libs, engine := system(t)
	s, err := open(spec, engine, []string{filepath.Join(libs, "none"), filepath.Join(libs, "libc.so.6"), libs}, "/none")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Mounts) != len(spec.Mounts) {
		t.Fatalf("%d of %d", len(s.Mounts), len(spec.Mounts))
	}
	for i, m := range s.Mounts {
		want := filepath.Join(libs, path.Base(m.Target)+".1.2")
		if !spec.Mounts[i].File {
			want = engine
		}
		// The path has no links: an ordinary user's worker follows none.
		if m.Target != spec.Mounts[i].Target || m.Path != want || m.Dir == nil || m.Write {
			t.Errorf("%+v, want %s", m, want)
		}
	}
}

// TestThisSystem: the machine that the tests run on is one of those that are
// known.
func TestThisSystem(t *testing.T) {
	spec, _, engine := system(t)
	s, err := Open(spec, engine)
	if err != nil {
		t.Skipf("this system has no glibc where Bailey looks for it: %v", err)
	}
	s.Close()
}

// TestNothingElseIsOpened: a kind without code needs none.
func TestNothingElseIsOpened(t *testing.T) {
	for _, kind := range []string{"index", "store", "inspect"} {
		spec, _ := workerspec.For(kind)
		s, err := open(spec, "/none", nil, "/none")
		if err != nil || len(s.Mounts) != 0 {
			t.Errorf("%s: %+v, %v", kind, s, err)
		}
	}
}

func TestMissing(t *testing.T) {
	for what, c := range map[string]struct {
		change func(t *testing.T, libs, engine string)
		musl   string
		says   []string
	}{
		"a library": {func(t *testing.T, libs, _ string) { remove(t, filepath.Join(libs, "libstdc++.so.6")) }, "/none",
			[]string{"libstdc++.so.6", "glibc 2.34"}},
		"glibc": {func(t *testing.T, libs, _ string) { remove(t, filepath.Join(libs, path.Base(loader()))) }, "/",
			[]string{"musl in place of glibc", "this system has none"}},
		"a link to nowhere": {func(t *testing.T, libs, _ string) { remove(t, filepath.Join(libs, "libc.so.6.1.2")) }, "/none",
			[]string{"libc.so.6"}},
		"a private library": {func(t *testing.T, libs, _ string) { private(t, filepath.Join(libs, "libc.so.6.1.2"), 0o600) }, "/none",
			[]string{"libc.so.6"}},
		"the directory":        {func(t *testing.T, _, engine string) { remove(t, engine) }, "/none", []string{"engine's library is not in"}},
		"a private directory":  {func(t *testing.T, _, engine string) { private(t, engine, 0o700) }, "/none", []string{"engine's library"}},
		"a file for directory": {func(t *testing.T, _, engine string) { remove(t, engine); file(t, engine) }, "/none", []string{"engine's library"}},
	} {
		spec, libs, engine := system(t)
		c.change(t, libs, engine)
		_, err := open(spec, engine, []string{libs}, c.musl)
		if strings.HasPrefix(what, "a private") && os.Geteuid() != 0 {
			if err != nil {
				t.Errorf("%s: %v: the user's worker is the user", what, err)
			}
			continue
		}
		if errs.CodeOf(err) != errs.EngineMissing {
			t.Errorf("%s: %v", what, err)
			continue
		}
		e := errs.From(err)
		for _, s := range c.says {
			if !strings.Contains(e.Message()+" "+e.HintText(), s) {
				t.Errorf("%s: %q, hint %q, without %q", what, e.Message(), e.HintText(), s)
			}
		}
	}
}

func loader() string {
	spec, _ := workerspec.For("engine")
	return spec.Mounts[0].Target
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

func private(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestProcessors: each processor that Bailey is built for has its directories.
func TestProcessors(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		if strings.HasSuffix(directories(arch)[0], "/") || strings.Contains(musl(arch), "-.") {
			t.Errorf("%s is not known", arch)
		}
	}
}
