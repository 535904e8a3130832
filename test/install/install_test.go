// Package install tests what `make build`, `make install` and `make uninstall`
// put where. It builds its own programs, from the tree that it is in.
package install

import (
	"bytes"
	"debug/elf"
	"encoding/xml"
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
	out, err := attempt(name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

// attempt is run for what may fail.
func attempt(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = "../.."
	// A make above this test would hand its own flags down.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "MAKE") || strings.HasPrefix(s, "MFLAGS") })
	out, err := cmd.CombinedOutput()
	return string(out), err
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
		if out := run(t, "make", "install", "BIN="+bin, "PREFIX="+prefix); !strings.Contains(out, prefix+"/bin is not in PATH") {
			t.Errorf("a prefix that PATH does not have:\n%s", out)
		}
	}
	// Where nothing can be written, one sentence says so.
	if out, err := attempt("make", "install", "BIN="+bin, "PREFIX=/dev/null/prefix"); err == nil || !strings.Contains(out, "cannot be written: become root") || strings.Contains(out, "mkdir:") {
		t.Errorf("%v\n%s", err, out)
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
	_, window := os.Stat(filepath.Join(bin, "bailey-window"))
	_, studio := os.Stat(filepath.Join(bin, "apps", "studio.tar"))
	if window == nil && studio == nil {
		want = append(want, entryIn, iconIn)
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
	if slices.Contains(want, entryIn) {
		entry(t, prefix)
	}
	way(t, bin)
	for _, c := range []string{"share/bash-completion/completions/bailey", "share/fish/vendor_completions.d/bailey.fish", "share/zsh/site-functions/_bailey"} {
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

// Where a desktop looks for the entry and the icon. The entry has the name that
// Studio's windows give a desktop, which joins the two by it.
const (
	entryIn = "share/applications/bailey-studio.desktop"
	iconIn  = "share/icons/hicolor/scalable/apps/bailey-studio.svg"
)

// entry checks what a desktop needs of an installed entry and its icon.
func entry(t *testing.T, prefix string) {
	b, err := os.ReadFile(filepath.Join(prefix, entryIn))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	if lines[0] != "[Desktop Entry]" {
		t.Errorf("the entry begins with %q", lines[0])
	}
	for _, want := range []string{
		"Type=Application", "Name=Bailey Studio", "Name[de]=Bailey Studio", "Icon=bailey-studio", "Terminal=false",
		"StartupWMClass=bailey-studio", "Exec=" + filepath.Join(prefix, "bin", "bailey") + " studio",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the entry lacks %q:\n%s", want, b)
		}
	}
	for _, key := range []string{"Comment=", "Comment[de]=", "Categories="} {
		if !strings.Contains(string(b), "\n"+key) {
			t.Errorf("the entry lacks %s", key)
		}
	}
	svg, err := os.ReadFile(filepath.Join(prefix, iconIn))
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(svg, &struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		ViewBox string   `xml:"viewBox,attr"`
	}{}); err != nil {
		t.Errorf("the icon: %v", err)
	}
	if validate, err := exec.LookPath("desktop-file-validate"); err == nil {
		run(t, validate, filepath.Join(prefix, entryIn))
	} else {
		t.Log("desktop-file-validate is not installed: only the keys were checked")
	}
}

// way checks that the entry of a place that is on everyone's PATH names the command
// alone, and that of a package never the directory that it is packed in.
func way(t *testing.T, bin string) {
	for _, c := range []struct{ prefix, destdir, want string }{
		{"/usr/local", "", "bailey studio"}, {"/usr", "/pack", "bailey studio"}, {"/opt/b", "/pack", "/opt/b/bin/bailey studio"},
		{"~/.local", "", "/home/someone/.local/bin/bailey studio"},
	} {
		out := run(t, "make", "-n", "install", "BIN="+bin, "PREFIX="+c.prefix, "DESTDIR="+c.destdir, "HOME=/home/someone")
		if !strings.Contains(out, "|Exec="+c.want+"|") {
			t.Errorf("PREFIX=%s DESTDIR=%s: not %q:\n%s", c.prefix, c.destdir, c.want, out)
		}
	}
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
