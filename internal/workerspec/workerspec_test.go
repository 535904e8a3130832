package workerspec

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// classified says, of every field that a spec has, which test holds it. A new
// field fails until someone has thought about it.
func TestEveryFieldIsClassified(t *testing.T) {
	for typ, fields := range map[reflect.Type][]string{
		reflect.TypeFor[Spec](): {"Kind", "Class", "Mounts", "Env", "Descriptors", "Devices", "Sockets", "Syscalls",
			"Limits", "Methods", "Required", "Probes"},
		reflect.TypeFor[Mount]():      {"Target", "Write", "Own"},
		reflect.TypeFor[Descriptor](): {"Number", "Type", "For"},
		reflect.TypeFor[Limits](): {"OpenFiles", "FileSize", "Processes", "Data", "Core", "LockedMemory",
			"MessageQueues"},
		reflect.TypeFor[Probe]():   {"Name", "Errnos"},
		reflect.TypeFor[Syscall](): {"Name", "Any", "Refusal"},
		reflect.TypeFor[Cond]():    {"Arg", "Op", "Value"},
	} {
		var have []string
		for i := range typ.NumField() {
			have = append(have, typ.Field(i).Name)
		}
		if !slices.Equal(have, fields) {
			t.Errorf("%s has the fields %v: classify what changed, and add its invariant", typ.Name(), have)
		}
	}
}

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All() {
		if s.Kind == "" || strings.ContainsAny(s.Kind, " -/") || seen[s.Kind] {
			t.Errorf("kind %q", s.Kind)
		}
		seen[s.Kind] = true
		if got, ok := For(s.Kind); !ok || !reflect.DeepEqual(got, s) {
			t.Errorf("For(%q) is another spec", s.Kind)
		}
		if s.Class < Plain || s.Class > Engine || s.Class.String() == "unknown" {
			t.Errorf("%s: class %d", s.Kind, s.Class)
		}
	}
	if _, ok := For("none"); ok {
		t.Error("a kind that is not in All")
	}
	if Class(0).String() != "unknown" {
		t.Error("the zero class has a name")
	}
}

// TestCallerOwnsResult: a spec that someone changed must not change the next
// one.
func TestCallerOwnsResult(t *testing.T) {
	for i, s := range All() {
		s.Syscalls[0].Name, s.Mounts[0].Write, s.Required[0] = "changed", true, "changed"
		if again := All()[i]; again.Syscalls[0].Name == "changed" || again.Mounts[0].Write || again.Required[0] == "changed" {
			t.Errorf("%s is shared", s.Kind)
		}
	}
}

func TestMounts(t *testing.T) {
	for _, s := range All() {
		seen := map[string]bool{}
		for i, m := range s.Mounts {
			name, ok := strings.CutPrefix(m.Target, "/")
			if !ok || name == "" || strings.ContainsAny(name, "/.") || seen[m.Target] {
				t.Errorf("%s: target %q is not a single name below the root", s.Kind, m.Target)
			}
			seen[m.Target] = true
			if m.Own && i == 0 {
				t.Errorf("%s: the first mount decides the worker's id inside, and must be the granted one", s.Kind)
			}
			if m.Own && !m.Write {
				t.Errorf("%s: %s is Bailey's own and cannot be written", s.Kind, m.Target)
			}
			if m.Target == "/grant" && m.Own {
				t.Errorf("%s: a person's directory would be chowned", s.Kind)
			}
		}
	}
}

func TestNothingFromOutside(t *testing.T) {
	for _, s := range All() {
		for _, e := range s.Env {
			name, _, ok := strings.Cut(e, "=")
			if !ok || name == "" || strings.HasPrefix(name, "LD_") || name == "GODEBUG" || name == "PATH" || name == "HOME" {
				t.Errorf("%s: environment %q", s.Kind, e)
			}
		}
		if s.Class == Plain && len(s.Devices)+len(s.Sockets) > 0 {
			t.Errorf("%s is plain and has devices or sockets", s.Kind)
		}
		for i, d := range s.Descriptors {
			if d.Number != i || d.Type == "" || d.For == "" {
				t.Errorf("%s: descriptor %+v", s.Kind, d)
			}
		}
		if len(s.Descriptors) < 4 || s.Descriptors[3].Type != "socket:" {
			t.Errorf("%s: no connection at descriptor 3", s.Kind)
		}
	}
}

// never are calls that no allow-list of any class may have whatever the
// arguments; a call that may be made with some arguments has conditions.
func never() []string {
	return append(Fatal(), append(Absent(), "socket", "socketpair", "accept", "accept4", "bind", "listen", "connect", "ioctl",
		"kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_getfd", "pidfd_send_signal",
		"setuid", "setgid", "setresuid", "setresgid", "setgroups", "capset", "seccomp", "personality", "prctl", "prlimit64",
		"chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "fchownat", "utimensat", "setxattr", "fsetxattr",
		"link", "linkat", "symlink", "symlinkat", "memfd_create", "memfd_secret", "inotify_init1", "shmget", "msgget", "semget",
		"mq_open", "mkdir", "mkdirat", "rmdir", "umask", "flock", "clone", "fork", "vfork", "tgkill", "fcntl", "mmap", "mprotect", "pkey_mprotect", "openat", "open")...)
}

func TestSyscalls(t *testing.T) {
	for _, s := range All() {
		seen := map[string]bool{}
		for _, c := range s.Syscalls {
			if seen[c.Name] {
				t.Errorf("%s lists %s twice", s.Kind, c.Name)
			}
			seen[c.Name] = true
			if len(c.Any) == 0 && slices.Contains(never(), c.Name) {
				t.Errorf("%s may call %s with any arguments", s.Kind, c.Name)
			}
			if slices.Contains(Fatal(), c.Name) || slices.Contains(Absent(), c.Name) {
				t.Errorf("%s may call %s, which is on another list", s.Kind, c.Name)
			}
			for _, alt := range c.Any {
				if len(alt) == 0 {
					t.Errorf("%s: an alternative of %s holds always", s.Kind, c.Name)
				}
				for _, cond := range alt {
					if cond.Op < Equal || cond.Op > Self || cond.Arg < 0 || cond.Arg > 5 {
						t.Errorf("%s: %s: %+v", s.Kind, c.Name, cond)
					}
				}
			}
		}
		if s.Class != Plain {
			continue
		}
		for _, n := range []string{"execve", "execveat", "fork", "vfork"} {
			if seen[n] {
				t.Errorf("%s is plain and may call %s", s.Kind, n)
			}
		}
		for _, n := range []string{"mmap", "mprotect"} {
			if i := slices.IndexFunc(s.Syscalls, func(c Syscall) bool { return c.Name == n }); i >= 0 &&
				slices.ContainsFunc(s.Syscalls[i].Any, func(alt []Cond) bool { return !slices.Contains(alt, Cond{2, NoBits, protExec}) }) {
				t.Errorf("%s is plain and %s may make executable memory", s.Kind, n)
			}
		}
	}
}

func TestFatalAndAbsentAreApart(t *testing.T) {
	all := append(Fatal(), Absent()...)
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("a call is on both lists, or twice on one")
	}
}

func TestLimits(t *testing.T) {
	for _, s := range All() {
		l := s.Limits
		if l.Core != 0 || l.LockedMemory != 0 || l.MessageQueues != 0 {
			t.Errorf("%s: core dumps, locked memory or message queues", s.Kind)
		}
		if l.OpenFiles < 64 || l.OpenFiles >= 300 { // row 66
			t.Errorf("%s: %d open files", s.Kind, l.OpenFiles)
		}
		if l.Processes < 256 || l.Processes > 1024 || l.FileSize == 0 || l.Data == 0 || l.Data > 8<<30 {
			t.Errorf("%s: limits %+v", s.Kind, l)
		}
	}
}

func TestMethods(t *testing.T) {
	for _, s := range All() {
		for _, m := range workerMethods() {
			if !s.May(m) {
				t.Errorf("%s does not answer %d", s.Kind, m)
			}
		}
		if s.May(0) || s.May(101) {
			t.Errorf("%s may be sent another service's calls", s.Kind)
		}
		sorted := slices.Clone(s.Methods)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != len(s.Methods) {
			t.Errorf("%s lists a method twice", s.Kind)
		}
	}
}

// TestRequired: as long as there is one level only, every layer is required.
func TestRequired(t *testing.T) {
	for _, s := range All() {
		for _, l := range Layers() {
			if !s.Requires(l) {
				t.Errorf("%s starts without %s", s.Kind, l)
			}
		}
		if s.Requires("") {
			t.Errorf("%s requires nothing in particular", s.Kind)
		}
	}
}

func TestProbes(t *testing.T) {
	for _, s := range All() {
		seen := map[string]bool{}
		for _, p := range s.Probes {
			// 64 bytes and 64 attempts are what bailey.worker.v1 carries.
			if p.Name == "" || len(p.Name) > 64 || seen[p.Name] || len(p.Errnos) == 0 {
				t.Errorf("%s: probe %+v", s.Kind, p)
			}
			seen[p.Name] = true
			for _, e := range p.Errnos {
				if !strings.HasPrefix(e, "E") {
					t.Errorf("%s: probe %s expects %q", s.Kind, p.Name, e)
				}
			}
		}
		if len(s.Probes) < 20 || len(s.Probes) > 64 {
			t.Errorf("%s has %d probes", s.Kind, len(s.Probes))
		}
	}
}
