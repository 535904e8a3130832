//go:build bailey_hostile

package main

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kept are attacks by the calls that a worker keeps for its work, by uses of them
// that it has no need of, and by what the kernel has learned of late.
func kept() map[string]attack {
	return map[string]attack{
		"clock of the core": simple(func(o order) error {
			var ts unix.Timespec
			// As clock_getcpuclockid(3) makes it of a process id.
			return raw(unix.SYS_CLOCK_GETTIME, uintptr(^o.Core<<3|2), uintptr(unsafe.Pointer(&ts)))
		}),
		"queue a signal to the core": simple(func(o order) error {
			info := [128]byte{8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff} // si_code is SI_QUEUE
			return raw(unix.SYS_RT_SIGQUEUEINFO, uintptr(o.Core), 0, uintptr(unsafe.Pointer(&info[0])))
		}),
		"forge credentials": simple(func(o order) error {
			// No byte goes with them.
			c := unix.UnixCredentials(&unix.Ucred{Pid: int32(o.Core), Uid: uint32(unix.Getuid()), Gid: uint32(unix.Getgid())})
			h := unix.Msghdr{Control: &c[0], Controllen: uint64(len(c))}
			return raw(unix.SYS_SENDMSG, connFD, uintptr(unsafe.Pointer(&h)), unix.MSG_NOSIGNAL)
		}),
		"k6 flags": k6(func(fd int, o order) error {
			const nodump = 0x40 // FS_NODUMP_FL
			flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
			if err != nil {
				return err
			}
			return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags|nodump)
		}),
		"k6 write lock": k6(func(fd int, o order) error {
			return unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
		}),
		"lease": reading("note", 0, func(fd int) error {
			_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
			return err
		}),
		"delegation": reading("", unix.O_DIRECTORY, func(fd int) error {
			var d struct {
				flags     uint32
				typ, fill uint16
				more      uint64
			}
			return raw(unix.SYS_FCNTL, uintptr(fd), unix.F_SETDELEG, uintptr(unsafe.Pointer(&d)))
		}),
		"signal of a directory": reading("", unix.O_DIRECTORY, func(fd int) error {
			const created = 4 // DN_CREATE
			_, err := unix.FcntlInt(uintptr(fd), unix.F_NOTIFY, created)
			return err
		}),
		"lock in shared memory": reading("note", 0, func(fd int) error {
			b, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
			if err != nil {
				return err
			}
			const wake = 1 // FUTEX_WAKE, not private
			return raw(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b[0])), wake, 1)
		}),
		"dirty pipe":           simple(dirtyPipe),
		"write a named pipe":   simple(writePipe),
		"room past its limit":  room(unix.FALLOC_FL_KEEP_SIZE),
		"zeros past its limit": room(unix.FALLOC_FL_KEEP_SIZE | unix.FALLOC_FL_ZERO_RANGE),
		"room put in between":  simple(roomBetween),
		"core pattern":         simple(func(order) error { return open(unix.AT_FDCWD, "/proc/sys/kernel/core_pattern", unix.O_WRONLY) }),
		"file capability": simple(func(o order) error {
			// Version 2, effective: CAP_CHOWN.
			return unix.Setxattr(o.Data+"/mine", "security.capability", []byte{1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0)
		}),
		"trace a sibling": simple(func(order) error {
			tid := make(chan int)
			done := make(chan bool)
			defer close(done)
			go func() {
				runtime.LockOSThread()
				tid <- unix.Gettid()
				<-done
			}()
			return raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(<-tid))
		}),
		"realtime": simple(func(order) error {
			priority := int32(1)
			return raw(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_FIFO, uintptr(unsafe.Pointer(&priority)))
		}),
		"socket before the seal": early(func(order) error { return socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, nil)(order{}) }),
		"io_uring before the seal": early(func(order) error {
			var p [120]byte
			fd, _, e := unix.RawSyscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&p[0])), 0)
			if e != 0 {
				return e
			}
			return unix.Close(int(fd))
		}),
		"shared memory before the seal": early(func(o order) error { return raw(unix.SYS_SHMGET, sharedKey(o.Core), 0, 0) }),
		"name of the machine":           early(machineName),
		"powers before the seal":        early(powers),
		"sockets of the host":           simple(socketNames),
		"every family":                  simple(everyFamily),
		"confine itself":                simple(confineItself),
	}
}

// setTraps puts into the grant what other programs obey, and a pipe that one of the
// person's reads.
func (s *scene) setTraps() error {
	err := errors.Join(os.MkdirAll(s.Grant+"/.git/hooks", 0o777), os.Chmod(s.Grant+"/.git", 0o777),
		unix.Mkfifo(s.Grant+"/pipe", 0o600), os.Chmod(s.Grant+"/pipe", 0o666))
	if err != nil {
		return err
	}
	reader, err := os.OpenFile(s.Grant+"/pipe", os.O_RDWR|unix.O_NONBLOCK, 0)
	if err == nil {
		s.closers = append(s.closers, reader)
	}
	return err
}

// early acts before the strict filter is on.
func early(f func(order) error) attack {
	return func(o order) func() answer {
		a := did(f(o))
		return func() answer { return a }
	}
}

// sharedKey is the key of the shared memory that a launcher has.
func sharedKey(launcher int) uintptr { return 0x62<<24 | uintptr(launcher) }

// shareMemory makes it, for everybody; release takes it away.
func shareMemory() (release func(), err error) {
	id, _, e := unix.RawSyscall(unix.SYS_SHMGET, sharedKey(os.Getpid()), 4096, unix.IPC_CREAT|0o666)
	if e != 0 {
		return nil, e
	}
	return func() { _ = raw(unix.SYS_SHMCTL, id, unix.IPC_RMID, 0) }, nil
}

// nodename is what the machine is called; nothing when nobody says.
func nodename() string {
	var u unix.Utsname
	_ = unix.Uname(&u)
	return unix.ByteSliceToString(u.Nodename[:])
}

func machineName(o order) error {
	if nodename() != o.Machine {
		return unix.ENOENT
	}
	return nil
}

// powers says whether there is any.
func powers(order) error {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if err := unix.Capget(&h, &d[0]); err != nil {
		return err
	}
	if d[0].Effective|d[1].Effective|d[0].Permitted|d[1].Permitted == 0 {
		return unix.EPERM
	}
	return nil
}

func socketNames(o order) error {
	fd, err := unix.Open("/proc/self/net/unix", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var all []byte
	for b := make([]byte, 4096); ; {
		n, err := unix.Read(fd, b)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		all = append(all, b[:n]...)
	}
	if !bytes.Contains(all, []byte(o.Abstract)) {
		return unix.ENOENT
	}
	return nil
}

// reading attacks with a descriptor of the grant, or of what is in it, for reading.
func reading(name string, flags int, f func(fd int) error) attack {
	return simple(func(o order) error {
		fd, err := unix.Open(o.Grant+"/"+name, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
		if err != nil {
			return unix.EIO
		}
		return f(fd)
	})
}

// room takes room on the disk where no file of the worker's may reach.
func room(mode uint32) attack {
	return simple(func(o order) error {
		fd, err := unix.Open(o.Data+"/room", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return err
		}
		defer unix.Unlink(o.Data + "/room")
		defer unix.Close(fd)
		return unix.Fallocate(fd, mode, 16<<30, 4096)
	})
}

// roomBetween makes a file longer than its limit by room in its middle.
func roomBetween(o order) error {
	fd, err := unix.Open(o.Data+"/between", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Unlink(o.Data + "/between")
	defer unix.Close(fd)
	const block = 64 << 10
	if err := unix.Ftruncate(fd, 2*block); err != nil {
		return err
	}
	return unix.Fallocate(fd, unix.FALLOC_FL_INSERT_RANGE, block, 16<<30)
}

// dirtyPipe writes to a file that is for reading by way of a pipe that took a page
// of it (CVE-2022-0847). That the file is what it was is a refusal too.
func dirtyPipe(o order) error {
	fd, err := unix.Open(o.Grant+"/note", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return unix.EIO
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return err
	}
	// Each of its buffers was written to once, and says that it may be again.
	b := make([]byte, 4096)
	for {
		if _, err := unix.Write(p[1], b); err != nil {
			break
		}
	}
	for {
		if n, err := unix.Read(p[0], b); n <= 0 || err != nil {
			break
		}
	}
	if _, err := unix.Splice(fd, nil, p[1], nil, 1, 0); err != nil {
		return err
	}
	if _, err := unix.Write(p[1], []byte("WN")); err != nil {
		return err
	}
	if _, err := unix.Pread(fd, b[:4], 0); err != nil || string(b[:4]) == "note" {
		return unix.EPERM
	}
	return nil
}

// writePipe writes to a named pipe of the person's that stands in the grant. A mount
// that is read-only lets pipes be written to.
func writePipe(o order) error {
	fd, err := unix.Open(o.Grant+"/pipe", unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte("x"))
	return err
}

// everyFamily makes a socket of any family there is, but those that the kind net is
// there for.
func everyFamily(order) error {
	const last = 50
	for family := 1; family < last; family++ {
		for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_SEQPACKET} {
			internet := family == unix.AF_INET || family == unix.AF_INET6
			if internet && (typ == unix.SOCK_STREAM || typ == unix.SOCK_DGRAM) {
				continue
			}
			if fd, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC, 0); err != unix.EPERM {
				unix.Close(fd)
				return err
			}
		}
	}
	return unix.EPERM
}

// confineItself stacks rulesets of Landlock, until the kernel has had enough. What
// this takes is the worker's own rights, but the code is the kernel's.
func confineItself(order) error {
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	runtime.LockOSThread()
	stacked := 0
	for range 32 {
		attr := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SOCK}
		fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), 8, 0)
		if e != 0 {
			return e
		}
		_, _, e = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0)
		unix.Close(int(fd))
		if e == unix.E2BIG && stacked > 0 {
			return nil
		}
		if e != 0 {
			return e
		}
		stacked++
	}
	return unix.EIO
}
