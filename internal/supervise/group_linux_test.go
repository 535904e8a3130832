package supervise

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/cgroup"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// TestGroup: control groups of real workers.
func TestGroup(t *testing.T) {
	c := programs(t)
	t.Run("own", func(t *testing.T) { own(t, grouped(t, c)) })
	t.Run("killed", func(t *testing.T) { killed(t, grouped(t, c)) })
	t.Run("memory", func(t *testing.T) { memory(t, grouped(t, c)) })
}

// grouped returns a supervisor whose workers get control groups, if this machine
// has them.
func grouped(t *testing.T, c Config) *Supervisor {
	t.Helper()
	c.Groups = cgroup.Begin(cgroup.Options{})
	t.Cleanup(c.Groups.Close)
	return New(c)
}

// directory is where a worker's control group is.
func directory(t *testing.T, w *Worker) string {
	t.Helper()
	mounts, err := proc.Mounts(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(mounts, func(m proc.Mountpoint) bool { return m.Type == "cgroup2" })
	return filepath.Join(mounts[i].Point, strings.TrimPrefix(w.Group.Path, strings.TrimSuffix(mounts[i].Root, "/")))
}

// own: a worker is in a group of its own where there can be one, and starts
// all the same where not. The group goes with it.
func own(t *testing.T, s *Supervisor) {
	w, err := s.Start(t.Context(), "inspect", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Kill()
	g, err := s.Group(t.Context())
	if err != nil {
		if w.Group.Path != "" || errs.CodeOf(err) != errs.NotSupported {
			t.Errorf("%+v, %v", w.Group, err)
		}
		t.Skip("started without; no control group here: " + errs.From(err).Detail)
	}
	if !strings.HasPrefix(w.Group.Path, g.Path()+"/workers/inspect-") {
		t.Errorf("in %q", w.Group.Path)
	}
	dir := directory(t, w)
	if b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs")); err != nil || len(strings.Fields(string(b))) != 1 {
		t.Errorf("in its group: %q, %v", b, err)
	}
	w.Kill()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its group is left: %v", err)
	}
	if w.OutOfMemory() {
		t.Error("it was ended by us")
	}
}

// killed: what ends a group ends its worker, and that is seen as a crash.
func killed(t *testing.T, s *Supervisor) {
	w := inGroup(t, s)
	if err := os.WriteFile(filepath.Join(directory(t, w), "cgroup.kill"), []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	over(t, w)
	if e := w.Exit(); e.Signal != int(unix.SIGKILL) || !w.Crashed() || w.OutOfMemory() {
		t.Errorf("%+v, crashed %v, for memory %v", e, w.Crashed(), w.OutOfMemory())
	}
}

// memory: the kernel ends a real worker that has more than its group may
// take, and that is known as the reason. Its limit is lowered below what it has.
func memory(t *testing.T, s *Supervisor) {
	w := inGroup(t, s)
	limit := filepath.Join(directory(t, w), "memory.max")
	if _, err := os.Stat(limit); err != nil {
		t.Skip("no controller memory in the control groups of version 2 here; it takes a machine of `make vm-test`")
	}
	// Not package os, which makes what can be polled non-blocking: since Linux 6.15
	// such a write ends nobody.
	fd, err := unix.Open(limit, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte("65536")); err != nil {
		t.Fatal(err)
	}
	over(t, w)
	if e := w.Exit(); e.Signal != int(unix.SIGKILL) || !w.Crashed() || !w.OutOfMemory() || w.Counted().Killed == 0 {
		t.Errorf("%+v, crashed %v, for memory %v, counted %+v", e, w.Crashed(), w.OutOfMemory(), w.Counted())
	}
	if err := w.explain("test", errs.New(errs.WorkerCrashed, "test")); errs.CodeOf(err) != errs.WorkerMemory {
		t.Errorf("told as %v", err)
	}
}

func inGroup(t *testing.T, s *Supervisor) *Worker {
	t.Helper()
	if _, err := s.Group(t.Context()); err != nil {
		t.Skip("no control group here: " + errs.From(err).Detail)
	}
	w, err := s.Start(t.Context(), "inspect", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Kill)
	return w
}

func over(t *testing.T, w *Worker) {
	t.Helper()
	select {
	case <-w.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("it lives")
	}
}
