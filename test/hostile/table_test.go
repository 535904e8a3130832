//go:build linux

package hostile

import (
	"slices"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// A row is one escape attempt, with what the whole sandbox must answer and the
// control run that shows that the attack works where the sandbox does not stop
// it.
type row struct {
	// id is the row of the table of escape attempts, or K6, or X for the known
	// escapes.
	id     string
	attack string
	// want lists the accepted answers: errno names, or SIGSYS for a worker
	// that is killed for the call.
	want []string
	// control is the mode of the control run: bare when empty.
	control string
	// reaches is the errno that the control run gets instead of success, for
	// calls that this kernel or this caller cannot complete: it shows that the
	// call got through to the kernel.
	reaches string
	// rootReaches is the same for a control run of root's, whose mounts are its
	// own so that nothing of the machine is changed.
	rootReaches string
	// rootControl says that only root can show the attack.
	rootControl bool
	// got is the evidence that the control run must bring back.
	got string
	// byPath says that the attack names a file: a worker that opens nothing is
	// refused the call before the name is looked at.
	byPath bool
	// only restricts the row to some kinds of worker; nil means all.
	only func(workerspec.Spec) bool
	// oddDescriptors says that the attack needs descriptors that differ from
	// the declared ones, so that the posture is not judged.
	oddDescriptors bool
}

const killed = "SIGSYS"

// inside leaves everything away but the namespaces, so that an attack which
// would change the machine succeeds in a world of its own.
const inside = "without:" + string(workerspec.Landlock) + "," + string(workerspec.NoCapabilities) + "," +
	string(workerspec.SeccompCompat) + "," + string(workerspec.SeccompStrict)

// strictOff leaves the allow-list away: what an engine could do while it loaded
// its libraries.
const strictOff = "without:" + string(workerspec.SeccompStrict)

// insideRead is the same for calls that the strict filter and Landlock alone
// would stop before the mount does.
const insideRead = "without:" + string(workerspec.Landlock) + "," + string(workerspec.SeccompStrict)

func one(s string) []string { return []string{s} }

// Which kinds a row speaks of.

func granted(s workerspec.Spec) bool { return s.Grant() >= 0 }
func native(s workerspec.Spec) bool  { return s.Class == workerspec.Engine }
func opens(s workerspec.Spec) bool {
	return slices.ContainsFunc(s.Syscalls, func(c workerspec.Syscall) bool { return c.Name == "openat" })
}
func handed(s workerspec.Spec) bool { return !opens(s) }

// accepts lists what the whole sandbox of a kind may answer.
func (r row) accepts(s workerspec.Spec) []string {
	if r.byPath && !opens(s) {
		// Where a file may be looked up and not opened, there is none.
		return []string{"EPERM", "ENOENT"}
	}
	return r.want
}

// controlled says whether a control run shows something for the kind. What
// mounts something needs a place for it.
func (r row) controlled(s workerspec.Spec, root bool) bool {
	if r.attack == "chroot" && !granted(s) {
		// Who is not called root inside has the two powers of a stub alone.
		return false
	}
	return (root || !r.rootControl) && (r.control != inside || len(s.Mounts) > 0)
}

func rows() []row {
	return []row{
		{id: "1", attack: "read /etc/passwd", byPath: true, want: one("ENOENT"), got: "root:"},
		{id: "1", attack: "read secret", byPath: true, want: one("ENOENT"), got: "secret"},
		{id: "2", attack: "truncate outside", want: one("EPERM")},
		// By path the file is not there; a filter that let no stat pass would
		// say EPERM, and SQLite would not work.
		{id: "3", attack: "stat outside", byPath: true, want: one("ENOENT")},
		{id: "4", attack: "chmod outside", want: one("EPERM")},
		{id: "5", attack: "utimensat outside", want: one("EPERM")},
		{id: "6", attack: "create outside", byPath: true, want: one("ENOENT")},
		{id: "7", attack: "symlink out", only: granted, want: one("ENOENT"), got: "secret"},
		// The worker opens the directory itself, inside its root: above it is
		// nothing. A descriptor from outside would lead to the host.
		{id: "8", attack: "dotdot by dirfd", only: granted, want: []string{"ENOENT", "EACCES"}},
		{id: "8", attack: "dotdot by path", only: granted, want: one("ENOENT"), got: "secret"},
		{id: "11", attack: "dotdot by fchdir", only: granted, want: one("EPERM")},
		{id: "12", attack: "leaked descriptor", want: one("EBADF")},
		{id: "13", attack: "hard link into", want: one("EPERM")},
		{id: "14", attack: "rename out", want: []string{"ENOENT", "EPERM"}},
		{id: "15", attack: "mknod", want: one(killed), rootControl: true},
		{id: "16", attack: "mkfifo", want: one(killed)},
		{id: "17", attack: "set-id bit", want: one("EPERM")},
		{id: "18", attack: "open by handle", want: one(killed), reaches: "ESTALE", rootControl: true},
		{id: "19", attack: "mount", want: one(killed), control: inside},
		{id: "20", attack: "umount", want: one(killed), control: inside},
		{id: "21", attack: "chroot", want: one(killed), control: inside, rootControl: true},
		{id: "21", attack: "open_tree", want: one(killed), control: inside},
		{id: "22", attack: "new user namespace", want: one("EPERM")},
		{id: "23", attack: "clone3", want: one("ENOSYS"), reaches: "EINVAL"},
		{id: "24", attack: "fork", want: one("EPERM")},
		{id: "25", attack: "unshare", want: one(killed), control: inside},
		{id: "25", attack: "setns", want: one(killed), reaches: "EINVAL"},
		{id: "26", attack: "execve", want: one("EPERM"), got: "owned", oddDescriptors: true},
		{id: "27", attack: "memfd exec", want: one("EPERM"), got: "owned", control: strictOff + "," + string(workerspec.ResourceLimits)},
		{id: "28", attack: "writable to executable", want: one("EACCES")},
		{id: "28", attack: "map executable", want: one("EACCES")},
		{id: "28", attack: "pkey_mprotect", want: one("EPERM")},
		{id: "30", attack: "personality", want: one("EPERM")},
		{id: "31", attack: "int80", want: one(killed)},
		{id: "32", attack: "x32", want: one(killed), reaches: "ENOSYS"},
		{id: "33", attack: "unknown call", want: one("ENOSYS"), reaches: "ENOSYS"},
		{id: "34", attack: "kill core", want: one("EPERM")},
		{id: "34", attack: "tgkill core", want: one("EPERM")},
		{id: "35", attack: "ptrace core", want: one(killed)},
		{id: "35", attack: "read core's memory", want: one(killed)},
		{id: "36", attack: "pidfd_open core", want: one("EPERM")},
		{id: "37", attack: "prlimit core", want: one("EPERM")},
		{id: "38", attack: "core's mem", byPath: true, want: one("ENOENT")},
		{id: "38", attack: "core's environ", byPath: true, want: one("ENOENT"), got: "HOSTILE_SECRET"},
		{id: "38", attack: "core's root", byPath: true, want: one("ENOENT"), got: "root:"},
		// Not in the table: what Landlock alone stops, to show that it is on.
		{id: "X", attack: "list root", want: one("EACCES"), control: "without:" + string(workerspec.Landlock), only: opens},
		{id: "X", attack: "list root before the seal", want: one("EACCES"), control: "without:" + string(workerspec.Landlock)},
		{id: "39", attack: "own binary", byPath: true, want: one("ENOENT")},
		{id: "40", attack: "oom score", byPath: true, want: one("ENOENT")},
		{id: "41", attack: "tcp connect", want: one("EPERM")},
		{id: "42", attack: "mptcp connect", want: one("EPERM")},
		{id: "43", attack: "udp connect", want: one("EPERM")},
		{id: "44", attack: "tcp listen", want: one("EPERM")},
		{id: "45", attack: "listen without bind", want: one("EPERM")},
		{id: "46", attack: "tcp fast open", want: one("EPERM")},
		{id: "47", attack: "raw icmp", want: one("EPERM"), rootControl: true},
		{id: "47", attack: "packet", want: one("EPERM"), rootControl: true},
		{id: "48", attack: "netlink", want: one("EPERM")},
		{id: "48", attack: "uevent", want: one("EPERM")},
		{id: "49", attack: "vsock", want: one("EPERM")},
		{id: "50", attack: "alg", want: one("EPERM"), reaches: "EAFNOSUPPORT"},
		{id: "51", attack: "abstract unix", want: one("EPERM")},
		{id: "52", attack: "unix outside", want: one("EPERM")},
		{id: "53", attack: "unix inside", want: one("EPERM")},
		{id: "54", attack: "io_uring", want: one("ENOSYS")},
		{id: "55", attack: "userfaultfd", want: one(killed)},
		{id: "56", attack: "bpf", want: one(killed), reaches: "EINVAL", rootControl: true},
		{id: "56", attack: "perf_event_open", want: one(killed), reaches: "EFAULT"},
		{id: "57", attack: "add_key", want: one(killed)},
		{id: "57", attack: "keyctl", want: one(killed)},
		{id: "58", attack: "shmget", want: one("EPERM")},
		{id: "59", attack: "kernel log", want: one(killed), rootControl: true},
		{id: "60", attack: "fanotify", want: one(killed)},
		{id: "61", attack: "inotify", want: one("EPERM")},
		{id: "62", attack: "clear pdeathsig", want: one("EPERM")},
		{id: "62", attack: "become dumpable", want: one("EPERM")},
		{id: "63", attack: "setuid", want: one("EPERM")},
		{id: "63", attack: "set capabilities", want: one("EPERM")},
		{id: "64", attack: "push terminal input", want: one("EPERM"), oddDescriptors: true},
		{id: "65", attack: "seccomp listener", want: one("EPERM")},
		{id: "66", attack: "many descriptors", want: one("EMFILE")},
		{id: "67", attack: "huge file", want: one("EFBIG"), only: opens, control: "without:" + string(workerspec.ResourceLimits)},
		{id: "68", attack: "host name", want: one(killed), control: inside},
		{id: "69", attack: "memory bomb", want: one("ENOMEM"), control: "without:" + string(workerspec.ResourceLimits)},
		// What RLIMIT_DATA does not count: the controls show that the limit alone
		// lets them.
		{id: "69", attack: "shared memory bomb", want: one("EACCES"), control: "without:" + string(workerspec.SeccompStrict)},
		{id: "69", attack: "stack bomb", want: one("EACCES"), control: "without:" + string(workerspec.SeccompStrict)},
		{id: "X", attack: "shut directory", want: one("EPERM")},
		{id: "X", attack: "lock grant", want: one("EPERM"), only: granted},
		{id: "88", attack: "thread before seal", want: one("EPERM")},
		{id: "K6", attack: "k6 reopen", only: granted, want: one("ENOENT")},
		{id: "K6", attack: "k6 open for writing", only: granted, want: []string{"EROFS", "EACCES"}},
		{id: "K6", attack: "k6 fchmod", only: granted, want: one("EPERM")},
		{id: "K6", attack: "k6 futimens", only: granted, want: one("EPERM")},
		{id: "K6", attack: "k6 utimensat", only: granted, want: one("EPERM")},
		{id: "K6", attack: "k6 fsetxattr", only: granted, want: one("EPERM")},
		// On a descriptor that was opened for reading the kernel itself refuses
		// these; the control run has one for writing.
		{id: "K6", attack: "k6 ftruncate", only: granted, want: []string{"EINVAL", "EBADF"}},
		{id: "K6", attack: "k6 fallocate", only: granted, want: one("EBADF")},
		{id: "K6", attack: "k6 shared map", only: granted, want: one("EACCES")},
		{id: "K6", attack: "k6 linkat", only: granted, want: one("EPERM")},
		{id: "K6", attack: "k6 unlink", only: granted, want: []string{"EROFS", "EACCES"}},
		// The model is handed over for reading. Its mount is the host's, so that
		// the filter alone stands before its mode, times and attributes.
		{id: "K6", attack: "model write", want: one("EBADF"), only: handed},
		{id: "K6", attack: "model reopen", want: one("EPERM"), only: handed},
		{id: "K6", attack: "model fchmod", want: one("EPERM"), only: handed},
		{id: "K6", attack: "model fchown", want: one("EPERM"), only: handed},
		{id: "K6", attack: "model futimens", want: one("EPERM"), only: handed},
		{id: "K6", attack: "model fsetxattr", want: one("EPERM"), only: handed},
		{id: "K6", attack: "model ftruncate", want: one("EPERM"), only: handed},
		{id: "K6", attack: "model fallocate", want: one("EPERM"), only: handed},
		{id: "K6", attack: "model lock", want: one("EPERM"), only: handed},
		{id: "K6", attack: "model flock", want: one("EPERM"), only: handed},
		{id: "K6", attack: "model ioctl", want: one("EPERM"), only: handed},
		{id: "K6", attack: "model linkat", want: one("EPERM"), only: handed, rootReaches: "EXDEV"},
		{id: "K6", attack: "model shared map", want: one("EACCES"), only: handed},
		{id: "K6", attack: "model executable map", want: one("EACCES"), only: handed},
		// What an engine is made of.
		{id: "E", attack: "open library", want: one("EPERM"), only: native, control: strictOff},
		{id: "E", attack: "open engine", want: one("EPERM"), only: native, control: strictOff},
		{id: "E", attack: "write library", want: one("EPERM"), only: native, control: insideRead, reaches: "EROFS"},
		{id: "E", attack: "map library executable", want: one("EACCES"), only: native, control: strictOff, oddDescriptors: true},
		{id: "E", attack: "dlopen", want: one("EPERM"), only: native, control: strictOff},
		{id: "E", attack: "system()", want: one("EPERM"), only: native},
	}
}

// outside are the attacks that reach something outside the worker: a file of
// the user's, another process, the network, a socket of the host.
func outside() []string {
	return []string{"read /etc/passwd", "read secret", "truncate outside", "stat outside", "chmod outside", "utimensat outside",
		"create outside", "symlink out", "dotdot by dirfd", "dotdot by path", "dotdot by fchdir", "leaked descriptor", "hard link into",
		"rename out", "kill core", "tgkill core", "ptrace core", "read core's memory", "pidfd_open core", "prlimit core", "core's mem",
		"core's environ", "core's root", "own binary", "tcp connect", "mptcp connect", "udp connect", "tcp fast open", "abstract unix",
		"unix outside", "inotify", "push terminal input", "k6 open for writing", "k6 reopen", "k6 fchmod", "k6 utimensat", "k6 unlink"}
}

// spare are the layers that can be left out one by one.
func spare() []workerspec.Layer {
	return []workerspec.Layer{workerspec.Landlock, workerspec.SeccompStrict, workerspec.SeccompCompat, workerspec.NetNamespace,
		workerspec.PIDNamespace, workerspec.IPCNamespace, workerspec.ResourceLimits, workerspec.ParentDeath}
}
