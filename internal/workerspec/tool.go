package workerspec

import "github.com/bailey-run/bailey/internal/limits"

// tool runs other people's programs: MCP servers, commands of an agent. They are
// linked to the system's libraries and start each other, so that its root has the
// system's directories, and its filter is a wide one, which every program that is
// started in it has too. What keeps them is that root, a network of its own with
// nobody in it, and that nothing it may call reaches past them.
func tool() Spec {
	return Spec{
		Kind:    "tool",
		Class:   Exec,
		Program: WorkerProgram,
		Mounts:  []Mount{folder("/grant"), folder("/grant2"), folder("/grant3"), folder("/grant4")},
		Surroundings: &Surroundings{
			System: []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
				"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime"},
			Scratch: []Scratch{{"/tmp", limits.ToolScratch}, {"/home", limits.ToolHome}, {"/dev/shm", limits.ToolHome}},
			Proc:    true,
		},
		Env:         []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", "HOME=/home", "TMPDIR=/tmp", "LANG=C.UTF-8"},
		Descriptors: standard(),
		Devices:     hostDevices(),
		Syscalls:    anyProgram(),
		Limits: Limits{
			OpenFiles: limits.ToolOpenFiles,
			FileSize:  limits.ToolFileSize,
			Processes: limits.ToolProcesses,
			Data:      limits.ToolMemory,
		},
		Methods:  workerMethods(),
		Required: Layers(),
		Probes: join([]Probe{
			probe("open /etc/passwd", "ENOENT"),
			probe("create in /", "EACCES", "EROFS"),
			probe("create in /usr", "EACCES", "EROFS"),
			probe("write /proc/self/oom_score_adj", "EROFS"),
			probe("shmget", "EPERM"),
			probe("limit another process", "EPERM"),
		}, underLandlock(false), makesNoSocket(), []Probe{
			probe("clone new user namespace", "EPERM"),
			probe("clone3", "ENOSYS"),
			probe("map a stack that grows", "EACCES"),
			probe("io_uring_setup", "ENOSYS"),
			probe("clear parent-death signal", "EPERM"),
			probe("become dumpable", "EPERM"),
			probe("set the user id", "EPERM"),
			probe("install a seccomp listener", "EPERM"),
			probe("push input to a terminal", "EPERM"),
			probe("connect", "EPERM"),
			probe("make a set-id file", "EPERM"),
			probe("unknown call 600", "ENOSYS"),
		}),
		Reserved: true,
	}
}

// folder is a person's directory in a tool's root, whose programs may be executed.
func folder(target string) Mount {
	return Mount{Target: target, Write: true, Choice: true, Run: true, Optional: true}
}

// anyProgram is what ordinary programs call, from shells to compilers and Node.
// What is left out: every socket but pairs (a socket has names, in the folder too,
// where somebody outside listens), all that changes who somebody is, every other
// kind of namespace, System V's and POSIX's message queues and memory, and what is
// about another process than the caller and is no signal. A number that is given
// where a process is meant is the caller's own, 0: in a pid namespace of its own
// there is nobody else to reach, and where that is missing this still holds.
func anyProgram() []Syscall {
	return join(allow(anyCalls()...), []Syscall{
		when("mmap", "EACCES", []Cond{{3, NoBits, mapNever}}),
		when("memfd_create", "EPERM", []Cond{{1, NoBits, mfdHugetlb}}),
		when("madvise", "EPERM", []Cond{{2, Not32, madvMergeable}}),
		when("pipe2", "EPERM", []Cond{{1, NoBits, pipeNotify}}),
		when("clone", "EPERM", []Cond{{0, NoBits, cloneNamespaces}}),
		Pairs(),
		// A filter in the kernel is code of the caller's, and with SO_PASSPIDFD each
		// message brings the descriptor of who sent it.
		when("setsockopt", "EPERM", []Cond{{1, Equal32, solSocket}, {2, Not32, soAttachFilter}, {2, Not32, soAttachBPF},
			{2, Not32, soAttachReuseportCBPF}, {2, Not32, soAttachReuseportEBPF}, {2, Not32, soPassPIDFD}}),
		// Of its peer no more than who it is: not a hold on its process.
		when("getsockopt", "EPERM", options(soType, soError, soSndbuf, soRcvbuf, soPasscred, soPeercred, soRcvtimeo, soSndtimeo, soAcceptconn, soProtocol, soDomain)...),
		// To an address only what is connected already, which is a pair.
		when("sendto", "EPERM", []Cond{{4, Equal, 0}, {3, NoBits, msgOOB}}),
		when("sendmsg", "EPERM", []Cond{{2, NoBits, msgOOB}}),
		when("sendmmsg", "EPERM", []Cond{{3, NoBits, msgOOB}}),
		when("recvfrom", "EPERM", []Cond{{3, NoBits, msgOOB}}),
		when("recvmsg", "EPERM", []Cond{{2, NoBits, msgOOB}}),
		when("recvmmsg", "EPERM", []Cond{{3, NoBits, msgOOB}}),
		when("ioctl", "EPERM", oneOf(1, ioctlTcgets, ioctlTiocgpgrp, ioctlTiocgwinsz, ioctlFionread, ioctlFionbio, ioctlFioclex, ioctlFionclex)...),
		// Who is told when something happens to a descriptor, a lease on a person's file
		// or its directory, and the size of a pipe, which is counted for the person, are
		// not a tool's to decide; and what a later kernel adds is not either.
		when("fcntl", "EPERM", oneOf(1, fDupfd, fGetfd, fSetfd, fGetfl, fSetfl, fGetlk, fSetlk, fSetlkw, fGetown, fGetsig,
			fOfdGetlk, fOfdSetlk, fOfdSetlkw, fDupfdQuery, fCreatedQuery, fDupfdCloexec, fGetpipeSize, fAddSeals, fGetSeals)...),
		when("renameat2", "EPERM", []Cond{{4, NoBits, renameWhiteout}}),
		// Room beyond a file's size is beyond RLIMIT_FSIZE too: to keep the size is for
		// what gives room back. FALLOC_FL_INSERT_RANGE makes a file longer without being
		// asked for that limit.
		when("fallocate", "EPERM", []Cond{{1, NoBits, fallocateNoSize | fallocateInsert}}, []Cond{{1, Equal32, fallocatePunch}}),
		when("prctl", "EPERM", append(ownProcess(), append(
			oneOf(0, prGetPdeathsig, prSetName, prGetName, prGetSeccomp, prCapbsetRead, prGetSecurebits, prSetTimerslack, prGetTimerslack,
				prSetSubreaper, prGetSubreaper, prSetNoNew, prGetNoNew, prSetTHP, prGetTHP, prSetMDWE, prGetMDWE),
			// The end of the core is the end of the first program; of others their
			// parents decide, but nobody may take it back.
			[]Cond{{0, Equal32, prSetPdeathsig}, {1, Equal, sigKill}})...)...),
		when("personality", "EPERM", []Cond{{0, Equal32, personalityQuery}}, []Cond{{0, Equal32, 0}}),
		when("arch_prctl", "EPERM", []Cond{{0, Equal32, archSetFS}}, []Cond{{0, Equal32, archGetFS}}, []Cond{{0, Equal32, archReqXcompPerm}, {1, Equal, xfeatureTileData}}),
		when("prlimit64", "EPERM", []Cond{{0, Equal32, 0}}),
		when("setpriority", "EPERM", []Cond{{0, Equal32, prioProcess}, {1, Equal32, 0}}),
		when("sched_setaffinity", "EPERM", []Cond{{0, Equal32, 0}}),
		// In real time a program gives its processor to nobody.
		when("sched_setscheduler", "EPERM", []Cond{{0, Equal32, 0}, {1, Equal32, schedOther}}, []Cond{{0, Equal32, 0}, {1, Equal32, schedBatch}}, []Cond{{0, Equal32, 0}, {1, Equal32, schedIdle}}),
		when("sched_setparam", "EPERM", []Cond{{0, Equal32, 0}}),
		// A program that runs as its owner, whoever starts it, would outlive the tool
		// in the person's folder.
		when("chmod", "EPERM", []Cond{{1, NoBits, setIDs}}),
		when("fchmod", "EPERM", []Cond{{1, NoBits, setIDs}}),
		when("fchmodat", "EPERM", []Cond{{2, NoBits, setIDs}}),
		when("fchmodat2", "EPERM", []Cond{{2, NoBits, setIDs}}),
		when("open", "EPERM", []Cond{{2, NoBits, setIDs}}),
		when("creat", "EPERM", []Cond{{1, NoBits, setIDs}}),
		when("openat", "EPERM", []Cond{{3, NoBits, setIDs}}),
	})
}

func anyCalls() []string {
	return []string{
		// Processes and threads.
		"fork", "vfork", "execve", "execveat", "wait4", "waitid", "exit", "exit_group", "set_tid_address", "set_robust_list", "get_robust_list",
		"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "capget",
		"getpgid", "getpgrp", "getsid", "setpgid", "setsid", "umask", "uname", "sysinfo", "getrusage", "times", "getcpu", "membarrier",
		"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal",
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "signalfd", "signalfd4", "pause",
		"getrlimit", "setrlimit", "getpriority", "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_getattr",
		"sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval", "ioprio_get", "restart_syscall",
		// Time.
		"nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time", "alarm", "getitimer", "setitimer",
		"timer_create", "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete", "timerfd_create", "timerfd_settime", "timerfd_gettime",
		// Memory.
		"brk", "munmap", "mremap", "mprotect", "pkey_mprotect", "pkey_alloc", "pkey_free", "msync", "mincore",
		"mlock", "mlock2", "munlock", "mlockall", "munlockall", "get_mempolicy", "getrandom",
		// Waiting, and words between processes of its own.
		"futex", "futex_waitv", "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
		"eventfd", "eventfd2", "pipe", "shutdown",
		"getsockname", "getpeername",
		// Files.
		"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "lseek", "close", "dup", "dup2", "dup3",
		"stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2", "getdents", "getdents64",
		"getcwd", "chdir", "fchdir", "readlink", "readlinkat", "rename", "renameat", "mkdir", "mkdirat", "rmdir",
		"link", "linkat", "unlink", "unlinkat", "symlink", "symlinkat", "chown", "fchown", "lchown", "fchownat",
		"utime", "utimes", "futimesat", "utimensat", "truncate", "ftruncate", "fsync", "fdatasync", "sync_file_range",
		"flock", "fadvise64", "readahead", "sendfile", "splice", "tee", "copy_file_range",
		"getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr", "setxattr", "lsetxattr", "fsetxattr",
		"removexattr", "lremovexattr", "fremovexattr", "inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
		// It may confine its own programs further.
		"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
	}
}

// oneOf are alternatives in which one argument is one of some values.
func oneOf(arg int, values ...uint64) [][]Cond {
	var any [][]Cond
	for _, v := range values {
		any = append(any, []Cond{{arg, Equal32, v}})
	}
	return any
}

// options are those of a socket of any family.
func options(names ...uint64) [][]Cond {
	var any [][]Cond
	for _, n := range names {
		any = append(any, []Cond{{1, Equal32, solSocket}, {2, Equal32, n}})
	}
	return any
}

// Pairs lets pairs of sockets be made that send to nobody but each other. One of
// datagrams could send to any name, which lies in memory. What makes no socket of
// its own may make no others from its start on; most kinds end with none at all.
func Pairs() Syscall {
	var any [][]Cond
	for _, typ := range []uint64{sockStream, sockSeqpack} {
		for _, flags := range []uint64{0, sockCloexec, sockNonblock, sockCloexec | sockNonblock} {
			any = append(any, []Cond{{0, Equal32, afUnix}, {1, Equal32, typ | flags}})
		}
	}
	return when("socketpair", "EPERM", any...)
}

// Of the kernel's interface. A test in package sandbox compares them with x/sys.
const (
	// Every CLONE_NEW*: time, mount, cgroup, uts, ipc, user, pid, net.
	cloneNamespaces  = 0x7e020080
	personalityQuery = 0xffffffff
	setIDs           = 0o6000
	sigKill          = 9

	soAttachFilter        = 26
	soAttachBPF           = 50
	soAttachReuseportCBPF = 51
	soAttachReuseportEBPF = 52

	ioctlTiocgpgrp  = 0x540f
	ioctlTiocgwinsz = 0x5413
	ioctlFionclex   = 0x5450
	ioctlFioclex    = 0x5451

	soPasscred   = 16
	soPeercred   = 17
	soRcvtimeo   = 20
	soSndtimeo   = 21
	soAcceptconn = 30
	soProtocol   = 38
	soDomain     = 39
	soPassPIDFD  = 76

	fDupfd        = 0
	fGetown       = 9
	fGetsig       = 11
	fDupfdQuery   = 1027
	fCreatedQuery = 1028
	fGetpipeSize  = 1032

	mfdHugetlb = 4

	schedOther = 0
	schedBatch = 3
	schedIdle  = 5

	archGetFS = 0x1003

	prSetPdeathsig  = 1
	prGetPdeathsig  = 2
	prGetName       = 16
	prGetSeccomp    = 21
	prCapbsetRead   = 23
	prGetSecurebits = 27
	prSetTimerslack = 29
	prGetTimerslack = 30
	prSetSubreaper  = 36
	prGetSubreaper  = 37
	prGetNoNew      = 39
	prSetTHP        = 41
	prGetTHP        = 42
	prSetMDWE       = 65
	prGetMDWE       = 66
)
