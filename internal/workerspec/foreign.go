package workerspec

import (
	"slices"
	"strings"
)

// Foreign returns the sandbox of a kind as anyone's own program is run in it, by
// `bailey sandbox run`. What differs from the worker's is in [Spec.Differences],
// field by field; a test holds the two against each other.
func (s Spec) Foreign() Spec {
	s.Descriptors = []Descriptor{
		{0, "pipe:", "standard input: what the person's command passes on"},
		{1, "pipe:", "standard output: to the person's command"},
		{2, "pipe:", "standard error: to the person's command"},
		{3, "socket:", "a socket as a worker has one, with nobody at its other end"},
	}
	s.Handed, s.Methods, s.Probes = nil, nil, nil
	s.Mounts = slices.Clone(s.Mounts)
	for i, m := range s.Mounts {
		if !m.Own && !m.Code {
			s.Mounts[i].Optional = true
		}
	}
	if s.Class != Exec {
		s.Syscalls = withCalls(s.Syscalls, startCalls())
	}
	return s
}

// Folders are the places for a person's folders that a kind has, in order.
func Folders(s Spec) []Mount {
	var places []Mount
	for _, m := range s.Mounts {
		if !m.Own && !m.Code {
			places = append(places, m)
		}
	}
	return places
}

// startCalls are what the C library does before main. A worker does each of them
// too, before it seals itself; a foreign program has its filter by then.
func startCalls() []Syscall {
	return []Syscall{
		{Name: "set_tid_address"}, {Name: "set_robust_list"},
		when("arch_prctl", "", []Cond{{0, Equal32, archSetFS}}),
		// What it has bound becomes readable alone.
		when("mprotect", "", []Cond{{2, Equal, protRead}}),
	}
}

// withCalls allows more calls, or more uses of a call.
func withCalls(list, more []Syscall) []Syscall {
	list = slices.Clone(list)
	for _, c := range more {
		i := slices.IndexFunc(list, func(s Syscall) bool { return s.Name == c.Name })
		switch {
		case i < 0:
			list = append(list, c)
		case len(c.Any) == 0:
			list[i] = c
		case len(list[i].Any) > 0:
			list[i].Any = append(slices.Clone(list[i].Any), c.Any...)
		}
	}
	return list
}

// Difference is one thing in which a foreign program is run otherwise than the
// kind's own worker.
type Difference struct {
	// Name is stable, for programs: one word.
	Name string
	// Worker and Program are what is so of each, as a part of a sentence.
	Worker, Program string
}

// The names of differences.
const (
	DiffDescriptors = "descriptors"
	DiffArguments   = "arguments"
	DiffFilter      = "filter"
	DiffStart       = "start-calls"
	DiffMounts      = "mounts"
	DiffHanded      = "handed"
	DiffProbes      = "probes"
	DiffProgram     = "program"
	DiffDumpable    = "dumpable"
)

// Differences lists all in which a program that is run with these mounts differs
// from the kind's worker.
func (s Spec) Differences(taken ...Taken) []Difference {
	d := []Difference{
		{DiffDescriptors, "has /dev/null as 0 and 1, a pipe to the core as 2, and its connection to the core as 3",
			"has pipes to your command as 0, 1 and 2, and a socket with nobody at the other end as 3"},
		{DiffArguments, "has its program's and its kind's name as arguments", "has the arguments that you give it"},
		{DiffProbes, "tries before its first work what must be refused", "tries what it likes, and its sandbox was looked at from outside before it began"},
	}
	d = append(d, Difference{DiffFilter, "puts the strict filter on itself once it has started", "has the strict filter on before its first instruction"})
	if s.Class == Exec {
		d = append(d,
			Difference{DiffProgram, "is " + s.Program, "is the system's program, or yours as a copy in memory that nobody can change; a script is its descriptor 6"},
			Difference{DiffDumpable, "closes what /proc shows of it to your other processes once it is at work", "leaves that open, as every program does that is executed there"},
		)
	} else {
		d = append(d,
			Difference{DiffStart, "has made the calls of its start before its filter is on", "may make those of the C library's start all the time: set_tid_address, set_robust_list, arch_prctl to set FS, and mprotect for reading alone, by which it takes more memory than its limit"},
			Difference{DiffProgram, "is " + s.Program, "is your program, as a copy in memory that nobody can change"},
		)
	}
	if len(s.Handed) > 0 {
		d = append(d, Difference{DiffHanded, "is handed " + handedWords(s.Handed) + " with calls", "is handed nothing"})
	}
	var without []string
	for _, m := range s.Foreign().Mounts {
		if m.Optional && !slices.ContainsFunc(taken, func(t Taken) bool { return t.Target == m.Target }) && !s.optional(m.Target) {
			without = append(without, m.Target)
		}
	}
	if len(without) > 0 {
		d = append(d, Difference{DiffMounts, "sees a folder there", "sees no folder at " + strings.Join(without, ", ") + ", since you allowed none"})
	}
	return d
}

// optional says that the worker too may be started without a mount.
func (s Spec) optional(target string) bool {
	return slices.ContainsFunc(s.Mounts, func(m Mount) bool { return m.Target == target && m.Optional })
}

func handedWords(hs []Handed) string {
	var words []string
	for _, h := range hs {
		if !slices.Contains(words, h.Type) {
			words = append(words, h.Type)
		}
	}
	return strings.Join(words, " and ") + " descriptors"
}
