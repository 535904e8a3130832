package safefile

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Lock is an exclusive lock that ends with [Lock.Close] or with the process,
// however it ends.
type Lock struct {
	f    *os.File
	once sync.Once
}

// Lock takes the exclusive lock on the file name, which it creates. It does not
// wait: errs.CoreBusy when another process holds it.
func (d *Dir) Lock(name string) (*Lock, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := d.hook.step(OpLock, name, 0); err != nil {
		return nil, fail("lock", name, err)
	}
	f, err := d.openat(name, unix.O_RDWR|unix.O_CREAT|unix.O_NONBLOCK|unix.O_NOCTTY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := d.checkFile(f, name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if err == unix.EWOULDBLOCK {
			return nil, errors.Join(errs.Wrap(errs.CoreBusy, "safefile.lock", err).With("another process holds "+name), f.Close())
		}
		return nil, errors.Join(fail("lock", name, err), f.Close())
	}
	sign(f)
	return &Lock{f: f}, nil
}

// sign writes who holds a lock into its file, for [Dir.Holder]. A full disk does not
// keep anybody from the lock.
func sign(f *os.File) {
	if n, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err == nil {
		_ = f.Truncate(int64(n))
	}
}

// Holder reports whether a process holds the lock on the file name, and its number as
// it wrote it there; 0 if it has not yet. The number is the word of a file.
func (d *Dir) Holder(name string) (held bool, pid int, err error) {
	f, err := d.Open(name)
	if errs.CodeOf(err) == errs.NotFound {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	defer f.Close()
	if err := unix.Flock(int(f.f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		if err != nil {
			err = fail("lock", name, err)
		}
		return false, 0, err
	}
	var b [limits.LockHolder]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return true, 0, err
	}
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	said, err := strconv.ParseUint(line, 10, 31)
	if err != nil {
		said = 0
	}
	return true, int(said), nil
}

// Close releases the lock. The file stays: removing it would let two processes
// lock two files of one name.
func (l *Lock) Close() error {
	var err error
	l.once.Do(func() { err = l.f.Close() })
	return err
}
