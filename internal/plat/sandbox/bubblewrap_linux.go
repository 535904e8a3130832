package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Some systems refuse user namespaces to Bailey and give them to the system's
// bubblewrap (Ubuntu 25.04, by an AppArmor profile that leaves what it starts no
// powers). There bubblewrap makes the namespaces and the root, by its arguments,
// and executes the stub in it as process 1; from then on all is as ever. It is
// tried where a start of our own was refused namespaces, at that very start, and
// where it fails before the stub has spoken, level 2 is next.
//
// The worker is bubblewrap's child. bubblewrap waits for it, hands its exit status
// on, and holds nothing else. Either ends with the other, and bubblewrap with the
// thread that started it.
//
// bubblewrap finds what it mounts by name. What it found the stub compares with
// what the core opened, and the core looks whether the stub is its own program,
// before it tells it anything.
//
// A set-id bubblewrap is of no use: root would own the namespaces that it makes, and
// an ordinary core could not look into them. A root core's own namespaces are not
// refused by what refuses them to others.

// bubblewrapPath is the one place where bubblewrap is looked for.
const bubblewrapPath = "/usr/bin/bwrap"

// errNoBubblewrap says that bubblewrap did not come to execute the stub.
var errNoBubblewrap = errors.New("bubblewrap has no namespaces either")

// Descriptors of a stub that bubblewrap started, besides those of every stub.
const (
	// stderrFD becomes descriptor 2, which bubblewrap would write to itself.
	stderrFD = 7
	// firstMountFD is what the first mount is of; the others follow.
	firstMountFD = 8
)

// outer is bubblewrap's process; pid is 0 where there is none.
type outer struct{ pid, fd int }

// wrap returns the Config as bubblewrap starts it; false where that cannot be tried.
func (c Config) wrap() (Config, bool) {
	spec, err := c.Spec.Wrap()
	if err != nil || privileged() || c.seam.unwrapped() || !ofSystemAlone(bubblewrapPath) {
		return c, false
	}
	c.Spec = spec
	return c, true
}

// ofSystemAlone reports whether a program is root's, in directories of root's, so
// that nobody else can put another in its place, and takes no powers itself.
func ofSystemAlone(program string) bool {
	for i := range len(program) + 1 {
		if i > 0 && i < len(program) && program[i] != '/' {
			continue
		}
		var st unix.Stat_t
		if err := unix.Lstat(program[:max(i, 1)], &st); err != nil || st.Uid != 0 || st.Mode&0o022 != 0 {
			return false
		}
		kind := uint32(unix.S_IFDIR)
		if i == len(program) {
			kind = unix.S_IFREG
		}
		if st.Mode&unix.S_IFMT != kind || st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
			return false
		}
	}
	return true
}

// throughBubblewrap makes of the attributes of a stub those of the bubblewrap that
// executes it, and returns its path and arguments.
func (c Config) throughBubblewrap(attr *syscall.ProcAttr, id ids, null *os.File) (path string, argv []string, err error) {
	attr.Files = append(attr.Files, attr.Files[2])
	attr.Files[2] = null.Fd()
	for _, m := range c.Mounts {
		attr.Files = append(attr.Files, m.Dir.Fd())
	}
	withoutNamespaces(attr.Sys, id)
	argv, err = c.bubblewrapArgs(id)
	return bubblewrapPath, argv, err
}

// bubblewrapArgs are the arguments, which show no name of a person's: everybody may
// read them. A size is known to bubblewrap from 0.6 on, and refused by one that is
// set-id.
func (c Config) bubblewrapArgs(id ids) ([]string, error) {
	size := strconv.Itoa(limits.SandboxRootSize)
	args := []string{"bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
		"--uid", strconv.Itoa(id.innerUID), "--gid", strconv.Itoa(id.innerGID), "--hostname", "bailey",
		"--die-with-parent", "--as-pid-1", "--new-session", "--cap-drop", "ALL", "--chdir", "/",
		"--perms", "0700", "--size", size, "--tmpfs", "/"}
	if c.Spec.Requires(workerspec.NetNamespace) {
		args = append(args, "--unshare-net")
	}
	descriptor := func(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
	args = append(args, "--ro-bind", descriptor(stubFD), workerspec.StubTarget)
	if c.ownProgram() {
		args = append(args, "--ro-bind", descriptor(binaryFD), workerspec.ProgramTarget)
	}
	for n, m := range c.Mounts {
		how := "--ro-bind"
		if m.Write {
			how = "--bind"
		}
		args = append(args, how, descriptor(firstMountFD+n), m.Target)
		pinned := map[string]bool{}
		for _, name := range m.hidden() {
			at := m.Target + "/" + name
			// As hideAll does.
			for i := range name {
				if above := name[:i]; m.Write && name[i] == '/' && !pinned[above] {
					pinned[above] = true
					args = append(args, "--bind", descriptor(firstMountFD+n)+"/"+above, m.Target+"/"+above)
				}
			}
			args = append(args, "--perms", "0700", "--size", size, "--tmpfs", at, "--remount-ro", at)
		}
	}
	around, err := bubblewrapSurroundings(c.Spec)
	return slices.Concat(args, around, []string{"--remount-ro", "/", "--", workerspec.StubTarget}), err
}

// bubblewrapSurroundings are the arguments for what stands around the mounts.
func bubblewrapSurroundings(spec workerspec.Spec) (args []string, err error) {
	s := spec.Surroundings
	if s == nil {
		return nil, nil
	}
	for _, name := range s.System {
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); errors.Is(err, unix.ENOENT) {
			continue
		} else if err != nil {
			return nil, err
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			if target, ok := linkInside(name); ok {
				args = append(args, "--symlink", target, name)
			}
		case unix.S_IFREG, unix.S_IFDIR:
			args = append(args, "--ro-bind", name, name)
		}
	}
	for _, t := range s.Scratch {
		args = append(args, "--perms", "0700", "--size", strconv.Itoa(t.Bytes), "--tmpfs", t.Path)
	}
	for _, d := range spec.Devices {
		args = append(args, "--dev-bind", d, d)
	}
	if s.Proc {
		args = append(args, "--proc", "/proc", "--remount-ro", "/proc")
	}
	return args, nil
}

// meet waits for the stub's first word, and takes hold of its process if its program
// is ours.
func (p *Process) meet(c Config, sock int) error {
	refuse := func(err error) error {
		return errs.Wrap(errs.SandboxMissing, opStart, fmt.Errorf("%w: %w", errNoBubblewrap, err))
	}
	var r report
	if _, err := receive(sock, limits.SandboxSetup, &r); err != nil {
		return refuse(err)
	}
	if !r.Here {
		return refuse(errors.New(r.Text))
	}
	pid, fd, err := p.child()
	if err != nil {
		return refuse(err)
	}
	p.mu.Lock()
	p.pid, p.pidfd = pid, fd
	p.mu.Unlock()
	stub := c.Stub
	if stub == nil {
		stub = c.Worker
	}
	var is, want unix.Stat_t
	if err := errors.Join(unix.Stat(fmt.Sprintf("/proc/%d/exe", pid), &is), unix.Fstat(int(stub.Fd()), &want)); err != nil {
		return refuse(err)
	}
	if is.Dev != want.Dev || is.Ino != want.Ino {
		return refuse(unix.ESTALE)
	}
	return nil
}

// child takes hold of bubblewrap's one child. That it is one is asked after it was
// taken hold of: until then the number could have gone to another process.
func (p *Process) child() (pid, fd int, err error) {
	children, err := proc.Children(p.outer.pid)
	if err != nil {
		return -1, -1, err
	}
	if len(children) != 1 {
		return -1, -1, fmt.Errorf("%d children", len(children))
	}
	if fd, err = unix.PidfdOpen(children[0], 0); err != nil {
		return -1, -1, err
	}
	s, err := proc.ReadStatus(children[0])
	if err == nil && s.Parent != p.outer.pid {
		err = unix.ESRCH
	}
	if err != nil {
		unix.Close(fd)
		return -1, -1, err
	}
	return children[0], fd, nil
}

// holds are the processes to be killed, the worker first: bubblewrap's child is not
// told of bubblewrap's end before it executes the stub. The caller holds mu, and
// calls release.
func (p *Process) holds() (fds []int, release func()) {
	release = func() {}
	if p.outer.pid == 0 {
		return []int{p.pidfd}, release
	}
	worker := p.pidfd
	if worker < 0 {
		if _, fd, err := p.child(); err == nil {
			worker, release = fd, func() { unix.Close(fd) }
		}
	}
	if worker >= 0 {
		fds = append(fds, worker)
	}
	return append(fds, p.outer.fd), release
}

// passedOn is how the worker ended, by how bubblewrap did: 128 and the signal's
// number, as a shell says it, where a signal ended it.
func passedOn(e Exit) Exit {
	const signalled, last = 128, 64
	if e.Code > signalled && e.Code <= signalled+last {
		e = Exit{Code: -1, Signal: e.Code - signalled}
		e.Forbidden = e.Signal == int(unix.SIGSYS)
	}
	return e
}

// follow has the worker end after bubblewrap, and waits for it.
func (p *Process) follow() {
	if p.pidfd < 0 {
		return
	}
	_ = unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0)
	_, _ = awaitEnd(p.pidfd, -1)
}

// announce is what a stub does first that bubblewrap started.
func announce() error {
	if err := unix.Dup3(stderrFD, 2, 0); err != nil {
		return err
	}
	return send(setupFD, report{Here: true}, nil)
}

// checkPlaced compares what bubblewrap mounted with what the core opened, in a stub.
// Nothing can be changed by then.
func checkPlaced(mounts []setupMount) error {
	for _, sm := range mounts {
		if err := sm.placed(); err != nil {
			return &stepError{stepTake, string(sm.Target), err}
		}
	}
	return nil
}

func (sm setupMount) placed() error {
	if sm.From != fromPlaced {
		return fmt.Errorf("mount from %q", sm.From)
	}
	at, err := unix.Open(string(sm.Target), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	if err := same(at, sm); err != nil {
		return err
	}
	for _, name := range sm.Hide {
		if err := isHidden(at, string(name)); err != nil {
			return fmt.Errorf("hide: %w", err)
		}
	}
	return nil
}

// isHidden wants nothing at a name below a mount, or an empty directory in memory that
// cannot be written.
func isHidden(at int, name string) error {
	fd, err := beneath(at, name, unix.O_RDONLY)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) && !ourMode(at, name) {
		return nil
	}
	if err != nil {
		return err
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return err
	}
	if _, err := dir.ReadDir(1); err != io.EOF || fs.Type != unix.TMPFS_MAGIC || fs.Flags&unix.ST_RDONLY == 0 {
		return unix.ESTALE
	}
	return nil
}
