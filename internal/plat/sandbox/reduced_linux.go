package sandbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Level 2 is what is left where the system refuses user namespaces: the worker
// stands in the host's root, and Landlock alone decides what it may open. It is
// never chosen but after a start with all namespaces failed for that reason, at
// that very start. A directory that the spec would mount is
//
//   - a person's: descriptor [workerspec.GrantFD], open for reading;
//   - Bailey's own, or that of the engine's libraries: the one that the worker is
//     born in, so that not even its path is needed;
//   - a file of the system's: where the system has it.
//
// Landlock holds each to the descriptor that the core opened, not to a name. A
// root core's worker has its own unprivileged id, and reads what that id may
// read: nothing can be mapped.

// errNamespaces says that the system refuses a worker's namespaces.
var errNamespaces = errors.New("user namespaces are refused")

const (
	hintReduced  = "without user namespaces Bailey needs Landlock of Linux 6.2 or later (ABI 3); " + hintNamespaces
	hintOwnInDir = "choose a folder in it that holds your documents alone; what is Bailey's own could not be hidden from a worker, since this system refuses user namespaces"
)

// fromDescriptor is how the stub of level 2 comes by what would be a mount: the
// core's own descriptor rides on the message.
const fromDescriptor = "descriptor"

// refusedNamespaces reports whether an errno of clone, or of the first call that
// takes a capability of the new namespace, means that there are none to be had:
// EPERM (a security module, a seccomp filter), ENOSPC and EUSERS (a limit),
// EINVAL (a kernel without them).
func refusedNamespaces(err error) bool {
	return slices.ContainsFunc([]error{unix.EPERM, unix.ENOSPC, unix.EUSERS, unix.EINVAL},
		func(e error) bool { return errors.Is(err, e) })
}

// cloneDenied reports whether it is the making of a user namespace that is
// answered with EACCES, as AppArmor does for a profile without its rule, and not
// the executing of a program.
func cloneDenied() bool {
	_, err := syscall.ForkExec(absentProgram, []string{absentProgram}, &syscall.ProcAttr{Env: []string{}, Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}})
	return errors.Is(err, unix.EACCES)
}

// reduce returns the Config at level 2. refusal is why it is needed, and is
// returned with the reason where the kind, or the folder, does not bear it.
func (c Config) reduce(refusal error) (Config, error) {
	spec, err := c.Spec.Reduce()
	if err != nil {
		e := errs.From(refusal)
		why := e.Detail
		switch {
		case errors.Is(refusal, unix.ENOSPC), errors.Is(refusal, unix.EUSERS):
			why = "a limit in /proc/sys/user is reached"
		case why == "":
			why = strings.TrimPrefix(e.Cause.Error(), errNamespaces.Error()+": ")
		}
		return c, errs.Wrap(errs.SandboxMissing, opStart, refusal).With(c.Spec.Kind + " needs user namespaces: " + err.Error() + "; asked for one, the system said: " + why).WithHint(e.HintText())
	}
	for _, m := range c.Mounts {
		if len(m.hidden()) > 0 {
			return c, errs.Wrap(errs.FolderClosed, opStart, refusal).With(m.Path + " holds Bailey's own data, or the system's state").WithHint(hintOwnInDir)
		}
	}
	c.Spec = spec
	return c, nil
}

// hidden are the names of Hide that are there, or may be.
func (m Mount) hidden() (names []string) {
	for _, name := range m.Hide {
		fd, err := beneath(int(m.Dir.Fd()), name, unix.O_PATH)
		if err == nil {
			unix.Close(fd)
		}
		if err == nil || errors.Is(err, unix.EACCES) && ourMode(int(m.Dir.Fd()), name) {
			names = append(names, name)
		}
	}
	return names
}

// ourMode reports whether what keeps this process from a name below a directory is
// the mode of something of its own user's, who can change it later.
func ourMode(dir int, name string) bool {
	closed := dir
	for i := strings.LastIndexByte(name, '/'); i >= 0; i = strings.LastIndexByte(name[:i], '/') {
		if fd, err := beneath(dir, name[:i], unix.O_PATH); err == nil {
			defer unix.Close(fd)
			closed = fd
			break
		}
	}
	var st unix.Stat_t
	return unix.Fstat(closed, &st) != nil || int(st.Uid) == os.Geteuid()
}

// beneath opens a directory below another, and follows no link on the way.
func beneath(dir int, name string, flags int) (int, error) {
	return unix.Openat2(dir, name, &unix.OpenHow{
		Flags:   uint64(flags | unix.O_DIRECTORY | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
}

// standIn moves the calling thread, whose file-system state is its own, to where
// the worker is to be born.
func (c Config) standIn() error {
	if err := unix.Chdir("/"); err != nil {
		return errs.Wrap(errs.Internal, opStart, err)
	}
	if i := home(c.Spec); i >= 0 {
		if err := unix.Fchdir(int(c.Mounts[i].Dir.Fd())); err != nil {
			return c.folderError(i, err)
		}
	}
	return nil
}

// hand prepares the i-th mount of a worker of level 2: a copy of the core's
// descriptor.
func (p *Process) hand(c Config, i int) (setupMount, int, error) {
	m, spec := c.Mounts[i], c.Spec.Mounts[i]
	var st unix.Stat_t
	if err := unix.Fstat(int(m.Dir.Fd()), &st); err != nil {
		return setupMount{}, -1, c.folderError(i, err)
	}
	if spec.Own && m.Write && privileged() {
		if err := p.giveAway(m, st); err != nil {
			return setupMount{}, -1, c.folderError(i, err)
		}
	}
	fd, err := unix.FcntlInt(m.Dir.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return setupMount{}, -1, errs.Wrap(errs.Internal, opStart, err)
	}
	return setupMount{Target: exact(m.Target), Write: m.Write, Path: exact(m.Path), From: fromDescriptor, Dev: st.Dev, Ino: st.Ino}, fd, nil
}

// reducedIDs are a worker's ids where no namespace maps any.
func reducedIDs() (ids, error) {
	id := ids{os.Geteuid(), os.Getegid(), os.Geteuid(), os.Getegid(), false}
	if !privileged() {
		return id, nil
	}
	var err error
	if id.hostUID, err = hostID("uid_map"); err != nil {
		return ids{}, err
	}
	if id.hostGID, err = hostID("gid_map"); err != nil {
		return ids{}, err
	}
	id.innerUID, id.innerGID, id.switched = id.hostUID, id.hostGID, true
	return id, nil
}

// withoutNamespaces takes out of a clone what namespaces are needed for.
func withoutNamespaces(sys *syscall.SysProcAttr, id ids) {
	sys.Cloneflags, sys.AmbientCaps = 0, nil
	sys.UidMappings, sys.GidMappings, sys.GidMappingsEnableSetgroups = nil, nil, false
	if id.switched {
		// Before the exec, so that no code of ours has run as root: the three user
		// ids, the three group ids, and no other group.
		sys.Credential = &syscall.Credential{Uid: uint32(id.hostUID), Gid: uint32(id.hostGID)}
	}
}

// hold opens, as a stub, what the worker of level 2 holds: the person's directory
// for reading, and the others as they came.
func hold(spec workerspec.Spec, m setup, files []int) ([]int, error) {
	abi, err := landlockABI()
	if err == nil && abi < limits.ReducedLandlock {
		err = fmt.Errorf("ABI %d: %w", abi, unix.EOPNOTSUPP)
	}
	if err != nil {
		return nil, step(stepLandlock, err)
	}
	if len(files) != len(m.Mounts) {
		return nil, step(stepSetup, fmt.Errorf("%d descriptors for %d mounts", len(files), len(m.Mounts)))
	}
	for i, sm := range m.Mounts {
		if err := same(files[i], sm); err != nil {
			return nil, &stepError{stepTake, string(sm.Target), err}
		}
		if spec.Mounts[i].File {
			continue
		}
		// As the worker will: the id that it has may not be let in.
		fd, err := unix.Openat(files[i], ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, &stepError{stepOpen, string(sm.Target), err}
		}
		files[i] = fd
	}
	if i := home(spec); i >= 0 {
		at, err := unix.Open(".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = same(at, m.Mounts[i])
			unix.Close(at)
		}
		if err != nil {
			return nil, &stepError{stepTake, string(m.Mounts[i].Target), err}
		}
	}
	return files, nil
}

// heldRules are the Landlock rules for what the worker holds, and for its binary.
func heldRules(spec workerspec.Spec, held []int) []landlockRule {
	rules := []landlockRule{{binaryFD, runRights}}
	for i, m := range spec.Mounts {
		rules = append(rules, landlockRule{held[i], mountRights(m)})
	}
	return rules
}

// handGrant puts the person's directory where the worker looks for it.
func handGrant(spec workerspec.Spec, held []int) error {
	i := spec.Grant()
	if i < 0 {
		return nil
	}
	return unix.Dup3(held[i], workerspec.GrantFD, 0)
}

func (m setup) named() map[string]string {
	at := map[string]string{}
	for _, s := range m.Mounts {
		at[string(s.Target)] = string(s.Path)
	}
	return at
}

// arguments are a worker's, behind the name of its program.
func arguments(spec workerspec.Spec, more []string) []string {
	if len(spec.Arguments) > 0 {
		return spec.Arguments
	}
	args := []string{spec.Kind}
	if spec.Reduced {
		args = append(args, reducedArgument)
	}
	return append(args, more...)
}
