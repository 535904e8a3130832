package cgroup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

const (
	hintUnified   = "an administrator boots with the unified hierarchy alone: systemd.unified_cgroup_hierarchy=1 on the kernel's command line"
	hintContainer = "run Bailey outside of the container, or give the container a tree of control groups of its own that may be written"
	hintDelegate  = "delegate a control group to Bailey and start it alone in there: a directory that its user may write, with cpu, memory and pids in cgroup.controllers"
	hintUser      = "an administrator runs `systemctl edit user@.service`, adds the lines [Service] and Delegate=cpu memory pids, and you log in again"
	hintBus       = "log in to a session that systemd made, with its bus (on Debian and Ubuntu the package dbus-user-session)"
)

// system is the machine as the search sees it; tests put another one in its place.
type system struct {
	// root is where proc, run and sys are.
	root string
	pid  int
	uid  int
	// What the kernel does at these is more than to a file.
	mkdir, rmdir func(string) error
	write        func(name, value string) error
	born         func(*os.File) error
	// delegated reports whether a manager left a group to those in it.
	delegated func(dir string) bool
	// ours reports whether a process is of Bailey's programs.
	ours func(pid string) bool
	// systemd reports whether it rules this machine.
	systemd func() bool
	// ask has systemd make a scope with this process in it; it returns its name.
	ask func(ctx context.Context, o Options, uid, pid int) (string, error)
}

func host() *system {
	return &system{
		root: "/", pid: os.Getpid(), uid: os.Geteuid(),
		mkdir:     func(name string) error { return os.Mkdir(name, 0o755) },
		rmdir:     unix.Rmdir,
		write:     write,
		born:      born,
		delegated: delegated,
		ours:      ours,
		systemd:   func() bool { return exists("/run/systemd/system") },
		ask:       ask,
	}
}

// write writes a value whole; it makes no file.
func write(name, value string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

// delegated asks for the mark that systemd sets.
func delegated(dir string) bool {
	var b [2]byte
	n, err := unix.Getxattr(dir, "user.delegate", b[:])
	return err == nil && n == 1 && b[0] == '1'
}

// none is the search's end without a group.
func none(reason, hint string, cause error) error {
	const op = "cgroup.take"
	if cause != nil {
		return errs.Wrap(errs.NotSupported, op, cause).With(reason).WithHint(hint)
	}
	return errs.New(errs.NotSupported, op).With(reason).WithHint(hint)
}

// take finds a group and divides it.
func (s *system) take(ctx context.Context, o Options) (*Group, error) {
	m, err := s.mount()
	if err != nil {
		return nil, err
	}
	path, err := s.of("self")
	if err != nil {
		return nil, none("/proc does not tell our control group", hintUnified, err)
	}
	g := &Group{sys: s, path: path}
	if g.dir, err = m.dir(path); err != nil {
		return nil, none("our control group is not in the tree that is mounted", hintContainer, err)
	}
	systemd := s.systemd()
	move := true
	own := s.mayDivide(g, systemd)
	switch {
	case own == nil:
		g.how = "our own, which was delegated"
	case systemd:
		scope, err := s.ask(ctx, o, s.uid, s.pid)
		if err != nil {
			return nil, refusedBySystemd(err)
		}
		if g.path, err = s.of("self"); err != nil || filepath.Base(g.path) != scope {
			return nil, none("systemd made a scope, and we are not in it", hintDelegate, err)
		}
		if g.dir, err = m.dir(g.path); err != nil {
			return nil, none("systemd's scope is not in the tree that is mounted", hintContainer, err)
		}
		g.how = "a scope that systemd made"
	case s.uid == 0:
		move = false
		if err := s.atTop(m, g); err != nil {
			return nil, none("no control group can be made", hintDelegate, err)
		}
		g.how = "made by root at the top of the tree"
	default:
		return nil, none(own.Error(), hintDelegate, nil)
	}
	if err := g.adopt(move); err != nil {
		g.close()
		return nil, none("the control group cannot be divided", hintDelegate, err)
	}
	g.explain(systemd)
	if err := g.try(); err != nil {
		g.close()
		return nil, none("no process can be started in a control group", hintDelegate, err)
	}
	return g, nil
}

// explain says why controllers are missing.
func (g *Group) explain(systemd bool) {
	lost := missing(g.have)
	if len(lost) == 0 {
		return
	}
	g.why = strings.Join(lost, ", ") + " did not come to us with the control group"
	switch {
	case g.sys.old():
		g.why, g.hint = strings.Join(lost, ", ")+" belong to the old hierarchy, version 1", hintUnified
	case systemd && g.sys.uid != 0:
		g.hint = hintUser
	default:
		g.hint = hintDelegate
	}
}

// old reports whether controllers are bound to version 1.
func (s *system) old() bool {
	text, err := read(filepath.Join(s.root, "proc/self/cgroup"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(text) {
		f := strings.SplitN(line, ":", 3)
		if len(f) == 3 && slices.ContainsFunc(strings.Split(f[1], ","), func(c string) bool { return slices.Contains(controllers(), c) }) {
			return true
		}
	}
	return false
}

// try makes a leaf, has a child born in it, and removes it.
func (g *Group) try() error {
	l, err := g.Leaf("try", Limits{Memory: limits.GroupMargin, Processes: 1, Processors: limits.GroupProcessorLeast})
	if err != nil {
		return err
	}
	err = g.sys.born(l.dir)
	_, ended := l.End()
	return errors.Join(err, ended)
}

// ours reports whether a process runs a program that is installed beside this one:
// the command that started the core is in its group, as a rule.
func ours(pid string) bool {
	self, err := os.Executable()
	if err != nil {
		return false
	}
	other, err := os.Readlink("/proc/" + pid + "/exe")
	return err == nil && filepath.Dir(other) == filepath.Dir(self) && strings.HasPrefix(filepath.Base(other), "bailey")
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// mounted is where version 2 is mounted, and which part of its tree.
type mounted struct{ root, point string }

// dir is the directory of a group.
func (m mounted) dir(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(m.root, "/"))
	// A path that leads out is one of another namespace.
	if !ok || strings.HasPrefix(path, "/..") || rest != "" && rest[0] != '/' {
		return "", fmt.Errorf("%s is not below %s", path, m.root)
	}
	return filepath.Join(m.point, rest), nil
}

// mount finds version 2 that may be written.
func (s *system) mount() (mounted, error) {
	text, err := read(filepath.Join(s.root, "proc/self/mountinfo"))
	if err != nil {
		return mounted{}, none("/proc does not tell what is mounted", hintContainer, err)
	}
	readOnly := false
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		// The blank alone parts them: a name may hold other white space.
		f := strings.Split(before, " ")
		if t := strings.Split(after, " "); !ok || len(f) < 6 || len(t) == 0 || t[0] != "cgroup2" {
			continue
		}
		if slices.Contains(strings.Split(f[5], ","), "ro") {
			readOnly = true
			continue
		}
		return mounted{f[3], filepath.Join(s.root, f[4])}, nil
	}
	if readOnly {
		return mounted{}, none("control groups are mounted read-only here, as in most containers", hintContainer, nil)
	}
	return mounted{}, none("control groups version 2 are not mounted here", hintUnified, nil)
}

// of returns the group of version 2 that a process is in.
func (s *system) of(pid string) (string, error) {
	text, err := read(filepath.Join(s.root, "proc", pid, "cgroup"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if p, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok && strings.HasPrefix(p, "/") {
			return p, nil
		}
	}
	return "", errors.New("no line for version 2")
}

// mayDivide says why our own group may not be divided; nil says that it may.
func (s *system) mayDivide(g *Group, systemd bool) error {
	switch {
	case g.path == "/":
		return errors.New("we are in the root of the tree, which is not ours alone")
	case unix.Access(g.dir, unix.W_OK) != nil || unix.Access(filepath.Join(g.dir, "cgroup.procs"), unix.W_OK) != nil ||
		unix.Access(filepath.Join(g.dir, "cgroup.subtree_control"), unix.W_OK) != nil:
		return errors.New("our control group belongs to somebody else")
	case systemd && !s.delegated(g.dir):
		return errors.New("our control group is systemd's own, and was not delegated")
	}
	text, err := read(filepath.Join(g.dir, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(text) {
		if pid != strconv.Itoa(s.pid) && !s.ours(pid) {
			return errors.New("other processes are in our control group")
		}
	}
	return nil
}

// topName begins the names of groups that are made at the top of the tree.
const topName = "bailey-"

// atTop makes a group at the top. Its lock says that it is in use: those that a
// core left which was killed are removed.
func (s *system) atTop(m mounted, g *Group) error {
	s.sweep(m.point, func(name string) bool { return strings.HasPrefix(name, topName) })
	s.enable(m.point)
	name := make([]byte, 4)
	_, _ = rand.Read(name)
	base := topName + hex.EncodeToString(name)
	g.dir, g.path = filepath.Join(m.point, base), filepath.Join(m.root, base)
	if err := s.mkdir(g.dir); err != nil {
		return err
	}
	dir, err := os.Open(g.dir)
	if err == nil {
		if err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			dir.Close()
		}
	}
	if err != nil {
		_ = s.rmdir(g.dir)
		return err
	}
	g.own = dir
	return nil
}

// sweep removes the empty groups below dir that have such a name and no lock, and
// what is empty in them. The kernel removes none that has a process.
func (s *system) sweep(dir string, ours func(name string) bool) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	entries, _ := d.ReadDir(limits.GroupNames)
	for _, e := range entries {
		if !e.IsDir() || !ours(e.Name()) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			s.sweep(name, func(string) bool { return true })
			_ = s.rmdir(name)
		}
		f.Close()
	}
}

// enable gives the wanted controllers of a group to its children, one by one, and
// returns those that they have.
func (s *system) enable(dir string) []string {
	for _, c := range controllers() {
		_ = s.write(filepath.Join(dir, "cgroup.subtree_control"), "+"+c) // what came of it is read
	}
	text, err := read(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(strings.Fields(text), func(c string) bool { return !slices.Contains(controllers(), c) })
}

// together is what all workers may take at once.
func (s *system) together() []setting {
	out := []setting{{"cpu", "cpu.max", quota(processors(runtime.NumCPU()))}}
	if text, err := read(filepath.Join(s.root, "proc/meminfo")); err == nil {
		if kib, ok := field(text, "MemTotal:"); ok {
			const eighths = 8
			out = append(out, setting{"memory", "memory.max", fmt.Sprint(kib << 10 / eighths * limits.GroupMemoryEighths)})
		}
	}
	return out
}

// refusedBySystemd tells what became of the wish for a scope.
func refusedBySystemd(err error) error {
	if e := (*noBus)(nil); errors.As(err, &e) {
		return none("systemd's bus cannot be reached at "+e.socket, hintBus, err)
	}
	return none(err.Error(), hintDelegate, err)
}
