package sandbox

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Attributes of a worker's mounts. Links inside a granted directory may be
// followed; those that lead out end in the empty root, where nothing is.
const (
	codeAttrs  = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	mountAttrs = codeAttrs | unix.MOUNT_ATTR_NOEXEC
	treeFlags  = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_RECURSIVE
)

// enterRoot takes the granted directories, builds an empty root around them
// and leaves the host's.
func enterRoot(spec workerspec.Spec, m setup, detached []int) error {
	// First, because it needs the capabilities and nothing else: where a
	// security module gives the namespace without them, this fails, and not
	// the taking of a directory, which would be blamed on the directory.
	names := limits.SandboxRootInodes
	if spec.Driver != nil || spec.Surroundings != nil {
		names = limits.HostRootInodes
	}
	root, err := newTmpfs(limits.SandboxRootSize, names, "0700", mountAttrs)
	if err != nil {
		return step(stepRoot, err)
	}
	defer unix.Close(root)
	driver, err := takeDriver(root, spec)
	if err != nil {
		return step(stepRoot, err)
	}
	around, err := takeSurroundings(root, spec, m)
	if err != nil {
		return err
	}
	trees := make([]int, len(m.Mounts))
	for i, sm := range m.Mounts {
		fd, rest, err := take(sm, detached)
		if err == nil {
			err = confine(fd, spec.Mounts[i])
		}
		if err != nil {
			return &stepError{stepTake, string(sm.Target), err}
		}
		trees[i], detached = fd, rest
	}
	return pivot(spec, root, trees, append(driver, around...), m)
}

// take returns the mount as a detached tree.
func take(sm setupMount, detached []int) (fd int, rest []int, err error) {
	switch sm.From {
	case fromDetached:
		if len(detached) == 0 {
			return -1, nil, fmt.Errorf("no detached mount for %s", sm.Target)
		}
		return detached[0], detached[1:], nil
	case fromCwd:
		// The child was born in the directory, by a descriptor: no name is
		// resolved, so there is nothing to swap.
		fd, err = unix.OpenTree(unix.AT_FDCWD, ".", treeFlags)
	case fromPath:
		fd, err = reopen(sm)
	default:
		err = fmt.Errorf("mount from %q", sm.From)
	}
	if err != nil {
		return -1, nil, err
	}
	if err := same(fd, sm); err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	return fd, detached, nil
}

// reopen finds a directory, or a file of an engine, again by its path. What it finds is mounted only
// if it is the very one that the core holds: the comparison is made on
// the descriptor from which it is mounted.
func reopen(sm setupMount) (int, error) {
	dir, err := unix.Openat2(unix.AT_FDCWD, string(sm.Path), &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, fmt.Errorf("openat2: %w", err)
	}
	defer unix.Close(dir)
	fd, err := unix.OpenTree(dir, "", treeFlags|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, fmt.Errorf("open_tree: %w", err)
	}
	return fd, nil
}

// same compares a tree's root with the directory that the core opened.
func same(fd int, sm setupMount) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Dev != sm.Dev || st.Ino != sm.Ino {
		return fmt.Errorf("%w: another one is at the path", unix.ESTALE)
	}
	return nil
}

// confine sets the attributes of a detached tree and everything mounted in it.
// Private propagation keeps what the host mounts below the directory later,
// and without these attributes, from appearing inside.
func confine(fd int, m workerspec.Mount) error {
	attr := unix.MountAttr{Attr_set: mountAttrs, Propagation: unix.MS_PRIVATE}
	if m.Code || m.Run {
		attr.Attr_set = codeAttrs
	}
	if !m.Write {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	return nil
}

// pivot makes a small tmpfs the root, with the trees at their targets, and
// drops the host's tree. There is no /proc, no /dev and no /tmp.
func pivot(spec workerspec.Spec, root int, trees []int, around []tree, s setup) error {
	// On top of the old root, and out of its reach by name; the descriptor
	// still leads to it.
	if err := unix.MoveMount(root, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return step(stepRoot, fmt.Errorf("move_mount: %w", err))
	}
	for i, m := range spec.Mounts {
		if err := attach(root, m, trees[i]); err != nil {
			return &stepError{stepTake, m.Target, err}
		}
		if err := hideAll(root, s.Mounts[i]); err != nil {
			return &stepError{stepTake, m.Target, err}
		}
	}
	for _, t := range around {
		if err := place(root, t.name, t.file, t.fd); err != nil {
			return step(stepRoot, fmt.Errorf("/%s: %w", t.name, err))
		}
	}
	return step(stepRoot, leave(root, s.omits(workerspec.UTSNamespace)))
}

// attach mounts a tree at its target.
func attach(root int, m workerspec.Mount, tree int) error {
	defer unix.Close(tree)
	name := strings.TrimPrefix(m.Target, "/")
	if err := makePoint(root, name, m.File); err != nil {
		return err
	}
	if err := unix.MoveMount(tree, "", root, name, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return nil
}

// makePoint makes what a tree is mounted on: a directory, or a file in one that
// several may stand in.
func makePoint(root int, name string, file bool) error {
	if !file {
		if err := unix.Mkdirat(root, name, 0o700); err != nil {
			return fmt.Errorf("mkdir: %w", err)
		}
		return nil
	}
	dir, _, _ := strings.Cut(name, "/")
	if err := unix.Mkdirat(root, dir, 0o700); err != nil && err != unix.EEXIST {
		return fmt.Errorf("mkdir: %w", err)
	}
	fd, err := unix.Openat(root, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o400)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	return unix.Close(fd)
}

// leave makes root the root and drops the host's tree, and the machine's name
// unless that is kept.
func leave(root int, keepName bool) error {
	if err := unix.Fchdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	// The old root now lies on top of the new one.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	attr := unix.MountAttr{Attr_set: mountAttrs | unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(root, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	if keepName {
		return nil
	}
	// The host's name is nobody's business.
	return unix.Sethostname([]byte("bailey"))
}

// emptyRoot returns a detached tmpfs of a few names and no content.
func emptyRoot() (int, error) {
	return newTmpfs(limits.SandboxRootSize, limits.SandboxRootInodes, "0700", mountAttrs)
}
