package models

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// crashEnv makes the test binary a child that works on the store crashHome and
// kills itself before step number crashEnv.
const (
	crashEnv  = "BAILEY_TEST_MODELS_CRASH"
	crashHome = "BAILEY_TEST_MODELS_HOME"
)

// content is the two models of the scenario: one that stays, one that goes.
func content(name string) []byte {
	return bytes.Repeat([]byte(name+" "), limits.ModelBuffer/5)
}

// scenario does everything that changes a store. said gets what was
// acknowledged.
func scenario(dir *safefile.Dir, said func(string)) error {
	s, err := Open(Config{Dir: dir, Clock: clock.System{}, Log: quiet()})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Ready(); err != nil {
		return err
	}
	for _, name := range []string{"stays", "goes"} {
		src, err := modelfile.OpenSource(filepath.Join(filepath.Dir(dir.Path()), name))
		if err != nil {
			return err
		}
		st, err := s.Import(context.Background(), src, nil)
		src.Close()
		if err != nil {
			return err
		}
		m, err := st.Publish(name, someFacts(), nil)
		st.Discard()
		if err != nil {
			return err
		}
		said("+" + name)
		if _, err := s.Crashed(m.Digest); err != nil {
			return err
		}
		u, err := s.Use(context.Background(), m.Digest, func() {})
		if err != nil {
			return err
		}
		u.Release()
	}
	m, err := s.Find("goes")
	if err != nil {
		return err
	}
	if _, err := s.Remove(m.Digest); err != nil {
		return err
	}
	said("-goes")
	return nil
}

func crashChild(step string) int {
	n, err := strconv.Atoi(step)
	if err != nil {
		return 3
	}
	d, err := safefile.MakeDir(os.Getenv(crashHome))
	if err != nil {
		return 3
	}
	i := 0
	err = scenario(d.WithHook(func(safefile.Step) error {
		if i++; i-1 == n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}), func(s string) { fmt.Println("acked", s) })
	if err != nil {
		fmt.Println(err)
		return 4
	}
	return 0
}

// settled opens what a crash or a fault left, and checks that it holds exactly
// what was acknowledged, or one step more, and that each model is whole.
func settled(t *testing.T, h *home, what string, acked []string, last bool) {
	t.Helper()
	h.hook = nil
	s := h.open()
	if err := s.Ready(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	have := map[string]bool{}
	for _, m := range s.List() {
		have[m.Name] = true
		if d, err := s.Verify(context.Background(), m.Digest, nil); err != nil || d != m.Digest {
			t.Errorf("%s: %s is listed and not whole: %v", what, m.Name, err)
		}
	}
	removed := slices.Contains(acked, "-goes")
	if removed && have["goes"] {
		t.Errorf("%s: removed, and there again", what)
	}
	// In the last part, the removal, both outcomes are right until it is said.
	for _, a := range acked {
		name, added := strings.CutPrefix(a, "+")
		if added && !have[name] && !(name == "goes" && (last || removed)) {
			t.Errorf("%s: %s was acknowledged and is gone", what, name)
		}
	}
	if names, err := s.partial.List(); err != nil || len(names) != 0 {
		t.Errorf("%s: partials are left: %v, %v", what, names, err)
	}
	// What no name refers to is found and goes; what a name refers to stays.
	if _, err := s.Gc(func(Model) bool { return true }, false); err != nil {
		t.Errorf("%s: gc: %v", what, err)
	}
	blobs, err := s.blobs.List()
	if err != nil || len(blobs) != len(s.List()) {
		t.Errorf("%s: %d blobs of %d models, %v", what, len(blobs), len(s.List()), err)
	}
	// And the store works.
	for _, m := range s.List() {
		if _, err := s.Remove(m.Digest); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func prepare(t *testing.T) *home {
	h := newHome(t)
	for _, name := range []string{"stays", "goes"} {
		h.file(name, content(name))
	}
	return h
}

// steps counts the operations of the scenario, and those before the removal.
func steps(t *testing.T) (ops []safefile.Op, remove int) {
	h := prepare(t)
	d, err := safefile.MakeDir(h.dir)
	must(t, err)
	defer d.Close()
	must(t, scenario(d.WithHook(func(s safefile.Step) error { ops = append(ops, s.Op); return nil }), func(s string) {
		if s == "+goes" {
			remove = len(ops)
		}
	}))
	return ops, remove
}

// A core that is killed before any step leaves a store that opens, with what it
// acknowledged.
func TestKilledAtEveryStep(t *testing.T) {
	ops, remove := steps(t)
	if len(ops) < 40 {
		t.Fatalf("only %d steps", len(ops))
	}
	self, err := os.Executable()
	must(t, err)
	for n := range ops {
		h := prepare(t)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), crashEnv+"="+strconv.Itoa(n), crashHome+"="+h.dir)
		out, err := cmd.Output()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("step %d (%s): it was not killed: %v, %s", n, ops[n], err, out)
		}
		var acked []string
		for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
			if a, ok := strings.CutPrefix(sc.Text(), "acked "); ok {
				acked = append(acked, a)
			}
		}
		what := fmt.Sprintf("killed before step %d, %s", n, ops[n])
		settled(t, h, what, acked, n >= remove)
	}
}

// A disk that fails at any step, or is full, leaves the same; the call says so.
func TestFailsAtEveryStep(t *testing.T) {
	ops, remove := steps(t)
	for n := range ops {
		for _, fault := range []error{syscall.EIO, syscall.ENOSPC, &safefile.Short{N: 7, Err: syscall.ENOSPC}} {
			h := prepare(t)
			d, err := safefile.MakeDir(h.dir)
			must(t, err)
			i := 0
			var acked []string
			err = scenario(d.WithHook(func(safefile.Step) error {
				if i++; i-1 == n {
					return fault
				}
				return nil
			}), func(s string) { acked = append(acked, s) })
			d.Close()
			what := fmt.Sprintf("%v at step %d, %s", fault, n, ops[n])
			// Noting the time of use may fail without a word.
			if err != nil {
				want := errs.HomeUnusable
				if errors.Is(fault, syscall.ENOSPC) {
					want = errs.NoSpace
				}
				wantCode(t, what, err, want)
			}
			settled(t, h, what, acked, n >= remove)
		}
	}
}
