package sandbox

import (
	"os"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// Posture reads what /proc shows of the worker. It must still be dumpable. The
// error is errs.PostureFailed when the worker is gone or cannot be read.
func (p *Process) Posture() (Posture, error) {
	pos, err := readPosture(p.pid)
	if err != nil {
		return Posture{}, errs.Wrap(errs.PostureFailed, "sandbox.posture", err)
	}
	// The number may have gone to another process while it was read.
	select {
	case <-p.done:
		return Posture{}, errs.New(errs.PostureFailed, "sandbox.posture").With("the worker ended")
	default:
		if p.spec.Reduced {
			pos.Named = p.named
		}
		return pos, nil
	}
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
	if pos.Code, err = proc.Executable(pid); err != nil {
		return pos, err
	}
	pos.Children, err = proc.Children(pid)
	return pos, err
}
