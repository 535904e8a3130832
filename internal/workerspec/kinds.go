package workerspec

import "github.com/bailey-run/bailey/internal/limits"

// workerMethods are the calls of bailey.worker.v1, which every worker answers.
func workerMethods() []uint32 { return []uint32{901, 902, 903, 904, 905} }

// standard are the descriptors of every worker.
func standard() []Descriptor {
	return []Descriptor{
		{0, "/dev/null", "standard input: nothing"},
		{1, "/dev/null", "standard output: nowhere"},
		{2, "pipe:", "messages for the core's bounded ring"},
		{3, "socket:", "the one connection to the core"},
	}
}

// index reads a folder, and keeps what it found in a database of its own.
func index() Spec {
	return Spec{
		Kind:        "index",
		Class:       Plain,
		Mounts:      []Mount{{Target: "/grant"}, {Target: "/db", Write: true, Own: true}},
		Descriptors: standard(),
		Syscalls:    join(goRuntime(), connection(), readFiles(), writeFiles()),
		Limits: Limits{
			OpenFiles: limits.WorkerOpenFiles,
			FileSize:  limits.IndexFileSize,
			Processes: limits.WorkerThreads,
			Data:      limits.IndexMemory,
		},
		Methods:  append(workerMethods(), 401, 402),
		Required: Layers(),
		Probes:   plainProbes(),
	}
}

// plainProbes are what a plain worker without devices and sockets must be
// refused. None may be answered by the worker's death.
func plainProbes() []Probe {
	return []Probe{
		{"open /etc/passwd", []string{"ENOENT"}},
		{"open /proc/self/mem", []string{"ENOENT"}},
		{"open /grant/../etc", []string{"ENOENT"}},
		{"open /grant for writing", []string{"EACCES", "EROFS"}},
		{"create in /grant", []string{"EACCES", "EROFS"}},
		{"create in /", []string{"EACCES", "EROFS"}},
		// Mounts and filters let this pass: Landlock alone refuses it.
		{"list /", []string{"EACCES"}},
		{"link out of /grant", []string{"EPERM"}},
		{"chmod /grant", []string{"EPERM"}},
		{"chdir /", []string{"EPERM"}},
		{"make a directory in /db", []string{"EPERM"}},
		{"lock /grant", []string{"EPERM"}},
		{"socket AF_INET", []string{"EPERM"}},
		{"socket MPTCP", []string{"EPERM"}},
		{"socket AF_UNIX", []string{"EPERM"}},
		{"socket AF_NETLINK", []string{"EPERM"}},
		{"fork", []string{"EPERM"}},
		{"clone new user namespace", []string{"EPERM"}},
		{"clone3", []string{"ENOSYS"}},
		{"execve", []string{"EPERM"}},
		{"memfd_create", []string{"EPERM"}},
		{"map writable and executable", []string{"EACCES"}},
		{"make a page executable", []string{"EACCES"}},
		{"map memory that is shared", []string{"EACCES"}},
		{"map a stack that grows", []string{"EACCES"}},
		{"io_uring_setup", []string{"ENOSYS"}},
		{"signal the parent", []string{"EPERM"}},
		{"clear parent-death signal", []string{"EPERM"}},
		{"become dumpable", []string{"EPERM"}},
		{"become root", []string{"EPERM"}},
		{"install a seccomp listener", []string{"EPERM"}},
		{"push input to a terminal", []string{"EPERM"}},
		{"unknown call 600", []string{"ENOSYS"}},
	}
}
