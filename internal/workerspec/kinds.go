package workerspec

import "github.com/bailey-run/bailey/internal/limits"

// The binaries that are workers.
const (
	WorkerProgram = "bailey-worker"
	EngineProgram = "bailey-engine"
)

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
		Program:     WorkerProgram,
		Mounts:      []Mount{{Target: "/grant"}, {Target: "/db", Write: true, Own: true}},
		Descriptors: standard(),
		Handed:      []Handed{{"socket", "the engine that makes its vectors"}, {"socket", "the pdf worker that reads for it"}},
		Syscalls:    join(goRuntime(), connection(locks()...), readFiles(), writeFiles()),
		Limits: Limits{
			OpenFiles: limits.WorkerOpenFiles,
			FileSize:  limits.IndexFileSize,
			Processes: limits.WorkerThreads,
			Data:      limits.IndexMemory,
		},
		Methods:  append(workerMethods(), 401, 402, 403, 404, 405, 406, 407),
		Required: Layers(),
		Probes:   join(findsNothing(), keepsGrant(), keepsData(), underLandlock(false), makesNothing(), makesNoCode()),
	}
}

// store keeps an app's own data in a database.
func store() Spec {
	return Spec{
		Kind:        "store",
		Class:       Plain,
		Program:     WorkerProgram,
		Mounts:      []Mount{{Target: "/db", Write: true, Own: true}},
		Descriptors: standard(),
		Syscalls:    join(goRuntime(), connection(locks()...), readFiles(), writeFiles()),
		Limits: Limits{
			OpenFiles: limits.WorkerOpenFiles,
			FileSize:  limits.StoreFileSize,
			Processes: limits.WorkerThreads,
			Data:      limits.StoreMemory,
		},
		Methods:  append(workerMethods(), 801, 802, 803, 804, 805, 806, 807),
		Required: Layers(),
		Probes:   join(findsNothing(), keepsData(), underLandlock(false), makesNothing(), makesNoCode()),
	}
}

// inspect reads one file that it is handed, and can open none.
func inspect() Spec {
	return Spec{
		Kind:        "inspect",
		Class:       Plain,
		Program:     WorkerProgram,
		Descriptors: standard(),
		Handed:      []Handed{{"file", "the model's file, for reading"}},
		Syscalls:    join(goRuntime(), connection(), readDescriptor()),
		Limits: Limits{
			OpenFiles: limits.InspectOpenFiles,
			FileSize:  limits.InspectFileSize,
			Processes: limits.WorkerThreads,
			Data:      limits.InspectMemory,
		},
		Methods:  append(workerMethods(), 701),
		Required: Layers(),
		Probes:   join(opensNothing(), underLandlock(true), makesNothing(), makesNoCode()),
	}
}

// engine runs an inference library on the one model that it is handed. arch is
// Go's name of the processor.
func engine(arch string) Spec {
	return Spec{
		Kind:        "engine",
		Class:       Engine,
		Program:     EngineProgram,
		Mounts:      append(libraries(arch), Mount{Target: "/engine", Code: true}),
		Env:         []string{"GGML_NO_BACKTRACE=1", "LD_LIBRARY_PATH=" + libraryDir(arch) + ":/engine"},
		Descriptors: standard(),
		Handed:      []Handed{{"file", "the model's file, for reading"}, {"socket", "an index that it makes vectors for"}},
		Syscalls:    nativeRuntime(),
		Limits: Limits{
			OpenFiles: limits.EngineOpenFiles,
			FileSize:  limits.EngineFileSize,
			Processes: limits.WorkerThreads,
			Data:      limits.EngineMemory,
		},
		Methods:  append(workerMethods(), 501, 502, 503, 504, 505),
		Required: Layers(),
		Probes:   join(opensNothing(), opensNoLibrary(arch), underLandlock(true), makesNothing(), makesNoCode()),
	}
}

// libraryDir is where the system's libraries stand in an engine's root: where
// the kernel looks for the loader that is written into a program.
func libraryDir(arch string) string {
	if arch == "arm64" {
		return "/lib"
	}
	return "/lib64"
}

// libraries are the system's files that a Go program without cgo that loads
// libraries is linked to, and what those libraries need.
func libraries(arch string) []Mount {
	loader := "ld-linux-x86-64.so.2"
	if arch == "arm64" {
		loader = "ld-linux-aarch64.so.1"
	}
	m := []Mount{{Target: libraryDir(arch) + "/" + loader, File: true, Code: true, Loader: true}}
	for _, n := range []string{"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libgcc_s.so.1", "libstdc++.so.6"} {
		m = append(m, Mount{Target: libraryDir(arch) + "/" + n, File: true, Code: true})
	}
	return m
}
