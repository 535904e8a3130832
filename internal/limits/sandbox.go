package limits

import "time"

// Limits of the sandbox and of what a worker may use.
const (
	// WorkerOpenFiles: a walk holds one directory a level open and a few
	// files; row 66 of the escape table wants 300 refused.
	WorkerOpenFiles = 256
	// WorkerThreads: the Go runtime has one for each processor and each
	// blocked read, and dies when it gets no more; a thread bomb ends here.
	WorkerThreads = 512
	// WorkerSignals: what waits in a queue, and each timer of a program's, counts
	// against the person's own limit too, of some ten thousands: what one process
	// takes the others have not got. No process of ours keeps more than a few.
	WorkerSignals = 1024
	// WorkerCore is the largest core dump, bytes: 1, which the kernel takes for none. With
	// 0 it writes no file, and hands the process's whole memory all the same, as root, to a
	// program that the system names for dumps (kernel/fs/coredump.c; systemd and Ubuntu
	// have one). Where the account's own limit is 0 it stays that.
	WorkerCore = 1
	// WorkerStack is the largest stack of a process's first thread, bytes, what Linux gives
	// where nobody has said otherwise: RLIMIT_DATA does not count it, and a person's
	// account may have no limit of it.
	WorkerStack = 8 << 20
	// SandboxWatchers is how many watchers of files (inotify) a worker has at most:
	// the person's own limit is 128 as a rule, and an editor and a desktop need some.
	// A program has one, or one for each of its processes.
	SandboxWatchers = 16
	// SandboxWatches is how many files and directories a worker watches at most: half
	// of what a person has on the smallest machine, 8192.
	SandboxWatches = 4096
	// IndexFileSize is the largest file of an index, bytes: the index of a
	// 2 GB folder is about as large as its text.
	IndexFileSize = 8 << 30
	// IndexMemory bounds what a hostile document can make the worker take,
	// bytes; the worker itself stays under 300 MB.
	IndexMemory = 1 << 30
	// InspectOpenFiles: the descriptors of every worker, one file, and the Go
	// runtime's.
	InspectOpenFiles = 64
	// InspectFileSize: an inspect worker writes no file.
	InspectFileSize = 1
	// InspectMemory bounds what a crafted header can make its reader take, bytes;
	// the reader's own caps keep an honest one under 100 MB.
	InspectMemory = 256 << 20
	// PDFFileSize is the most that a pdf worker may write into the one file that
	// it may be handed for that, bytes: the machine code of its reader, some tens
	// of megabytes.
	PDFFileSize = 128 << 20
	// PDFMemory bounds what a crafted PDF can make its reader take, bytes: the
	// reader's own memory (it grows to 512 MB at most), its code, and what
	// compiling it takes when there is no cache.
	PDFMemory = 1 << 30
	// EngineOpenFiles: the libraries while they load, the model, the sockets of
	// index workers.
	EngineOpenFiles = 128
	// GraphicsOpenFiles: those of an engine, and a driver's, which opens its device
	// more than once and shares a descriptor for each piece of memory with it.
	GraphicsOpenFiles = 256
	// EngineFileSize: an engine writes no file.
	EngineFileSize = 1
	// EngineMemory is what an engine without a model may take, bytes: the Go
	// runtime, the libraries, and 8 MiB of stack for each thread. The core asks
	// for more by the size of the model.
	EngineMemory = 1 << 30
	// GraphicsAsked is the most megabytes that --max-vram takes: no card has so much.
	GraphicsAsked = 1_000_000
	// GraphicsMemory is what a graphics driver may take of the process's own memory
	// besides, bytes: its compiler alone takes some hundred megabytes.
	GraphicsMemory = 2 << 30
	// SandboxSetup is how long a stub may take to build its sandbox. It takes
	// 5 ms; a loaded machine with a cold disk needs longer.
	SandboxSetup = 20 * time.Second
	// SandboxMessage bounds the messages between the core and a stub, bytes:
	// a few mounts whose paths are at most 4096 bytes each, in base64.
	SandboxMessage = 128 << 10
	// Umask is the core's, and of all that it starts: what a tool makes in a folder
	// can be read by others where the folders above it let them.
	Umask = 0o022
	// SandboxMounts bounds the directories of one worker; their descriptors
	// ride on one message.
	SandboxMounts = 16
	// SandboxExec is how long the kernel may take over the rest of an exec of which
	// the parent knows already. It is microseconds, unless the processor is taken away.
	SandboxExec = 500 * time.Millisecond
	// SandboxRootSize bounds the worker's own root, bytes; it holds empty
	// directories only.
	SandboxRootSize = 64 << 10
	// SandboxRootInodes bounds the names in it.
	SandboxRootInodes = 64
	// ReducedLandlock is the oldest version of Landlock that holds a worker without
	// namespaces: before it, opening a file for reading could cut it short.
	ReducedLandlock = 3
	// WorkerHostID is the user and group id on the host of the workers of a
	// core that runs as root: it owns nothing, stands in no password file, and
	// lies in the range that systemd's allocation of ids leaves unused.
	WorkerHostID = 2_000_000_000
	// WorkerHostIDSmall stands in where a container's own id map ends below
	// WorkerHostID: "nobody".
	WorkerHostIDSmall = 65534
	// WorkerInnerID is the id inside of an ordinary user's worker. It is not
	// 0: the kernel gives /proc/PID of a non-dumpable process to the id that
	// is mapped as 0, and that would be the user again.
	WorkerInnerID = 1000
)
