package limits

import "time"

// Limits of the wire between Bailey's processes (package ipc). Both ends
// enforce them, so a change is a change of the format.
const (
	// IPCBody is the most that one frame carries behind its header. Whatever is
	// larger goes by descriptor, or as a stream.
	IPCBody = 1 << 20
	// IPCStreams is how many calls each side may have open with the other. A
	// task needs a handful; the product of this and IPCWindow bounds what a
	// peer can make a process hold.
	IPCStreams = 128
	// IPCWindow is what a server may send on one stream beyond what its client
	// has taken: enough to hide the way there and back at 1 GB/s (30 µs × 1 GB/s
	// = 30 kB), small enough that IPCStreams stalled readers cost megabytes.
	IPCWindow = 64 << 10
	// IPCMessageCost is added to the size of a message when it is counted
	// against the window, so that empty messages are not free to send: about
	// what a queued one costs the receiver.
	IPCMessageCost = 64
	// IPCQueue is how many bytes wait for a peer that does not read before
	// senders have to wait too.
	IPCQueue = 256 << 10
	// IPCBatch is how many waiting frames go into one system call; far below
	// the kernel's 1024 (UIO_MAXIOV).
	IPCBatch = 64
	// IPCReadBuffer holds many small frames for one system call; a longer body
	// is read straight into its own memory.
	IPCReadBuffer = 16 << 10
	// IPCDescriptors is the most that one frame may bring. No method needs more
	// than a handful, and the receiver's table is what an attacker fills.
	IPCDescriptors = 4
	// IPCErrorBody is the most that an encoded error takes: 64 + 1024 + 1024
	// bytes of text and the tags and lengths of three fields.
	IPCErrorBody = 64 + 2*IPCErrorText + 16
	// IPCErrorText is what the schema allows for the sentence and for the hint
	// of an error.
	IPCErrorText = 1024
	// IPCErrorCode is what the schema allows for the code of an error.
	IPCErrorCode = 64
	// IPCTick is how long a connection may go unread on purpose, twice that at
	// most: after a call, if it only calls and the next caller is to read its own
	// answer; and when a unary handler that was quick last time is slow. Longer
	// would show in cancellation (50 ms, p99).
	IPCTick = 25 * time.Millisecond
	// IPCClose is how long the close of a descriptor that a client sent may wait
	// before its thread is signalled: 253 may come at once, and each waits as long.
	IPCClose = 10 * time.Millisecond
	// IPCQuick is what a unary handler may take for the method's next one to run
	// on the goroutine that reads: too short to keep anybody waiting, long enough
	// that a busy machine does not turn quick ones slow.
	IPCQuick = time.Millisecond
	// IPCDeadline is the longest deadline that a frame can say (32 bits of
	// milliseconds); a later one travels as this.
	IPCDeadline = (1<<32 - 1) * time.Millisecond
)
