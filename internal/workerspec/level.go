package workerspec

import (
	"errors"
	"slices"
)

// FullLevel, WrappedLevel and ReducedLevel are what a person reads of a worker's
// level.
const (
	FullLevel    = "full"
	WrappedLevel = "bwrap"
	ReducedLevel = "level 2"
)

// StubTarget is where the program that builds the sandbox stands in the root of a
// worker that bubblewrap started, which executes by name alone.
const StubTarget = "/bailey-stub"

// ProgramTarget is where the worker's own program stands there, read-only.
const ProgramTarget = "/bailey-program"

// GrantFD is the descriptor of a person's directory in a worker of level 2, by
// which it finds what is in it.
const GrantFD = 4

// Level is what a person reads of the spec's level.
func (s Spec) Level() string {
	switch {
	case s.Reduced:
		return ReducedLevel
	case s.Wrapped:
		return WrappedLevel
	}
	return FullLevel
}

// Wrap returns the spec as the system's bubblewrap starts it, for a machine that
// gives user namespaces to that program and refuses them to Bailey. It has every
// layer. Its mounts are made by a program that cannot forbid execution on them,
// which Landlock and the filter still do, and its root has the stub in it.
func (s Spec) Wrap() (Spec, error) {
	switch {
	case s.Reduced:
		return s, errors.New("it is at level 2")
	case s.Class == Host:
		return s, errors.New("what draws makes sandboxes of its own")
	case s.Driver != nil:
		return s, errors.New("its device needs mounts of Bailey's own")
	}
	s.Wrapped = true
	return s, nil
}

// namespaces are the layers that take user namespaces.
func namespaces() []Layer {
	return []Layer{UserNamespace, MountNamespace, PIDNamespace, NetNamespace, IPCNamespace, UTSNamespace, EmptyRoot}
}

// Reduce returns the spec at level 2, for a machine that refuses user
// namespaces: the worker stands in the host's root, where Landlock lets it open
// what its mounts would have been and nothing else, and the strict filter takes
// every call that would tell it about a path, of which Landlock knows nothing.
// What Landlock cannot do for a kind is the error: what it executes, connects to,
// or shares with a device needs a root or a network of its own.
func (s Spec) Reduce() (Spec, error) {
	switch {
	case s.Reduced:
		return s, nil
	case s.FullOnly:
		return s, errors.New("it is never started without them")
	case s.Class != Plain && s.Class != JIT && s.Class != Engine:
		return s, errors.New("what it executes needs a root of its own")
	case len(s.Devices)+len(s.Sockets) > 0 || s.Surroundings != nil:
		return s, errors.New("its devices or sockets need a root and a network of its own")
	}
	persons, others := 0, 0
	for _, m := range s.Mounts {
		switch {
		case !m.Own && !m.Code:
			persons++
		case !m.File:
			others++
		}
	}
	if persons > 1 || others > 1 {
		return s, errors.New("it has more directories than it can be given without mounting them")
	}
	s.Reduced = true
	s.Required = slices.DeleteFunc(slices.Clone(s.Required), func(l Layer) bool { return slices.Contains(namespaces(), l) })
	s.Syscalls = withoutPaths(s.Syscalls)
	if persons > 0 {
		s.Descriptors = append(slices.Clone(s.Descriptors), Descriptor{GrantFD, "/", "the granted directory"})
	}
	// The kernel counts it over all processes of a user in one user namespace: it
	// would be the person's own limit.
	s.Limits.Processes = 0
	s.Probes = reducedProbes(s)
	return s, nil
}

// byPath are the calls that tell what is at a path, or what happens there, to who
// may not open it.
func byPath() []string {
	return []string{"newfstatat", "statx", "lstat", "stat", "faccessat", "faccessat2", "access", "readlinkat", "readlink", "getcwd",
		"inotify_init1", "inotify_add_watch", "inotify_rm_watch"}
}

// withoutPaths takes the calls of [byPath] out of an allow-list, and out of those
// that open a file two ways that Landlock does not ask about: O_PATH, and the
// access mode 3 that neither reads nor writes. Either descriptor would tell by
// fstat what is at the path.
func withoutPaths(calls []Syscall) []Syscall {
	const accessMode = 3
	var left []Syscall
	for _, c := range calls {
		if slices.Contains(byPath(), c.Name) {
			continue
		}
		if flags, ok := map[string]int{"openat": 2, "open": 1}[c.Name]; ok {
			mode := Cond{flags + 1, NoBits, setIDs}
			c = when(c.Name, c.Refusal, []Cond{{flags, NoBits, oPath | accessMode&1}, mode}, []Cond{{flags, NoBits, oPath | accessMode&2}, mode})
		}
		left = append(left, c)
	}
	return left
}

// reducedProbes are the probes of a spec as level 2 answers them. What is not in
// an empty root is not there; in the host's it is refused.
func reducedProbes(s Spec) []Probe {
	var all []Probe
	for _, p := range s.Probes {
		if slices.ContainsFunc(s.Mounts, func(m Mount) bool { return m.File && slices.Contains(ofFile(m), p.Name) }) {
			// A library of the system's stands where the system has it.
			continue
		}
		if slices.Equal(p.Errnos, []string{"ENOENT"}) {
			p.Errnos = []string{"EACCES"}
		}
		if p.Name == "open /grant/../etc" {
			// What stands beside a folder is anyone's guess.
			p.Name = "open /grant/.."
		}
		all = append(all, p)
	}
	return append(all, probe("stat /", "EPERM"), probe("open /etc/passwd as a path", "EPERM"), probe("open /etc/passwd for nothing", "EPERM"))
}

// ofFile are the names of probes that are about a file of the spec's.
func ofFile(m Mount) []string {
	return []string{"open " + m.Target, "open " + m.Target + " for writing"}
}
