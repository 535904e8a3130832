// Package cgroup bounds what a worker takes of the machine, with control groups
// version 2: memory with the kernel's own share and the pages of files, processes,
// processor time, of each worker and of all together. What resource limits bound is
// one process's own; what a tree of processes takes they do not see, nor processor
// time at all. A worker's end takes all that is in its group along.
//
// It needs a group that this process may divide. In this order it takes
//
//	the group that it is in, where that was delegated to it and it is alone there
//	but for Bailey's other programs,
//	a scope of its own that systemd makes (of the person, or of the system for root),
//	a group at the top of the tree, for root where there is no systemd.
//
// The group's processes go into a leaf, "core", because a group that has
// controllers for its children may have no processes of its own; the workers' are
// below "workers". A worker is born in its leaf: nothing it does comes before.
//
// It refuses to move a process that is not its own, to write where a manager rules
// that did not delegate, to guess a process id that the manager sees as another,
// and to count a limit as there that was not read back. A machine that has none of
// it is no fault: workers start without, and [Source.Group] says why and what would mend
// it. Package supervise calls it, and the core's main, which begins the search.
package cgroup

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Options say where to look for systemd.
type Options struct {
	// RuntimeDir is the person's, in which the bus of their user manager is; empty
	// means that there is none.
	RuntimeDir string
}

// Limits are what one worker may take.
type Limits struct {
	// Memory is memory.max in bytes: all that the worker takes, in whichever of its
	// processes, with page tables, sockets and pages of files. The last of these the
	// kernel takes back when they are too many; nothing is killed for them.
	Memory uint64
	// Swap says that it may be swapped out; else it is not.
	Swap bool
	// Processes is pids.max: processes and threads.
	Processes uint64
	// Processors is cpu.max, in thousandths of one.
	Processors uint64
}

// For returns the limits of a kind of worker. Those of the spec are of one process;
// the margin above its memory is for what is not private and writable.
func For(s workerspec.Spec) Limits {
	return Limits{
		Memory:     (s.Limits.Data + limits.GroupMargin) / limits.GroupPage * limits.GroupPage,
		Processes:  s.Limits.Processes,
		Processors: processors(runtime.NumCPU()),
	}
}

// processors is what workers may take of n processors, in thousandths.
func processors(n int) uint64 {
	return max(limits.GroupProcessorLeast, uint64(n)*1000-limits.GroupProcessorReserve)
}

// controllers are those that are used, by the names that the kernel has for them.
func controllers() []string { return []string{"cpu", "memory", "pids"} }

// setting is one file of a leaf and what is written to it.
type setting struct{ controller, file, value string }

// settings of a leaf, those that say the most first.
func (l Limits) settings() []setting {
	swap := "0"
	if l.Swap {
		swap = "max"
	}
	return []setting{
		{"memory", "memory.max", fmt.Sprint(l.Memory)},
		// Without it what a worker takes more would go to the disk, documents and all.
		{"memory", "memory.swap.max", swap},
		// A worker that lost one process of several is worth nothing.
		{"memory", "memory.oom.group", "1"},
		{"pids", "pids.max", fmt.Sprint(l.Processes)},
		{"cpu", "cpu.max", quota(l.Processors)},
	}
}

// quota writes thousandths of a processor as cpu.max has them.
func quota(thousandths uint64) string {
	return fmt.Sprintf("%d %d", thousandths*limits.GroupPeriod/1000, limits.GroupPeriod)
}

// Report is what was read back of a worker's group.
type Report struct {
	// Path is the group in which /proc/PID/cgroup shows the worker.
	Path string
	// Values are what the files hold, "memory.max 1342177280".
	Values []string
	// Missing are the controllers that the group has not got.
	Missing []string
}

// Enforced reports whether all that is asked of a group is there.
func (r Report) Enforced() bool { return r.Path != "" && len(r.Missing) == 0 }

func (r Report) String() string {
	if r.Path == "" {
		return ""
	}
	name := r.Path[strings.LastIndexByte(r.Path, '/')+1:]
	parts := append([]string{"/proc/PID/cgroup is ../" + name}, r.Values...)
	return strings.Join(append(parts, "cgroup.kill"), ", ")
}

// Ended is what a group's counters say when its worker is gone.
type Ended struct {
	// Killed counts the processes that were killed because the memory was used up.
	Killed uint64
	// Refused counts the processes and threads that were refused.
	Refused uint64
	// Throttled counts the periods in which it had to wait for a processor.
	Throttled uint64
}

// missing are the wanted controllers that have is without.
func missing(have []string) []string {
	return slices.DeleteFunc(controllers(), func(c string) bool { return slices.Contains(have, c) })
}
