package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mount prepares the i-th mount of a worker that was cloned and waits for it.
// fd is a detached mount to send along, or -1 when the stub takes the
// directory itself.
func (p *Process) mount(i int, m Mount, own bool) (sm setupMount, fd int, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(m.Dir.Fd()), &st); err != nil {
		return setupMount{}, -1, folderError(m, err)
	}
	sm = setupMount{Target: m.Target, Path: m.Path, Dev: st.Dev, Ino: st.Ino, From: fromPath, Hide: m.Hide}
	if !privileged() {
		if i == 0 {
			sm.From = fromCwd
		}
		return sm, -1, nil
	}
	sm.From = fromDetached
	fd, err = p.detach(m, own, st)
	if err != nil {
		return setupMount{}, -1, folderError(m, err)
	}
	return sm, fd, nil
}

// detach clones the tree below a directory, as only root can from outside the
// worker's namespaces. The directory's owner becomes the worker's id on the
// way: by an id-mapped mount for a person's directory, on the disk itself for
// one of Bailey's own. File systems that cannot be id-mapped (overlayfs, NFS,
// FUSE) are mounted plainly, and the worker reads what its id may read.
func (p *Process) detach(m Mount, own bool, st unix.Stat_t) (int, error) {
	fd, err := unix.OpenTree(int(m.Dir.Fd()), "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, fmt.Errorf("open_tree: %w", err)
	}
	if own {
		err = p.giveAway(m, st)
	} else {
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
