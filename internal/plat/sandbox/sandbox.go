// Package sandbox starts a worker inside the sandbox that its
// [workerspec.Spec] describes, shows from outside that it is confined, and
// holds what the worker itself does to confine itself further.
//
// The way in, on Linux. The core calls [Start] with descriptors that it opened
// before: the worker's binary and the granted directories. A thread of its own
// clones a child into new user, mount, pid, net, ipc and uts namespaces; the
// child executes bailey-worker as a stub ([Stub]). The stub takes the granted
// directories, and an engine's libraries, as detached mounts, builds an empty
// root around them, pivots into it and drops the old one, sets limits, gives up
// privileges, restricts itself by Landlock and by a seccomp deny-list, and
// executes the worker's binary by descriptor. The worker calls [Seal] once it
// has opened what it needs, which puts on the strict allow-list. The core then
// reads [Process.Posture] and judges it with [Check], has the worker try what
// must be refused ([Probe]), and lets it become non-dumpable
// ([MakeUndumpable]); [Process.SealedFromOutside] is the proof.
//
// It refuses to start anything with a layer missing that the spec requires:
// there is no mode without a sandbox, and no switch that makes one. Package
// supervise and the tests call the outside half, package workerkit the inside
// half, `bailey doctor` [Survey].
package sandbox

import (
	"os"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// Mount is a directory, or a file where the spec says so, to be mounted at a
// target of the spec.
type Mount struct {
	// Target is one of the spec's.
	Target string
	// Dir was opened by the core with O_PATH, and O_DIRECTORY for a directory; it
	// alone says which one is meant.
	Dir *os.File
	// Path is where Dir was found, absolute and without links. It serves to
	// find the directory again inside, where device and inode are compared
	// with Dir, and in messages.
	Path string
	// Write must be what the spec says of the target, unless that leaves the
	// choice.
	Write bool
	// Hide are directories below it, by their names relative to it and
	// without links, in whose place the worker sees an empty one: what is
	// Bailey's own in a person's folder. One that is not there is no error.
	Hide []string
}

// Config says what to start. Start closes none of the files: the caller
// closes its copies of Conn and Stderr once Start has returned, or the end of
// the worker will not show on their other ends.
type Config struct {
	Spec workerspec.Spec
	// Worker is the binary of the spec's program, opened by the core.
	Worker *os.File
	// Stub is bailey-worker, which needs no library outside the sandbox; nil
	// means that Worker is it.
	Stub *os.File
	// Args are the worker's arguments behind its name and kind.
	Args []string
	// Conn is the worker's end of a socketpair; it becomes descriptor 3.
	Conn *os.File
	// Stderr becomes descriptor 2; a pipe's writing end.
	Stderr *os.File
	// Mounts has one entry for each of the spec's mounts, in that order; optional
	// ones may be left out.
	Mounts []Mount
	// Given is what a host is given besides its spec; a worker gets nothing.
	Given Given
	// Memory replaces the spec's limit of memory, bytes; 0 leaves it. [Check]
	// wants the spec with the same ([workerspec.Spec.WithMemory]).
	Memory uint64
	// Group is the directory of the control group that the worker is born in; nil
	// for that of this process.
	Group *os.File
	// Foreign is set for a program that is no worker; Args is empty then.
	Foreign *Foreign

	seam seam
}

// Narrow returns a spec as a start with these mounts uses it: what [Check] then
// judges by.
func Narrow(spec workerspec.Spec, mounts []Mount) workerspec.Spec {
	taken := make([]workerspec.Taken, len(mounts))
	for i, m := range mounts {
		taken[i] = workerspec.Taken{Target: m.Target, Write: m.Write}
	}
	return spec.Taking(taken...)
}

// Given is what differs from start to start of one kind of host.
type Given struct {
	// Env is the environment besides the spec's own, "NAME=value"; each name is
	// one of the spec's.
	Env []string
	// Places are the sockets and files of a display, or the directories of a
	// person, by where they stand in the host's root. They are never written to, but
	// for the one in which sockets are made.
	Places []Place
	// KeepName leaves the machine's own name: on X11 window managers put another
	// behind the title.
	KeepName bool
}

// Place is one socket, file or directory that a host is given.
type Place struct {
	Target string
	// At was opened by the core with O_PATH, and alone says what is meant.
	At *os.File
	// Path is where At was found, absolute and without links.
	Path string
	// Hide is what Mount.Hide is.
	Hide []string
	// Sockets says that sockets are made in it, and nothing else.
	Sockets bool
}

// Exit is how a worker ended.
type Exit struct {
	// Code is the exit status, -1 when a signal ended it.
	Code int
	// Signal is the signal's number, 0 when it exited.
	Signal int
	// Forbidden says that the kernel killed it for a call that no worker may
	// make (SIGSYS).
	Forbidden bool
}

// Attempt is one probe and its answer.
type Attempt struct {
	Name string
	// Errno is what the kernel answered; 0 means that it succeeded.
	Errno uint32
	// Held says whether that is what the spec demands.
	Held bool
}
