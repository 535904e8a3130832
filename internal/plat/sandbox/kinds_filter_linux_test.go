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
		{"pdf", "mprotect", args{0, 4096, unix.PROT_NONE}, actAllow},
		{"pdf", "mprotect", args{0, 4096, rw}, actAllow},
		{"pdf", "mprotect", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, eacces},
		{"pdf", "pkey_mprotect", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, eperm},
		{"pdf", "openat", args{}, eperm},
		{"plugin", "mmap", args{0, 4096, rw, private}, actAllow},
		{"plugin", "mmap", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC, private}, eacces},
		{"plugin", "mprotect", args{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, actAllow},
		{"plugin", "mprotect", args{0, 4096, unix.PROT_EXEC}, eacces},
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
		{"net", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_BINDTODEVICE}, eperm},
		{"net", "setsockopt", args{3, unix.IPPROTO_TCP, unix.TCP_ULP}, eperm},
		{"net", "setsockopt", args{3, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT}, eperm},
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
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER}, eperm},
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_ATTACH_BPF}, eperm},
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF}, eperm},
		{"tool", "setsockopt", args{3, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_EBPF}, eperm},
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
