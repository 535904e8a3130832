package sandbox

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// CheckHost judges the posture of a host that waits for its first message, by its
// spec and what it was given. The error is errs.PostureFailed and names every
// deviation.
func CheckHost(p Posture, spec workerspec.Spec, given Given) error {
	var bad []string
	note := func(ok bool, format string, a ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, a...))
		}
	}
	filters := p.Inherited + 1
	if spec.Requires(workerspec.SeccompStrict) {
		filters++
	}
	note(p.Status.Filters == filters || p.Status.Filters == -1 && p.Inherited == -1, "%d seccomp filters", p.Status.Filters)
	bad = append(bad, checkConfined(p, spec)...)
	note(slices.Equal(p.Environ, slices.Concat(spec.Env, given.Env)), "environment of %d entries", len(p.Environ))
	bad = append(bad, checkHostRoot(p, spec, given)...)
	note(p.ReadOnly, "the program can be written")
	bad = append(bad, checkDescriptors(p.Descriptors, spec)...)
	bad = append(bad, checkHostCode(p, spec)...)
	bad = append(bad, checkLimits(p.Limits, spec.Limits)...)
	if len(bad) > 0 {
		return errs.New(errs.PostureFailed, "sandbox.check").With(strings.Join(bad, "; "))
	}
	return nil
}

// checkHostRoot wants nothing in the root, and nothing mounted, but what the
// spec has and what was given; and nothing of it to be more than it must.
func checkHostRoot(p Posture, spec workerspec.Spec, given Given) (bad []string) {
	var names []string
	for _, t := range hostTargets(spec, given) {
		name, _, _ := strings.Cut(strings.TrimPrefix(t, "/"), "/")
		names = append(names, name)
	}
	for _, n := range p.Root {
		if !slices.Contains(names, n) {
			bad = append(bad, "a name in the root that nobody declared")
		}
	}
	need := func(m proc.Mountpoint, options ...string) { bad = append(bad, lacks(m, options)...) }
	found := map[string]bool{}
	for _, m := range p.Mounts {
		found[m.Point] = true
		place := slices.IndexFunc(given.Places, func(g Place) bool { return within(m.Point, g.Target) })
		switch {
		case m.Point == "/":
			need(m, "ro", "nosuid", "nodev", "noexec")
			if m.Type != "tmpfs" {
				bad = append(bad, "the root is "+m.Type)
			}
		case place >= 0:
			need(m, "nosuid", "nodev", "noexec")
			if !given.Places[place].Sockets {
				need(m, "ro")
			}
		default:
			options := surroundingNeeds(m, spec)
			if options == nil {
				bad = append(bad, "a mount that nobody declared")
			}
			need(m, options...)
		}
	}
	for _, g := range given.Places {
		if !found[g.Target] {
			bad = append(bad, "no mount at a place that was given")
		}
	}
	if !found["/"] || !slices.ContainsFunc(spec.Surroundings.System, func(d string) bool { return found[d] }) {
		bad = append(bad, "not the root of a host")
	}
	return bad
}

func lacks(m proc.Mountpoint, options []string) (bad []string) {
	for _, o := range options {
		if !m.Has(o) {
			bad = append(bad, m.Point+" is not "+o)
		}
	}
	return bad
}

// surroundingNeeds are the options that a mount of a root's surroundings has to
// have; nil when it is none. bubblewrap has no noexec, and no device that is
// read-only, which keeps nobody from writing to one.
func surroundingNeeds(m proc.Mountpoint, spec workerspec.Spec) []string {
	need := ownSurroundingNeeds(m, spec)
	if !spec.Wrapped {
		return need
	}
	return slices.DeleteFunc(need, func(o string) bool {
		return o == "noexec" || o == "ro" && slices.Contains(spec.Devices, m.Point)
	})
}

func ownSurroundingNeeds(m proc.Mountpoint, spec workerspec.Spec) []string {
	s := spec.Surroundings
	if s == nil {
		return nil
	}
	runs := spec.Class == workerspec.Exec
	switch {
	case slices.ContainsFunc(s.System, func(d string) bool { return within(m.Point, d) }):
		return []string{"ro", "nosuid", "nodev"}
	case slices.Contains(spec.Devices, m.Point):
		return []string{"ro", "nosuid", "noexec"}
	case slices.ContainsFunc(s.Scratch, func(t workerspec.Scratch) bool { return m.Point == t.Path }) && m.Type == "tmpfs":
		if runs {
			return []string{"nosuid", "nodev"}
		}
		return []string{"nosuid", "nodev", "noexec"}
	case s.Proc && m.Point == "/proc" && m.Type == "proc":
		if runs {
			return []string{"ro", "nosuid", "nodev", "noexec"}
		}
		return []string{"nosuid", "nodev", "noexec"}
	}
	return nil
}

// withoutSurroundings returns the names of a root that are not there for the sake
// of what stands around the mounts.
func withoutSurroundings(root, want []string, spec workerspec.Spec) []string {
	if spec.Surroundings == nil {
		return root
	}
	var around []string
	for _, t := range hostTargets(spec, Given{}) {
		name, _, _ := strings.Cut(strings.TrimPrefix(t, "/"), "/")
		around = append(around, name)
	}
	return slices.DeleteFunc(slices.Clone(root), func(n string) bool { return slices.Contains(around, n) && !slices.Contains(want, n) })
}

func within(point, dir string) bool { return point == dir || strings.HasPrefix(point, dir+"/") }

// hostTargets lists everything that may stand in a host's root.
func hostTargets(spec workerspec.Spec, given Given) []string {
	s := spec.Surroundings
	ts := slices.Concat(s.System, s.Empty, spec.Devices)
	for _, t := range s.Scratch {
		ts = append(ts, t.Path)
	}
	for _, g := range given.Places {
		ts = append(ts, g.Target)
	}
	if s.Proc {
		ts = append(ts, "/proc")
	}
	return ts
}

// checkHostCode wants no page that can be executed but those of the program and
// of the system's libraries, and none that can be written too.
func checkHostCode(p Posture, spec workerspec.Spec) (bad []string) {
	if p.Program == "" || len(p.Code) == 0 {
		bad = append(bad, "no program is seen")
	}
	for _, m := range p.Code {
		known := m.Name == p.Program || m.Name == "[vdso]" || m.Name == "[vsyscall]" ||
			slices.ContainsFunc(spec.Surroundings.System, func(d string) bool { return within(path.Clean(m.Name), d) })
		if !known {
			bad = append(bad, "code of a file that nobody declared, or of none")
		}
		if strings.Contains(m.Rights, "w") || strings.Contains(m.Rights, "s") {
			bad = append(bad, "code that can be written")
		}
	}
	return bad
}
