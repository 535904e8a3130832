package passfd

import (
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// NewBlob returns a blob of b's bytes.
func NewBlob(name string, b []byte) (*Blob, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(b); err != nil {
		f.Close()
		return nil, err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, err
	}
	return &Blob{f}, nil
}

// Open returns a descriptor that reads the blob from its beginning and has a
// place of its own in it: a duplicate would share one with all others.
func (b *Blob) Open() (*os.File, error) {
	raw, err := b.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var operr error
	err = raw.Control(func(own uintptr) {
		fd, operr = unix.Open("/proc/self/fd/"+strconv.FormatUint(uint64(own), 10), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	})
	if err == nil {
		err = operr
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), b.file.Name()), nil
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
