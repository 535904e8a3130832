package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// mount prepares the i-th mount of a worker that was cloned and waits for it.
// fd is a detached mount to send along, or -1 when the stub takes the
// directory itself.
func (p *Process) mount(c Config, i int) (sm setupMount, fd int, err error) {
	if c.Spec.Reduced {
		return p.hand(c, i)
	}
	m, spec := c.Mounts[i], c.Spec.Mounts[i]
	var st unix.Stat_t
	if err := unix.Fstat(int(m.Dir.Fd()), &st); err != nil {
		return setupMount{}, -1, c.folderError(i, err)
	}
	sm = setupMount{Target: exact(m.Target), Write: m.Write, Path: exact(m.Path), Dev: st.Dev, Ino: st.Ino, From: fromPath, Hide: each[exact](m.Hide)}
	if c.Spec.Wrapped {
		sm.From = fromPlaced
		return sm, -1, nil
	}
	if !privileged() {
		if i == 0 && !spec.Code {
			sm.From = fromCwd
		}
		return sm, -1, nil
	}
	sm.From = fromDetached
	fd, err = p.detach(m, spec, st)
	if err != nil {
		return setupMount{}, -1, c.folderError(i, err)
	}
	return sm, fd, nil
}

// detach clones the tree below a directory, as only root can from outside the
// worker's namespaces. The directory's owner becomes the worker's id on the
// way: by an id-mapped mount for a person's directory, on the disk itself for
// one that Bailey's own data are written to. Code, and what of Bailey's is only
// read, is everybody's to read. File systems that cannot be id-mapped (overlayfs, NFS,
// FUSE) are mounted plainly, and the worker reads what its id may read.
func (p *Process) detach(m Mount, spec workerspec.Mount, st unix.Stat_t) (int, error) {
	fd, err := unix.OpenTree(int(m.Dir.Fd()), "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, fmt.Errorf("open_tree: %w", err)
	}
	switch {
	case spec.Own && spec.Write:
		err = p.giveAway(m, st)
	case spec.Own, spec.Code:
		// Everybody may read it.
	default:
		err = p.idmap(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// giveAway makes a directory of Bailey's own the worker's on disk.
func (p *Process) giveAway(m Mount, st unix.Stat_t) error {
	if int(st.Uid) == p.ids.hostUID && int(st.Gid) == p.ids.hostGID {
		return nil
	}
	return unix.Fchownat(int(m.Dir.Fd()), "", p.ids.hostUID, p.ids.hostGID, unix.AT_EMPTY_PATH)
}

// idmap maps the owner of a detached mount to the worker's id, by the worker's
// own user namespace. It is no failure when the file system cannot do it.
func (p *Process) idmap(fd int) error {
	ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/user", p.pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(ns)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns)}
	// The mounts below may be of file systems that cannot be mapped; then the
	// directory's own file system is mapped alone.
	for _, flags := range []uint{unix.AT_EMPTY_PATH | unix.AT_RECURSIVE, unix.AT_EMPTY_PATH} {
		if err := unix.MountSetattr(fd, "", flags, &attr); err == nil {
			return nil
		}
	}
	return nil
}
