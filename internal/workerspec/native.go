package workerspec

// nativeRuntime is what a program of Go and of C and C++ libraries needs once
// the libraries are loaded and the model is a descriptor: each call was seen on
// a live engine that loaded, wrote and embedded. Nothing can be opened any more,
// no page becomes executable, and no shared page can be written. What they ask
// for besides is clone3 and rseq, and they do without.
func nativeRuntime() []Syscall {
	return join(commonRuntime(), connection(), readDescriptor(), allow(
		// glibc: the start of a thread, and fstat.
		"set_robust_list", "newfstatat",
		// A stream on a second descriptor of the model, whose end closes that one.
		"dup",
		// How much memory there is and was taken: told in the statistics.
		"getrusage", "sysinfo",
	), []Syscall{
		// Private memory, or a file that is shared for reading: the weights.
		when("mmap", "EACCES",
			[]Cond{{2, NoBits, protExec}, {3, NoBits, mapShared | mapNever}},
			[]Cond{{2, NoBits, protExec | protWrite}, {3, NoBits, mapAnonymous | mapNever}}),
		nativeFutex(),
		// Every thread is made by glibc, those of the Go runtime too.
		when("clone", "EPERM", []Cond{{0, Equal, cloneThreadGlibc}}),
		// A thread that works in the background makes itself the last. There is no
		// way back.
		when("setpriority", "EPERM", []Cond{{0, Equal32, prioProcess}, {1, Equal32, 0}, {2, Equal32, niceLowest}}),
		// Intel's matrix unit has to be asked for; without it a prompt is read at a
		// fraction of the speed.
		when("arch_prctl", "EPERM", []Cond{{0, Equal32, archReqXcompPerm}, {1, Equal, xfeatureTileData}}),
	})
}
