package workerspec

// Op compares an argument of a system call.
type Op uint8

// The comparisons, on all 64 bits of an argument unless they say otherwise.
const (
	// Equal: argument == Value.
	Equal Op = iota + 1
	// Equal32: the low 32 bits are Value; for arguments that the kernel takes
	// as int, whose upper half is noise.
	Equal32
	// NoBits: argument & Value == 0.
	NoBits
	// Not32: the low 32 bits are anything but Value.
	Not32
	// Self: the low 32 bits are the worker's own process id.
	Self
	// IoctlType: bits 8 to 15 are Value, which is whose request of ioctl it is.
	IoctlType
)

// Cond is one condition on one argument, counted from 0.
type Cond struct {
	Arg   int
	Op    Op
	Value uint64
}

// Syscall is one entry of an allow-list.
type Syscall struct {
	Name string
	// Any lists alternatives, each a conjunction of conditions; none means
	// that the call is allowed whatever its arguments.
	Any [][]Cond
	// Refusal is the name of the errno for arguments that no alternative
	// takes; empty means EPERM.
	Refusal string
}

// Values of the kernel's interface that conditions name. They are the same on
// every architecture that Bailey supports; a test in package sandbox compares
// them with x/sys.
const (
	// CLONE_VM|FS|FILES|SIGHAND|SYSVSEM|THREAD is what the Go runtime passes,
	// exactly; on amd64 with CLONE_SETTLS.
	cloneThread    = 0x50f00
	cloneThreadTLS = 0xd0f00
	// The same with SETTLS, PARENT_SETTID and CHILD_CLEARTID is what glibc's
	// pthread_create passes where there is no clone3.
	cloneThreadGlibc = 0x3d0f00
	protRead         = 0x1
	protWrite        = 0x2
	protExec         = 0x4

	mapShared    = 0x1 // of MAP_SHARED_VALIDATE too
	mapAnonymous = 0x20
	mapGrowsdown = 0x100
	mapHugetlb   = 0x40000
	// What no worker maps: a stack that grows, which RLIMIT_DATA does not count, and
	// pages out of the system's pool of huge ones, which is everybody's.
	mapNever = mapGrowsdown | mapHugetlb

	madvMergeable  = 12
	pipeNotify     = 0x80 // O_NOTIFICATION_PIPE
	renameWhiteout = 4
	msgOOB         = 1
	// The sign of a clock's number: the clock of some process, or of a device.
	clockOfOther = 0x80000000

	// FUTEX_WAIT and so on; flags are PRIVATE (128) and CLOCK_REALTIME (256).
	futexWait       = 0
	futexWake       = 1
	futexRequeue    = 3
	futexCmpRequeue = 4
	futexWakeOp     = 5
	futexWaitBitset = 9
	futexPrivate    = 128
	futexRealtime   = 256
	fallocateFile   = 0 // with the file's size
	fallocateNoSize = 1 // FALLOC_FL_KEEP_SIZE
	fallocatePunch  = 3 // FALLOC_FL_PUNCH_HOLE, which keeps the size
	fallocateInsert = 0x20

	prGetDumpable = 3
	prSetDumpable = 4
	prSetName     = 15
	prSetNoNew    = 38
	prSetVMA      = 0x53564d41

	fDupfdCloexec = 1030
	fGetfd        = 1
	fSetfd        = 2
	fGetfl        = 3
	fSetfl        = 4
	fGetlk        = 5
	fSetlk        = 6
	fSetlkw       = 7

	// The same, of open file descriptions.
	fOfdGetlk  = 36
	fOfdSetlk  = 37
	fOfdSetlkw = 38

	fAddSeals = 1033
	fGetSeals = 1034

	oPath = 0x200000

	afUnix      = 1
	atEmptyPath = 0x1000
	// programFD is the descriptor from which a stub executes the program.
	programFD = 6

	ioctlTcgets   = 0x5401
	ioctlFionread = 0x541b
	ioctlFionbio  = 0x5421

	prioProcess = 0
	niceLowest  = 19

	// Of seccomp: a filter, and SECCOMP_FILTER_FLAG_TSYNC.
	seccompSetFilter  = 1
	seccompAllThreads = 1

	archSetFS = 0x1002
	// From asm/prctl.h and the processor's own numbers of its features.
	archReqXcompPerm = 0x1023
	xfeatureTileData = 18
)

func allow(names ...string) []Syscall {
	s := make([]Syscall, len(names))
	for i, n := range names {
		s[i].Name = n
	}
	return s
}

func when(name, refusal string, alternatives ...[]Cond) Syscall {
	return Syscall{Name: name, Any: alternatives, Refusal: refusal}
}

func join[T any](lists ...[]T) []T {
	var all []T
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// goRuntime is what a program that is Go alone needs for its runtime.
func goRuntime() []Syscall {
	return append(commonRuntime(),
		// Private memory, or a file that is shared. RLIMIT_DATA counts neither
		// what is shared and of no file, nor a stack that grows.
		when("mmap", "EACCES",
			[]Cond{{2, NoBits, protExec}, {3, NoBits, mapShared | mapNever}},
			[]Cond{{2, NoBits, protExec}, {3, NoBits, mapAnonymous | mapNever}}),
		when("clone", "EPERM", []Cond{{0, Equal, cloneThread}}, []Cond{{0, Equal, cloneThreadTLS}}),
		// Its own memory's alone: a shared one may be a lock of the person's programs,
		// in a file of the folder.
		when("futex", "ENOSYS", oneOf(1, futexWait|futexPrivate, futexWake|futexPrivate)...),
	)
}

// commonRuntime is what the Go runtime of this release calls after it has started:
// memory of its own without execution, threads but not processes, its own signals, time,
// its poller. Everything else is refused; numbers that this release does not
// know get ENOSYS, so that a later runtime falls back to an older call.
func commonRuntime() []Syscall {
	return append(allow(
		"brk", "munmap",
		"nanosleep", "gettimeofday", "time",
		"sched_yield", "getrandom", "restart_syscall",
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
		"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid",
		"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2",
		"exit", "exit_group",
	),
		// Pages that are merged with those of others tell by the time that a write takes
		// what the others hold.
		when("madvise", "EPERM", []Cond{{2, Not32, madvMergeable}}),
		when("pipe2", "EPERM", []Cond{{1, NoBits, pipeNotify}}),
		// No clock of another process, whose number the kernel asks nobody's leave for.
		when("clock_gettime", "EPERM", []Cond{{0, NoBits, clockOfOther}}),
		when("clock_getres", "EPERM", []Cond{{0, NoBits, clockOfOther}}),
		when("clock_nanosleep", "EPERM", []Cond{{0, NoBits, clockOfOther}}),
		// The same; ENOSYS is the refusal that the C library bears for a thread of its own.
		when("sched_getaffinity", "ENOSYS", []Cond{{0, Equal32, 0}}),
		// RLIMIT_DATA counts pages as long as they may be written: one that took memory,
		// wrote it and made it readable alone could take as much again. By mremap it could
		// make a stack grow, which the limit never counts.
		when("mprotect", "EACCES", []Cond{{2, Equal, protRead | protWrite}}),
		when("tgkill", "EPERM", []Cond{{0, Self, 0}}),
		// Reading a limit of its own; setting one, or another's, is refused.
		when("prlimit64", "EPERM", []Cond{{0, Equal32, 0}, {2, Equal, 0}}),
		when("prctl", "EPERM", ownProcess()...),
	)
}

// ownProcess are the uses of prctl that take nothing but from the caller.
func ownProcess() [][]Cond {
	return [][]Cond{
		{{0, Equal32, prSetVMA}},
		{{0, Equal32, prGetDumpable}},
		{{0, Equal32, prSetDumpable}, {1, Equal, 0}}}
}

// connection is what a worker does with the socket it was born with. It cannot
// make or accept another one. more are further uses of fcntl.
func connection(more ...[]Cond) []Syscall {
	return append(allow("read", "write", "readv", "writev", "close", "shutdown", "getsockname", "getpeername"),
		// SO_PEERPIDFD, among others, would hand over the core's process. x/sys asks for the
		// protocol of what it accepts.
		when("getsockopt", "EPERM", options(soType, soError, soProtocol)...),
		// Bytes out of band are in nobody's protocol, and were a way into the kernel.
		when("recvmsg", "EPERM", []Cond{{2, NoBits, msgOOB}}),
		when("sendmsg", "EPERM", []Cond{{2, NoBits, msgOOB}}),
		// F_SETOWN, F_SETSIG, F_SETLEASE, F_NOTIFY and the seals stay refused.
		when("fcntl", "EPERM", append([][]Cond{
			{{1, Equal32, fDupfdCloexec}}, {{1, Equal32, fGetfd}}, {{1, Equal32, fSetfd}},
			{{1, Equal32, fGetfl}}, {{1, Equal32, fSetfl}}}, more...)...),
	)
}

// locks are record locks, which SQLite takes on its files: of the open file, and
// those of the process on file systems that have no others.
func locks() [][]Cond {
	return [][]Cond{{{1, Equal32, fGetlk}}, {{1, Equal32, fSetlk}}, {{1, Equal32, fSetlkw}},
		{{1, Equal32, fOfdGetlk}}, {{1, Equal32, fOfdSetlk}}, {{1, Equal32, fOfdSetlkw}}}
}

// readFiles walks and reads what is mounted. What may be opened is decided by
// the mount namespace and Landlock; openat2 is refused with ENOSYS because its
// flags lie in memory that a filter cannot see.
func readFiles() []Syscall {
	return append(allow("pread64", "lseek", "fstat", "newfstatat", "statx", "lstat", "stat", "getdents64",
		"faccessat", "faccessat2", "access", "readlinkat", "readlink", "getcwd", "fadvise64"),
		// No file that it makes runs as its owner.
		when("openat", "EPERM", []Cond{{2, NoBits, oPath}, {3, NoBits, setIDs}}),
		// SQLite's own way.
		when("open", "EPERM", []Cond{{1, NoBits, oPath}, {2, NoBits, setIDs}}),
	)
}

// readDescriptor reads a file that was handed over.
func readDescriptor() []Syscall { return allow("pread64", "lseek", "fstat", "fadvise64") }

// writeFiles is what SQLite does in its own directory. Directories, modes,
// owners, times, extended attributes, hard and symbolic links, nodes: refused.
// So is flock, which would lock the files of the grant against their owner:
// fcntl locks for writing need a descriptor that may write.
func writeFiles() []Syscall {
	return append(allow("pwrite64", "ftruncate", "fsync", "fdatasync", "unlinkat", "unlink", "renameat", "rename"),
		// RENAME_WHITEOUT leaves a device node behind.
		when("renameat2", "EPERM", []Cond{{4, NoBits, renameWhiteout}}),
		// Room beyond a file's size is beyond RLIMIT_FSIZE too.
		when("fallocate", "EPERM", []Cond{{1, Equal32, fallocateFile}}),
	)
}

// nativeFutex is what the C library, C++'s and OpenMP's do. None asks for a lock that
// lends its holder a priority; those have been the way into the kernel most often.
func nativeFutex() Syscall {
	return when("futex", "ENOSYS", oneOf(1, futexWait, futexWake, futexWait|futexPrivate, futexWake|futexPrivate,
		futexRequeue|futexPrivate, futexCmpRequeue|futexPrivate, futexWakeOp|futexPrivate,
		futexWaitBitset, futexWaitBitset|futexPrivate, futexWaitBitset|futexRealtime, futexWaitBitset|futexPrivate|futexRealtime)...)
}

// Fatal are the calls that no worker has an honest reason for: the process is
// killed by SIGSYS, and its end is an event on the record.
func Fatal() []string {
	return []string{
		"mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
		"mount_setattr", "open_tree_attr", "open_by_handle_at", "name_to_handle_at", "unshare", "setns",
		"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "process_madvise",
		"mknod", "mknodat", "userfaultfd", "bpf", "perf_event_open",
		"add_key", "request_key", "keyctl",
		"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "syslog",
		"fanotify_init", "fanotify_mark", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd",
		"sethostname", "setdomainname", "clock_settime", "settimeofday", "clock_adjtime", "adjtimex",
		"iopl", "ioperm", "modify_ldt", "vhangup", "lookup_dcookie", "nfsservctl",
	}
}

// Nesting are those of [Fatal] that a host needs which makes sandboxes of its own:
// bubblewrap calls them.
func Nesting() []string {
	return []string{"mount", "umount2", "pivot_root", "unshare", "setns", "chroot", "sethostname"}
}

// Absent are calls that answer ENOSYS, as if the kernel had none, because
// well-made programs then fall back to a call that a filter can check.
func Absent() []string {
	return []string{"clone3", "openat2", "io_uring_setup", "io_uring_enter", "io_uring_register", "rseq", "close_range"}
}
