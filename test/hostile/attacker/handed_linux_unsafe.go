//go:build bailey_hostile

package main

import (
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// handed are attacks on the file whose descriptor the worker was handed: the
// model, which other engines and other apps read too.
func handed() map[string]attack {
	fd := func(f func(fd int) error) attack { return simple(func(order) error { return f(handedFD) }) }
	return map[string]attack{
		"model read": fd(func(fd int) error {
			b := make([]byte, 5)
			if n, err := unix.Pread(fd, b, 0); err != nil || string(b[:n]) != "model" {
				return unix.EIO
			}
			return nil
		}),
		"model write":     fd(func(fd int) error { _, err := unix.Write(fd, []byte("x")); return err }),
		"model reopen":    fd(func(fd int) error { return open(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDWR) }),
		"model fchmod":    fd(func(fd int) error { return unix.Fchmod(fd, 0o640) }),
		"model fchown":    fd(func(fd int) error { return unix.Fchown(fd, unix.Getuid(), unix.Getgid()) }),
		"model futimens":  fd(func(fd int) error { return unix.Futimes(fd, make([]unix.Timeval, 2)) }),
		"model fsetxattr": fd(func(fd int) error { return unix.Fsetxattr(fd, "user.bailey", []byte("x"), 0) }),
		"model ftruncate": fd(func(fd int) error { return unix.Ftruncate(fd, 0) }),
		"model fallocate": fd(func(fd int) error { return unix.Fallocate(fd, 0, 0, 4096) }),
		"model lock": fd(func(fd int) error {
			return unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_RDLCK})
		}),
		"model flock": fd(func(fd int) error { return unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) }),
		"model ioctl": fd(func(fd int) error {
			var n int32
			return raw(unix.SYS_IOCTL, uintptr(fd), unix.TIOCINQ, uintptr(unsafe.Pointer(&n)))
		}),
		"model linkat": simple(func(o order) error {
			return unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(handedFD), unix.AT_FDCWD, o.Host+"/linked", unix.AT_SYMLINK_FOLLOW)
		}),
		"model shared map": fd(func(fd int) error {
			_, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		}),
		"model executable map": fd(func(fd int) error {
			_, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
			return err
		}),
	}
}
