package limits

import "time"

// Limits of control groups, and of the search for one.
const (
	// GroupMargin is what a worker's group may take above the worker's private
	// memory, bytes: its program, page tables, sockets, and pages of files, of
	// which fewer only make it slower.
	GroupMargin = 256 << 20
	// GroupPage is the largest page of any kernel, bytes; memory.max is rounded down
	// to pages, and what is read back is compared.
	GroupPage = 64 << 10
	// GroupMemoryEighths is the part of the machine's memory that all workers may
	// take together, in eighths: the rest is left for who has to end them.
	GroupMemoryEighths = 7
	// GroupProcessorReserve is what workers leave of all processors, in thousandths
	// of one: the core stays awake beside workers that spin, and an engine, which
	// uses all cores but one, does not notice.
	GroupProcessorReserve = 250
	// GroupProcessorLeast is what they have at least.
	GroupProcessorLeast = 750
	// GroupPeriod is the period over which processor time is reckoned, in
	// microseconds: the kernel's own default.
	GroupPeriod = 100_000
	// GroupFind bounds the search for a group; a worker that is started meanwhile
	// waits for it. systemd makes a scope in some 10 ms.
	GroupFind = 3 * time.Second
	// GroupEmpty is how long the processes of a group may take to be gone after
	// they were killed.
	GroupEmpty = 2 * time.Second
	// GroupFile bounds a file of a control group, or of /proc about them, bytes.
	GroupFile = 64 << 10
	// GroupMoves bounds how often processes of a new group are moved on into its
	// leaf: one that is being started while the group is made comes behind.
	GroupMoves = 16
	// GroupJobs is how many ended jobs of systemd are kept unread: others end
	// beside the one that is waited for.
	GroupJobs = 64
	// GroupNames bounds how many groups that earlier cores left are looked at.
	GroupNames = 256
)
