// Package install tests what `make build`, `make install` and `make uninstall`
// put where. It builds its own programs, from the tree that it is in.
package install

import (
	"bytes"
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// run runs a program in the root of the tree.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = "../.."
	// A make above this test would hand its own flags down.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "MAKE") || strings.HasPrefix(s, "MFLAGS") })
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// tree lists files and directories under a directory.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	if err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if rel, _ := filepath.Rel(dir, p); rel != "." {
			all = append(all, rel)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestBuildInstallUninstall goes through a life of an installation, in a prefix
// that holds something of somebody else's.
func TestBuildInstallUninstall(t *testing.T) {
	bin, home := t.TempDir(), t.TempDir()
	prefix := filepath.Join(home, "a", "prefix")
	run(t, "make", "build", "BIN="+bin)

	theirs := []string{"share", "share/zsh", "share/zsh/other", "bin", "bin/other"}
	for _, p := range theirs {
		at := filepath.Join(prefix, p)
		if filepath.Base(p) == "other" {
			if err := os.WriteFile(at, []byte(p), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, home)

	// Twice, since an update installs over what is there.
	for range 2 {
		run(t, "make", "install", "BIN="+bin, "PREFIX="+prefix)
	}
	want := []string{
		"bin/bailey", "libexec/bailey/bailey-core", "libexec/bailey/bailey-engine", "libexec/bailey/bailey-worker", "libexec/bailey/directories-made",
		"share/bash-completion/completions/bailey", "share/fish/vendor_completions.d/bailey.fish", "share/zsh/site-functions/_bailey",
	}
	// With the inference libraries, where they could be had.
	libraries, err := os.ReadDir(filepath.Join(bin, "engine"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, l := range libraries {
		if !strings.HasPrefix(l.Name(), ".") {
			want = append(want, "libexec/bailey/engine/"+l.Name())
		}
	}
	// And with the programs that draw and the apps, where they could be built.
	for _, p := range []string{"bailey-window", "bailey-prompt", "apps/studio.tar", "apps/panels.tar"} {
		if _, err := os.Stat(filepath.Join(bin, p)); err == nil {
			want = append(want, "libexec/bailey/"+p)
		}
	}
	slices.Sort(want)
	var got []string
	for _, p := range tree(t, prefix) {
		if i, err := os.Stat(filepath.Join(prefix, p)); err != nil {
			t.Fatal(err)
		} else if i.Mode().IsRegular() && filepath.Base(p) != "other" {
			got = append(got, p)
			if mode := i.Mode().Perm(); mode&0o022 != 0 || mode&0o444 != 0o444 {
				t.Errorf("%s has mode %v", p, mode)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("installed %q, want %q", got, want)
	}
	version := strings.TrimSpace(run(t, filepath.Join(prefix, "bin", "bailey"), "version"))
	if base := strings.TrimSpace(run(t, "cat", "VERSION")); !strings.HasPrefix(version, base) {
		t.Errorf("bailey version says %q, VERSION says %q", version, base)
	}
	for _, c := range want[len(want)-3:] {
		if b, err := os.ReadFile(filepath.Join(prefix, c)); err != nil || !bytes.Contains(b, []byte("summarize")) {
			t.Errorf("%s completes nothing (%v)", c, err)
		}
	}

	run(t, "make", "uninstall", "PREFIX="+prefix)
	if after := tree(t, home); !slices.Equal(after, before) {
		t.Errorf("after uninstall: %q, before install: %q", after, before)
	}
	// Nothing is left to remove, which is no failure.
	run(t, "make", "uninstall", "PREFIX="+prefix)

	for _, p := range []string{"bailey", "bailey-core", "bailey-worker"} {
		t.Run(p, func(t *testing.T) { static(t, filepath.Join(bin, p), version) })
	}
	t.Run("bailey-engine", func(t *testing.T) { stripped(t, filepath.Join(bin, "bailey-engine"), version) })
}

// static checks that a program needs no library, and the rest as stripped does.
func static(t *testing.T, path, version string) {
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("has a %v segment: it is not static", p.Type)
		}
	}
	stripped(t, path, version)
}

// stripped checks that a program holds no symbols and no path of the machine
// that built it, and knows its release.
func stripped(t *testing.T, path, version string) {
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Section(".symtab") != nil {
		t.Error("has a symbol table: it is not stripped")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte(root+"/internal")) {
		t.Errorf("names %s, where it was built", root)
	}
	if !bytes.Contains(b, []byte(version)) {
		t.Errorf("does not hold its release %s", version)
	}
}

// TestTilde: some shells pass the tilde of PREFIX=~/.local on.
func TestTilde(t *testing.T) {
	out := run(t, "make", "-n", "uninstall", "PREFIX=~/.local", "HOME=/home/someone")
	if !strings.Contains(out, "/home/someone/.local/bin/bailey") || strings.Contains(out, "~") {
		t.Errorf("%s", out)
	}
}
