//go:build bailey_hostile

package main

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attack prepares, before the worker seals itself, and returns the act.
type attack func(o order) func() answer

func did(err error, got ...string) answer {
	a := answer{Got: strings.Join(got, " ")}
	if err == nil {
		return a
	}
	a.Errno = int(unix.EIO)
	if e, ok := err.(unix.Errno); ok {
		a.Errno = int(e)
	} else if pe, ok := err.(*os.PathError); ok {
		return did(pe.Err, got...)
	} else if se, ok := err.(*os.SyscallError); ok {
		return did(se.Err, got...)
	}
	return a
}

// simple is an attack without preparation.
func simple(f func(o order) error) attack {
	return func(o order) func() answer { return func() answer { return did(f(o)) } }
}

// raw is one system call.
func raw(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, e := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); e != 0 {
		return e
	}
	return nil
}

// cstr gives the address of a string. The worker's collector is off, so that
// what only the kernel knows of stays.
func cstr(s string) unsafe.Pointer {
	p, err := unix.BytePtrFromString(s)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return unsafe.Pointer(p)
}

// read returns a file's content as the evidence.
func read(path string) answer {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return did(err)
	}
	defer unix.Close(fd)
	b := make([]byte, 64)
	n, err := unix.Read(fd, b)
	if err != nil {
		return did(err)
	}
	return did(nil, string(b[:n]))
}

func open(at int, path string, flags int) error {
	fd, err := unix.Openat(at, path, flags|unix.O_CLOEXEC, 0o600)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// fstat opens a file outside in a way that neither reads nor writes it, and has the
// descriptor tell how large it is.
func fstat(flags int) attack {
	return func(o order) func() answer {
		return func() answer {
			fd, err := unix.Open(o.Host+"/secret", flags|unix.O_CLOEXEC, 0)
			if err != nil {
				return did(err)
			}
			defer unix.Close(fd)
			var st unix.Stat_t
			err = unix.Fstat(fd, &st)
			return did(err, strconv.FormatInt(st.Size, 10))
		}
	}
}

func socket(family, typ, protocol int, then func(fd int) error) func(order) error {
	return func(order) error {
		fd, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if then == nil {
			return nil
		}
		return then(fd)
	}
}

// connect reaches the launcher's listener on the host's loopback.
func connect(typ, protocol int) attack {
	return simple(func(o order) error {
		return socket(unix.AF_INET, typ, protocol, func(fd int) error {
			return unix.Connect(fd, &unix.SockaddrInet4{Port: o.Port, Addr: [4]byte{127, 0, 0, 1}})
		})(o)
	})
}

func connectUnix(name func(o order) string) attack {
	return simple(func(o order) error {
		return socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, func(fd int) error {
			return unix.Connect(fd, &unix.SockaddrUnix{Name: name(o)})
		})(o)
	})
}

// datagram sends to a socket that stands in the grant over a pair, which needs no
// connect: the name lies in memory, where no filter sees it.
func datagram(o order) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Sendmsg(pair[0], []byte("x"), nil, &unix.SockaddrUnix{Name: o.Grant + "/mail"}, 0)
}

// child runs f in a forked process that can do nothing but raw calls, and
// returns what clone gave.
func child(flags uintptr, f func()) error {
	r, _, e := unix.RawSyscall6(unix.SYS_CLONE, flags|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 {
		return e
	}
	if r == 0 {
		if f != nil {
			f()
		}
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	return nil
}

func page(prot int) ([]byte, error) {
	return unix.Mmap(-1, 0, unix.Getpagesize(), prot, unix.MAP_PRIVATE|unix.MAP_ANON)
}

// attacks are all that the hostile worker can try, by the name that the table
// of test/hostile uses.
func attacks() map[string]attack {
	all := common()
	maps.Copy(all, handed())
	maps.Copy(all, kept())
	maps.Copy(all, ownBinary())
	maps.Copy(all, native())
	maps.Copy(all, shared())
	return all
}

func common() map[string]attack {
	return map[string]attack{
		"read /etc/passwd": func(order) func() answer { return func() answer { return read("/etc/passwd") } },
		"read secret":      func(o order) func() answer { return func() answer { return read(o.Host + "/secret") } },
		"truncate outside": simple(func(o order) error { return unix.Truncate(o.Host+"/victim", 0) }),
		"stat outside":     simple(func(o order) error { var st unix.Stat_t; return unix.Stat(o.Host+"/secret", &st) }),
		"chmod outside":    simple(func(o order) error { return unix.Chmod(o.Host+"/victim", 0o640) }),
		"utimensat outside": simple(func(o order) error {
			return unix.UtimesNanoAt(unix.AT_FDCWD, o.Host+"/victim", make([]unix.Timespec, 2), 0)
		}),
		"look at a path":     fstat(unix.O_PATH),
		"open for nothing":   fstat(unix.O_WRONLY | unix.O_RDWR),
		"create outside":     simple(func(o order) error { return open(unix.AT_FDCWD, o.Host+"/new", unix.O_CREAT|unix.O_WRONLY) }),
		"symlink out":        func(o order) func() answer { return func() answer { return read(o.Grant + "/link") } },
		"dotdot by dirfd":    dotdot(func(fd int) error { return open(fd, "../host/secret", unix.O_RDONLY) }),
		"dotdot by fchdir":   dotdot(fchdir),
		"dotdot by path":     func(o order) func() answer { return func() answer { return read(o.Grant + "/../host/secret") } },
		"leaked descriptor":  simple(leaked),
		"hard link into":     simple(func(o order) error { return unix.Link(o.Host+"/secret", o.Data+"/hard") }),
		"rename out":         simple(func(o order) error { return unix.Rename(o.Data+"/mine", o.Host+"/mine") }),
		"set-id bit":         simple(func(o order) error { return unix.Chmod(o.Data+"/mine", 0o4755) }),
		"mknod":              simple(func(o order) error { return unix.Mknod(o.Data+"/null", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) }),
		"mkfifo":             simple(func(o order) error { return unix.Mkfifo(o.Data+"/fifo", 0o600) }),
		"open by handle":     simple(openByHandle),
		"mount":              simple(func(o order) error { return unix.Mount("none", o.Data, "tmpfs", 0, "") }),
		"umount":             simple(func(o order) error { return unix.Unmount(o.Data, unix.MNT_DETACH) }),
		"chroot":             simple(func(o order) error { return unix.Chroot(o.Grant) }),
		"open_tree":          simple(func(order) error { _, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE); return err }),
		"new user namespace": simple(func(order) error { return child(unix.CLONE_NEWUSER, nil) }),
		"clone3":             simple(func(order) error { return raw(unix.SYS_CLONE3, 0, 0) }),
		"fork":               simple(func(order) error { return child(0, nil) }),
		"unshare":            simple(func(order) error { return raw(unix.SYS_UNSHARE, unix.CLONE_NEWNS) }),
		"setns":              simple(func(order) error { return raw(unix.SYS_SETNS, connFD, 0) }),
		"execve":             execve,
		"memfd exec":         memfdExec,
		"writable to executable": simple(func(order) error {
			b, err := page(unix.PROT_READ | unix.PROT_WRITE)
			if err != nil {
				return err
			}
			return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
		}),
		"map executable":     simple(func(order) error { _, err := page(unix.PROT_READ | unix.PROT_EXEC); return err }),
		"personality":        simple(func(order) error { return raw(unix.SYS_PERSONALITY, 0x0400000) }),
		"int80":              int80,
		"x32":                simple(func(order) error { return raw(0x40000000 | unix.SYS_GETPID) }),
		"unknown call":       simple(func(order) error { return raw(600) }),
		"kill core":          simple(func(o order) error { return unix.Kill(o.Core, 0) }),
		"tgkill core":        simple(func(o order) error { return unix.Tgkill(o.Core, o.Core, 0) }),
		"ptrace core":        simple(func(o order) error { return raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(o.Core), 0, 0) }),
		"read core's memory": simple(readCore),
		"pidfd_open core":    simple(func(o order) error { _, err := unix.PidfdOpen(o.Core, 0); return err }),
		"prlimit core": simple(func(o order) error {
			return unix.Prlimit(o.Core, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
		}),
		"core's mem":     simple(func(o order) error { return open(unix.AT_FDCWD, coreFile(o, "mem"), unix.O_RDONLY) }),
		"core's environ": func(o order) func() answer { return func() answer { return read(coreFile(o, "environ")) } },
		"core's root":    func(o order) func() answer { return func() answer { return read(coreFile(o, "root/etc/passwd")) } },
		"list root":      simple(func(order) error { return open(unix.AT_FDCWD, "/", unix.O_RDONLY|unix.O_DIRECTORY) }),
		"list root before the seal": func(order) func() answer {
			err := open(unix.AT_FDCWD, "/", unix.O_RDONLY|unix.O_DIRECTORY)
			return func() answer { return did(err) }
		},
		"pkey_mprotect": simple(func(order) error {
			b, err := page(unix.PROT_READ | unix.PROT_WRITE)
			if err != nil {
				return err
			}
			return raw(unix.SYS_PKEY_MPROTECT, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.PROT_READ|unix.PROT_EXEC, ^uintptr(0))
		}),
		"own binary":       simple(func(order) error { return open(unix.AT_FDCWD, ownExe, unix.O_RDONLY) }),
		"write the system": simple(func(order) error { return open(unix.AT_FDCWD, "/usr/bin/env", unix.O_RDWR) }),
		"oom score":        simple(func(order) error { return open(unix.AT_FDCWD, "/proc/self/oom_score_adj", unix.O_RDWR) }),
		"tcp connect":      connect(unix.SOCK_STREAM, 0),
		"mptcp connect":    connect(unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
		"udp connect":      connect(unix.SOCK_DGRAM, 0),
		"tcp listen": simple(socket(unix.AF_INET, unix.SOCK_STREAM, 0, func(fd int) error {
			if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
				return err
			}
			return unix.Listen(fd, 1)
		})),
		"listen without bind": simple(socket(unix.AF_INET, unix.SOCK_STREAM, 0, func(fd int) error { return unix.Listen(fd, 1) })),
		"tcp fast open": simple(func(o order) error {
			return socket(unix.AF_INET, unix.SOCK_STREAM, 0, func(fd int) error {
				return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, &unix.SockaddrInet4{Port: o.Port, Addr: [4]byte{127, 0, 0, 1}})
			})(o)
		}),
		"netlink":            simple(socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE, nil)),
		"uevent":             simple(socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT, nil)),
		"raw icmp":           simple(socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP, nil)),
		"packet":             simple(socket(unix.AF_PACKET, unix.SOCK_RAW, 0, nil)),
		"vsock":              simple(socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0, nil)),
		"alg":                simple(socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0, nil)),
		"abstract unix":      connectUnix(func(o order) string { return "@" + o.Abstract }),
		"unix outside":       connectUnix(func(o order) string { return o.Host + "/sock" }),
		"datagram to a name": simple(datagram),
		"unix inside":        connectUnix(func(o order) string { return o.Grant + "/sock" }),
		"io_uring": simple(func(order) error {
			var p [120]byte
			return raw(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&p[0])))
		}),
		"userfaultfd":     simple(func(order) error { return raw(unix.SYS_USERFAULTFD, 1) }),
		"bpf":             simple(func(order) error { return raw(unix.SYS_BPF, 0, 0, 0) }),
		"perf_event_open": simple(func(order) error { return raw(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0) }),
		"add_key": simple(func(order) error {
			return raw(unix.SYS_ADD_KEY, uintptr(cstr("user")), uintptr(cstr("bailey")), uintptr(cstr("x")), 1, ^uintptr(1))
		}), // KEY_SPEC_PROCESS_KEYRING
		"keyctl":          simple(func(order) error { return raw(unix.SYS_KEYCTL, 0, ^uintptr(1), 1) }),
		"shmget":          simple(func(order) error { return raw(unix.SYS_SHMGET, 0, 4096, 0o1600) }),
		"kernel log":      simple(func(order) error { return raw(unix.SYS_SYSLOG, 10, 0, 0) }),
		"fanotify":        simple(func(order) error { return raw(unix.SYS_FANOTIFY_INIT, unix.FAN_CLASS_NOTIF|unix.FAN_REPORT_FID, 0) }),
		"inotify":         simple(watchHost),
		"clear pdeathsig": simple(func(order) error { return unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0) }),
		"become dumpable": simple(func(order) error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }),
		"setuid":          simple(func(order) error { return raw(unix.SYS_SETUID, uintptr(unix.Getuid())) }),
		"set capabilities": simple(func(order) error {
			h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var d [2]unix.CapUserData
			return unix.Capset(&h, &d[0])
		}),
		"push terminal input": simple(func(order) error {
			c := byte('x')
			return raw(unix.SYS_IOCTL, 2, unix.TIOCSTI, uintptr(unsafe.Pointer(&c)))
		}),
		"seccomp listener":   simple(listener),
		"many descriptors":   simple(manyDescriptors),
		"queue signals":      simple(queueSignals),
		"huge file":          simple(hugeFile),
		"host name":          simple(func(order) error { return unix.Sethostname([]byte("owned")) }),
		"memory bomb":        simple(memoryBomb(unix.MAP_PRIVATE)),
		"shared memory bomb": simple(memoryBomb(unix.MAP_SHARED)),
		"stack bomb":         simple(memoryBomb(unix.MAP_PRIVATE | unix.MAP_GROWSDOWN)),
		"read-only bomb":     simple(readOnlyBomb),
		"moved stack bomb":   simple(movedStackBomb),
		"shut directory":     simple(func(o order) error { return unix.Mkdir(o.Data+"/trap", 0o300) }),
		"lock grant":         simple(lockGrant),
		"thread before seal": earlyThread,
		"honest work":        honest,
		"census":             func(o order) func() answer { return census },
		"who": func(o order) func() answer {
			return func() answer {
				a, b := read(o.Grant+"/who"), read(o.Data+"/who")
				return answer{Errno: max(a.Errno, b.Errno), Got: a.Got + "," + b.Got}
			}
		},
		"spin": simple(func(order) error {
			for {
				runtime.Gosched()
			}
		}),
		"daemon": daemon,
		"k6 reopen": k6(func(fd int, o order) error {
			return open(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDWR)
		}),
		"k6 open for writing": k6(func(fd int, o order) error { return open(unix.AT_FDCWD, o.Grant+"/note", unix.O_WRONLY) }),
		"k6 fchmod":           k6(func(fd int, o order) error { return unix.Fchmod(fd, 0o640) }),
		"k6 futimens":         k6(func(fd int, o order) error { return unix.Futimes(fd, make([]unix.Timeval, 2)) }),
		"k6 utimensat": k6(func(fd int, o order) error {
			return unix.UtimesNanoAt(unix.AT_FDCWD, o.Grant+"/note", make([]unix.Timespec, 2), 0)
		}),
		"k6 fsetxattr": k6(func(fd int, o order) error { return unix.Fsetxattr(fd, "user.bailey", []byte("x"), 0) }),
		"k6 ftruncate": k6(func(fd int, o order) error { return unix.Ftruncate(fd, 0) }),
		"k6 fallocate": k6(func(fd int, o order) error { return unix.Fallocate(fd, 0, 0, 4096) }),
		"k6 linkat": k6(func(fd int, o order) error {
			return unix.Linkat(unix.AT_FDCWD, o.Grant+"/note", unix.AT_FDCWD, o.Grant+"/note2", 0)
		}),
		"k6 unlink": k6(func(fd int, o order) error { return unix.Unlink(o.Grant + "/note") }),
		"k6 shared map": k6(func(fd int, o order) error {
			_, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		}),
	}
}

func coreFile(o order, name string) string { return "/proc/" + strconv.Itoa(o.Core) + "/" + name }

// k6 attacks a file of the read-only grant. Where it may it opens it for
// writing first: that it may not is part of what is under test.
func k6(f func(fd int, o order) error) attack {
	return func(o order) func() answer {
		return func() answer {
			fd, err := unix.Open(o.Grant+"/note", unix.O_RDWR, 0)
			if err != nil {
				fd, err = unix.Open(o.Grant+"/note", unix.O_RDONLY, 0)
			}
			if err != nil {
				return answer{Errno: int(unix.EIO), Got: "cannot open the note: " + err.Error()}
			}
			return did(f(fd, o))
		}
	}
}

// dotdot attacks with a descriptor of the granted directory.
func dotdot(f func(fd int) error) attack {
	return func(o order) func() answer {
		return func() answer {
			fd, err := unix.Open(o.Grant, unix.O_RDONLY|unix.O_DIRECTORY, 0)
			if err != nil {
				return answer{Errno: int(unix.EIO), Got: "cannot open the grant"}
			}
			return did(f(fd))
		}
	}
}

func fchdir(fd int) error {
	if err := unix.Fchdir(fd); err != nil {
		return err
	}
	return open(unix.AT_FDCWD, "../host/secret", unix.O_RDONLY)
}

// leaked looks for a descriptor that nobody declared and opens through it.
func leaked(order) error {
	for fd := connFD + 1; fd < 256; fd++ {
		if err := open(fd, "etc/passwd", unix.O_RDONLY); err == nil {
			return nil
		}
	}
	return unix.EBADF
}

func openByHandle(o order) error {
	h := unix.NewFileHandle(1, make([]byte, 8))
	_, err := unix.OpenByHandleAt(connFD, h, 0)
	return err
}

// execve replaces the worker by a program that says so on the connection.
func execve(order) func() answer {
	_ = unix.Dup3(connFD, 1, 0)
	return func() answer { return did(unix.Exec("/bin/echo", []string{"echo", marker}, nil)) }
}

// marker, as an answer, is the proof that another program ran.
const marker = `{"errno":0,"got":"owned"}`

// memfdExec brings a program of its own, in memory, and executes it.
func memfdExec(order) func() answer {
	return func() answer {
		fd, err := unix.MemfdCreate("x", 0)
		if err != nil {
			return did(err)
		}
		if _, err := unix.Write(fd, program(marker+"\n")); err != nil {
			return did(err)
		}
		argv := [2]*byte{(*byte)(cstr("x"))}
		return did(raw(unix.SYS_EXECVEAT, uintptr(fd), uintptr(cstr("")), uintptr(unsafe.Pointer(&argv[0])), 0, unix.AT_EMPTY_PATH))
	}
}

// markerAddress is where the launcher's memory has something that an attacker
// knows.
func markerAddress() uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(marker))) }

// readCore reads the launcher's memory.
func readCore(o order) error {
	b := make([]byte, 8)
	src := []byte(marker)
	local := unix.Iovec{Base: &b[0], Len: 8}
	remote := unix.RemoteIovec{Base: o.Marker, Len: 8}
	_, err := unix.ProcessVMReadv(o.Core, []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0)
	if err == nil && string(b) != string(src[:8]) {
		return unix.EIO
	}
	return err
}

func watchHost(o order) error {
	fd, err := unix.InotifyInit1(0)
	if err != nil {
		return err
	}
	_, err = unix.InotifyAddWatch(fd, o.Host, unix.IN_ALL_EVENTS)
	return err
}

// listener would hand decisions about system calls to a process of the
// attacker's.
func listener(order) error {
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	prog := unix.SockFprog{Len: 1, Filter: &allow}
	return raw(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&prog)))
}

func manyDescriptors(order) error {
	for range 300 {
		if _, err := unix.FcntlInt(connFD, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return err
		}
	}
	return nil
}

// queueSignals queues signals to itself that it never takes: each counts against the
// limit of the person too, whose other programs then make no timer. The thread that
// has them blocked ends with the goroutine, and they with it.
func queueSignals(order) error {
	const some, signal, set = 1500, 50, 1 << (50 - 1)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			if err := unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{set}}, nil); err != nil {
				return err
			}
			for range some {
				if err := unix.Tgkill(unix.Getpid(), unix.Gettid(), signal); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	return <-done
}

// hugeFile wants one byte beyond any limit of a spec.
func hugeFile(o order) error {
	fd, err := unix.Open(o.Data+"/huge", unix.O_CREAT|unix.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer unix.Unlink(o.Data + "/huge")
	_, err = unix.Pwrite(fd, []byte("x"), 16<<30)
	return err
}

// memoryBomb takes memory, without touching it all, until it is refused.
// memoryBomb maps more memory than any spec allows, of a sort.
func memoryBomb(sort int) func(order) error {
	return func(order) error {
		for range 4 << 30 / (64 << 20) {
			if _, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_WRITE, sort|unix.MAP_ANON|unix.MAP_NORESERVE); err != nil {
				return err
			}
		}
		return nil
	}
}

// readOnlyBomb takes memory, writes it, and makes it readable alone, when the limit
// counts it no more.
func readOnlyBomb(order) error {
	for range 4 << 30 / (64 << 20) {
		b, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
		if err != nil {
			return err
		}
		b[0] = 1
		if err := unix.Mprotect(b, unix.PROT_READ); err != nil {
			return err
		}
	}
	return nil
}

// movedStackBomb moves a page of the first thread's stack, which nothing uses, to
// where there is room for more of it, and goes on with the last page of that.
func movedStackBomb(order) error {
	const page, step = uintptr(4096), uintptr(256 << 20)
	at := uintptr(unsafe.Pointer(unsafe.StringData(os.Args[0])))&^(page-1) - 25*page
	for range 4 << 30 / step {
		p, _, errno := unix.Syscall6(unix.SYS_MREMAP, at, page, step, unix.MREMAP_MAYMOVE, 0, 0)
		if errno != 0 {
			return errno
		}
		at = p + step - page
	}
	return nil
}

// lockGrant locks a file of the user's against its owner's programs.
func lockGrant(o order) error {
	fd, err := unix.Open(o.Grant+"/note", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
}

// earlyThread makes a thread before the worker seals itself, which acts after.
func earlyThread(order) func() answer {
	run, result := make(chan bool), make(chan error)
	go func() {
		runtime.LockOSThread()
		<-run
		// A socket that no kind may make.
		result <- socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, nil)(order{})
	}()
	return func() answer { run <- true; return did(<-result) }
}

// census lists descriptors, environment and working directory.
func census() answer {
	var fds []string
	for fd := range 256 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			fds = append(fds, strconv.Itoa(fd))
		}
	}
	// Who opens nothing need not know where it is either.
	cwd, _ := unix.Getwd()
	return did(nil, fmt.Sprintf("fds=%s env=%s cwd=%s", strings.Join(fds, ","), strings.Join(syscall.Environ(), ","), cwd))
}

// daemon leaves a grandchild in a session of its own, that does not end.
func daemon(order) func() answer {
	return func() answer {
		return did(child(0, func() {
			unix.RawSyscall(unix.SYS_SETSID, 0, 0, 0)
			r, _, _ := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
			for r == 0 {
				unix.RawSyscall(unix.SYS_PAUSE, 0, 0, 0)
			}
		}))
	}
}
