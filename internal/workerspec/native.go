package workerspec

// nativeRuntime is what a program of Go and of C and C++ libraries needs once
// the libraries are loaded and the model is a descriptor. Nothing can be opened
// any more, no page becomes executable, and no shared page can be written.
func nativeRuntime() []Syscall {
	return join(commonRuntime(), connection(), readDescriptor(), allow(
		// glibc: the start of a thread, and fstat.
		"set_robust_list", "newfstatat",
		// The library's log of what it took, and its choice of threads.
		"getrusage", "sysinfo",
	), []Syscall{
		// Private memory, or a file that is shared for reading: the weights.
		when("mmap", "EACCES",
			[]Cond{{2, NoBits, protExec}, {3, NoBits, mapShared | mapGrowsdown}},
			[]Cond{{2, NoBits, protExec | protWrite}, {3, NoBits, mapAnonymous | mapGrowsdown}}),
		// Every thread is made by glibc, those of the Go runtime too.
		when("clone", "EPERM", []Cond{{0, Equal, cloneThreadGlibc}}),
	})
}
