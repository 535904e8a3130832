package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

const all = "cpu memory pids"

// TestDelegated: a group that was delegated is divided, this process goes into its
// leaf, and a worker's leaf has what was asked for.
func TestDelegated(t *testing.T) {
	m := newTree(t, "/user.slice/app.scope", "cpuset "+all)
	m.put("run/systemd/system/x", "")
	m.marked = []string{m.at("/user.slice/app.scope")}
	g, err := m.take()
	if err != nil {
		t.Fatal(err)
	}
	if m.asked > 0 {
		t.Error("systemd was asked for another one")
	}
	if lost, why, hint := g.Missing(); len(lost) > 0 || why != "" || hint != "" {
		t.Errorf("missing: %v, %s, %s", lost, why, hint)
	}
	base := "sys/fs/cgroup/user.slice/app.scope/"
	if got := m.get(base + "core/cgroup.procs"); got != "4711" {
		t.Errorf("in the core's leaf: %q", got)
	}
	if got := m.get(base + "workers/memory.max"); got != "939524096" { // 7/8 of 1 GiB
		t.Errorf("all workers together may take %s", got)
	}
	if got := m.get(base + "workers/cpu.max"); got != quota(processors(runtime.NumCPU())) {
		t.Errorf("all workers together may take %s", got)
	}
	// A worker of a core that was killed is not dead yet.
	if err := m.mkdir(m.at("/user.slice/app.scope/workers/index-2")); err != nil {
		t.Fatal(err)
	}
	l, err := g.Leaf("index", Limits{Memory: 64 << 20, Processes: 16, Processors: 1750})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.rmdir(m.at("/user.slice/app.scope/workers/index-2")); err != nil {
		t.Fatal(err)
	}
	leaf := base + "workers/index-3/"
	for file, want := range map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "16", "cpu.max": "175000 100000"} {
		if got := m.get(leaf + file); got != want {
			t.Errorf("%s: %q, not %q", file, got, want)
		}
	}
	m.put("proc/12/cgroup", "0::/user.slice/app.scope/workers/index-3\n")
	r, err := l.Report(12)
	if err != nil || !r.Enforced() || len(r.Values) != 5 {
		t.Errorf("report %v, %v", r, err)
	}
	if s := r.String(); !strings.Contains(s, "../index-3, memory.max 67108864, ") || !strings.Contains(s, "cpu.max 175000 100000") || len(s) > 230 {
		t.Errorf("%q of %d bytes", s, len(s))
	}
	// What is not so is not reported as if it were.
	m.put("proc/12/cgroup", "0::/user.slice/app.scope/core\n")
	if _, err := l.Report(12); errs.CodeOf(err) != errs.PostureFailed {
		t.Errorf("a worker elsewhere: %v", err)
	}
	m.put("proc/12/cgroup", "0::/user.slice/app.scope/workers/index-3\n")
	m.put(leaf+"memory.max", "max\n")
	if _, err := l.Report(12); errs.CodeOf(err) != errs.PostureFailed {
		t.Errorf("a limit that is none: %v", err)
	}
	e, err := l.End()
	if err != nil || e != (Ended{Killed: 2, Refused: 7, Throttled: 5}) {
		t.Errorf("ended %+v, %v", e, err)
	}
	if _, err := os.Stat(filepath.Join(m.root, leaf)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leaf is left: %v", err)
	}
	// The group is given back as it was.
	g.close()
	if m.get(base+"cgroup.procs") != "4711" || m.get(base+"cgroup.subtree_control") != "" || exists(m.at("/user.slice/app.scope/core")) || exists(m.at("/user.slice/app.scope/workers")) {
		t.Errorf("left: processes %q, controllers %q", m.get(base+"cgroup.procs"), m.get(base+"cgroup.subtree_control"))
	}
}

// TestSwap: who loads more than the memory holds wants it swapped.
func TestSwap(t *testing.T) {
	m := newTree(t, "/a", all)
	g, err := m.take()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Leaf("engine", Limits{Memory: 1 << 20, Swap: true, Processes: 1, Processors: 1000}); err != nil {
		t.Fatal(err)
	}
	if got := m.get("sys/fs/cgroup/a/workers/engine-2/memory.swap.max"); got != "max" {
		t.Error(got)
	}
	// A kernel without swap has no such file.
	m.refuse = func(op, name string) error {
		if strings.HasSuffix(name, "memory.swap.max") {
			return unix.ENOENT
		}
		return nil
	}
	if _, err := g.Leaf("engine", Limits{Memory: 1 << 20, Processes: 1, Processors: 1000}); err != nil {
		t.Error(err)
	}
}

// TestScope: where the own group is not ours, systemd makes one.
func TestScope(t *testing.T) {
	m := newTree(t, "/user.slice/session-1.scope", all)
	m.put("run/systemd/system/x", "")
	m.ask = func(_ context.Context, o Options, uid, pid int) (string, error) {
		if uid != 1000 || pid != 4711 || o.RuntimeDir != filepath.Join(m.root, "run/user/1000") {
			t.Errorf("asked with %v, %d, %d", o, uid, pid)
		}
		m.put("sys/fs/cgroup/user.slice/cgroup.subtree_control", "memory pids")
		if err := m.mkdir(m.at("/user.slice/bailey-1.scope")); err != nil {
			t.Fatal(err)
		}
		m.put("sys/fs/cgroup/user.slice/session-1.scope/cgroup.procs", "")
		m.enter("/user.slice/bailey-1.scope")
		return "bailey-1.scope", nil
	}
	g, err := m.take()
	if err != nil {
		t.Fatal(err)
	}
	if g.Path() != "/user.slice/bailey-1.scope" || !strings.Contains(g.How(), "systemd") {
		t.Error(g.Path(), g.How())
	}
	lost, _, hint := g.Missing()
	if !slices.Equal(lost, []string{"cpu"}) || !strings.Contains(hint, "Delegate=cpu memory pids") {
		t.Errorf("missing %v, %s", lost, hint)
	}
	l, err := g.Leaf("index", For(workerspec.All()[0]))
	if err != nil {
		t.Fatal(err)
	}
	m.put("proc/12/cgroup", "0::"+g.Path()+"/workers/index-2\n")
	if r, err := l.Report(12); err != nil || r.Enforced() || !slices.Equal(r.Missing, []string{"cpu"}) {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestTop: root without systemd makes a group at the top of the tree, and removes
// those of cores that were killed.
func TestTop(t *testing.T) {
	m := newTree(t, "/", all)
	m.uid = 0
	m.put("sys/fs/cgroup/cgroup.subtree_control", "")
	for _, name := range []string{"bailey-dead", "bailey-dead/workers", "bailey-dead/workers/index-3", "other", "bailey-lives"} {
		if err := m.mkdir(m.at(name)); err != nil {
			t.Fatal(err)
		}
	}
	lives, err := os.Open(m.at("bailey-lives"))
	if err != nil {
		t.Fatal(err)
	}
	defer lives.Close()
	if err := unix.Flock(int(lives.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	g, err := m.take()
	if err != nil {
		t.Fatal(err)
	}
	if lost, _, _ := g.Missing(); len(lost) > 0 || !strings.HasPrefix(g.Path(), "/bailey-") {
		t.Error(lost, g.Path())
	}
	if got := m.get("proc/self/cgroup"); got != "0::/" {
		t.Errorf("this process was moved: %s", got)
	}
	there := func(name string) bool { _, err := os.Stat(m.at(name)); return err == nil }
	if there("bailey-dead") || !there("other") || !there("bailey-lives") {
		t.Error("what is left: ", there("bailey-dead"), there("other"), there("bailey-lives"))
	}
	g.close()
	if there(g.Path()) {
		t.Error("its own group is left")
	}
}

// TestRefusals: each machine that has none says why, and what to do.
func TestRefusals(t *testing.T) {
	denied := func(suffix string) func(string, string) error {
		return func(_, name string) error {
			if strings.HasSuffix(name, suffix) {
				return unix.EACCES
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		change       func(*tree)
		reason, hint string
	}{
		"not mounted":  {func(m *tree) { m.put("proc/self/mountinfo", "22 1 0:5 / /sys rw - sysfs sysfs rw\n") }, "not mounted", "unified"},
		"no mountinfo": {func(m *tree) { os.Remove(filepath.Join(m.root, "proc/self/mountinfo")) }, "/proc does not tell", "container"},
		"read-only": {func(m *tree) {
			m.put("proc/self/mountinfo", "41 31 0:38 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw\n")
		}, "read-only", "container"},
		"version 1 alone":   {func(m *tree) { m.put("proc/self/cgroup", "4:memory:/x\n") }, "does not tell", "unified"},
		"another namespace": {func(m *tree) { m.put("proc/self/cgroup", "0::/../../x\n") }, "not in the tree", "container"},
		"another part": {func(m *tree) {
			m.put("proc/self/mountinfo", "41 31 0:38 /elsewhere /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
		}, "not in the tree", "container"},
		"the root of a container": {func(m *tree) { m.put("proc/self/cgroup", "0::/\n") }, "root of the tree", "delegate"},
		"not alone":               {func(m *tree) { m.put("sys/fs/cgroup/a/b/cgroup.procs", "1\n4711\n") }, "other processes", "delegate"},
		"no control of children":  {func(m *tree) { os.Remove(m.at("/a/b/cgroup.subtree_control")) }, "somebody else", "delegate"},
		"no leaf":                 {func(m *tree) { m.refuse = denied("/core") }, "cannot be divided", "delegate"},
		"no move":                 {func(m *tree) { m.refuse = denied("core/cgroup.procs") }, "cannot be divided", "delegate"},
		"no workers":              {func(m *tree) { m.refuse = denied("/workers") }, "cannot be divided", "delegate"},
		"no limit of all":         {func(m *tree) { m.refuse = denied("workers/memory.max") }, "cannot be divided", "delegate"},
		"no worker's leaf":        {func(m *tree) { m.refuse = denied("try-1") }, "no process can be started", "delegate"},
		"no limit of one":         {func(m *tree) { m.refuse = denied("try-1/pids.max") }, "no process can be started", "delegate"},
		"no birth":                {func(m *tree) { m.born = func(*os.File) error { return unix.EACCES } }, "no process can be started", "delegate"},
		"processes that keep coming": {func(m *tree) {
			m.system.write = func(name, value string) error {
				err := m.write(name, value)
				if strings.HasSuffix(name, "core/cgroup.procs") {
					m.put("sys/fs/cgroup/a/b/cgroup.procs", "4712\n")
				}
				return err
			}
		}, "cannot be divided", "delegate"},
		"systemd's, and no bus": {func(m *tree) {
			m.put("run/systemd/system/x", "")
			m.ask = func(ctx context.Context, o Options, uid, pid int) (string, error) {
				return askAt(ctx, filepath.Join(o.RuntimeDir, "bus"), pid)
			}
		}, "bus cannot be reached at ", "log in"},
		"systemd refuses": {func(m *tree) {
			m.put("run/systemd/system/x", "")
			m.ask = func(context.Context, Options, int, int) (string, error) {
				return "", errors.New("systemd refused a scope: x.Y")
			}
		}, "refused a scope", "delegate"},
		"systemd does nothing": {func(m *tree) {
			m.put("run/systemd/system/x", "")
			m.ask = func(context.Context, Options, int, int) (string, error) { return "bailey-1.scope", nil }
		}, "we are not in it", "delegate"},
		"root, and the top is closed": {func(m *tree) {
			m.uid = 0
			m.put("sys/fs/cgroup/a/b/cgroup.procs", "1\n4711\n")
			m.refuse = func(op, name string) error {
				if op == "mkdir" {
					return unix.EROFS
				}
				return nil
			}
		}, "no control group can be made", "delegate"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newTree(t, "/a/b", all)
			c.change(m)
			g, err := m.take()
			if g != nil || errs.CodeOf(err) != errs.NotSupported {
				t.Fatalf("%v, %v", g, err)
			}
			e := errs.From(err)
			if !strings.Contains(e.Detail, c.reason) || !strings.Contains(strings.ToLower(e.HintText()), c.hint) {
				t.Errorf("%q, to mend it: %q", e.Detail, e.HintText())
			}
			if strings.Contains(e.Detail, "\n") || len(e.Detail) > 900 {
				t.Errorf("a reason of %d bytes", len(e.Detail))
			}
		})
	}
	// The same machine, unchanged, has one.
	if _, err := newTree(t, "/a/b", all).take(); err != nil {
		t.Error(err)
	}
}

// TestNotDelegated: a group that systemd keeps for itself is not divided, though
// its files let us.
func TestNotDelegated(t *testing.T) {
	m := newTree(t, "/user.slice/app.scope", all)
	m.put("run/systemd/system/x", "")
	if _, err := m.take(); err == nil || m.asked != 1 {
		t.Errorf("%v, asked %d times", err, m.asked)
	}
	if _, err := os.Stat(m.at("/user.slice/app.scope/core")); err == nil {
		t.Error("it was divided")
	}
}

// TestWithoutControllers: a group without any still ends whole trees; why the
// controllers are missing is said.
func TestWithoutControllers(t *testing.T) {
	m := newTree(t, "/a", "hugetlb")
	m.old = "4:memory:/x\n"
	g, err := m.take()
	if err != nil {
		t.Fatal(err)
	}
	lost, why, hint := g.Missing()
	if !slices.Equal(lost, controllers()) || !strings.Contains(why, "version 1") || hint != hintUnified {
		t.Errorf("%v, %q, %q", lost, why, hint)
	}
	l, err := g.Leaf("index", For(workerspec.All()[0]))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := l.End(); err != nil || e != (Ended{}) {
		t.Error(e, err)
	}
}

// TestCommandComesAlong: the command that started the core is in its group, and
// moves on with it.
func TestCommandComesAlong(t *testing.T) {
	m := newTree(t, "/a", all)
	m.put("sys/fs/cgroup/a/cgroup.procs", "4712\n4711\n")
	var moved []string
	m.system.write = func(name, value string) error {
		if strings.HasSuffix(name, "core/cgroup.procs") {
			moved = append(moved, value)
		}
		return m.write(name, value)
	}
	if _, err := m.take(); err != nil || !slices.Equal(moved, []string{"4712", "4711"}) {
		t.Errorf("%v, moved %v", err, moved)
	}
	// A program of somebody else's is not moved by whatever name.
	if ours(fmt.Sprint(os.Getpid())) {
		t.Error("this test is one of Bailey's programs")
	}
}

// TestPartMounted: where a part of the hierarchy is mounted, paths are cut.
func TestPartMounted(t *testing.T) {
	for _, c := range []struct{ root, path, dir string }{
		{"/", "/", "/m"}, {"/", "/a/b", "/m/a/b"}, {"/a", "/a", "/m"}, {"/a", "/a/b", "/m/b"},
		{"/a", "/ab", ""}, {"/a", "/", ""}, {"/", "/../x", ""}, {"/", "/..", ""},
	} {
		dir, err := mounted{c.root, "/m"}.dir(c.path)
		if dir != c.dir || (err == nil) != (c.dir != "") {
			t.Errorf("%s below %s: %q, %v", c.path, c.root, dir, err)
		}
	}
}

// TestFor: no kind is given less than it may take by its resource limits, which
// would end an honest worker, and none is given all processors.
func TestFor(t *testing.T) {
	for _, s := range workerspec.All() {
		l := For(s)
		if l.Memory < s.Limits.Data || l.Memory > s.Limits.Data+2*limits.GroupMargin || l.Memory%(64<<10) != 0 {
			t.Errorf("%s: memory %d of %d", s.Kind, l.Memory, s.Limits.Data)
		}
		if l.Processes != s.Limits.Processes || l.Swap {
			t.Errorf("%s: %+v", s.Kind, l)
		}
	}
	// An engine's memory grows with its model, and its group with it.
	s, _ := workerspec.For("engine")
	if l := For(s.WithMemory(50<<30 + 1)); l.Memory < 50<<30 {
		t.Errorf("an engine with 50 GiB: %d", l.Memory)
	}
	for n, want := range map[int]uint64{1: 750, 2: 1750, 16: 15750} {
		if got := processors(n); got != want {
			t.Errorf("%d processors: %d", n, got)
		}
	}
}

// TestSource: whoever asks meanwhile waits, and no longer than it may.
func TestSource(t *testing.T) {
	m := newTree(t, "/a", all)
	goOn := make(chan struct{})
	s := begin(func(context.Context) (*Group, error) { <-goOn; return m.take() })
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Group(short); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(goOn)
	if g, err := s.Group(t.Context()); err != nil || g.Path() != "/a" {
		t.Error(g, err)
	}
	s.Close()
	// The end of its owner ends the search.
	s = begin(func(ctx context.Context) (*Group, error) { <-ctx.Done(); return nil, ctx.Err() })
	s.Close()
	if _, err := s.Group(t.Context()); err == nil {
		t.Error("a group of a search that was ended")
	}
}
