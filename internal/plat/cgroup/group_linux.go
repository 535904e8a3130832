package cgroup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Names below a group of ours.
const (
	coreName    = "core"
	workersName = "workers"
)

// Group is a control group that is ours to divide.
type Group struct {
	sys *system
	// dir is its directory, path what /proc/PID/cgroup has for it.
	dir, path string
	// how says how it was come by.
	how string
	// own is set where the group was made here, and holds its lock.
	own *os.File
	// have are the controllers that workers' groups get.
	have []string
	// lent are those that our children got of it.
	lent []string
	// why says of a missing controller why it is, hint what would mend it.
	why, hint string
	count     atomic.Uint64
}

// How says how the group was come by, in words.
func (g *Group) How() string { return g.how }

// Path is the group's name in the tree.
func (g *Group) Path() string { return g.path }

// Missing returns the controllers that the group has not got, why, and what would
// mend it.
func (g *Group) Missing() (controllers []string, why, hint string) {
	return missing(g.have), g.why, g.hint
}

// adopt divides a group: its processes go into a leaf where they must, and what
// controllers there are go to the children.
func (g *Group) adopt(move bool) error {
	if move {
		if err := g.sys.mkdir(filepath.Join(g.dir, coreName)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := g.vacate(); err != nil {
			return err
		}
	}
	g.lent = g.sys.enable(g.dir)
	workers := filepath.Join(g.dir, workersName)
	if err := g.sys.mkdir(workers); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	g.have = g.sys.enable(workers)
	g.sys.sweep(workers, func(string) bool { return true })
	for _, s := range g.sys.together() {
		if !slices.Contains(g.have, s.controller) {
			continue
		}
		if err := g.sys.write(filepath.Join(workers, s.file), s.value); err != nil {
			return err
		}
	}
	return nil
}

// vacate moves the group's processes into its leaf: this one, and those that it
// started meanwhile.
func (g *Group) vacate() error {
	for range limits.GroupMoves {
		text, err := read(filepath.Join(g.dir, "cgroup.procs"))
		if err != nil {
			return err
		}
		pids := strings.Fields(text)
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			err := g.sys.write(filepath.Join(g.dir, coreName, "cgroup.procs"), pid)
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return errors.New("processes keep coming into it")
}

// Leaf is one worker's group.
type Leaf struct {
	group  *Group
	limits Limits
	dir    *os.File
	path   string
}

// Leaf makes a group for a worker. The error says what could not be made or
// written; nothing is left then.
func (g *Group) Leaf(kind string, l Limits) (*Leaf, error) {
	const op = "cgroup.leaf"
	var name, at string
	for {
		name = kind + "-" + strconv.FormatUint(g.count.Add(1), 10)
		at = filepath.Join(g.dir, workersName, name)
		err := g.sys.mkdir(at)
		if err == nil {
			break
		}
		// A worker of a core that was killed may not be dead yet.
		if !errors.Is(err, os.ErrExist) {
			return nil, errs.Wrap(errs.Internal, op, err)
		}
	}
	fail := func(err error) (*Leaf, error) {
		_ = os.Remove(at)
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	for _, s := range l.settings() {
		if !slices.Contains(g.have, s.controller) {
			continue
		}
		err := g.sys.write(filepath.Join(at, s.file), s.value)
		if errors.Is(err, os.ErrNotExist) && s.file == "memory.swap.max" {
			continue // a kernel that swaps nothing
		}
		if err != nil {
			return fail(err)
		}
	}
	dir, err := os.Open(at)
	if err != nil {
		return fail(err)
	}
	return &Leaf{group: g, limits: l, dir: dir, path: path.Join(g.path, workersName, name)}, nil
}

// Dir is the directory in which a process can be born. It is the Leaf's.
func (l *Leaf) Dir() *os.File {
	if l == nil {
		return nil
	}
	return l.dir
}

// Report reads back where a process is and what holds there. The error says that
// the process is not in its group, or that a limit is not what was asked for.
func (l *Leaf) Report(pid int) (Report, error) {
	const op = "cgroup.report"
	at, err := l.group.sys.of(strconv.Itoa(pid))
	if err != nil {
		return Report{}, errs.Wrap(errs.PostureFailed, op, err)
	}
	if at != l.path {
		return Report{}, errs.New(errs.PostureFailed, op).With("it is not in its control group")
	}
	r := Report{Path: at, Missing: missing(l.group.have)}
	for _, s := range l.limits.settings() {
		if !slices.Contains(l.group.have, s.controller) {
			continue
		}
		v, err := read(filepath.Join(l.dir.Name(), s.file))
		if errors.Is(err, os.ErrNotExist) && s.file == "memory.swap.max" {
			continue
		}
		v = strings.TrimSpace(v)
		if err == nil && v != s.value {
			err = fmt.Errorf("%s is %q", s.file, v)
		}
		if err != nil {
			return Report{}, errs.Wrap(errs.PostureFailed, op, err).With(s.file + " is not as declared")
		}
		r.Values = append(r.Values, s.file+" "+v)
	}
	return r, nil
}

// Kill ends everything in the group.
func (l *Leaf) Kill() error {
	if l == nil {
		return nil
	}
	err := l.group.sys.write(filepath.Join(l.dir.Name(), "cgroup.kill"), "1")
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
		return errs.Wrap(errs.Internal, "cgroup.kill", err)
	}
	return nil
}

// End ends everything that is left in the group, says what its counters say, and
// removes it. The error says that it is still there.
func (l *Leaf) End() (Ended, error) {
	if l == nil {
		return Ended{}, nil
	}
	const op = "cgroup.end"
	defer l.dir.Close()
	if err := l.Kill(); err != nil {
		return Ended{}, err
	}
	if err := l.empty(); err != nil {
		return Ended{}, errs.Wrap(errs.Internal, op, err)
	}
	at := l.dir.Name()
	e := Ended{
		Killed:    counter(filepath.Join(at, "memory.events"), "oom_kill"),
		Refused:   counter(filepath.Join(at, "pids.events"), "max"),
		Throttled: counter(filepath.Join(at, "cpu.stat"), "nr_throttled"),
	}
	if err := l.group.sys.rmdir(at); err != nil && !errors.Is(err, os.ErrNotExist) {
		return e, errs.Wrap(errs.Internal, op, err)
	}
	return e, nil
}

// empty waits until no process is left: the kernel tells a change of
// cgroup.events to whoever polls it.
func (l *Leaf) empty() error {
	f, err := os.Open(filepath.Join(l.dir.Name(), "cgroup.events"))
	if errors.Is(err, os.ErrNotExist) {
		return nil // it was removed
	}
	if err != nil {
		return err
	}
	defer f.Close()
	end := time.Now().Add(limits.GroupEmpty)
	for {
		text, err := io.ReadAll(io.NewSectionReader(f, 0, limits.GroupFile))
		if err != nil {
			return err
		}
		if n, ok := field(string(text), "populated"); ok && n == 0 {
			return nil
		}
		left := time.Until(end)
		if left <= 0 {
			return errors.New("processes do not end")
		}
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLPRI}}, int(left.Milliseconds())+1)
		if err != nil && err != unix.EINTR {
			return err
		}
	}
}

// close removes what was made here, and leaves a group that was delegated as it was:
// whoever is put there next finds no children with controllers, beside which the
// kernel lets nobody live. All of it may fail, and is then its manager's to remove.
func (g *Group) close() {
	workers := filepath.Join(g.dir, workersName)
	g.sys.sweep(workers, func(string) bool { return true })
	_ = g.sys.rmdir(workers)
	if g.own != nil {
		_ = g.sys.rmdir(g.dir)
		g.own.Close()
		return
	}
	for _, c := range g.lent {
		_ = g.sys.write(filepath.Join(g.dir, "cgroup.subtree_control"), "-"+c)
	}
	core := filepath.Join(g.dir, coreName)
	if text, err := read(filepath.Join(core, "cgroup.procs")); err == nil {
		for pid := range strings.FieldsSeq(text) {
			_ = g.sys.write(filepath.Join(g.dir, "cgroup.procs"), pid)
		}
	}
	_ = g.sys.rmdir(core)
}

// absentProgram cannot exist: it lies below something that is no directory.
const absentProgram = "/dev/null/bailey-group"

// born has a child born in a group, which ends there because its program does
// not exist. That it got as far as that is the proof that workers can be.
func born(dir *os.File) error {
	_, err := syscall.ForkExec(absentProgram, []string{absentProgram}, &syscall.ProcAttr{
		Env: []string{}, Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())},
	})
	// Without clone3, which containers' filters refuse, workers are moved there
	// before they do anything.
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	if err == nil {
		return errors.New("a program that cannot exist was executed")
	}
	return err
}

func counter(file, name string) uint64 {
	text, err := read(file)
	if err != nil {
		return 0
	}
	n, _ := field(text, name)
	return n
}

// field returns the number behind a name.
func field(text, name string) (uint64, bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == name {
			n, err := strconv.ParseUint(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

func read(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limits.GroupFile))
	return string(b), err
}
