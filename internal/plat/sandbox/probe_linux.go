package sandbox

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// Probe tries, inside a worker, what its spec says must be refused, and reports
// what the kernel answered: the early ones, before [Seal], or the others, after
// it. Nothing is left behind by an attempt that succeeds where it should not.
func Probe(spec workerspec.Spec, early bool) []Attempt {
	table := probes(spec)
	attempts := make([]Attempt, 0, len(spec.Probes))
	for _, p := range spec.Probes {
		if p.Early != early {
			continue
		}
		try, ok := table[strings.TrimSuffix(p.Name, beforeSeal)]
		if !ok {
			panic("BUG: no probe called " + p.Name)
		}
		attempts = append(attempts, judge(p, try()))
	}
	return attempts
}

func judge(p workerspec.Probe, e unix.Errno) Attempt {
	a := Attempt{Name: p.Name, Errno: uint32(e)}
	for _, want := range p.Errnos {
		if e != 0 && unix.ErrnoName(e) == want {
			a.Held = true
		}
	}
	return a
}

func errnoOf(err error) unix.Errno {
	if e, ok := err.(unix.Errno); ok {
		return e
	}
	if err != nil {
		return unix.EIO // never an errno that a spec accepts
	}
	return 0
}

func call(number uintptr, args ...uintptr) unix.Errno {
	var a [6]uintptr
	copy(a[:], args)
	_, _, e := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	return e
}

func tryOpen(path string, flags int) func() unix.Errno {
	return func() unix.Errno {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
		if err == nil {
			unix.Close(fd)
			if flags&unix.O_CREAT != 0 {
				unix.Unlink(path)
			}
		}
		return errnoOf(err)
	}
}

func trySocket(family, typ, protocol int) func() unix.Errno {
	return func() unix.Errno {
		fd, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			unix.Close(fd)
		}
		return errnoOf(err)
	}
}

// beforeSeal ends the name of an early probe that is tried again after the seal,
// with another answer.
const beforeSeal = " before the seal"

const probeName = ".bailey-probe"

func probes(spec workerspec.Spec) map[string]func() unix.Errno {
	grant, data := spotOf(spec, "/grant"), spotOf(spec, "/db")
	return map[string]func() unix.Errno{
		"open /etc/passwd":                  tryOpen("/etc/passwd", unix.O_RDONLY),
		"open /proc/self/mem":               tryOpen("/proc/self/mem", unix.O_RDONLY),
		"open /etc/passwd as a path":        tryOpen("/etc/passwd", unix.O_PATH),
		"open /etc/passwd for nothing":      tryOpen("/etc/passwd", unix.O_WRONLY|unix.O_RDWR),
		"stat /":                            func() unix.Errno { return errnoOf(unix.Fstatat(unix.AT_FDCWD, "/", new(unix.Stat_t), 0)) },
		"open /grant/../etc":                grant.tryOpen("/../etc", unix.O_RDONLY),
		"open /grant/..":                    grant.tryOpen("/..", unix.O_RDONLY|unix.O_DIRECTORY),
		"open /grant for writing":           grant.tryOpen("", unix.O_TMPFILE|unix.O_RDWR),
		"create in /grant":                  grant.tryOpen("/"+probeName, newFile),
		"create in /":                       tryOpen("/"+probeName, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY),
		"create in /engine":                 spotOf(spec, "/engine").tryOpen("/"+probeName, newFile),
		"create in /cache":                  spotOf(spec, "/cache").tryOpen("/"+probeName, newFile),
		"open /cache":                       spotOf(spec, "/cache").tryOpen("", unix.O_RDONLY|unix.O_DIRECTORY),
		"create in /graphics":               tryOpen("/graphics/"+probeName, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY),
		"create in /usr/lib":                tryOpen("/usr/lib/"+probeName, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY),
		"open /engine":                      spotOf(spec, "/engine").tryOpen("", unix.O_RDONLY|unix.O_DIRECTORY),
		"open /lib64/libc.so.6":             tryOpen("/lib64/libc.so.6", unix.O_RDONLY),
		"open /lib64/libc.so.6 for writing": tryOpen("/lib64/libc.so.6", unix.O_WRONLY),
		"open /lib/libc.so.6":               tryOpen("/lib/libc.so.6", unix.O_RDONLY),
		"open /lib/libc.so.6 for writing":   tryOpen("/lib/libc.so.6", unix.O_WRONLY),
		"link out of /db":                   data.tryLink,
		"list /":                            tryOpen("/", unix.O_RDONLY|unix.O_DIRECTORY),
		"link out of /grant":                grant.tryLink,
		"chmod /grant":                      func() unix.Errno { return errnoOf(unix.Fchmodat(grant.fd, grant.name, 0o777, 0)) },
		"chdir /":                           func() unix.Errno { return errnoOf(unix.Chdir("/")) },
		"make a directory in /db":           data.tryDirectory,
		"lock /grant":                       grant.tryLock,
		"socket AF_INET":                    trySocket(unix.AF_INET, unix.SOCK_STREAM, 0),
		"socket MPTCP":                      trySocket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
		"socket AF_UNIX":                    trySocket(unix.AF_UNIX, unix.SOCK_STREAM, 0),
		"socket AF_NETLINK":                 trySocket(unix.AF_NETLINK, unix.SOCK_RAW, 0),
		"fork":                              tryFork,
		"clone new user namespace":          func() unix.Errno { return call(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_THREAD) },
		"clone3":                            func() unix.Errno { return call(unix.SYS_CLONE3, 0, 0) },
		"execve":                            func() unix.Errno { return call(unix.SYS_EXECVE, 0, 0, 0) },
		"memfd_create":                      tryMemfd,
		"map writable and executable": func() unix.Errno {
			return tryMap(unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE)
		},
		"map memory that is shared": func() unix.Errno {
			return tryMap(unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		},
		"map a stack that grows": func() unix.Errno {
			return tryMap(unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_GROWSDOWN)
		},
		"map a page executable":               func() unix.Errno { return tryMap(unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE) },
		"make a page executable":              func() unix.Errno { return tryProtect(unix.PROT_READ | unix.PROT_EXEC) },
		"make a page writable and executable": func() unix.Errno { return tryProtect(unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC) },
		"create in /usr":                      tryOpen("/usr/"+probeName, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY),
		"write /proc/self/oom_score_adj":      tryOpen("/proc/self/oom_score_adj", unix.O_WRONLY),
		"shmget":                              func() unix.Errno { return call(unix.SYS_SHMGET, 0, uintptr(unix.Getpagesize()), 0o1600) },
		"limit another process":               func() unix.Errno { return call(unix.SYS_PRLIMIT64, 1, unix.RLIMIT_NOFILE, 0, 0) },
		"raw socket":                          trySocket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_UDP),
		"bind a port":                         func() unix.Errno { return errnoOf(unix.Bind(-1, &unix.SockaddrInet4{})) },
		"listen":                              func() unix.Errno { return errnoOf(unix.Listen(-1, 1)) },
		"connect":                             func() unix.Errno { return errnoOf(unix.Connect(-1, &unix.SockaddrUnix{Name: "/none"})) },
		"make a set-id file":                  func() unix.Errno { return errnoOf(unix.Chmod("/tmp", 0o4700)) },
		"io_uring_setup":                      func() unix.Errno { return call(unix.SYS_IO_URING_SETUP, 1, 0) },
		// Signal 0 reaches nobody; the call itself is what must be refused.
		"signal the parent": func() unix.Errno { return errnoOf(unix.Kill(unix.Getpid(), 0)) },
		"clear parent-death signal": func() unix.Errno {
			return errnoOf(unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0))
		},
		"become dumpable": func() unix.Errno { return errnoOf(unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)) },
		// To what it is: the kernel would let anybody, but for the filter.
		"set the user id": func() unix.Errno { return call(unix.SYS_SETUID, uintptr(unix.Getuid())) },
		"install a seccomp listener": func() unix.Errno {
			return call(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, 0)
		},
		"push input to a terminal": func() unix.Errno { return call(unix.SYS_IOCTL, 0, unix.TIOCSTI, 0) },
		"unknown call 600":         func() unix.Errno { return call(600) },
	}
}

// tryFork makes a child that ends at once, if it can be made at all.
func tryFork() unix.Errno {
	r, _, e := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e == 0 && r == 0 {
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	return e
}

func tryMemfd() unix.Errno {
	fd, err := unix.MemfdCreate(strings.TrimPrefix(probeName, "."), 0)
	if err == nil {
		unix.Close(fd)
	}
	return errnoOf(err)
}

func tryMap(prot, flags int) unix.Errno {
	b, err := unix.Mmap(-1, 0, unix.Getpagesize(), prot, flags|unix.MAP_ANON)
	if err == nil {
		unix.Munmap(b)
	}
	return errnoOf(err)
}

func tryProtect(prot int) unix.Errno {
	b, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return unix.EIO
	}
	defer unix.Munmap(b)
	return errnoOf(unix.Mprotect(b, prot))
}
