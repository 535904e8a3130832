package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// tree makes a repository with a list of three files, and a directory that has
// them as the package does.
func tree(t *testing.T) (pkg string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	put := func(text string, path ...string) {
		t.Helper()
		p := filepath.Join(path...)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pkg = filepath.Join(dir, "build", "npm", "engine", "node_modules", "@node-llama-cpp", "linux-x64")
	list := ""
	for _, name := range []string{"libggml-base.so", "libggml-cpu-x64.so", "LICENSE"} {
		list += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte("text of "+name)), name)
		if name == "LICENSE" {
			put("text of "+name, pkg, name)
		} else {
			put("text of "+name, pkg, "bins", "linux-x64", name)
		}
	}
	put(list, processors().packaging, sums)
	put("MIT", processors().packaging, "LICENSE.llama.cpp")
	return pkg
}

// filled places the package's files as if they had been fetched.
func filled(t *testing.T, pkg string, to ...string) {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(processors().packaging, sums))
	if err != nil {
		t.Fatal(err)
	}
	files, err := processors().parse(list)
	if err != nil {
		t.Fatal(err)
	}
	from := func(f file) string { return filepath.Join(pkg, f.from) }
	if err := processors().check(files, from); err != nil {
		t.Fatal(err)
	}
	if err := processors().place(files, list, from, to); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Errorf("%s: %q %v", path, b, err)
	}
}

func TestNothingIsFetchedTwice(t *testing.T) {
	if runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		t.Skip("the list is for linux/amd64")
	}
	filled(t, tree(t), "one")
	// No npm: what is fetched now fails.
	t.Setenv("PATH", "")
	if err := processors().run("", []string{"one", "two"}); err != nil {
		t.Fatal(err)
	}
	has(t, "two/libggml-base.so", "text of libggml-base.so")
	has(t, "two/LICENSE.node-llama-cpp", "text of LICENSE")
	has(t, "two/LICENSE.llama.cpp", "MIT")
	// One that was changed is mended from the other.
	if err := os.WriteFile("one/libggml-cpu-x64.so", []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := processors().run("", []string{"one", "two"}); err != nil {
		t.Fatal(err)
	}
	has(t, "one/libggml-cpu-x64.so", "text of libggml-cpu-x64.so")
	// Without another one it has to be fetched.
	if err := os.WriteFile("one/libggml-cpu-x64.so", []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := processors().run("", []string{"one"}); err == nil || !strings.Contains(err.Error(), "npm is missing") {
		t.Errorf("a changed file: %v", err)
	}
	// A list that changed means other files.
	list, err := os.ReadFile(filepath.Join(processors().packaging, sums))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(processors().packaging, sums), append(list, list[:strings.Index(string(list), "\n")+1]...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := processors().run("", []string{"two"}); err == nil {
		t.Error("files of another list pass")
	}
}

func TestWrongFile(t *testing.T) {
	pkg := tree(t)
	path := filepath.Join(pkg, "bins", "linux-x64", "libggml-base.so")
	if err := os.WriteFile(path, []byte("text of libggml-base.so "), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(processors().packaging, sums))
	if err != nil {
		t.Fatal(err)
	}
	files, err := processors().parse(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := processors().check(files, func(f file) string { return filepath.Join(pkg, f.from) }); err == nil {
		t.Error("a file with a byte more passes")
	}
}

func TestOwn(t *testing.T) {
	tree(t)
	for _, name := range []string{"libggml-base.so", "libggml.so", "libllama.so", "libggml-cpu-neon.so", "libllama-common.so"} {
		if err := os.WriteFile(name, []byte("own "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := processors().run(".", []string{"to"}); err != nil {
		t.Fatal(err)
	}
	has(t, "to/libllama.v0.5.0.so", "own libllama.so")
	has(t, "to/libggml-cpu-neon.so", "own libggml-cpu-neon.so")
	if _, err := os.Stat("to/libllama-common.so"); err == nil {
		t.Error("what is not loaded was copied")
	}
	t.Setenv("PATH", "")
	if runtime.GOARCH == "amd64" {
		if err := processors().run("", []string{"to"}); err != nil {
			t.Errorf("a build of one's own is replaced: %v", err)
		}
	}
	if err := processors().run("nowhere", []string{"to"}); err == nil {
		t.Error("a directory without libraries passes")
	}
}

// The library for graphics cards comes by a list of its own, out of a package of its
// own.
func TestGraphics(t *testing.T) {
	tree(t)
	text := "text of libggml-vulkan.so"
	files, err := vulkan().parse(fmt.Appendf(nil, "%x  libggml-vulkan.so\n", sha256.Sum256([]byte(text))))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join("x", "bins", "linux-x64-vulkan"), 0o755); err != nil {
		t.Fatal(err)
	}
	from := func(f file) string { return filepath.Join("x", f.from) }
	for _, c := range []struct {
		text string
		good bool
	}{{text, true}, {text + " ", false}} {
		if err := os.WriteFile(from(files[0]), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := vulkan().check(files, from); (err == nil) != c.good {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	if err := vulkan().run("", []string{"graphics"}); err == nil {
		t.Error("without a list of its own it takes another's")
	}
}

func TestList(t *testing.T) {
	sum := strings.Repeat("0", 64)
	for _, bad := range []string{sum + " x\n", sum + "  ../x\n", "00  x\n", sum + "  a/b\n", "x"} {
		if _, err := processors().parse([]byte(bad)); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestReason(t *testing.T) {
	out := "npm error code ECONNREFUSED\nnpm error syscall connect\nnpm error FetchError: request failed, reason: refused\nnpm error more\n"
	if got := first([]byte(out), os.ErrClosed); got != "FetchError: request failed, reason: refused" {
		t.Errorf("%q", got)
	}
	if got := first(nil, os.ErrClosed); got != os.ErrClosed.Error() {
		t.Errorf("%q", got)
	}
}
