package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
)

// Of returns the process at the other end of c.
func Of(c *net.UnixConn) (Peer, error) {
	var cred *unix.Ucred
	err := control(c, func(fd int) (err error) {
		cred, err = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		return err
	})
	if err != nil {
		return Peer{}, errs.Wrap(errs.Internal, "peer.of", err)
	}
	return Peer{PID: int(cred.Pid), UID: int(cred.Uid)}, nil
}

// Dial connects to the socket at path, which must be served by a process of
// our own user. The error is [Nobody] where no one listens.
func Dial(ctx context.Context, path string) (*net.UnixConn, Peer, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
			return nil, Peer{}, Nobody{}
		}
		if ctx.Err() != nil {
			return nil, Peer{}, errs.Wrap(errs.Cancelled, "peer.dial", ctx.Err())
		}
		return nil, Peer{}, errs.Wrap(errs.CoreUnavailable, "peer.dial", err)
	}
	c, ok := conn.(*net.UnixConn)
	if !ok {
		panic("BUG: a unix dial gave another kind of connection")
	}
	p, err := Of(c)
	if err == nil && p.UID != os.Geteuid() {
		err = errs.New(errs.CoreUnavailable, "peer.dial").
			With(fmt.Sprintf("the socket is served by user %d, not by you", p.UID)).
			WithHint("somebody put a socket in Bailey's place; remove it: " + path)
	}
	if err != nil {
		_ = c.Close()
		return nil, Peer{}, err
	}
	return c, p, nil
}

// End asks the process at the other end of c to end (SIGTERM) and waits until
// it has, or until ctx ends. It holds the process by a descriptor, so a number
// that was used again is never signalled: SO_PEERPIDFD where the kernel has it
// (6.5), else pidfd_open while the connection still stands.
func End(ctx context.Context, c *net.UnixConn) error {
	p, err := Of(c)
	if err != nil {
		return err
	}
	fd := -1
	err = control(c, func(sock int) error {
		if fd, err = unix.GetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_PEERPIDFD); err == nil {
			return nil
		}
		fd, err = unix.PidfdOpen(p.PID, 0)
		return err
	})
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return errs.Wrap(errs.Internal, "peer.end", err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); err != nil {
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		return errs.Wrap(errs.Internal, "peer.end", err)
	}
	return waitReadable(ctx, fd)
}

// waitReadable waits until fd can be read, which for a pidfd is the end of its
// process (pidfd_open(2)). A pipe wakes it when ctx ends.
func waitReadable(ctx context.Context, fd int) error {
	r, w, err := os.Pipe()
	if err != nil {
		return errs.Wrap(errs.Internal, "peer.end", err)
	}
	defer r.Close()
	stop := context.AfterFunc(ctx, func() { _ = w.Close() })
	defer func() {
		if stop() {
			_ = w.Close()
		}
	}()
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
		return errs.Wrap(errs.Deadline, "peer.end", ctx.Err())
	}
}

func control(c *net.UnixConn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
