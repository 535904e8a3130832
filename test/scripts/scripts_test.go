// Package scripts runs the command line as people and programs do: each .txtar
// file pins one behaviour, named in its first lines, with the real binaries,
// real workers and a home of its own. As root all of it runs as an ordinary
// user too.
//
// Besides testscript's own commands there are those of commands_test.go:
// exits, term, tree, file, json, cites, flip, cut, closedpipe, awaitgone and others.
package scripts

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// ordinary is the user that root's tests run as, besides root.
const ordinary = 12322

// binDir is set in the environment of a test binary that root has started again
// as an ordinary user; its value is where the binaries are.
const binDir = "BAILEY_SCRIPTS_BIN"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(binDir) != "" {
		return m.Run()
	}
	flag.Parse()
	dir, err := os.MkdirTemp("/var/tmp", "bailey-scripts-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := errors.Join(os.Chmod(dir, 0o755), build(dir, "v0.0.0-test"), build(dir+"/other", "v0.0.0-other")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Setenv(binDir, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if os.Geteuid() == 0 && code == 0 {
		code = again(dir)
	}
	return code
}

// build puts the four programs of a release into dir, and the engine's library
// if it was fetched.
func build(dir, release string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-X github.com/bailey-run/bailey/internal/release.version="+release, "-o", dir+"/",
		"github.com/bailey-run/bailey/cmd/bailey", "github.com/bailey-run/bailey/cmd/bailey-core", "github.com/bailey-run/bailey/cmd/bailey-worker", "github.com/bailey-run/bailey/cmd/bailey-engine",
		// What the scripts of `bailey sandbox run` run.
		"github.com/bailey-run/bailey/test/scripts/try",
		// What makes a system that refuses user namespaces.
		"github.com/bailey-run/bailey/test/scripts/refuse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w\n%s", err, out)
	}
	library := filepath.Join("..", "..", "build", "engine")
	if found, err := filepath.Glob(filepath.Join(library, "*.so*")); err != nil || len(found) == 0 {
		return err
	}
	return os.CopyFS(filepath.Join(dir, "engine"), os.DirFS(library))
}

// again runs the same scripts as an ordinary user, from a copy that this user can read.
func again(dir string) int {
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(dir+"/scripts.test", self, 0o755)
	}
	tmp := dir + "/tmp"
	err = errors.Join(err, os.CopyFS(dir+"/scripts", os.DirFS(".")), os.Mkdir(tmp, 0o700), os.Chown(tmp, ordinary, ordinary))
	if err == nil {
		err = filepath.WalkDir(dir+"/scripts", func(p string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chmod(p, 0o755)
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("--- the same as an ordinary user")
	cmd := exec.Command(dir+"/scripts.test", os.Args[1:]...)
	cmd.Args = append(cmd.Args, "-test.testlogfile=", "-test.coverprofile=", "-test.gocoverdir=")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tmp, "TMPDIR=" + tmp, binDir + "=" + dir}
	cmd.Dir = dir + "/scripts"
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "as an ordinary user:", err)
		return 1
	}
	return 0
}

func TestScripts(t *testing.T) {
	bins := os.Getenv(binDir)
	testscript.Run(t, testscript.Params{
		Dir:                 ".",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds:                commands(),
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "bubblewrap":
				_, err := os.Stat("/usr/bin/bwrap")
				return err == nil, nil
			case "engine":
				_, err := os.Stat(filepath.Join(bins, "engine"))
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bins+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("BINS", bins)
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("XDG_RUNTIME_DIR", filepath.Join(e.WorkDir, "run"))
			e.Setenv("TERM", "xterm")
			e.Defer(func() { stop(e) })
			return errors.Join(os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o700), os.Mkdir(filepath.Join(e.WorkDir, "run"), 0o700))
		},
	})
}

// stop ends the cores that a script may have left; a script that used --home
// ends its own.
func stop(e *testscript.Env) {
	cmd := exec.Command(filepath.Join(e.Getenv("BINS"), "bailey"), "stop")
	cmd.Env = e.Vars
	_ = cmd.Run()
}
