package sandbox

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// TestArgumentsByName asks the filters of the kinds with rules of their own about
// arguments, by the kernel's names for them: the numbers of the specs are what
// they say.
func TestArgumentsByName(t *testing.T) {
	a := native()
	const (
		eperm, eacces = actErrno | 1, actErrno | 13
		enosys        = actErrno | 38
		rw            = unix.PROT_READ | unix.PROT_WRITE
		private       = unix.MAP_PRIVATE | unix.MAP_ANON
	)
	unlisted := map[string]uint32{"bind": unix.SYS_BIND, "listen": unix.SYS_LISTEN, "setuid": unix.SYS_SETUID}
	type args = [6]uint64
	for _, c := range []struct {
		kind, call string
		args       args
		want       uint32
	}{
		{"pdf", "mmap", args{0, 4096, rw, private}, actAllow},
		{"pdf", "mmap", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC, private}, eacces},
		{"pdf", "mprotect", args{0, 4096, unix.PROT_NONE}, eacces},
		{"pdf", "mprotect", args{0, 4096, unix.PROT_READ}, eacces},
		{"pdf", "mremap", args{}, eperm},
		{"pdf", "mprotect", args{0, 4096, rw}, actAllow},
		{"pdf", "mprotect", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, eacces},
		{"pdf", "pkey_mprotect", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, eperm},
		{"pdf", "openat", args{}, eperm},
		{"plugin", "mmap", args{0, 4096, rw, private}, actAllow},
		{"plugin", "mmap", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC, private}, eacces},
		{"plugin", "mprotect", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, actAllow},
		{"plugin", "mprotect", args{0, 4096, unix.PROT_EXEC}, eacces},
		{"plugin", "mprotect", args{0, 4096, unix.PROT_READ}, eacces},
		{"plugin", "mprotect", args{0, 4096, rw | unix.PROT_EXEC}, eacces},
		{"plugin", "mprotect", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC | unix.PROT_GROWSDOWN}, eacces},
		{"plugin", "pkey_mprotect", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, eperm},
		{"plugin", "openat", args{}, eperm},

		{"net", "socket", args{unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK, 0}, actAllow},
		{"net", "socket", args{unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP}, actAllow},
		{"net", "socket", args{unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_TCP}, actAllow},
		{"net", "socket", args{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP}, eperm},
		{"net", "socket", args{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}, eperm},
		{"net", "socket", args{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP}, eperm},
		{"net", "socket", args{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_TCP}, eperm},
		{"net", "socket", args{unix.AF_UNIX, unix.SOCK_STREAM, 0}, eperm},
		{"net", "socket", args{unix.AF_NETLINK, unix.SOCK_DGRAM, 0}, eperm},
		{"net", "socket", args{unix.AF_VSOCK, unix.SOCK_STREAM, 0}, eperm},
		{"net", "socket", args{unix.AF_PACKET, unix.SOCK_DGRAM, 0}, eperm},
		{"net", "connect", args{}, actAllow},
		{"net", "bind", args{}, eperm},
		{"net", "listen", args{}, eperm},
		{"net", "accept4", args{}, eperm},
		{"net", "openat", args{}, eperm},
		{"net", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_KEEPALIVE}, actAllow},
		{"net", "setsockopt", args{3, unix.IPPROTO_TCP, unix.TCP_NODELAY}, actAllow},
		{"net", "setsockopt", args{3, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY}, actAllow},
		{"net", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER}, eperm},
		{"net", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_SNDBUF}, eperm},
		{"net", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_BINDTODEVICE}, eperm},
		{"net", "setsockopt", args{3, unix.IPPROTO_TCP, unix.TCP_ULP}, eperm},
		{"net", "setsockopt", args{3, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT}, eperm},
		{"index", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_PEERPIDFD}, eperm},
		{"gate", "accept4", args{}, actAllow},
		{"gate", "socket", args{unix.AF_INET, unix.SOCK_STREAM, 0}, eperm},
		{"gate", "connect", args{}, eperm},
		{"gate", "listen", args{}, eperm},

		{"tool", "clone", args{uint64(unix.SIGCHLD) | unix.CLONE_CHILD_SETTID | unix.CLONE_CHILD_CLEARTID}, actAllow},
		{"tool", "clone", args{uint64(unix.SIGCHLD) | unix.CLONE_NEWUSER}, eperm},
		{"tool", "clone", args{uint64(unix.SIGCHLD) | unix.CLONE_NEWNET}, eperm},
		{"tool", "mmap", args{0, 4096, rw | unix.PROT_EXEC, private}, actAllow},
		{"tool", "mmap", args{0, 4096, rw, private | unix.MAP_GROWSDOWN}, eacces},
		{"tool", "socket", args{unix.AF_UNIX, unix.SOCK_STREAM, 0}, eperm},
		{"tool", "socketpair", args{unix.AF_UNIX, unix.SOCK_STREAM | unix.SOCK_CLOEXEC, 0}, actAllow},
		{"tool", "socketpair", args{unix.AF_UNIX, unix.SOCK_SEQPACKET, 0}, actAllow},
		{"tool", "socketpair", args{unix.AF_UNIX, unix.SOCK_DGRAM, 0}, eperm},
		{"tool", "sendto", args{3, 1, 1, 0, 0, 0}, actAllow},
		{"tool", "sendto", args{3, 1, 1, 0, 1 << 40, 16}, eperm},
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_PASSCRED}, actAllow},
		{"tool", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_ERROR}, actAllow},
		{"tool", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_PEERPIDFD}, eperm},
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_PASSPIDFD}, eperm},
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER}, eperm},
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_ATTACH_BPF}, eperm},
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF}, eperm},
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_EBPF}, eperm},
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_PASSPIDFD}, eperm},
		{"tool", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_PEERCRED}, actAllow},
		{"tool", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_TYPE}, actAllow},
		{"tool", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_PEERPIDFD}, eperm},
		{"tool", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_PEERGROUPS}, eperm},
		{"tool", "sendto", args{3, 1, 1, unix.MSG_OOB, 0, 0}, eperm},
		{"tool", "sendmmsg", args{3, 1, 1, unix.MSG_OOB}, eperm},
		{"tool", "recvmsg", args{3, 1, unix.MSG_DONTWAIT | unix.MSG_CMSG_CLOEXEC}, actAllow},
		{"tool", "recvmmsg", args{3, 1, 1, unix.MSG_OOB}, eperm},
		{"tool", "renameat2", args{0, 0, 0, 0, unix.RENAME_EXCHANGE}, actAllow},
		{"tool", "renameat2", args{0, 0, 0, 0, unix.RENAME_WHITEOUT}, eperm},
		{"tool", "fallocate", args{0, unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE}, actAllow},
		{"tool", "fallocate", args{0, unix.FALLOC_FL_KEEP_SIZE}, eperm},
		{"tool", "fallocate", args{0, unix.FALLOC_FL_ZERO_RANGE}, actAllow},
		{"tool", "fallocate", args{0, unix.FALLOC_FL_INSERT_RANGE}, eperm},
		{"tool", "fallocate", args{0, unix.FALLOC_FL_ZERO_RANGE | unix.FALLOC_FL_KEEP_SIZE}, eperm},
		{"tool", "fallocate", args{0, unix.FALLOC_FL_UNSHARE_RANGE | unix.FALLOC_FL_KEEP_SIZE}, eperm},
		{"tool", "memfd_create", args{0, unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING}, actAllow},
		{"tool", "memfd_create", args{0, unix.MFD_HUGETLB}, eperm},
		{"tool", "mmap", args{0, 4096, rw, private | unix.MAP_HUGETLB}, eacces},
		{"tool", "madvise", args{0, 4096, unix.MADV_HUGEPAGE}, actAllow},
		{"tool", "madvise", args{0, 4096, unix.MADV_MERGEABLE}, eperm},
		{"tool", "pipe2", args{0, unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_DIRECT}, actAllow},
		{"tool", "pipe2", args{0, unix.O_EXCL}, eperm}, // O_NOTIFICATION_PIPE

		{"index", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_TYPE}, actAllow},
		{"index", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_ERROR}, actAllow},
		{"index", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_PEERCRED}, eperm},
		{"index", "getsockopt", args{3, unix.SOL_SOCKET, unix.SO_PEERPIDFD}, eperm},
		{"index", "sendmsg", args{3, 1, unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT}, actAllow},
		{"index", "sendmsg", args{3, 1, unix.MSG_OOB}, eperm},
		{"index", "recvmsg", args{3, 1, unix.MSG_OOB}, eperm},
		{"index", "renameat2", args{0, 0, 0, 0, unix.RENAME_NOREPLACE}, actAllow},
		{"index", "renameat2", args{0, 0, 0, 0, unix.RENAME_WHITEOUT}, eperm},
		{"index", "fallocate", args{0, 0}, actAllow},
		{"index", "fallocate", args{0, unix.FALLOC_FL_KEEP_SIZE}, eperm},
		{"index", "mmap", args{0, 4096, rw, private | unix.MAP_HUGETLB}, eacces},
		{"index", "madvise", args{0, 4096, unix.MADV_DONTNEED}, actAllow},
		{"index", "madvise", args{0, 4096, unix.MADV_MERGEABLE}, eperm},
		{"index", "futex", args{0, 128}, actAllow}, // FUTEX_WAIT_PRIVATE
		{"index", "futex", args{0, 129}, actAllow},
		{"index", "futex", args{0, 0}, enosys},
		{"index", "futex", args{0, 6 | 128}, enosys}, // FUTEX_LOCK_PI_PRIVATE
		{"engine", "futex", args{0, 0}, actAllow},
		{"engine", "futex", args{0, 9 | 128 | 256}, actAllow}, // FUTEX_WAIT_BITSET_PRIVATE, by the wall clock
		{"engine", "futex", args{0, 11 | 128}, enosys},        // FUTEX_WAIT_REQUEUE_PI_PRIVATE
		{"engine", "futex", args{0, 3}, enosys},
		{"index", "clock_gettime", args{unix.CLOCK_THREAD_CPUTIME_ID}, actAllow},
		{"index", "clock_gettime", args{0xffffff82}, eperm}, // of a process
		{"index", "clock_getres", args{0xffffff82}, eperm},
		{"index", "clock_nanosleep", args{0xffffff82}, eperm},
		{"index", "sched_getaffinity", args{0, 128}, actAllow},
		{"index", "sched_getaffinity", args{2, 128}, enosys},
		{"net", "sendto", args{3, 1, 1, unix.MSG_NOSIGNAL}, actAllow},
		{"net", "sendto", args{3, 1, 1, unix.MSG_OOB}, eperm},
		{"net", "recvfrom", args{3, 1, 1, unix.MSG_OOB}, eperm},

		{"tool", "ioctl", args{0, unix.TCGETS}, actAllow},
		{"tool", "ioctl", args{0, unix.TIOCGWINSZ}, actAllow},
		{"tool", "ioctl", args{0, unix.TIOCGPGRP}, actAllow},
		{"tool", "ioctl", args{0, unix.TIOCSTI}, eperm},
		{"tool", "ioctl", args{0, unix.FS_IOC_SETFLAGS}, eperm},
		{"tool", "fcntl", args{0, unix.F_SETLKW}, actAllow},
		{"tool", "fcntl", args{0, unix.F_OFD_SETLK}, actAllow},
		{"tool", "fcntl", args{0, unix.F_SETOWN}, eperm},
		{"tool", "fcntl", args{0, unix.F_SETOWN_EX}, eperm},
		{"tool", "fcntl", args{0, unix.F_SETSIG}, eperm},
		{"tool", "fcntl", args{0, unix.F_SETLEASE}, eperm},
		{"tool", "fcntl", args{0, unix.F_NOTIFY}, eperm},
		{"tool", "fcntl", args{0, unix.F_SETDELEG}, eperm},
		{"tool", "fcntl", args{0, unix.F_SETPIPE_SZ}, eperm},
		{"tool", "fcntl", args{0, unix.F_GETPIPE_SZ}, actAllow},
		{"tool", "fcntl", args{0, unix.F_DUPFD_QUERY}, actAllow},
		{"tool", "fcntl", args{0, unix.F_ADD_SEALS}, actAllow},
		{"tool", "fcntl", args{0, 2000}, eperm},
		{"tool", "prctl", args{unix.PR_SET_PDEATHSIG, uint64(unix.SIGKILL)}, actAllow},
		{"tool", "prctl", args{unix.PR_SET_PDEATHSIG, 0}, eperm},
		{"tool", "prctl", args{unix.PR_SET_PDEATHSIG, uint64(unix.SIGTERM)}, eperm},
		{"tool", "prctl", args{unix.PR_SET_NAME}, actAllow},
		{"tool", "prctl", args{unix.PR_SET_MDWE, 1}, actAllow},
		{"tool", "prctl", args{unix.PR_SET_CHILD_SUBREAPER, 1}, actAllow},
		{"tool", "prctl", args{unix.PR_SET_TIMERSLACK}, actAllow},
		{"tool", "prctl", args{unix.PR_CAPBSET_READ}, actAllow},
		{"tool", "prctl", args{unix.PR_SET_DUMPABLE, 1}, eperm},
		{"tool", "prctl", args{unix.PR_SET_SECCOMP, 2}, eperm},
		{"tool", "prctl", args{unix.PR_SET_PTRACER, 1}, eperm},
		{"tool", "prctl", args{unix.PR_SET_MM}, eperm},
		{"tool", "prlimit64", args{0, unix.RLIMIT_NOFILE, 1}, actAllow},
		{"tool", "prlimit64", args{77, unix.RLIMIT_NOFILE, 1}, eperm},
		{"tool", "sched_setscheduler", args{0, unix.SCHED_NORMAL}, actAllow},
		{"tool", "sched_setscheduler", args{0, unix.SCHED_BATCH}, actAllow},
		{"tool", "sched_setscheduler", args{0, unix.SCHED_IDLE}, actAllow},
		{"tool", "sched_setscheduler", args{0, unix.SCHED_FIFO}, eperm},
		{"tool", "sched_setscheduler", args{0, unix.SCHED_RR}, eperm},
		{"tool", "sched_setscheduler", args{0, unix.SCHED_DEADLINE}, eperm},
		{"tool", "sched_setscheduler", args{77, unix.SCHED_NORMAL}, eperm},
		{"tool", "setpriority", args{unix.PRIO_PROCESS, 0, 19}, actAllow},
		{"tool", "setpriority", args{unix.PRIO_USER, 0, 19}, eperm},
		{"tool", "personality", args{0xffffffff}, actAllow},
		{"tool", "personality", args{0x400000}, eperm}, // READ_IMPLIES_EXEC
		{"tool", "fchmodat", args{0, 0, 0o755}, actAllow},
		{"tool", "fchmodat", args{0, 0, unix.S_ISUID | 0o755}, eperm},
		{"tool", "fchmodat2", args{0, 0, unix.S_ISGID | 0o755}, eperm},
		{"tool", "fchmod", args{0, unix.S_ISGID | 0o755}, eperm},
		{"tool", "openat", args{0, 0, unix.O_CREAT, 0o644}, actAllow},
		{"tool", "openat", args{0, 0, unix.O_CREAT, unix.S_ISUID | 0o755}, eperm},
		{"tool", "arch_prctl", args{0x1001}, eperm}, // ARCH_SET_GS
		{"tool", "setuid", args{}, eperm},
		{"tool", "mknodat", args{}, actKill},
		{"tool", "ptrace", args{}, actKill},
	} {
		spec, ok := workerspec.For(c.kind)
		if !ok {
			t.Fatalf("no kind %s", c.kind)
		}
		prog, err := strictFilter(spec, a, goldenSelf)
		if err != nil {
			t.Fatal(err)
		}
		number, ok := a.number[c.call]
		if !ok {
			// No list has such a call, and so neither has the table of names.
			number, ok = unlisted[c.call]
		}
		if !ok {
			continue // this processor has no such call
		}
		if got := interpret(t, prog, call64{number, a.audit, c.args}); got != c.want {
			t.Errorf("%s: %s%x: %s, want %s", c.kind, c.call, c.args, verdictName(got), verdictName(c.want))
		}
	}
}
