package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Seal puts the strict allow-list on every thread of the calling worker. It is
// called once, after everything that needs more has been opened; there is no
// way back. The error is errs.SandboxMissing; the worker must then end.
func Seal(spec workerspec.Spec) error {
	const op = "sandbox.seal"
	prog, err := strictFilter(spec, native(), uint32(unix.Getpid()))
	if err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	// TSYNC fails unless every thread has the same filters so far, so that no
	// thread can be left behind.
	if err := seccompFilter(program(prog), unix.SECCOMP_FILTER_FLAG_TSYNC); err != nil {
		return errs.Wrap(errs.SandboxMissing, op, err)
	}
	return nil
}

// EmptyDumps leaves no memory in core dumps of this process, and of all that come of
// it, workers too: where an account's limit of dumps is 0, theirs cannot be
// limits.WorkerCore. It is called before [MakeUndumpable], which closes the file. An
// error leaves that limit to stand alone.
func EmptyDumps() error {
	fd, err := unix.Open("/proc/self/coredump_filter", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, []byte("0"))
		unix.Close(fd)
	}
	if err != nil {
		return errs.Wrap(errs.Internal, "sandbox.empty-dumps", err)
	}
	return nil
}

// OwnStart takes back of this process what it has of whoever started it, and would
// hand on to all that comes of it: which modes new files get, and limits that are
// lower than they need be. One that cannot be raised stands.
func OwnStart() {
	unix.Umask(limits.Umask)
	for _, resource := range []int{unix.RLIMIT_FSIZE, unix.RLIMIT_CPU, unix.RLIMIT_DATA, unix.RLIMIT_AS, unix.RLIMIT_NPROC} {
		var l unix.Rlimit
		if unix.Getrlimit(resource, &l) == nil && l.Cur < l.Max {
			_ = unix.Setrlimit(resource, &unix.Rlimit{Cur: l.Max, Max: l.Max})
		}
	}
}

// MakeUndumpable closes /proc/PID of the calling process (memory, descriptors,
// environment) to the user's other processes, and keeps them from tracing it where
// it has no user namespace of its own, as the core has none. An ordinary user who made
// a worker's namespace has every power in it, ptrace among them. It is a worker's last
// step before work, one of the core's first, and is read back.
func MakeUndumpable() error {
	const op = "sandbox.undumpable"
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return errs.Wrap(errs.SandboxMissing, op, err)
	}
	d, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || d != 0 {
		return errs.Wrap(errs.SandboxMissing, op, fmt.Errorf("dumpable %d: %w", d, err))
	}
	return nil
}
