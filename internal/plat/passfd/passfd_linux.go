package passfd

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Sealed returns a descriptor of new memory that holds b's bytes, at their
// beginning, and is sealed against every change. It has no name in the file
// system. Each who is handed one needs one of its own: its mode and its place are
// of the memory's, and whoever holds the descriptor can change both.
func Sealed(name string, b []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	if err := seal(f, b); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// seal fills f. Written at a place, it is read from its beginning afterwards.
func seal(f *os.File, b []byte) error {
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	var serr error
	err = raw.Control(func(fd uintptr) { _, serr = unix.FcntlInt(fd, unix.F_ADD_SEALS, seals) })
	if err == nil {
		err = serr
	}
	return err
}

// Pipe returns a pipe whose reading end blocks, as its new owner expects, and
// whose writing end does not hold a thread while it waits and can be closed
// meanwhile.
func Pipe() (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, err
	}
	r = os.NewFile(uintptr(fds[0]), "stream")
	if err := unix.SetNonblock(fds[1], true); err != nil {
		r.Close()
		_ = unix.Close(fds[1])
		return nil, nil, err
	}
	return r, os.NewFile(uintptr(fds[1]), "stream"), nil
}

// Send writes all of b to c, with f, if it is not nil, on its first byte. f
// stays the caller's.
func Send(c *net.UnixConn, b []byte, f *os.File) error {
	if f == nil {
		_, err := c.Write(b)
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var serr error
	err = raw.Control(func(fd uintptr) {
		n, _, serr = c.WriteMsgUnix(b, unix.UnixRights(int(fd)), nil)
	})
	if err == nil {
		err = serr
	}
	if err == nil && n < len(b) {
		_, err = c.Write(b[n:])
	}
	return err
}
