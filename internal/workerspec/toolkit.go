package workerspec

import "slices"

// libraryProgram is what a program of the system's libraries calls from its first
// instruction to its last, whatever it is for. Unlike a worker's list it is on
// before the program is, which loads its libraries late and at all times (input
// methods, image formats): pages may become executable, though never while they can
// be written. Which files it opens, and that it executes none, is Landlock's.
func libraryProgram() []Syscall {
	calls := join(commonRuntime(), readFiles(), allow(
		"mremap", "read", "write", "readv", "writev", "close", "shutdown",
		"recvmsg", "sendmsg", "connect", "getsockopt", "getsockname", "getpeername",
		"poll", "ppoll", "futex",
		// The start of a process and of threads, by glibc and GLib.
		"set_tid_address", "set_robust_list", "sched_getattr", "sched_setattr", "uname", "sysinfo", "getrusage",
		"getresuid", "getresgid", "getgroups", "getpgrp", "statfs",
	), []Syscall{
		when("mmap", "EACCES",
			[]Cond{{2, NoBits, protExec}, {3, NoBits, mapGrowsdown}},
			[]Cond{{2, NoBits, protWrite}, {3, NoBits, mapShared | mapGrowsdown}}),
		when("clone", "EPERM", []Cond{{0, Equal, cloneThreadGlibc}}),
		when("socket", "EAFNOSUPPORT", []Cond{{0, Equal32, afUnix}}),
		when("ioctl", "EPERM", []Cond{{1, Equal32, ioctlTcgets}}, []Cond{{1, Equal32, ioctlFionread}}, []Cond{{1, Equal32, ioctlFionbio}}),
		when("fcntl", "EPERM",
			[]Cond{{1, Equal32, fDupfdCloexec}}, []Cond{{1, Equal32, fGetfd}}, []Cond{{1, Equal32, fSetfd}},
			[]Cond{{1, Equal32, fGetfl}}, []Cond{{1, Equal32, fSetfl}},
			[]Cond{{1, Equal32, fAddSeals}}, []Cond{{1, Equal32, fGetSeals}}),
		when("arch_prctl", "EPERM", []Cond{{0, Equal32, archSetFS}}),
		// The stub's last call, on the program that it holds.
		when("execveat", "EPERM", []Cond{{0, Equal32, programFD}, {4, Equal32, atEmptyPath}}),
	})
	at := func(name string) int {
		return slices.IndexFunc(calls, func(c Syscall) bool { return c.Name == name })
	}
	// A loader makes what it has bound readable alone.
	calls[at("mprotect")] = when("mprotect", "EACCES", []Cond{{2, NoBits, protExec}})
	// Names of threads, and that it is as confined as it is already.
	calls[at("prctl")] = when("prctl", "EPERM", append(ownProcess(), []Cond{{0, Equal32, prSetName}}, []Cond{{0, Equal32, prSetNoNew}})...)
	return calls
}

// toolkit is what a program on GTK calls, as it was seen of live prompts and
// pickers, on X11 and on Wayland, under a screen reader and the keyboard.
func toolkit() []Syscall {
	return join(libraryProgram(), allow(
		"dup", "recvfrom", "sendto", "setsockopt", "select", "pselect6",
		// Folders are watched while they are shown.
		"fstatfs", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
		// Pictures are handed to a compositor in memory.
		"memfd_create", "ftruncate", "fallocate",
		// What a toolkit wants to remember goes with the process.
		"mkdir", "unlink", "rename",
		"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
	), []Syscall{
		// By which it gives up sockets and programs, for all of its threads.
		when("seccomp", "EPERM", []Cond{{0, Equal32, seccompSetFilter}, {1, Equal32, seccompAllThreads}}),
	})
}

// busProxy is what xdg-dbus-proxy calls, as it was seen: it listens on one socket,
// in the place of an older one, and carries messages between what connects there and
// a bus.
func busProxy() []Syscall {
	return join(libraryProgram(), allow("bind", "listen", "accept", "accept4", "unlink", "unlinkat"), []Syscall{
		when("setsockopt", "EPERM", options(soReuseaddr, soKeepalive, soPasscred)...),
	})
}
