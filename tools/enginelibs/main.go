// Command enginelibs gets the libraries that bailey-engine loads.
//
//	enginelibs [-optional] [-from DIR | -gpu vulkan] TO...
//
// They come from the npm package that packaging/engine/package-lock.json names,
// by npm itself, which checks the package; then each file is held against
// packaging/engine/SHA256SUMS, and only files that stand there are copied, to
// each TO. What is there already is not fetched again. With -from DIR they are
// taken from a build of the source (docs/engine.md) instead, and not held
// against the list, since another compiler makes other bytes. With -gpu vulkan it
// gets the one library for graphics cards, by packaging/engine-vulkan.
//
// It runs none of the package's code. With -optional a machine that cannot get
// them is told so in one line, and the exit code is 0.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	sums = "SHA256SUMS"
	// complete is written last: it says that all the others are there, by the
	// list that they were held against, or that they are ownBuild.
	complete = ".complete"
	ownBuild = "a build of one's own\n"
	// fetchTime ends a registry that neither answers nor refuses.
	fetchTime = 5 * time.Minute
)

// source is a package that libraries come from.
type source struct {
	// packaging is the directory of its lock file and of the list of its files;
	// name is what it is called at npm.
	packaging, name string
	// what it holds, and how much there is to fetch.
	what, size string
}

func processors() source {
	return source{"packaging/engine", "linux-x64", "the libraries for models", "11 MB"}
}

func vulkan() source {
	return source{"packaging/engine-vulkan", "linux-x64-vulkan", "the library for graphics cards", "24 MB"}
}

func main() {
	gpu := flag.String("gpu", "", "vulkan: the library for graphics cards instead")
	optional := flag.Bool("optional", false, "exit 0 when they cannot be had")
	from := flag.String("from", "", "directory of a build of one's own")
	flag.Parse()
	if flag.NArg() == 0 || *gpu != "" && (*gpu != "vulkan" || *from != "") {
		flag.Usage()
		os.Exit(2)
	}
	s := processors()
	if *gpu != "" {
		s = vulkan()
	}
	if err := s.run(*from, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "engine: %v; everything that needs no model works without it\n", err)
		if !*optional {
			os.Exit(1)
		}
	}
}

func (s source) run(from string, to []string) error {
	list, err := os.ReadFile(filepath.Join(s.packaging, sums))
	if err != nil {
		return err
	}
	if from != "" {
		return s.own(from, to)
	}
	files, err := s.parse(list)
	if err != nil {
		return err
	}
	// have is a directory that needs nothing, missing are those that do.
	have, missing := "", []string{}
	for _, dir := range to {
		inside := func(f file) string { return filepath.Join(dir, f.to) }
		switch says, err := os.ReadFile(filepath.Join(dir, complete)); {
		case err == nil && string(says) == ownBuild:
		case err == nil && bytes.Equal(says, list) && s.check(files, inside) == nil:
			have = dir
		default:
			missing = append(missing, dir)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if have != "" {
		return s.place(files, list, func(f file) string { return filepath.Join(have, f.to) }, missing)
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("no libraries are built for %s/%s: docs/engine.md says how to build them", runtime.GOOS, runtime.GOARCH)
	}
	where, err := s.fetch()
	if err != nil {
		return err
	}
	fetched := func(f file) string { return filepath.Join(where, f.from) }
	if err := s.check(files, fetched); err != nil {
		return err
	}
	return s.place(files, list, fetched, missing)
}

// file is one of the list, where it is in the package and what it is called here.
type file struct{ sum, from, to string }

func (s source) parse(list []byte) ([]file, error) {
	out := []file{}
	for line := range strings.Lines(string(list)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || len(sum) != hex.EncodedLen(sha256.Size) || name != filepath.Base(name) {
			return nil, fmt.Errorf("%s: a line that is none: %q", sums, line)
		}
		f := file{sum, filepath.Join("bins", s.name, name), name}
		if name == "LICENSE" {
			f.from, f.to = name, "LICENSE.node-llama-cpp"
		}
		out = append(out, f)
	}
	return out, nil
}

// check holds files against their sums.
func (s source) check(files []file, where func(file) string) error {
	for _, f := range files {
		b, err := os.ReadFile(where(f))
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != f.sum {
			return fmt.Errorf("%s is not the file that %s/%s names", f.to, s.packaging, sums)
		}
	}
	return nil
}

// fetch lets npm get the package, and says where it is.
func (s source) fetch() (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("npm is missing, which gets " + s.what + ": install Node.js 20 or later")
	}
	dir := filepath.Join("build", "npm", filepath.Base(s.packaging))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join(s.packaging, name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	fmt.Fprintf(os.Stderr, "engine: fetching %s (%s)\n", s.what, s.size)
	c := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--loglevel=error")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm cannot get %s: %s", s.what, first(out, err))
	}
	return filepath.Join(dir, "node_modules", "@node-llama-cpp", s.name), nil
}

// first is the line of npm's that says most.
func first(out []byte, err error) string {
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		_, rest, ok := strings.Cut(line, "npm error ")
		if word, _, more := strings.Cut(rest, " "); ok && more && !slices.Contains([]string{"code", "errno", "syscall", "address", "port", "type"}, word) {
			return rest
		}
	}
	return err.Error()
}

// place copies the files, and says at last that they are all there.
func (s source) place(files []file, list []byte, from func(file) string, to []string) error {
	for _, dir := range to {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for _, f := range files {
			if err := copyFile(from(f), filepath.Join(dir, f.to)); err != nil {
				return err
			}
		}
		if err := copyFile(filepath.Join(processors().packaging, "LICENSE.llama.cpp"), filepath.Join(dir, "LICENSE.llama.cpp")); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, complete), list, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, b, 0o644); err != nil {
		return err
	}
	return os.Chmod(to, 0o644)
}

// own takes a build of one's own, whatever it holds of the names that are loaded.
func (s source) own(from string, to []string) error {
	cpus, err := filepath.Glob(filepath.Join(from, "libggml-cpu-*.so"))
	if err != nil || len(cpus) == 0 {
		return fmt.Errorf("%s has no libggml-cpu-*.so", from)
	}
	// The names of the project's own build, without a release; the libraries find
	// each other by what stands inside of them.
	files := []file{{from: "libggml-base.so", to: "libggml-base.so"}, {from: "libggml.so", to: "libggml.v0.5.0.so"}, {from: "libllama.so", to: "libllama.v0.5.0.so"}}
	for _, c := range cpus {
		files = append(files, file{from: filepath.Base(c), to: filepath.Base(c)})
	}
	return s.place(files, []byte(ownBuild), func(f file) string { return filepath.Join(from, f.from) }, to)
}
