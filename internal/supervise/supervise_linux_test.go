package supervise

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// prebuilt is where the programs and the library were put for another user.
var prebuilt = flag.String("prebuilt", "", "use the programs in this directory")

// ordinaryID is the user that these tests become when they are root.
const ordinaryID = 20001

// programs builds the workers' binaries where every user can execute them, and
// an empty directory of inference libraries.
func programs(t *testing.T) Config {
	t.Helper()
	dir := *prebuilt
	if dir == "" {
		dir = build(t)
	}
	c := Config{Programs: map[string]*os.File{}, EngineDir: filepath.Join(dir, "engine"), Release: release.Version(), Log: slog.New(slog.DiscardHandler)}
	for _, name := range []string{workerspec.WorkerProgram, workerspec.EngineProgram} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		c.Programs[name] = f
	}
	return c
}

func build(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bailey-supervise")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{dir, filepath.Join(dir, "engine")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{workerspec.WorkerProgram, workerspec.EngineProgram} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, name), "../../cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return dir
}

// TestAsOrdinaryUser runs the other tests again without root's powers, which
// take another way through the start.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests run as an ordinary user anyway")
	}
	dir := build(t)
	if libraries(t) {
		if err := os.CopyFS(filepath.Join(dir, "library"), os.DirFS(libraryDir)); err != nil {
			t.Fatal(err)
		}
	}
	tmp := filepath.Join(dir, "tmp")
	if err := errors.Join(os.Mkdir(tmp, 0o700), os.Chown(tmp, ordinaryID, ordinaryID)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^Test", "-test.timeout=5m", "-prebuilt="+dir)
	cmd.Dir = tmp
	cmd.Env = []string{"TMPDIR=" + tmp}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestEngine starts the engine's real program, which the kernel and the system's
// loader put together inside the empty root.
func TestEngine(t *testing.T) {
	w, err := New(withLibrary(t)).Start(t.Context(), "engine", Options{Memory: 3 << 30})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Kill()
	if got := w.Posture.Limits["Max data size"]; got.Soft != 3<<30 || got.Hard != 3<<30 {
		t.Errorf("memory %+v", got)
	}
	t.Logf("sealed after %v; root %v", w.Ready, w.Posture.Root)
	for _, m := range w.Posture.Mounts {
		t.Log(fmt.Sprint(m))
	}
}

// TestEngineMissing: what an engine is made of is named when it is not there.
func TestEngineMissing(t *testing.T) {
	c := programs(t)
	for what, change := range map[string]func(*Config){
		"no program": func(c *Config) {
			c.Programs = map[string]*os.File{workerspec.WorkerProgram: c.Programs[workerspec.WorkerProgram]}
		},
		"no libraries": func(c *Config) { c.EngineDir += "-none" },
		// The directory is there, and empty.
		"no library": func(*Config) {},
	} {
		broken := c
		change(&broken)
		s := New(broken)
		_, err := s.Start(t.Context(), "engine", Options{})
		if errs.CodeOf(err) != errs.EngineMissing {
			t.Errorf("%s: %v", what, err)
		}
		if s.Installed("engine") != (what != "no program") || !s.Installed("index") {
			t.Errorf("%s: installed is wrong", what)
		}
	}
}
