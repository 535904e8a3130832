package main

import (
	"bufio"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bailey-run/bailey/internal/plat/syslibs"
	"github.com/bailey-run/bailey/internal/workerspec"
	"github.com/bailey-run/bailey/test/vm"
)

// releaseVersion is the variable that make build sets.
const releaseVersion = "github.com/bailey-run/bailey/internal/release.version"

// Where things stand in a guest.
const (
	// as make install does, for AppArmor's profile
	programsAt = "/usr/libexec/bailey"
	testsAt    = "/opt/tests"
	attackAt   = "/opt/tests/attack"
	sourceAt   = "/src"
	debianLibs = "/usr/lib/x86_64-linux-gnu"
)

// build builds what a guest runs besides the programs of make build.
func build(ctx context.Context, stage, release string) error {
	attack := filepath.Join(stage, "attack")
	// Where no kernel is looked at with AppArmor, nothing of it is there.
	if err := errors.Join(os.RemoveAll(stage), os.MkdirAll(attack, 0o755), os.MkdirAll(apparmorDir(stage), 0o755)); err != nil {
		return err
	}
	for _, argv := range [][]string{
		{"go", "build", "-trimpath", "-ldflags=-s -w", "-o", stage + "/init", "./test/vm/guest"},
		{"go", "test", "-c", "-o", stage + "/hostile.test", "./test/hostile"},
	} {
		if err := command(ctx, "", argv...); err != nil {
			return err
		}
	}
	for _, s := range suites() {
		if s.pkg == "" {
			continue
		}
		if err := command(ctx, "", "go", "test", "-c", "-ldflags=-X "+releaseVersion+"="+release, "-o", filepath.Join(stage, s.name+".test"), "./"+s.pkg); err != nil {
			return err
		}
	}
	return command(ctx, hostileDir, stage+"/hostile.test", "-build", attack)
}

// pack writes the archive that is a guest's root.
func pack(image, stage, bin string, p vm.Plan) (err error) {
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	a := &archive{Archive: vm.Archive{W: w}}
	if err := a.fill(stage, bin, p); err != nil {
		return err
	}
	return errors.Join(a.Close(), w.Flush())
}

// command runs a program that says something only when it fails.
func command(ctx context.Context, dir string, argv ...string) error {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return nil
}

type archive struct {
	vm.Archive
	// have are the libraries that are in it.
	have map[string]bool
}

func (a *archive) fill(stage, bin string, p vm.Plan) error {
	plan, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := errors.Join(
		a.Device("/dev/console", 5, 1),
		a.File(vm.PlanFile, 0o644, int64(len(plan)), strings.NewReader(string(plan))),
		// As Debian has them: the loader's path stands in every program.
		a.Link("/bin", "usr/bin"), a.Link("/lib", "usr/lib"), a.Link("/lib64", "usr/lib64"),
		a.Link("/usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
		a.copy("/init", filepath.Join(stage, "init")),
	); err != nil {
		return err
	}
	for from, to := range map[string]string{
		stage:                        testsAt,
		stage + "/attack":            attackAt,
		bin:                          programsAt,
		filepath.Join(bin, "engine"): programsAt + "/engine",
	} {
		if err := a.files(to, from); err != nil {
			return err
		}
	}
	// What the tests read of the tree.
	for _, dir := range []string{hostileDir, sandboxDir + "/testdata"} {
		if err := a.tree(sourceAt+"/"+dir, dir); err != nil {
			return err
		}
	}
	for _, s := range suites() {
		if err := a.Directory(sourceAt + "/" + s.dir); err != nil {
			return err
		}
	}
	for _, name := range system() {
		real, err := filepath.EvalSymlinks("/usr/bin/" + name)
		if err != nil {
			return err
		}
		if err := a.copy("/usr/bin/"+name, real); err != nil {
			return err
		}
		if err := a.needs(real); err != nil {
			return err
		}
	}
	return errors.Join(a.libraries(), a.tree(apparmorAt, apparmorDir(stage)))
}

// copy adds a file of this machine's.
func (a *archive) copy(to, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	// Everybody may read all of it: the guest has nothing to hide, and workers of
	// root are nobody.
	return a.File(to, uint32(st.Mode().Perm())|0o444, st.Size(), f)
}

// files adds the files of a directory, without those in directories below. One
// that is not there is no error: what needs it says so in the guest.
func (a *archive) files(to, from string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if err := a.copy(to+"/"+e.Name(), filepath.Join(from, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) tree(to, from string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return a.files(to+strings.TrimPrefix(p, from), p)
	})
}

// system are the programs that attempts and honest work start: the C library's
// system() the shell, execve echo, a tool the others, and Bailey bubblewrap.
func system() []string {
	return []string{"sh", "echo", "true", "cp", "env", "ln", "readlink", "sort", "touch", "bwrap"}
}

// needs adds the libraries that a program or library is linked to.
func (a *archive) needs(program string) error {
	f, err := elf.Open(program)
	if err != nil {
		return err
	}
	names, err := f.ImportedLibraries()
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	for _, name := range names {
		if a.have[name] {
			continue
		}
		if err := a.library(name, filepath.Join(debianLibs, name)); err != nil {
			return err
		}
		if err := a.needs(filepath.Join(debianLibs, name)); err != nil {
			return err
		}
	}
	return nil
}

// library adds a library to where Debian has them.
func (a *archive) library(name, from string) error {
	if a.have == nil {
		a.have = map[string]bool{}
	}
	a.have[name] = true
	return a.copy(debianLibs+"/"+name, from)
}

// libraries adds the system's libraries that an engine is made of.
func (a *archive) libraries() error {
	engine, ok := workerspec.For("engine")
	if !ok {
		return errors.New("there is no engine")
	}
	// The directory of Bailey's own libraries comes with the programs.
	const dir = "/"
	set, err := syslibs.Open(engine, dir)
	if err != nil {
		return err
	}
	defer set.Close()
	for _, m := range set.Mounts {
		if m.Path == dir || a.have[filepath.Base(m.Target)] {
			continue
		}
		if err := a.library(filepath.Base(m.Target), m.Path); err != nil {
			return err
		}
	}
	return nil
}
