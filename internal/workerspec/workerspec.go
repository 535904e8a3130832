// Package workerspec says, as data, what each kind of worker may do: what it
// sees, calls and holds, and what it must be refused. Package sandbox turns it
// into namespaces, Landlock rules and seccomp filters; supervise checks a live
// worker against it; the tests iterate over [All], so that a new kind is under
// test from the line that adds it.
//
// It refuses nothing itself and does no I/O. Anyone may read it; only this
// package makes a [Spec].
package workerspec

import (
	"runtime"
	"slices"
)

// Class is how much machinery a kind of worker needs besides its own code.
type Class uint8

// The classes. A class says which rows of the table of escape attempts must
// hold.
const (
	// Plain workers never make code: no executable memory, no exec, no fork.
	Plain Class = iota + 1
	// JIT workers have code in their memory that they compiled. Whether they may
	// make more once they are sealed is the kind's own matter.
	JIT
	// Exec workers may fork and exec inside their root.
	Exec
	// Engine workers load native libraries before they seal themselves.
	Engine
	// Host processes draw what a person sees, with the system's libraries. They
	// are no workers: they have no methods, and answer no probes.
	Host
	// Graphics workers are engines that are given a graphics card: the system's
	// driver opens what is in their root, and makes code, at all times.
	Graphics
)

func (c Class) String() string {
	switch c {
	case Plain:
		return "plain"
	case JIT:
		return "jit"
	case Exec:
		return "exec"
	case Engine:
		return "engine"
	case Host:
		return "host"
	case Graphics:
		return "graphics"
	}
	return "unknown"
}

// Layer is one mechanism that confines a worker.
type Layer string

// The layers, in the order in which a worker puts them on.
const (
	UserNamespace  Layer = "user-namespace"
	MountNamespace Layer = "mount-namespace"
	PIDNamespace   Layer = "pid-namespace"
	NetNamespace   Layer = "net-namespace"
	IPCNamespace   Layer = "ipc-namespace"
	UTSNamespace   Layer = "uts-namespace"
	EmptyRoot      Layer = "empty-root"
	Landlock       Layer = "landlock"
	NoNewPrivs     Layer = "no-new-privileges"
	NoCapabilities Layer = "no-capabilities"
	ResourceLimits Layer = "resource-limits"
	SeccompCompat  Layer = "seccomp-deny-list"
	SeccompStrict  Layer = "seccomp-allow-list"
	ParentDeath    Layer = "parent-death-kill"
	NonDumpable    Layer = "non-dumpable"
)

// ControlGroup bounds what a worker takes of the machine, and all of them
// together. It is in no kind's Required and not one of [Layers]: most machines
// have to delegate a group first, and what it bounds does not lead out.
const ControlGroup Layer = "control-group"

// Layers lists every layer, in order.
func Layers() []Layer {
	return []Layer{UserNamespace, MountNamespace, PIDNamespace, NetNamespace, IPCNamespace, UTSNamespace, EmptyRoot,
		Landlock, NoNewPrivs, NoCapabilities, ResourceLimits, SeccompCompat, SeccompStrict, ParentDeath, NonDumpable}
}

// Mount is a directory or a file of the host that the worker sees.
type Mount struct {
	// Target is where it stands in the worker's root: "/" and one name; of a
	// file, "/" and two.
	Target string
	// File says that it is one regular file.
	File bool
	// Code marks files of the system's or of Bailey's installation whose pages
	// may be executed while the worker loads its libraries. They are read-only,
	// everybody may read them, and no person's grant is ever one.
	Code bool
	// Loader marks the one file that the kernel itself executes, to start a
	// program that is linked to libraries.
	Loader bool
	// Write allows everything a data directory needs: create, write, rename,
	// remove. Never devices, sockets, FIFOs or set-id bits, and execution only
	// with Run.
	Write bool
	// Run says that programs in it may be executed, and with Write that links may
	// be made in it: what a tool's folder is for.
	Run bool
	// Choice says that a start decides whether it is written to: Write is then
	// the most that it may be given for.
	Choice bool
	// Own marks a directory of Bailey's own. One that is written to becomes the
	// worker's on disk when the core runs as root; one that is only read has to
	// be open to everybody. A person's directory is never chowned.
	Own bool
	// Optional says that a worker may be started without it.
	Optional bool
}

// Taken is how one start uses a mount.
type Taken struct {
	Target string
	Write  bool
}

// Descriptor is a descriptor that the worker is born with.
type Descriptor struct {
	Number int
	// Type is how /proc/PID/fd shows it: a prefix of the link's target.
	Type string
	// For says what it is there for.
	For string
}

// Handed is a descriptor that comes with a call.
type Handed struct {
	// Type is what it has to be, For what it is there for.
	Type, For string
}

// Limits are resource limits, soft and hard alike.
type Limits struct {
	// OpenFiles is RLIMIT_NOFILE.
	OpenFiles uint64
	// FileSize is RLIMIT_FSIZE, bytes.
	FileSize uint64
	// Processes is RLIMIT_NPROC: threads of the worker, counted in its own
	// user namespace.
	Processes uint64
	// Data is RLIMIT_DATA, bytes: private writable memory, heap and stacks.
	// The address space itself is not limited, because the Go runtime
	// reserves far more than it uses.
	Data uint64
	// LockedMemory is RLIMIT_MEMLOCK: 0.
	LockedMemory uint64
	// MessageQueues is RLIMIT_MSGQUEUE: 0.
	MessageQueues uint64
}

// Probe is something that the worker tries and must be refused.
type Probe struct {
	// Early says that it is tried before the allow-list is on, because that
	// would answer in place of the layer that is meant.
	Early bool
	// Name is known to package sandbox, which holds the code.
	Name string
	// Errnos are the accepted answers, by name. Another refusal than these is
	// a finding too: a layer that was meant to answer did not.
	Errnos []string
}

// Spec is the sandbox of one kind of worker.
type Spec struct {
	Kind  string
	Class Class
	// Program is the binary that is the worker, by its name in the installation.
	Program string
	// Arguments are those of a program of the system's, which knows no kinds.
	Arguments []string
	// Mounts are all that stands in the worker's root.
	Mounts []Mount
	// Surroundings are what stands in the root of a host, or of a worker that runs
	// the system's programs; nil for every other worker, whose root is empty but
	// for the mounts.
	Surroundings *Surroundings
	// Driver is what stands in a worker's root for the system's graphics driver;
	// nil for every kind but the one that is given a card.
	Driver *Driver
	// Env is the whole environment, "NAME=value".
	Env []string
	// Descriptors are those that exist when the worker gets its first work;
	// what the Go runtime opens for its own poller is allowed besides.
	Descriptors []Descriptor
	// Handed are those that come later, with calls. It opens none like them
	// itself.
	Handed []Handed
	// Devices are device nodes in the root, by path.
	Devices []string
	// Sockets are address families that it may create.
	Sockets []string
	// Syscalls is the strict allow-list, put on after start.
	Syscalls []Syscall
	Limits   Limits
	// Methods are the numbers of the calls that the core may route to it.
	Methods []uint32
	// Required layers: without any of them the worker does not start.
	Required []Layer
	Probes   []Probe
	// Reduced says that this is the spec at level 2, which [Spec.Reduce] made.
	Reduced bool
	// Wrapped says that this is the spec as bubblewrap starts it, which [Spec.Wrap]
	// made.
	Wrapped bool
	// FullOnly says that the worker is never started at level 2.
	FullOnly bool
	// Reserved says that no service of Bailey's uses the kind yet. Its sandbox is
	// as real as the others', and what runs in it answers nothing but what every
	// worker does.
	Reserved bool
}

// May reports whether the core may route method to the worker.
func (s Spec) May(method uint32) bool {
	for _, m := range s.Methods {
		if m == method {
			return true
		}
	}
	return false
}

// Grant is the index of the mount that is a person's directory, -1 when the
// worker has none.
func (s Spec) Grant() int {
	for i, m := range s.Mounts {
		if !m.Own && !m.Code {
			return i
		}
	}
	return -1
}

// Taking returns the spec as one start uses it: without the optional mounts that
// are not among taken, and with those that are given for reading alone.
func (s Spec) Taking(taken ...Taken) Spec {
	var mounts []Mount
	for _, m := range s.Mounts {
		i := slices.IndexFunc(taken, func(t Taken) bool { return t.Target == m.Target })
		if i < 0 && m.Optional {
			continue
		}
		if m.Choice && i >= 0 {
			m.Write = m.Write && taken[i].Write
		}
		mounts = append(mounts, m)
	}
	s.Mounts = mounts
	return s
}

// WithDevices returns the spec of a worker with a driver, with these device nodes
// of a card.
func (s Spec) WithDevices(nodes []string) Spec {
	if s.Driver != nil {
		s.Devices = nodes
	}
	return s
}

// WithMemory returns the spec with another limit of memory; 0 changes nothing.
func (s Spec) WithMemory(bytes uint64) Spec {
	if bytes > 0 {
		s.Limits.Data = bytes
	}
	return s
}

// Requires reports whether the worker does not start without l.
func (s Spec) Requires(l Layer) bool {
	for _, r := range s.Required {
		if r == l {
			return true
		}
	}
	return false
}

// For returns the spec of a kind, of worker or host.
func For(kind string) (Spec, bool) {
	for _, s := range append(All(), Hosts()...) {
		if s.Kind == kind {
			return s, true
		}
	}
	return Spec{}, false
}

// All returns the spec of every kind of worker, in the order of the
// documentation. The caller owns the result. Hosts, which are started by another
// package and answer to nobody, are in [Hosts].
func All() []Spec {
	return []Spec{index(), store(), inspect(), engine(runtime.GOARCH), graphics(runtime.GOARCH), pdf(),
		file(), audio(), network(), plugin(), tool(), gate(), mcp()}
}
