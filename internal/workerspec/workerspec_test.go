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
		reflect.TypeFor[Spec](): {"Kind", "Class", "Program", "Arguments", "Mounts", "Surroundings", "Driver", "Env", "Descriptors", "Handed", "Devices", "Sockets", "Syscalls",
			"Limits", "Methods", "Required", "Probes", "Reduced", "Wrapped", "FullOnly", "Reserved"},
		reflect.TypeFor[Surroundings](): {"System", "Scratch", "Empty", "Proc", "Display", "Proxy", "Persons", "EnvNames", "Nests"},
		reflect.TypeFor[Driver]():       {"System"},
		reflect.TypeFor[Scratch]():      {"Path", "Bytes"},
		reflect.TypeFor[Mount]():        {"Target", "File", "Code", "Loader", "Write", "Run", "Choice", "Own", "Optional"},
		reflect.TypeFor[Taken]():        {"Target", "Write"},
		reflect.TypeFor[Handed]():       {"Type", "For"},
		reflect.TypeFor[Descriptor]():   {"Number", "Type", "For"},
		reflect.TypeFor[Limits](): {"OpenFiles", "FileSize", "Processes", "Data", "LockedMemory",
			"MessageQueues"},
		reflect.TypeFor[Probe]():   {"Early", "Name", "Errnos"},
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

// every is every kind, of worker and of host.
func every() []Spec { return append(All(), Hosts()...) }

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range every() {
		programs := map[Class][]string{Plain: {WorkerProgram}, JIT: {WorkerProgram}, Exec: {WorkerProgram}, Engine: {EngineProgram}, Graphics: {EngineProgram}, Host: {WindowProgram, PromptProgram, ProxyProgram}}
		if !slices.Contains(programs[s.Class], s.Program) {
			t.Errorf("%s: program %q", s.Kind, s.Program)
		}
		if (len(s.Arguments) > 0) != (s.Program == ProxyProgram) {
			t.Errorf("%s is started with %q", s.Kind, s.Arguments)
		}
		if (s.Surroundings != nil) != (s.Class == Host || s.Class == Exec) {
			t.Errorf("%s is %s and has surroundings, or has none", s.Kind, s.Class)
		}
		if r := s.Surroundings; r != nil && s.Class != Host && (r.Display || r.Proxy || r.Persons || r.Nests || len(r.EnvNames) > 0) {
			t.Errorf("%s is no host, and sees what a host may", s.Kind)
		}
		if s.Kind == "" || strings.ContainsAny(s.Kind, " -/") || seen[s.Kind] {
			t.Errorf("kind %q", s.Kind)
		}
		seen[s.Kind] = true
		if got, ok := For(s.Kind); !ok || !reflect.DeepEqual(got, s) {
			t.Errorf("For(%q) is another spec", s.Kind)
		}
		if s.Class < Plain || s.Class > Graphics || s.Class.String() == "unknown" {
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
		for j := range s.Mounts {
			s.Mounts[j].Target = "changed"
		}
		s.Syscalls[0].Name, s.Required[0], s.Probes[0].Errnos[0] = "changed", "changed", "changed"
		again := All()[i]
		if again.Syscalls[0].Name == "changed" || again.Required[0] == "changed" || again.Probes[0].Errnos[0] == "changed" ||
			slices.ContainsFunc(again.Mounts, func(m Mount) bool { return m.Target == "changed" }) {
			t.Errorf("%s is shared", s.Kind)
		}
	}
}

func TestMounts(t *testing.T) {
	for _, s := range All() {
		seen := map[string]bool{}
		loaders := 0
		for i, m := range s.Mounts {
			parts := strings.Split(m.Target, "/")
			depth := 2
			if m.File {
				depth = 3
			}
			if parts[0] != "" || len(parts) != depth || slices.Contains(parts[1:], "") || slices.Contains(parts, "..") || slices.Contains(parts, ".") || seen[m.Target] {
				t.Errorf("%s: target %q", s.Kind, m.Target)
			}
			seen[m.Target] = true
			if m.File && seen["/"+parts[1]] {
				t.Errorf("%s: %s stands in another mount", s.Kind, m.Target)
			}
			if m.Own && !m.Write && !m.Optional {
				t.Errorf("%s: %s is Bailey's own and cannot be written", s.Kind, m.Target)
			}
			if m.Run && (s.Class != Exec || m.Own || m.Code || m.File) {
				t.Errorf("%s: programs of %s may be executed", s.Kind, m.Target)
			}
			// A person's own files are written to by two kinds alone, and when the
			// person said so.
			if m.Write && !m.Own && (!m.Choice || s.Kind != "file" && s.Kind != "tool") {
				t.Errorf("%s may write to a person's %s", s.Kind, m.Target)
			}
			if m.Choice && (!m.Write || m.Own) {
				t.Errorf("%s: there is no choice about %s", s.Kind, m.Target)
			}
			if m.Optional && (m.Code || m.Own && m.Write) {
				t.Errorf("%s: %s may be left out", s.Kind, m.Target)
			}
			if m.Target == "/grant" && (m.Own || m.Code || m.File) {
				t.Errorf("%s: a person's directory would be chowned, or be code", s.Kind)
			}
			if m.Code && (m.Write || m.Own || s.Class != Engine && s.Class != Graphics) {
				t.Errorf("%s: %s is code", s.Kind, m.Target)
			}
			if m.File != (m.File && m.Code) {
				t.Errorf("%s: %s is a file of a person's", s.Kind, m.Target)
			}
			if m.Loader {
				loaders++
				if !m.Code || !m.File {
					t.Errorf("%s: the loader %s is no file of the system's", s.Kind, m.Target)
				}
			}
			if s.Grant() >= 0 && s.Grant() != 0 && i == 0 {
				t.Errorf("%s: the granted mount must be the first, in which the worker is born", s.Kind)
			}
		}
		if loaders > 1 || (loaders == 1) != (s.Program == EngineProgram) {
			t.Errorf("%s has %d loaders", s.Kind, loaders)
		}
	}
}

// TestEngineOnOtherProcessors: the loader is where a program for that processor
// looks for it.
func TestEngineOnOtherProcessors(t *testing.T) {
	for arch, loader := range map[string]string{"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"} {
		s := engine(arch)
		if s.Mounts[0].Target != loader || !s.Mounts[0].Loader || len(s.Mounts) != 9 {
			t.Errorf("%s: %+v", arch, s.Mounts)
		}
	}
}

func TestGrant(t *testing.T) {
	for kind, want := range map[string]int{"index": 0, "store": -1, "inspect": -1, "engine": -1, "pdf": -1, "file": 0, "audio": -1,
		"net": -1, "plugin": -1, "tool": 0, "gate": -1, "mcp": -1} {
		if s, _ := For(kind); s.Grant() != want {
			t.Errorf("%s: %d", kind, s.Grant())
		}
	}
}

func TestTaking(t *testing.T) {
	s := Spec{Mounts: []Mount{{Target: "/a", Write: true, Choice: true}, {Target: "/b", Optional: true}, {Target: "/c", Write: true}}}
	for _, c := range []struct {
		taken []Taken
		want  []Mount
	}{
		{nil, []Mount{{Target: "/a", Write: true, Choice: true}, {Target: "/c", Write: true}}},
		{[]Taken{{"/a", false}, {"/b", true}, {"/c", false}, {"/d", true}},
			[]Mount{{Target: "/a", Choice: true}, {Target: "/b", Optional: true}, {Target: "/c", Write: true}}},
		{[]Taken{{"/a", true}}, []Mount{{Target: "/a", Write: true, Choice: true}, {Target: "/c", Write: true}}},
	} {
		if got := s.Taking(c.taken...).Mounts; !slices.Equal(got, c.want) {
			t.Errorf("%v: %+v", c.taken, got)
		}
	}
	if len(s.Mounts) != 3 || !s.Mounts[0].Write {
		t.Error("the spec itself was changed")
	}
}

func TestWithMemory(t *testing.T) {
	s, _ := For("engine")
	if s.WithMemory(0).Limits != s.Limits || s.WithMemory(5).Limits.Data != 5 || s.Limits.Data == 5 {
		t.Error("another limit than asked for")
	}
}

func TestNothingFromOutside(t *testing.T) {
	for _, s := range every() {
		for _, e := range s.Env {
			name, _, ok := strings.Cut(e, "=")
			if (s.Class == Engine || s.Class == Graphics) && name == "LD_LIBRARY_PATH" {
				// Of the engine's own root, not of the user's.
				continue
			}
			if !ok || name == "" || strings.HasPrefix(name, "LD_") || name == "GODEBUG" || name == "PATH" && s.Class != Exec || name == "HOME" && s.Class != Host && s.Class != Exec {
				t.Errorf("%s: environment %q", s.Kind, e)
			}
		}
		if s.Class != Exec && s.Class != Host && len(s.Devices) > 0 {
			t.Errorf("%s is %s and has devices", s.Kind, s.Class)
		}
		if s.Class != Host && (len(s.Sockets) > 0) != (s.Kind == "net") {
			t.Errorf("%s makes sockets", s.Kind)
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
		"mq_open", "mkdir", "mkdirat", "rmdir", "umask", "flock", "clone", "fork", "vfork", "tgkill", "fcntl", "mmap", "mprotect", "pkey_mprotect", "openat", "open",
		"getsockopt", "setsockopt", "sendmsg", "sendmmsg", "sendto", "recvmsg", "recvmmsg", "recvfrom", "renameat2", "fallocate", "madvise", "pipe2",
		"futex", "clock_gettime", "clock_getres", "clock_nanosleep", "sched_getaffinity")...)
}

func TestSyscalls(t *testing.T) {
	for _, s := range All() {
		seen := map[string]bool{}
		for _, c := range s.Syscalls {
			if seen[c.Name] {
				t.Errorf("%s lists %s twice", s.Kind, c.Name)
			}
			seen[c.Name] = true
			if len(c.Any) == 0 && slices.Contains(neverOf(s), c.Name) {
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
					if cond.Op < Equal || cond.Op > IoctlType || cond.Arg < 0 || cond.Arg > 5 {
						t.Errorf("%s: %s: %+v", s.Kind, c.Name, cond)
					}
				}
			}
		}
		if s.Class == Exec {
			continue
		}
		driver := s.Class == Graphics // TestDriverCalls
		for _, n := range []string{"execve", "execveat", "fork", "vfork"} {
			if seen[n] {
				t.Errorf("%s is %s and may call %s", s.Kind, s.Class, n)
			}
		}
		for _, n := range []string{"mmap", "mprotect", "pkey_mprotect"} {
			i := slices.IndexFunc(s.Syscalls, func(c Syscall) bool { return c.Name == n })
			if i < 0 {
				continue
			}
			for _, alt := range s.Syscalls[i].Any {
				never := slices.ContainsFunc(alt, func(c Cond) bool {
					return c.Arg == 2 && (c.Op == NoBits && c.Value&protExec != 0 || c.Op == Equal && c.Value&protExec == 0)
				})
				// What was written becomes code, and cannot be written any more. A pdf
				// worker compiles before it is sealed.
				compiled := s.Class == JIT && s.Kind != "pdf" && n == "mprotect" && slices.Equal(alt, []Cond{{2, Equal, protRead | protExec}})
				if !never && !compiled && !driver {
					t.Errorf("%s is %s and %s may make executable memory", s.Kind, s.Class, n)
				}
			}
		}
	}
}

// TestMemoryIsCounted: what has taken memory and written it can make it neither
// readable alone nor a stack, which RLIMIT_DATA does not count. Pages that become
// code are not counted either.
func TestMemoryIsCounted(t *testing.T) {
	for _, s := range All() {
		if s.Class == Exec || s.Class == Graphics {
			continue
		}
		for _, c := range s.Syscalls {
			want := [][]Cond{{{2, Equal, protRead | protWrite}}}
			if s.Kind == "plugin" {
				want = append(want, []Cond{{2, Equal, protRead | protExec}})
			}
			if c.Name == "mremap" || c.Name == "mprotect" && !slices.EqualFunc(c.Any, want, slices.Equal) {
				t.Errorf("%s may call %s: %v", s.Kind, c.Name, c.Any)
			}
		}
	}
}

// TestEngineOpensNothing: what an engine holds after it loaded its libraries is
// all that it will ever hold.
func TestEngineOpensNothing(t *testing.T) {
	for _, s := range All() {
		if slices.Contains([]string{"index", "store", "file"}, s.Kind) || s.Class == Exec || s.Class == Graphics {
			continue
		}
		for _, c := range s.Syscalls {
			if slices.Contains([]string{"open", "openat", "creat", "openat2", "unlink", "unlinkat", "rename", "renameat", "renameat2", "ftruncate", "fallocate", "pwrite64"}, c.Name) {
				t.Errorf("%s may call %s", s.Kind, c.Name)
			}
			if c.Name == "mmap" && s.Class == Engine && slices.ContainsFunc(c.Any, func(alt []Cond) bool {
				return !slices.ContainsFunc(alt, func(c Cond) bool {
					return c.Op == NoBits && (c.Arg == 3 && c.Value&mapShared != 0 || c.Arg == 2 && c.Value&protWrite != 0)
				})
			}) {
				t.Errorf("%s may map a file for writing", s.Kind)
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
		if l.LockedMemory != 0 || l.MessageQueues != 0 {
			t.Errorf("%s: locked memory or message queues", s.Kind)
		}
		if l.OpenFiles < 64 || l.OpenFiles >= 300 && s.Class != Exec { // row 66
			t.Errorf("%s: %d open files", s.Kind, l.OpenFiles)
		}
		if l.Processes < 256 || l.Processes > 1024 || l.FileSize == 0 || l.Data == 0 || l.Data > 8<<30 {
			t.Errorf("%s: limits %+v", s.Kind, l)
		}
	}
}

func TestMethods(t *testing.T) {
	whose := map[uint32]string{}
	for _, s := range All() {
		for _, m := range s.Methods {
			if slices.Contains(workerMethods(), m) {
				continue
			}
			// An engine is one whatever it computes on.
			if whose[m] != "" && !(whose[m] == "engine" && s.Kind == GraphicsKind) {
				t.Errorf("%d is answered by %s and by %s", m, whose[m], s.Kind)
			}
			whose[m] = s.Kind
		}
		if s.Reserved && len(s.Methods) != len(workerMethods()) {
			t.Errorf("%s is reserved, and answers more than every worker", s.Kind)
		}
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

// TestRequired: every layer is required at the full level, but that the one kind
// with a network has the host's.
func TestRequired(t *testing.T) {
	for _, s := range All() {
		for _, l := range Layers() {
			if s.Requires(l) == (s.Kind == "net" && l == NetNamespace) {
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
