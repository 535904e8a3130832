// Package proc reads facts about processes from /proc: how one is confined,
// what it holds, what it listens on. It is how the core judges a worker from
// outside, instead of trusting the code that meant to confine it, and how tests
// look at a running tree.
//
// It only reads. The core, doctor and tests call it; workers cannot, since they
// have no /proc.
package proc

// IDs are the real, effective, saved and file-system id of a process, in the
// reader's user namespace.
type IDs [4]int

// Status is part of /proc/PID/status.
type Status struct {
	Name   string
	Parent int
	UID    IDs
	GID    IDs
	Groups []int
	// Capability sets, one bit a capability.
	Inheritable, Permitted, Effective, Bounding, Ambient uint64
	NoNewPrivs                                           bool
	// Seccomp is the mode: 0 none, 1 strict, 2 filter.
	Seccomp int
	// Filters is how many seccomp filters are on; -1 where the kernel does
	// not say (before 5.9).
	Filters int
	Threads int
	// Inner is the process id in the innermost pid namespace.
	Inner int
	// RSS is resident memory in bytes.
	RSS uint64
}

// Descriptor is one entry of /proc/PID/fd.
type Descriptor struct {
	Number int
	// Target is what the link says, for example "socket:[1234]".
	Target string
}

// Mountpoint is one line of /proc/PID/mountinfo.
type Mountpoint struct {
	// Root is the part of the file system that is mounted, Point where.
	Root, Point string
	Type        string
	// Options are those of the mount, not of the file system.
	Options []string
}

// Has reports whether the mount has an option.
func (m Mountpoint) Has(option string) bool {
	for _, o := range m.Options {
		if o == option {
			return true
		}
	}
	return false
}

// Mapping is one line of /proc/PID/maps.
type Mapping struct {
	// Rights are as the kernel writes them, for example "r-xp".
	Rights string
	// Name is a file as the process's own mounts have it, something of the
	// kernel's in brackets, or empty for memory of no file.
	Name string
}

// Listener is a socket in the listening state.
type Listener struct {
	// Network is "tcp", "tcp6", "udp", "udp6" (a bound UDP socket takes
	// datagrams and counts) or "unix".
	Network string
	// Address is as /proc has it: hexadecimal, or the name of a unix socket.
	Address string
}

// Limit is one line of /proc/PID/limits; Unlimited for no limit.
type Limit struct{ Soft, Hard uint64 }

// Unlimited is the value of a limit that is none.
const Unlimited = ^uint64(0)
