package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Posture is what /proc shows of a live worker.
type Posture struct {
	Status      proc.Status
	Namespaces  map[string]string
	Descriptors []proc.Descriptor
	Environ     []string
	Cwd         string
	Root        []string
	Mounts      []proc.Mountpoint
	Limits      map[string]proc.Limit
	Children    []int
	// Program is the binary, ReadOnly that it stands on a mount that cannot be written,
	// Code what may be executed of the process's memory.
	Program  string
	ReadOnly bool
	Code     []proc.Mapping
	// Ours are the namespaces of the process that looked.
	Ours map[string]string
	// Inherited is how many seccomp filters that process has itself, from a
	// container or a service manager: its workers have them too. -1 where the
	// kernel does not count.
	Inherited int
	// Named, of a worker of level 2, is where each target of its spec lies on the
	// host.
	Named map[string]string
}

// Check judges a posture by the worker's spec. The error is
// errs.PostureFailed and names every deviation; the worker must then be killed.
func Check(p Posture, spec workerspec.Spec) error {
	var bad []string
	note := func(ok bool, format string, a ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, a...))
		}
	}
	// Kernels before 5.9 do not count them.
	note(p.Status.Filters == p.Inherited+2 || p.Status.Filters == -1 && p.Inherited == -1, "%d seccomp filters", p.Status.Filters)
	if spec.Reduced {
		bad = append(bad, checkReduced(p, spec)...)
	} else {
		bad = append(bad, checkConfined(p, spec)...)
		note(slices.Equal(p.Environ, spec.Env), "environment of %d entries", len(p.Environ))
		bad = append(bad, checkRoot(p, spec)...)
		note(p.ReadOnly, "the program can be written")
	}
	bad = append(bad, checkDescriptors(p.Descriptors, spec)...)
	bad = append(bad, checkCode(p, spec)...)
	bad = append(bad, checkLimits(p.Limits, spec.Limits)...)
	if len(bad) > 0 {
		return errs.New(errs.PostureFailed, "sandbox.check").With(strings.Join(bad, "; "))
	}
	return nil
}

// checkConfined wants what every process of ours is, that draws or works.
func checkConfined(p Posture, spec workerspec.Spec) (bad []string) {
	note := func(ok bool, format string, a ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, a...))
		}
	}
	s := p.Status
	note(s.Seccomp == 2, "seccomp mode %d", s.Seccomp)
	note(s.NoNewPrivs, "new privileges are possible")
	note(s.Inheritable|s.Permitted|s.Effective|s.Bounding|s.Ambient == 0, "capabilities are left")
	for i := range s.UID {
		note(s.UID[i] != 0 && s.GID[i] != 0, "host id 0")
		note(s.UID[i] == s.UID[0] && s.GID[i] == s.GID[0], "ids differ")
	}
	note(s.Inner == 1, "process %d of its namespace", s.Inner)
	for n, layer := range map[string]workerspec.Layer{"user": workerspec.UserNamespace, "mnt": workerspec.MountNamespace, "pid": workerspec.PIDNamespace,
		"net": workerspec.NetNamespace, "ipc": workerspec.IPCNamespace, "uts": workerspec.UTSNamespace} {
		apart := p.Namespaces[n] != "" && p.Ours[n] != "" && p.Namespaces[n] != p.Ours[n]
		note(apart || !spec.Requires(layer), "%s namespace is shared", n)
	}
	note(p.Cwd == "/", "working directory %q", p.Cwd)
	note(len(p.Children) == 0, "%d children", len(p.Children))
	return bad
}

// checkRoot wants the empty root, the spec's mounts, and nothing else but what
// is mounted inside those.
func checkRoot(p Posture, spec workerspec.Spec) (bad []string) {
	var want []string
	for _, m := range spec.Mounts {
		name, _, _ := strings.Cut(strings.TrimPrefix(m.Target, "/"), "/")
		want = append(want, name)
	}
	if spec.Wrapped {
		want = append(want, strings.TrimPrefix(workerspec.StubTarget, "/"))
	}
	slices.Sort(want)
	want = slices.Compact(want)
	root := p.Root
	if spec.Wrapped {
		// A foreign program has no file.
		root = slices.DeleteFunc(slices.Clone(root), func(n string) bool { return "/"+n == workerspec.ProgramTarget })
	}
	if !slices.Equal(withoutSurroundings(withoutDriver(root, want, spec), want, spec), want) {
		bad = append(bad, fmt.Sprintf("%d names in the root", len(p.Root)))
	}
	found := map[string]bool{}
	for _, m := range p.Mounts {
		if m.Point == "/" {
			found["/"] = true
			if m.Type != "tmpfs" || !m.Has("ro") {
				bad = append(bad, "the root is "+m.Type+" or can be written")
			}
			continue
		}
		i := slices.IndexFunc(spec.Mounts, func(w workerspec.Mount) bool {
			return m.Point == w.Target || strings.HasPrefix(m.Point, w.Target+"/")
		})
		if i < 0 {
			if spec.Wrapped && (m.Point == workerspec.StubTarget || m.Point == workerspec.ProgramTarget) {
				bad = append(bad, lacks(m, []string{"ro", "nosuid", "nodev"})...)
				continue
			}
			if need := surroundingNeeds(m, spec); need != nil {
				bad = append(bad, lacks(m, need)...)
				continue
			}
			bad = append(bad, checkDriverMount(m, spec)...)
			continue
		}
		target := spec.Mounts[i].Target
		found[target] = found[target] || m.Point == target
		for _, o := range []string{"nosuid", "nodev", "noexec"} {
			if !m.Has(o) && (o != "noexec" || !spec.Mounts[i].Code && !spec.Mounts[i].Run && !spec.Wrapped) {
				bad = append(bad, target+" is not "+o)
			}
		}
		if !spec.Mounts[i].Write && !m.Has("ro") {
			bad = append(bad, target+" can be written")
		}
	}
	for _, t := range append([]string{"/"}, targets(spec)...) {
		if !found[t] {
			bad = append(bad, "no mount at "+t)
		}
	}
	return bad
}

func targets(spec workerspec.Spec) []string {
	var ts []string
	for _, m := range spec.Mounts {
		ts = append(ts, m.Target)
	}
	return ts
}

// checkDescriptors wants the declared ones, and no more than the poller of the
// Go runtime besides.
func checkDescriptors(have []proc.Descriptor, spec workerspec.Spec) (bad []string) {
	poller := map[string]int{"anon_inode:[eventpoll]": 1, "anon_inode:[eventfd]": 1}
	seen := 0
	for _, d := range have {
		i := slices.IndexFunc(spec.Descriptors, func(w workerspec.Descriptor) bool { return w.Number == d.Number })
		switch {
		case i >= 0 && strings.HasPrefix(d.Target, spec.Descriptors[i].Type):
			seen++
		case i < 0 && poller[d.Target] > 0:
			poller[d.Target]--
		case i < 0 && spec.Driver != nil && slices.Contains(spec.Devices, d.Target):
		default:
			// The target may be a person's path: only its type is told.
			kind, _, _ := strings.Cut(d.Target, ":")
			if strings.HasPrefix(kind, "/") {
				kind = "file"
			}
			bad = append(bad, fmt.Sprintf("descriptor %d is a %s", d.Number, kind))
		}
	}
	if seen != len(spec.Descriptors) {
		bad = append(bad, fmt.Sprintf("%d of %d descriptors", seen, len(spec.Descriptors)))
	}
	return bad
}

// checkCode wants no page that can be executed but those of the program, of the
// spec's code and the kernel's own, and none of them to be writable.
func checkCode(p Posture, spec workerspec.Spec) (bad []string) {
	if p.Program == "" || len(p.Code) == 0 {
		bad = append(bad, "no program is seen")
	}
	for _, m := range p.Code {
		known := m.Name == p.Program || m.Name == "[vdso]" || m.Name == "[vsyscall]" ||
			slices.ContainsFunc(spec.Mounts, func(w workerspec.Mount) bool {
				at := w.Target
				if spec.Reduced {
					at = p.Named[w.Target]
				}
				return w.Code && (m.Name == at && w.File || !w.File && strings.HasPrefix(m.Name, at+"/"))
			}) || driverCode(m.Name, spec) || m.Name == "" && spec.Class == workerspec.JIT // what it compiled
		if !known {
			bad = append(bad, "code of a file that nobody declared, or of none")
		}
		if strings.Contains(m.Rights, "w") || strings.Contains(m.Rights, "s") {
			bad = append(bad, "code that can be written")
		}
	}
	return bad
}

func checkLimits(have map[string]proc.Limit, want workerspec.Limits) (bad []string) {
	for _, l := range []struct {
		name  string
		value uint64
	}{
		{"Max open files", want.OpenFiles}, {"Max file size", want.FileSize}, {"Max processes", want.Processes},
		{"Max data size", want.Data}, {"Max locked memory", want.LockedMemory},
		{"Max msgqueue size", want.MessageQueues}, {"Max pending signals", limits.WorkerSignals},
		{"Max realtime priority", 0}, {"Max nice priority", 0},
	} {
		if l.value == 0 && l.name == "Max processes" {
			continue // not limited
		}
		if h, ok := have[l.name]; !ok || h.Soft != l.value || h.Hard != l.value {
			bad = append(bad, strings.ToLower(l.name)+" is not limited as declared")
		}
	}
	// A person's account may have less.
	for name, most := range map[string]uint64{"Max stack size": limits.WorkerStack, "Max core file size": limits.WorkerCore} {
		if h, ok := have[name]; !ok || max(h.Soft, h.Hard) > most {
			bad = append(bad, strings.ToLower(name)+" is not limited as declared")
		}
	}
	return bad
}
