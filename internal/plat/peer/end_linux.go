package peer

import (
	"context"
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// End asks the process at the other end of c to end (SIGTERM) and waits until
// it has. When the deadline of ctx is over it is killed, which a core bears by
// design; a cancelled ctx kills nothing (errs.Cancelled). It holds the process by a
// descriptor, so a number that was used again is never signalled:
// SO_PEERPIDFD where the kernel has it (6.5), else pidfd_open while the
// connection still stands. [Dial] has checked that the process is our own user's.
func End(ctx context.Context, c *net.UnixConn) error {
	const op = "peer.end"
	cred, err := Of(c)
	if err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	fd := -1
	var ferr error
	if err := raw.Control(func(sock uintptr) {
		if fd, ferr = unix.GetsockoptInt(int(sock), unix.SOL_SOCKET, unix.SO_PEERPIDFD); ferr != nil {
			fd, ferr = unix.PidfdOpen(cred.PID, 0)
		}
	}); err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	if errors.Is(ferr, unix.ESRCH) {
		return nil
	}
	if ferr != nil {
		return errs.Wrap(errs.Internal, op, ferr)
	}
	defer unix.Close(fd)
	return end(ctx, fd)
}

// EndPID is [End] for a process that cannot be connected to, whose number is the
// word of a file. It is ended if it is our own user's and is says so of it, which is
// asked while it is held by a descriptor; false = it was not, or is gone.
func EndPID(ctx context.Context, pid int, is func() bool) (bool, error) {
	const op = "peer.end-pid"
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return false, nil
	}
	if err != nil {
		return false, errs.Wrap(errs.Internal, op, err)
	}
	defer unix.Close(fd)
	st, err := proc.ReadStatus(pid)
	if err != nil || st.UID != (proc.IDs{os.Geteuid(), os.Geteuid(), os.Geteuid(), os.Geteuid()}) || !is() {
		return false, nil
	}
	return true, end(ctx, fd)
}

// end ends the process of a pidfd, see [End].
func end(ctx context.Context, fd int) error {
	const op = "peer.end"
	if err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); errors.Is(err, unix.ESRCH) {
		return nil
	} else if err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	err := waitEnd(ctx, fd)
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return errs.Wrap(errs.Internal, op, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.CoreKilled)
	defer cancel()
	return waitEnd(ctx, fd)
}

// waitEnd waits until a pidfd can be read, which is the end of its process
// (pidfd_open(2)). The end of ctx closes a pipe that is polled with it.
func waitEnd(ctx context.Context, fd int) error {
	r, w, err := os.Pipe()
	if err != nil {
		return errs.Wrap(errs.Internal, "peer.end", err)
	}
	defer r.Close()
	defer w.Close()
	defer context.AfterFunc(ctx, func() { _ = w.Close() })()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(r.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return errs.Wrap(errs.Internal, "peer.end", err)
		case fds[0].Revents != 0:
			return nil
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return errs.Wrap(errs.Deadline, "peer.end", ctx.Err())
		}
		return errs.Wrap(errs.Cancelled, "peer.end", ctx.Err())
	}
}
