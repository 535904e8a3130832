package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Attributes of what is mounted in a host's root.
const (
	scratchAttrs = mountAttrs
	// A device is of use only without NODEV.
	deviceAttrs = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_RDONLY
	procAttrs   = mountAttrs
)

// enterHostRoot builds the root of a host out of the system's directories and
// what it was given, and leaves the host's. It runs as a stub, as an ordinary
// user: no system directory is looked at that everybody may not read.
func enterHostRoot(spec workerspec.Spec, m setup) error {
	root, err := newTmpfs(limits.SandboxRootSize, limits.HostRootInodes, "0755", mountAttrs)
	if err != nil {
		return step(stepRoot, err)
	}
	defer unix.Close(root)
	// Everything is taken before the new root lies on top of the old one.
	var trees []tree
	add := func(fd int, target string, file bool) {
		trees = append(trees, tree{fd, strings.TrimPrefix(target, "/"), file})
	}
	trees, err = takeSurroundings(root, spec, m)
	if err != nil {
		return err
	}
	for _, sm := range m.Places {
		fd, _, err := take(sm, nil)
		if err == nil {
			err = confine(fd, workerspec.Mount{Write: sm.Sockets})
		}
		if err != nil {
			return &stepError{stepTake, string(sm.Target), err}
		}
		add(fd, string(sm.Target), !sm.Dir)
	}
	if err := unix.MoveMount(root, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return step(stepRoot, fmt.Errorf("move_mount: %w", err))
	}
	for _, t := range trees {
		if err := place(root, t.name, t.file, t.fd); err != nil {
			return step(stepRoot, fmt.Errorf("/%s: %w", t.name, err))
		}
	}
	for _, sm := range m.Places {
		if err := hideAll(root, sm); err != nil {
			return &stepError{stepTake, string(sm.Target), err}
		}
	}
	for _, d := range spec.Surroundings.Empty {
		if err := mkdirs(root, strings.TrimPrefix(d, "/")); err != nil {
			return step(stepRoot, fmt.Errorf("%s: %w", d, err))
		}
	}
	return step(stepRoot, leave(root, m.KeepName))
}

// takeSurroundings takes what stands in a root besides mounts and what was given:
// nothing, in that of most workers. A tool executes what it wrote, and writes
// nothing about itself into /proc.
func takeSurroundings(root int, spec workerspec.Spec, m setup) (trees []tree, err error) {
	s := spec.Surroundings
	if s == nil {
		return nil, nil
	}
	scratch, proc, names := uint64(scratchAttrs), uint64(procAttrs), limits.HostScratchInodes
	if spec.Class == workerspec.Exec {
		scratch, proc, names = codeAttrs, procAttrs|unix.MOUNT_ATTR_RDONLY, limits.ToolNames
	}
	add := func(fd int, target string, file bool) {
		trees = append(trees, tree{fd, strings.TrimPrefix(target, "/"), file})
	}
	for _, name := range s.System {
		fd, file, err := takeSystem(root, name)
		if err != nil {
			return nil, &stepError{stepRoot, name, fmt.Errorf("%s: %w", name, err)}
		}
		if fd >= 0 {
			add(fd, name, file)
		}
	}
	for _, t := range s.Scratch {
		fd, err := newTmpfs(t.Bytes, names, "0700", int(scratch))
		if err != nil {
			return nil, step(stepRoot, err)
		}
		add(fd, t.Path, false)
	}
	for _, d := range spec.Devices {
		fd, err := takeTree(d, deviceAttrs)
		if err != nil {
			return nil, step(stepRoot, fmt.Errorf("%s: %w", d, err))
		}
		add(fd, d, true)
	}
	// Without a pid namespace of its own, which only a test leaves out, there is
	// none to show.
	if s.Proc && !m.omits(workerspec.PIDNamespace) {
		var options [][2]string
		if spec.Class == workerspec.Exec {
			// Processes alone: what is the machine's is no concern of a tool's.
			options = [][2]string{{"subset", "pid"}}
		}
		fd, err := newProc(int(proc), options...)
		if err != nil {
			return nil, step(stepProc, err)
		}
		add(fd, "/proc", false)
	}
	return trees, nil
}

// tree is what is to be mounted at a name in a new root.
type tree struct {
	fd   int
	name string
	file bool
}

// takeSystem takes a directory or file of the system as a detached tree, or
// repeats a link in the new root. fd is -1 where nothing is to be mounted.
func takeSystem(root int, name string) (fd int, file bool, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		if errors.Is(err, unix.ENOENT) {
			err = nil
		}
		return -1, false, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		if target, ok := linkInside(name); ok {
			dir := path.Dir(strings.TrimPrefix(name, "/"))
			if err := mkdirs(root, dir); err != nil {
				return -1, false, err
			}
			return -1, false, unix.Symlinkat(target, root, strings.TrimPrefix(name, "/"))
		}
		return -1, false, nil
	case unix.S_IFREG:
		file = true
	case unix.S_IFDIR:
	default:
		return -1, false, nil
	}
	fd, err = takeTree(name, codeAttrs|unix.MOUNT_ATTR_RDONLY)
	return fd, file, err
}

// linkInside reads a link that leads into the system's own directories, as /bin
// and /etc/localtime do.
func linkInside(name string) (string, bool) {
	target, err := os.Readlink(name)
	if err != nil {
		return "", false
	}
	whole := target
	if !path.IsAbs(whole) {
		whole = path.Join(path.Dir(name), whole)
	}
	return target, strings.HasPrefix(path.Clean(whole)+"/", "/usr/")
}

// takeTree takes what is at a path, with everything mounted in it.
func takeTree(name string, attrs uint64) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, name, treeFlags|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return -1, fmt.Errorf("open_tree: %w", err)
	}
	attr := unix.MountAttr{Attr_set: attrs, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("mount_setattr: %w", err)
	}
	return fd, nil
}

// place mounts a tree at a name in the new root.
func place(root int, name string, file bool, tree int) error {
	defer unix.Close(tree)
	if !file {
		if err := mkdirs(root, name); err != nil {
			return err
		}
	} else {
		if err := mkdirs(root, path.Dir(name)); err != nil {
			return err
		}
		fd, err := unix.Openat(root, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o400)
		if err != nil {
			return fmt.Errorf("create: %w", err)
		}
		unix.Close(fd)
	}
	if err := unix.MoveMount(tree, "", root, name, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return nil
}

// mkdirs makes a directory and those above it.
func mkdirs(root int, name string) error {
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' || name[:i] == "." || i == 0 {
			continue
		}
		if err := unix.Mkdirat(root, name[:i], 0o755); err != nil && err != unix.EEXIST {
			return fmt.Errorf("mkdir: %w", err)
		}
	}
	return nil
}

// newTmpfs returns a detached file system in memory.
func newTmpfs(bytes, inodes int, mode string, attrs int) (int, error) {
	return newMount("tmpfs", attrs, [][2]string{
		{"size", strconv.Itoa(bytes)}, {"nr_inodes", strconv.Itoa(inodes)}, {"mode", mode}})
}

// newProc returns a detached /proc of the pid namespace. The kernel gives none
// where a part of the one that is seen is covered, as containers do.
func newProc(attrs int, options ...[2]string) (int, error) { return newMount("proc", attrs, options) }

func newMount(kind string, attrs int, options [][2]string) (int, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen %s: %w", kind, err)
	}
	defer unix.Close(fs)
	for _, o := range options {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			return -1, fmt.Errorf("fsconfig %s: %w", o[0], err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("fsconfig: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return -1, fmt.Errorf("fsmount %s: %w", kind, err)
	}
	return fd, nil
}

// hostRules are the Landlock rules of a host: it reads what it sees, writes its
// scratch, and executes nothing but its own program and the loader. One that
// makes sandboxes of its own gets none: a rule about files takes mounts away.
func hostRules(spec workerspec.Spec, m setup) ([]landlockRule, error) {
	if spec.Surroundings.Nests {
		return nil, nil
	}
	rules := []landlockRule{{binaryFD, runRights}}
	add := func(name string, rights uint64) error {
		fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return &stepError{stepOpen, name, err}
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return &stepError{stepOpen, name, err}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			rights &= fileRights
		}
		rules = append(rules, landlockRule{fd, rights})
		return nil
	}
	system, scratch := uint64(readRights), uint64(readRights|writeRights)
	if spec.Class == workerspec.Exec {
		system, scratch = readRights|runRights, readRights|writeRights|runRights|unix.LANDLOCK_ACCESS_FS_MAKE_SYM
		if err := add("/proc", readRights); err != nil {
			return nil, err
		}
	}
	for _, name := range spec.Surroundings.System {
		if err := add(name, system); err != nil {
			return nil, err
		}
	}
	for _, name := range loaders() {
		if err := add(name, runRights); err != nil {
			return nil, err
		}
	}
	for _, t := range spec.Surroundings.Scratch {
		if err := add(t.Path, scratch); err != nil {
			return nil, err
		}
	}
	for _, d := range spec.Devices {
		if err := add(d, unix.LANDLOCK_ACCESS_FS_READ_FILE|unix.LANDLOCK_ACCESS_FS_WRITE_FILE); err != nil {
			return nil, err
		}
	}
	for _, sm := range m.Places {
		rights := uint64(readRights)
		switch {
		case sm.Sockets:
			rights = unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE
		case !sm.Dir:
			rights |= unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
		}
		if err := add(string(sm.Target), rights); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

// loaders are where the kernel finds what it executes to start a program that is
// linked to libraries.
func loaders() []string {
	return []string{"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"}
}

// AwaitConfined waits until a host holds nothing but what it was born with, which
// is when its loader is done and it waits for its first message, and judges it. One
// that is not as its spec says stays so until [limits.HostSettles] is over. The
// error is then errs.PostureFailed, and errs.WorkerCrashed for one that ended.
func (p *Process) AwaitConfined(ctx context.Context, g Given) error {
	ctx, cancel := context.WithTimeout(ctx, limits.HostSettles)
	defer cancel()
	tick := time.NewTicker(limits.HostLook)
	defer tick.Stop()
	for {
		pos, err := p.Posture()
		if err == nil {
			err = CheckHost(pos, p.spec, g)
		}
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return errs.Wrap(errs.WorkerCrashed, "sandbox.confined", err)
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
