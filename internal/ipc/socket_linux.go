package ipc

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// rightsSpace is room for as many descriptors as the kernel sends at once: what
// does not fit it closes itself, in the middle of the read (see closeSoon).
var rightsSpace = unix.CmsgSpace(scmMaxFD * 4)

// scmMaxFD is SCM_MAX_FD of include/net/scm.h.
const scmMaxFD = 253

// truncated is the flag of a read whose control data was cut off.
const truncated = unix.MSG_CTRUNC

// Pair returns a connected pair of sockets, both close-on-exec: one for this
// process and one to hand to a child, whose end calls [FromFD].
func Pair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, errs.Wrap(errs.Internal, "ipc.pair", err)
	}
	conn, err := FromFD(uintptr(fds[0]))
	if err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	return conn, os.NewFile(uintptr(fds[1]), "peer"), nil
}

// FromFD takes over a descriptor, which has to be a unix stream socket. It is
// closed in any case. In a process that does nothing else at the time, the
// connection keeps the number if it was the lowest free one: net.FileConn makes
// a copy, and the original is moved out of the copy's way first. A worker's
// descriptors are declared by number.
func FromFD(fd uintptr) (*net.UnixConn, error) {
	const op = "ipc.from-fd"
	away, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, limits.IPCAwayFD)
	if err != nil {
		unix.Close(int(fd))
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	unix.Close(int(fd))
	f := os.NewFile(uintptr(away), "peer")
	defer f.Close()
	typ, err := unix.GetsockoptInt(away, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	c, err := net.FileConn(f)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok || typ != unix.SOCK_STREAM {
		c.Close()
		return nil, errs.Wrap(errs.Internal, op, errors.New("not a unix stream socket"))
	}
	return u, nil
}

// FromFile takes over a descriptor that came with a request; see [FromFD].
func FromFile(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	fd, err := duplicate(f)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, "ipc.from-file", err)
	}
	return FromFD(uintptr(fd))
}

// Drop closes a connection to a client. What the client sent and nobody took is in
// its queue and closed with it, so the last of its descriptors is one for closeSoon.
func Drop(conn *net.UnixConn) {
	last := -1
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { last, _ = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	}
	conn.Close() // which returns when its own descriptor is closed
	if last >= 0 {
		closeSoon([]int{last})
	}
}

// closeSoon closes descriptors that a client sent. The last close of a TCP socket
// waits for what it has not sent for as long as its owner said (SO_LINGER), and
// holds a thread; a signal ends that. SIGURG is the one that the runtime itself
// sends to its threads.
func closeSoon(fds []int) {
	if len(fds) == 0 {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, tid := unix.Getpid(), unix.Gettid()
	over := make(chan struct{})
	var nudge sync.WaitGroup
	nudge.Go(func() {
		tick := time.NewTicker(limits.IPCClose)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				_ = unix.Tgkill(pid, tid, unix.SIGURG)
			}
		}
	})
	closeAll(fds)
	close(over)
	nudge.Wait()
}

// send is one sendmsg that does not wait. Descriptors go with the first byte.
func send(fd uintptr, bufs [][]byte, fds []int) (int, error) {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		n, err := unix.SendmsgBuffers(int(fd), bufs, oob, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, nil
		}
		return n, err
	}
}

// rights takes the descriptors out of control data. What it returns with an
// error has to be closed all the same.
func rights(oob []byte, flags int) ([]int, error) {
	var fds []int
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, malformed("control data does not parse")
	}
	for i := range msgs {
		got, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			return fds, malformed("control data that is not descriptors")
		}
		fds = append(fds, got...)
	}
	if flags&truncated != 0 || len(fds) > limits.IPCDescriptors {
		return fds, malformed("too many descriptors")
	}
	return fds, nil
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// duplicate returns another descriptor for f.
func duplicate(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, derr := -1, error(nil)
	err = raw.Control(func(old uintptr) { fd, derr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err == nil {
		err = derr
	}
	return fd, err
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
