package sandbox

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// Posture reads what /proc shows of the worker. It must still be dumpable. The
// error is errs.PostureFailed when the worker is gone or cannot be read.
func (p *Process) Posture() (Posture, error) {
	var pos Posture
	err := p.asItself(func() (err error) {
		pos, err = readPosture(p.pid)
		return err
	})
	if err != nil {
		return Posture{}, errs.Wrap(errs.PostureFailed, "sandbox.posture", err)
	}
	// The number may have gone to another process while it was read.
	if p.over() {
		return Posture{}, errs.New(errs.PostureFailed, "sandbox.posture").With("the worker ended")
	}
	if p.spec.Reduced {
		pos.Named = p.named
	}
	return pos, nil
}

// asItself looks at the worker with the worker's own ids for files, where a root core
// has another and no namespace of the worker's makes it its owner: in a container
// root may have no CAP_SYS_PTRACE, and then may look at its own id's processes alone.
func (p *Process) asItself(look func() error) error {
	if !p.spec.Reduced || !p.ids.switched {
		return look()
	}
	runtime.LockOSThread()
	uid, gid := os.Geteuid(), os.Getegid()
	_, _ = unix.SetfsgidRetGid(p.ids.hostGID)
	_, _ = unix.SetfsuidRetUid(p.ids.hostUID)
	err := look()
	_, _ = unix.SetfsuidRetUid(uid)
	_, _ = unix.SetfsgidRetGid(gid)
	// The call tells what was, and never fails; -1 changes nothing.
	u, _ := unix.SetfsuidRetUid(-1)
	g, _ := unix.SetfsgidRetGid(-1)
	if u == uid && g == gid {
		runtime.UnlockOSThread()
	}
	return err
}

func readPosture(pid int) (pos Posture, err error) {
	if pos.Status, err = proc.ReadStatus(pid); err != nil {
		return pos, err
	}
	if pos.Namespaces, err = proc.Namespaces(pid); err != nil {
		return pos, err
	}
	if pos.Ours, err = proc.Namespaces(os.Getpid()); err != nil {
		return pos, err
	}
	own, err := proc.ReadStatus(os.Getpid())
	if err != nil {
		return pos, err
	}
	pos.Inherited = own.Filters
	if pos.Descriptors, err = proc.Descriptors(pid); err != nil {
		return pos, err
	}
	if pos.Environ, err = proc.Environ(pid); err != nil {
		return pos, err
	}
	if pos.Cwd, err = proc.Cwd(pid); err != nil {
		return pos, err
	}
	if pos.Root, err = proc.RootEntries(pid); err != nil {
		return pos, err
	}
	if pos.Mounts, err = proc.Mounts(pid); err != nil {
		return pos, err
	}
	if pos.Limits, err = proc.Limits(pid); err != nil {
		return pos, err
	}
	if pos.Program, err = proc.Exe(pid); err != nil {
		return pos, err
	}
	if pos.ReadOnly, err = proc.ReadOnlyExe(pid); err != nil {
		return pos, err
	}
	if pos.Code, err = proc.Executable(pid); err != nil {
		return pos, err
	}
	pos.Children, err = proc.Children(pid)
	return pos, err
}
