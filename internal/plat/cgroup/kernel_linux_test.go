package cgroup

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// The tests of this file are of the kernel's own control groups. Those that need
// a controller run where there is one: in the guests of `make vm-test`.

// ordinaryID is who the tests become when they are root; a bus refuses one whom the
// system does not know.
const ordinaryID = 65534

// real takes a group of the kernel's.
func real(t *testing.T, want ...string) *Group {
	t.Helper()
	g, err := host().take(t.Context(), Options{})
	if err != nil {
		e := errs.From(err)
		t.Skip("no control group here: " + e.Detail)
	}
	t.Cleanup(g.close)
	for _, c := range want {
		if !slices.Contains(g.have, c) {
			t.Skip("no controller " + c + " in the control groups of version 2 here; it takes a machine of `make vm-test`")
		}
	}
	return g
}

// wide is what binds nobody.
func wide() Limits {
	return Limits{Memory: 1 << 40, Processes: 10_000, Processors: 1000 * uint64(runtime.NumCPU()+1)}
}

// attack runs the test's program as an attacker in a group, or beside it, and
// returns what it said.
func attack(t *testing.T, l *Leaf, name string, n int) (string, *exec.Cmd) {
	t.Helper()
	cmd := attacker(t, l, name, n)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // how it ended is in the command
	return out.String(), cmd
}

func attacker(t *testing.T, l *Leaf, name string, n int) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", strconv.Itoa(n))
	cmd.Env = []string{attackEnv + "=" + name}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if l != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(l.Dir().Fd())
	}
	return cmd
}

func leaf(t *testing.T, g *Group, l Limits) *Leaf {
	t.Helper()
	f, err := g.Leaf("test", l)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func end(t *testing.T, l *Leaf) Ended {
	t.Helper()
	e, err := l.End()
	if err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(l.group.dir, workersName, filepath.Base(l.path))); !os.IsNotExist(err) {
		t.Errorf("the group is left: %v", err)
	}
	return e
}

// TestKernelTree: the end of a group takes a whole tree, also what has left its
// parent and its session. Control: a signal to its first process takes that alone.
func TestKernelTree(t *testing.T) {
	const left = 5
	g := real(t)
	l := leaf(t, g, wide())
	cmd := attacker(t, l, "tree", left)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != fmt.Sprintf("left %d\n", left) {
		t.Fatalf("said %q", line)
	}
	r, err := l.Report(cmd.Process.Pid)
	if err != nil || r.Path != l.path {
		t.Errorf("seen as %+v, %v", r, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	pids := members(t, l)
	if len(pids) != left {
		t.Errorf("control: a signal left %d of %d", len(pids), left)
	}
	end(t, l)
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("%d lives", pid)
		}
	}
}

func members(t *testing.T, l *Leaf) []int {
	t.Helper()
	text, err := read(filepath.Join(l.dir.Name(), "cgroup.procs"))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for f := range strings.FieldsSeq(text) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// alive: one that is dead and that nobody waited for is not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := bytes.LastIndexByte(b, ')')
	return err == nil && i >= 0 && i+2 < len(b) && b[i+2] != 'Z' && b[i+2] != 'X'
}

// TestKernelElsewhere: a process that is not in its group is not said to be.
func TestKernelElsewhere(t *testing.T) {
	l := leaf(t, real(t), wide())
	defer end(t, l)
	if r, err := l.Report(os.Getpid()); errs.CodeOf(err) != errs.PostureFailed {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestKernelSweep: what a core left that was killed, the next one removes; the
// group of one that lives stays.
func TestKernelSweep(t *testing.T) {
	g := real(t)
	if g.own == nil {
		t.Skip("the group was delegated: whoever did that removes it")
	}
	leaf(t, g, wide()).dir.Close()
	if next := real(t); next.dir == g.dir {
		t.Fatal("two have one")
	}
	if _, err := os.Stat(g.dir); err != nil {
		t.Fatal("the group of one that lives was removed: ", err)
	}
	g.own.Close() // as the kernel does at its end
	real(t)
	if _, err := os.Stat(g.dir); !os.IsNotExist(err) {
		t.Errorf("what it left is there: %v", err)
	}
}

// TestKernelMemory (row 69): who takes more memory than its group may is killed,
// with all that it started, and the group says why. Control: beside the group it
// takes all that it wants.
func TestKernelMemory(t *testing.T) {
	const most, wanted = 24, 64
	g := real(t, "memory")
	if out, _ := attack(t, nil, "memory", wanted); out != fmt.Sprintf("took %d\n", wanted) {
		t.Fatalf("control: %q", out)
	}
	w := wide()
	w.Memory = most << 20
	l := leaf(t, g, w)
	out, cmd := attack(t, l, "memory", wanted)
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v, %q", cmd.ProcessState, out)
	}
	if e := end(t, l); e.Killed == 0 {
		t.Errorf("counted %+v", e)
	}
}

// TestKernelTogether (row 69): many workers, each below its own limit, are held to
// what all may take. Control: each of them alone takes what it wants.
func TestKernelTogether(t *testing.T) {
	const each, many, all = 24, 4, 64
	g := real(t, "memory")
	limit := filepath.Join(g.dir, workersName, "memory.max")
	if err := write(limit, fmt.Sprint(all<<20)); err != nil {
		t.Fatal(err)
	}
	w := wide()
	w.Memory = 2 * each << 20
	l := leaf(t, g, w)
	if out, _ := attack(t, l, "memory", each); out != fmt.Sprintf("took %d\n", each) {
		t.Fatalf("control: %q", out)
	}
	end(t, l)
	var hold []*exec.Cmd
	var leaves []*Leaf
	for range many {
		l := leaf(t, g, w)
		cmd := attacker(t, l, "hold", each)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		hold, leaves = append(hold, cmd), append(leaves, l)
	}
	// They hold what they have until one of them was ended for it.
	ended := make(chan int, many)
	for i, cmd := range hold {
		go func() { _ = cmd.Wait(); ended <- i }()
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("all of them together took more than all may")
	}
	killed := uint64(0)
	for _, l := range leaves {
		killed += end(t, l).Killed
	}
	if killed == 0 {
		t.Error("none was ended for the memory of all")
	}
}

// TestKernelProcesses (row 70): a group has no more processes than it may. Control:
// beside it the same program makes all that it wants.
func TestKernelProcesses(t *testing.T) {
	const most, wanted = 30, 60
	g := real(t, "pids")
	if out, _ := attack(t, nil, "fork", wanted); out != fmt.Sprintf("made %d\n", wanted) {
		t.Fatalf("control: %q", out)
	}
	w := wide()
	w.Processes = most
	l := leaf(t, g, w)
	out, _ := attack(t, l, "fork", wanted)
	if !strings.HasPrefix(out, "refused with EAGAIN\nmade ") {
		t.Errorf("said %q", out)
	}
	if e := end(t, l); e.Refused == 0 {
		t.Errorf("counted %+v", e)
	}
}

// TestKernelProcessors (row 71): who spins gets what its group may, and no more.
// Control: in a group that may take all it is never held back.
func TestKernelProcessors(t *testing.T) {
	const wall = 1500
	g := real(t, "cpu")
	spin := func(w Limits) (int, Ended) {
		l := leaf(t, g, w)
		out, _ := attack(t, l, "spin", wall)
		got, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(out, "got ")))
		if err != nil {
			t.Fatalf("said %q", out)
		}
		return got, end(t, l)
	}
	// All workers together are held to less than all processors.
	if err := write(filepath.Join(g.dir, workersName, "cpu.max"), quota(wide().Processors)); err != nil {
		t.Fatal(err)
	}
	w := wide()
	w.Processors = 250
	// The control is held back too, to what all may have together, and an emulated
	// guest's clock runs unevenly: one of three shows it, where none would without.
	var seen []string
	for range 3 {
		free, control := spin(wide())
		held, e := spin(w)
		if e.Throttled > control.Throttled && held <= free/2 {
			return
		}
		seen = append(seen, fmt.Sprintf("got %d ms, %d without; counted %+v, %+v without", held, free, e, control))
	}
	t.Error(strings.Join(seen, "\n"))
}

// TestKernelValues: what a kind of worker gets is what the kernel holds then.
func TestKernelValues(t *testing.T) {
	g := real(t, controllers()...)
	for _, s := range workerspec.All() {
		l := leaf(t, g, For(s))
		cmd := attacker(t, l, "tree", 0)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r, err := l.Report(cmd.Process.Pid)
		if err != nil || !r.Enforced() {
			t.Errorf("%s: %+v, %v", s.Kind, r, err)
		}
		t.Log(s.Kind, r)
		end(t, l)
		_ = cmd.Wait()
	}
}

// TestKernelOrdinaryUser runs the tests above as an ordinary user to whom a group
// was delegated, who has to be alone in it.
func TestKernelOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests run as an ordinary user anyway")
	}
	g := real(t)
	dir := filepath.Join(g.dir, workersName, "delegated")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.sys.sweep(dir, func(string) bool { return true }); _ = unix.Rmdir(dir) })
	for _, name := range []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
		if err := os.Chown(filepath.Join(dir, name), ordinaryID, ordinaryID); err != nil {
			t.Fatal(err)
		}
	}
	// As systemd marks what it delegated, if there is one.
	if err := unix.Setxattr(dir, "user.delegate", []byte("1"), 0); err != nil {
		t.Logf("the mark of a delegated group cannot be set: %v", err)
	}
	at, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.v", "-test.run=^TestKernel")
	cmd.Dir = "/"
	cmd.Env = []string{"TMPDIR=/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(at.Fd()), Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestKernelTree") {
		t.Errorf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "--- ") {
			t.Log("as an ordinary user: ", strings.TrimSpace(line))
		}
	}
	// It left the group as it was.
	if b, err := os.ReadDir(dir); err != nil || slices.ContainsFunc(b, os.DirEntry.IsDir) {
		t.Errorf("groups are left: %v", err)
	}
	if text, err := read(filepath.Join(dir, "cgroup.subtree_control")); err != nil || strings.TrimSpace(text) != "" {
		t.Errorf("controllers are left: %q, %v", text, err)
	}
}

// BenchmarkBirth is what it costs a start to be born in a group of its own: the
// group made, a child that ends at once, the group removed; and a child without.
func BenchmarkBirth(b *testing.B) {
	g, err := host().take(b.Context(), Options{})
	if err != nil {
		b.Skip("no control group here: " + errs.From(err).Detail)
	}
	defer g.close()
	child := func(dir *os.File) error {
		sys := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
		if dir != nil {
			sys.UseCgroupFD, sys.CgroupFD = true, int(dir.Fd())
		}
		_, err := syscall.ForkExec(absentProgram, []string{absentProgram}, &syscall.ProcAttr{Env: []string{}, Sys: sys})
		return err
	}
	b.Run("without", func(b *testing.B) {
		for b.Loop() {
			if err := child(nil); err != unix.ENOTDIR {
				b.Fatal(err)
			}
		}
	})
	b.Run("with", func(b *testing.B) {
		var made, born, ended time.Duration
		for b.Loop() {
			begin := time.Now()
			l, err := g.Leaf("bench", Limits{Memory: limits.GroupMargin, Processes: 10, Processors: 1000})
			if err != nil {
				b.Fatal(err)
			}
			made += time.Since(begin)
			begin = time.Now()
			if err := child(l.Dir()); err != unix.ENOTDIR {
				b.Fatal(err)
			}
			born += time.Since(begin)
			begin = time.Now()
			if _, err := l.End(); err != nil {
				b.Fatal(err)
			}
			ended += time.Since(begin)
		}
		b.ReportMetric(float64(made.Nanoseconds())/float64(b.N), "made-ns/op")
		b.ReportMetric(float64(born.Nanoseconds())/float64(b.N), "born-ns/op")
		b.ReportMetric(float64(ended.Nanoseconds())/float64(b.N), "ended-ns/op")
	})
}
