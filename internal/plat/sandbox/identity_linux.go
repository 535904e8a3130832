package sandbox

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// ids are a worker's user and group id, inside and on the host.
type ids struct {
	innerUID, innerGID int
	hostUID, hostGID   int
	// switched says that the host ids are not the core's own.
	switched bool
}

// privileged reports whether the core runs as root. Then its workers run as an
// id that owns nothing: with host uid 0 mapped, files of the kernel such as
// /proc/sys/kernel/core_pattern would open for writing.
func privileged() bool { return os.Geteuid() == 0 }

// identity chooses the worker's ids. An ordinary user's worker is the same
// user. A root core's worker is an id of its own; what it is called inside is
// the granted directory's owner, if it has one, so that one map serves both the worker and
// the id-mapped mount, on which that owner's files are the worker's.
func identity(c Config) (ids, error) {
	if c.Spec.Reduced {
		return reducedIDs()
	}
	if !privileged() && c.Spec.Class == workerspec.Host {
		// A client of D-Bus says its own id to the bus, which compares it with
		// what the kernel says: to the accessibility bus it has to be the same.
		return ids{os.Geteuid(), os.Getegid(), os.Geteuid(), os.Getegid(), false}, nil
	}
	if !privileged() {
		return ids{limits.WorkerInnerID, limits.WorkerInnerID, os.Geteuid(), os.Getegid(), false}, nil
	}
	id := ids{limits.WorkerInnerID, limits.WorkerInnerID, 0, 0, true}
	var err error
	if id.hostUID, err = hostID("uid_map"); err != nil {
		return ids{}, err
	}
	if id.hostGID, err = hostID("gid_map"); err != nil {
		return ids{}, err
	}
	if i := c.Spec.Grant(); i >= 0 {
		var st unix.Stat_t
		if err := unix.Fstat(int(c.Mounts[i].Dir.Fd()), &st); err != nil {
			return ids{}, c.folderError(i, err)
		}
		id.innerUID, id.innerGID = int(st.Uid), int(st.Gid)
	}
	return id, nil
}

// hostID returns an unprivileged id that the core's own user namespace maps.
func hostID(file string) (int, error) {
	for _, id := range []int{limits.WorkerHostID, limits.WorkerHostIDSmall} {
		ok, err := proc.Maps(file, id)
		if err != nil {
			return 0, errs.Wrap(errs.SandboxMissing, opStart, err)
		}
		if ok {
			return id, nil
		}
	}
	return 0, errs.New(errs.SandboxMissing, opStart).With("no unprivileged id for workers").
		WithHint("give this container's id map at least 65,535 ids, or run Bailey as an ordinary user")
}

// apply puts the ids into the attributes of a clone, if they are not the core's own:
// those [mapIDs] maps later.
func (i ids) apply(sys *syscall.SysProcAttr) {
	if !i.switched {
		return
	}
	sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: i.innerUID, HostID: i.hostUID, Size: 1}}
	sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: i.innerGID, HostID: i.hostGID, Size: 1}}
	// setgroups empties the supplementary groups; an ordinary user may not
	// call it, and keeps them.
	sys.GidMappingsEnableSetgroups = true
	sys.Credential = &syscall.Credential{Uid: uint32(i.innerUID), Gid: uint32(i.innerGID)}
}

// mapIDs calls the caller's own user and group uid and gid in the user namespace of
// a child that has executed its program. Not before: until then the child has a copy
// of its parent's memory, and where the parent is non-dumpable, as the core is, the
// files of its /proc are root's. They are for a moment more when the descriptors that
// an exec closes are closed, by which the parent knows of it: that is waited for. The
// error is the system's: EACCES for a program that may not be read, which the kernel
// starts non-dumpable too.
func mapIDs(pid, uid, gid int) error {
	until := time.Now().Add(limits.SandboxExec)
	for _, f := range []struct{ name, text string }{
		// Without it an ordinary user may not map a group.
		{"setgroups", "deny"},
		{"gid_map", fmt.Sprintf("%d %d 1", gid, os.Getegid())},
		{"uid_map", fmt.Sprintf("%d %d 1", uid, os.Geteuid())},
	} {
		name := fmt.Sprintf("/proc/%d/%s", pid, f.name)
		fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		for err == unix.EACCES && time.Now().Before(until) {
			time.Sleep(limits.SandboxExec / 100)
			fd, err = unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		}
		if err == nil {
			_, err = unix.Write(fd, []byte(f.text))
			unix.Close(fd)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}
