package limits

import "time"

// Limits of the processes that draw.
const (
	// WindowScratch bounds each of a window's file systems in memory, bytes, and a
	// file of it: WebKit keeps nothing there, and shares pictures by descriptors of
	// at most this size.
	WindowScratch = 256 << 20
	// HostRuntime bounds the small ones, bytes: sockets stand in them.
	HostRuntime = 1 << 20
	// HostRootInodes bounds the names in a host's root: what the system's
	// directories are mounted on.
	HostRootInodes = 256
	// HostScratchInodes bounds the names in one of its file systems in memory.
	HostScratchInodes = 4096
	// WindowOpenFiles: WebKit's processes have some 60 descriptors each, and more
	// with every picture that they share.
	WindowOpenFiles = 4096
	// WindowThreads: WebKit's three processes have some 80 threads, and a page may
	// make workers.
	WindowThreads = 1024
	// WindowMemory bounds private writable memory, bytes. WebKit's allocator
	// reserves far more than it uses; what a page uses is bounded by the window
	// itself.
	WindowMemory = 128 << 30
	// PromptOpenFiles: a display, fonts, and the folders that a picker watches.
	PromptOpenFiles = 512
	// PromptMemory bounds a prompt, bytes; one takes 40 MB.
	PromptMemory = 1 << 30
	// HostSettles is how long a host may take from its start until it waits for
	// its first message with nothing open but what it was born with: the loader
	// maps a hundred libraries before.
	HostSettles = 20 * time.Second
	// HostLook is the time between two looks at a host that has not settled.
	HostLook = 2 * time.Millisecond
	// WindowTree bounds the processes of one window that are looked at.
	WindowTree = 64
)
