package supervise

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// programs builds the workers' binaries where every user can execute them, and
// an empty directory of inference libraries.
func programs(t *testing.T) Config {
	t.Helper()
	dir, err := os.MkdirTemp("", "bailey-supervise")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := Config{Programs: map[string]*os.File{}, EngineDir: filepath.Join(dir, "engine"), Release: release.Version(), Log: slog.New(slog.DiscardHandler)}
	for _, d := range []string{dir, c.EngineDir} {
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
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		c.Programs[name] = f
	}
	return c
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
