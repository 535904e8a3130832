package sandbox

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// call64 is one system call as a filter sees it.
type call64 struct {
	number, audit uint32
	args          [6]uint64
}

// interpret runs a filter as the kernel would. It fails on a program that the
// kernel would not take: a jump out of it, or no return.
func interpret(t testing.TB, prog []insn, c call64) uint32 {
	t.Helper()
	return visit(t, prog, c, func(int) {})
}

// visit is interpret, and says which instructions the call comes by.
func visit(t testing.TB, prog []insn, c call64, at func(pc int)) uint32 {
	t.Helper()
	word := func(off uint32) uint32 {
		switch {
		case off == offNumber:
			return c.number
		case off == offArch:
			return c.audit
		case off >= offArgs && off < offArgs+6*8 && off%4 == 0:
			v := c.args[(off-offArgs)/8]
			if off%8 != 0 {
				v >>= 32
			}
			return uint32(v)
		}
		t.Fatalf("load of offset %d", off)
		return 0
	}
	var a uint32
	for pc := 0; pc < len(prog); pc++ {
		at(pc)
		i := prog[pc]
		jump := func(ok bool) {
			if ok {
				pc += int(i.jt)
			} else {
				pc += int(i.jf)
			}
		}
		switch i.code {
		case opLoad:
			a = word(i.k)
		case opJump:
			pc += int(i.k)
		case opJeq:
			jump(a == i.k)
		case opJgt:
			jump(a > i.k)
		case opJge:
			jump(a >= i.k)
		case opJset:
			jump(a&i.k != 0)
		case opAnd:
			a &= i.k
		case opRet:
			return i.k
		default:
			t.Fatalf("opcode %#x", i.code)
		}
	}
	t.Fatal("the program runs off its end")
	return 0
}

// reference says what a spec demands of a call, without a filter.
func reference(spec workerspec.Spec, a arch, self uint32, c call64) uint32 {
	if c.audit != a.audit || a.x32 && c.number >= x32Flag {
		return actKill
	}
	named := func(n string) bool { v, ok := a.number[n]; return ok && v == c.number }
	for _, s := range spec.Syscalls {
		if !named(s.Name) {
			continue
		}
		if len(s.Any) == 0 {
			return actAllow
		}
		for _, alt := range s.Any {
			if !slices.ContainsFunc(alt, func(cd workerspec.Cond) bool { return !holds(cd, self, c.args[cd.Arg]) }) {
				return actAllow
			}
		}
		switch s.Refusal {
		case "EACCES":
			return actErrno | uint32(unix.EACCES)
		case "EAFNOSUPPORT":
			return actErrno | uint32(unix.EAFNOSUPPORT)
		case "ENOSYS":
			return actErrno | uint32(unix.ENOSYS)
		}
		return actErrno | uint32(unix.EPERM)
	}
	if slices.ContainsFunc(workerspec.Fatal(), named) {
		return actKill
	}
	if slices.ContainsFunc(workerspec.Absent(), named) || c.number > a.last {
		return actErrno | uint32(unix.ENOSYS)
	}
	return actErrno | uint32(unix.EPERM)
}

func holds(c workerspec.Cond, self uint32, v uint64) bool {
	switch c.Op {
	case workerspec.Equal:
		return v == c.Value
	case workerspec.Equal32:
		return uint32(v) == uint32(c.Value)
	case workerspec.Not32:
		return uint32(v) != uint32(c.Value)
	case workerspec.NoBits:
		return v&c.Value == 0
	case workerspec.IoctlType:
		return uint64(uint8(v>>8)) == c.Value
	case workerspec.Self:
		return uint32(v) == self
	}
	return false
}

// FuzzStrictFilter holds the assembled filter of every kind against the spec
// that it came from.
func FuzzStrictFilter(f *testing.F) {
	a := native()
	for _, n := range []string{"read", "mmap", "mprotect", "clone", "tgkill", "prctl", "prlimit64", "fcntl", "openat", "mount", "clone3", "socket"} {
		f.Add(a.number[n], a.audit, uint64(0), uint64(0), uint64(0), uint64(0x22))
		f.Add(a.number[n], a.audit, uint64(1), uint64(1030), uint64(4), uint64(0x21))
		f.Add(a.number[n], a.audit, uint64(0xd0f00), uint64(0), uint64(1)<<33, uint64(0x1))
		f.Add(a.number[n], a.audit, uint64(1)<<32|0x50f00, uint64(1)<<32, uint64(7), uint64(0x100))
	}
	f.Add(uint32(x32Flag|39), a.audit, uint64(0), uint64(0), uint64(0), uint64(0x22))
	f.Add(uint32(20), uint32(unix.AUDIT_ARCH_I386), uint64(0), uint64(0), uint64(0), uint64(0x22))
	f.Add(uint32(0xffffffff), a.audit, uint64(0), uint64(0), uint64(0), uint64(0x22))
	const self = 1
	f.Fuzz(func(t *testing.T, number, audit uint32, a0, a1, a2, a3 uint64) {
		for _, spec := range listed() {
			prog, err := strictFilter(spec, a, self)
			if err != nil {
				t.Fatal(err)
			}
			c := call64{number, audit, [6]uint64{a0, a1, a2, a3}}
			if got, want := interpret(t, prog, c), reference(spec, a, self, c); got != want {
				t.Errorf("%s: call %d(%#x, %#x, %#x, %#x): %#x, want %#x", spec.Kind, number, a0, a1, a2, a3, got, want)
			}
		}
	})
}

// TestEveryNumber goes through all numbers with several arguments.
func TestEveryNumber(t *testing.T) {
	a := native()
	for _, spec := range listed() {
		strict, err := strictFilter(spec, a, 1)
		if err != nil {
			t.Fatal(err)
		}
		for n := range a.last + 40 {
			for _, v := range []uint64{0, 1, 4, 7, 0x22, 0x50f00, 0xd0f00, 1030, 1 << 40} {
				c := call64{n, a.audit, [6]uint64{v, v, v, v, v, v}}
				if got, want := interpret(t, strict, c), reference(spec, a, 1, c); got != want {
					t.Errorf("%s: call %d with %#x: %#x, want %#x", spec.Kind, n, v, got, want)
				}
			}
		}
		t.Logf("%s: %d instructions", spec.Kind, len(strict))
	}
}

// TestCompatFilter pins what must be stopped before the worker's binary runs,
// and that nothing else is.
func TestCompatFilter(t *testing.T) {
	a := native()
	spec, _ := workerspec.For("index")
	prog, err := compatFilter(spec, a)
	if err != nil {
		t.Fatal(err)
	}
	const eperm, enosys = actErrno | 1, actErrno | 38
	for _, c := range []struct {
		name string
		args [6]uint64
		want uint32
	}{
		{"read", [6]uint64{}, actAllow},
		{"umask", [6]uint64{}, actAllow},
		{"mmap", [6]uint64{0, 0, 7}, actAllow},
		{"clone", [6]uint64{0xd0f00}, actAllow},
		{"clone", [6]uint64{uint64(unix.SIGCHLD)}, actAllow},
		{"clone", [6]uint64{unix.CLONE_NEWUSER}, eperm},
		{"clone", [6]uint64{unix.CLONE_NEWNET | 0xd0f00}, eperm},
		{"clone", [6]uint64{unix.CLONE_NEWTIME}, eperm},
		{"clone3", [6]uint64{}, enosys},
		{"io_uring_setup", [6]uint64{}, enosys},
		{"mount", [6]uint64{}, actKill},
		{"open_tree_attr", [6]uint64{}, actKill},
		{"ptrace", [6]uint64{}, actKill},
		{"unshare", [6]uint64{}, actKill},
		{"socket", [6]uint64{unix.AF_INET}, eperm},
		{"socket", [6]uint64{unix.AF_UNIX}, eperm},
		{"ioctl", [6]uint64{0, unix.TIOCSTI}, eperm},
		{"ioctl", [6]uint64{0, 1<<32 | unix.TIOCSTI}, eperm}, // the kernel takes the low half
		{"ioctl", [6]uint64{0, unix.TIOCLINUX}, eperm},
		{"ioctl", [6]uint64{0, unix.TCGETS}, actAllow},
		{"prctl", [6]uint64{unix.PR_SET_MM}, eperm},
		{"prctl", [6]uint64{unix.PR_SET_SYSCALL_USER_DISPATCH}, eperm},
		{"prctl", [6]uint64{unix.PR_SET_NO_NEW_PRIVS}, actAllow},
		{"fcntl", [6]uint64{0, unix.F_SETLEASE}, eperm},
		{"fcntl", [6]uint64{0, unix.F_SETDELEG}, eperm},
		{"fcntl", [6]uint64{0, unix.F_GETLEASE}, actAllow},
		{"getsockopt", [6]uint64{3, unix.SOL_SOCKET, unix.SO_PEERPIDFD}, eperm},
		{"getsockopt", [6]uint64{3, unix.SOL_SOCKET, unix.SO_PEERCRED}, actAllow},
		{"setsockopt", [6]uint64{3, unix.SOL_SOCKET, unix.SO_PASSPIDFD}, eperm},
		{"setsockopt", [6]uint64{3, unix.SOL_SOCKET, unix.SO_PASSCRED}, actAllow},
		{"personality", [6]uint64{0}, actAllow},
		{"personality", [6]uint64{0x0400000}, eperm}, // READ_IMPLIES_EXEC
		{"seccomp", [6]uint64{1, unix.SECCOMP_FILTER_FLAG_TSYNC}, actAllow},
		{"seccomp", [6]uint64{1, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER}, eperm},
	} {
		n, ok := a.number[c.name]
		if !ok {
			t.Fatalf("no number for %s", c.name)
		}
		if got := interpret(t, prog, call64{n, a.audit, c.args}); got != c.want {
			t.Errorf("%s%v: %#x, want %#x", c.name, c.args, got, c.want)
		}
	}
	if got := interpret(t, prog, call64{39, unix.AUDIT_ARCH_I386, [6]uint64{}}); got != actKill {
		t.Errorf("another architecture: %#x", got)
	}
	if a.x32 {
		if got := interpret(t, prog, call64{x32Flag | 39, a.audit, [6]uint64{}}); got != actKill {
			t.Errorf("x32: %#x", got)
		}
	}
}

// TestNamesResolve: a name that no table has would be an allow-list entry that
// allows nothing, or a deny-list entry that denies nothing.
func TestNamesResolve(t *testing.T) {
	a := native()
	// What the 64-bit ARM table lacks, other calls there do.
	legacy := []string{"access", "arch_prctl", "epoll_wait", "ioperm", "iopl", "lstat", "mknod", "modify_ldt", "open", "readlink", "rename", "stat", "time", "unlink"}
	var names []string
	for _, s := range listed() {
		for _, c := range s.Syscalls {
			names = append(names, c.Name)
		}
	}
	for _, s := range compatRules() {
		names = append(names, s.Name)
	}
	names = append(append(append(names, workerspec.Fatal()...), workerspec.Absent()...), "socket")
	for _, n := range names {
		if _, ok := a.number[n]; !ok && (a.x32 || !slices.Contains(legacy, n)) {
			t.Errorf("%s has no number", n)
		}
	}
}

// TestConstants compares the numbers that are written out, because package
// workerspec and the assembler do without x/sys, with those of x/sys.
func TestConstants(t *testing.T) {
	for _, c := range []struct {
		name      string
		ours, sys uint64
	}{
		{"ld", opLoad, unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{"ja", opJump, unix.BPF_JMP | unix.BPF_JA},
		{"jeq", opJeq, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K},
		{"jgt", opJgt, unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K},
		{"jge", opJge, unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K},
		{"jset", opJset, unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K},
		{"and", opAnd, unix.BPF_ALU | unix.BPF_AND | unix.BPF_K},
		{"ret", opRet, unix.BPF_RET | unix.BPF_K},
		{"kill", actKill, unix.SECCOMP_RET_KILL_PROCESS},
		{"errno", actErrno, unix.SECCOMP_RET_ERRNO},
		{"allow", actAllow, unix.SECCOMP_RET_ALLOW},
		{"listener", seccompListener, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER},
		{"tiocsti", tiocsti, unix.TIOCSTI},
		{"tioclinux", tioclinux, unix.TIOCLINUX},
		{"mptcp", protocolMPTCP, unix.IPPROTO_MPTCP},
		{"mm", prSetMM, unix.PR_SET_MM},
		{"dispatch", prSetDispatch, unix.PR_SET_SYSCALL_USER_DISPATCH},
		{"lease", fSetlease, unix.F_SETLEASE},
		{"delegation", fSetdeleg, unix.F_SETDELEG},
		{"sender", soPassPIDFD, unix.SO_PASSPIDFD},
		{"peer", soPeerPIDFD, unix.SO_PEERPIDFD},
		{"core", rlimitCore, unix.RLIMIT_CORE},
		{"new", cloneNewFlags, unix.CLONE_NEWTIME | unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS |
			unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET},
	} {
		if c.ours != c.sys {
			t.Errorf("%s is %#x here and %#x in x/sys", c.name, c.ours, c.sys)
		}
	}
	spec, _ := workerspec.For("index")
	prog, err := strictFilter(spec, native(), 1)
	if err != nil {
		t.Fatal(err)
	}
	a := native()
	const thread = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD
	for _, c := range []struct {
		what string
		call call64
		want uint32
	}{
		{"a thread", call64{a.number["clone"], a.audit, [6]uint64{thread | unix.CLONE_SETTLS}}, actAllow},
		{"a thread without TLS", call64{a.number["clone"], a.audit, [6]uint64{thread}}, actAllow},
		{"a process", call64{a.number["clone"], a.audit, [6]uint64{uint64(unix.SIGCHLD)}}, actErrno | 1},
		{"O_PATH", call64{a.number["openat"], a.audit, [6]uint64{0, 0, unix.O_PATH}}, actErrno | 1},
		{"a lock", call64{a.number["fcntl"], a.audit, [6]uint64{3, unix.F_SETLK}}, actAllow},
		{"a lease", call64{a.number["fcntl"], a.audit, [6]uint64{3, unix.F_SETLEASE}}, actErrno | 1},
		{"an owner", call64{a.number["fcntl"], a.audit, [6]uint64{3, unix.F_SETOWN}}, actErrno | 1},
		{"undumpable", call64{a.number["prctl"], a.audit, [6]uint64{unix.PR_SET_DUMPABLE}}, actAllow},
		{"dumpable", call64{a.number["prctl"], a.audit, [6]uint64{unix.PR_SET_DUMPABLE, 1}}, actErrno | 1},
		{"executable", call64{a.number["mmap"], a.audit, [6]uint64{0, 0, unix.PROT_EXEC | unix.PROT_READ}}, actErrno | 13},
		{"private memory", call64{a.number["mmap"], a.audit, [6]uint64{0, 0, unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE}}, actAllow},
		{"a shared file", call64{a.number["mmap"], a.audit, [6]uint64{0, 0, unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED}}, actAllow},
		{"an executable file", call64{a.number["mmap"], a.audit, [6]uint64{0, 0, unix.PROT_EXEC, unix.MAP_SHARED}}, actErrno | 13},
		{"shared memory", call64{a.number["mmap"], a.audit, [6]uint64{0, 0, unix.PROT_READ, unix.MAP_SHARED | unix.MAP_ANON}}, actErrno | 13},
		{"validated shared memory", call64{a.number["mmap"], a.audit, [6]uint64{0, 0, unix.PROT_READ, unix.MAP_SHARED_VALIDATE | unix.MAP_ANON}}, actErrno | 13},
		{"a growing stack", call64{a.number["mmap"], a.audit, [6]uint64{0, 0, unix.PROT_READ, unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_GROWSDOWN}}, actErrno | 13},
		{"a growing file", call64{a.number["mmap"], a.audit, [6]uint64{0, 0, unix.PROT_READ, unix.MAP_PRIVATE | unix.MAP_GROWSDOWN}}, actErrno | 13},
		{"own signal", call64{a.number["tgkill"], a.audit, [6]uint64{1}}, actAllow},
		{"another's signal", call64{a.number["tgkill"], a.audit, [6]uint64{2}}, actErrno | 1},
		{"own limit", call64{a.number["prlimit64"], a.audit, [6]uint64{0, 7, 0}}, actAllow},
		{"setting a limit", call64{a.number["prlimit64"], a.audit, [6]uint64{0, 7, 1}}, actErrno | 1},
		{"another's limit", call64{a.number["prlimit64"], a.audit, [6]uint64{2, 7, 0}}, actErrno | 1},
	} {
		if got := interpret(t, prog, c.call); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.what, got, c.want)
		}
	}
}

// TestEngineFilter pins what an engine may do that others may not, and what it
// may not.
func TestEngineFilter(t *testing.T) {
	spec, _ := workerspec.For("engine")
	a := native()
	prog, err := strictFilter(spec, a, 1)
	if err != nil {
		t.Fatal(err)
	}
	const (
		goThread = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD | unix.CLONE_SETTLS
		thread   = goThread | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_CLEARTID
		eperm    = actErrno | 1
		eacces   = actErrno | 13
	)
	for _, c := range []struct {
		what, name string
		args       [6]uint64
		want       uint32
	}{
		{"a thread of glibc's", "clone", [6]uint64{thread}, actAllow},
		{"a thread of another kind", "clone", [6]uint64{goThread}, eperm},
		{"vfork, as system() does", "clone", [6]uint64{unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD)}, eperm},
		{"the weights", "mmap", [6]uint64{0, 0, unix.PROT_READ, unix.MAP_SHARED}, actAllow},
		{"the weights for writing", "mmap", [6]uint64{0, 0, unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED}, eacces},
		{"the weights as code", "mmap", [6]uint64{0, 0, unix.PROT_READ | unix.PROT_EXEC, unix.MAP_PRIVATE}, eacces},
		{"memory", "mmap", [6]uint64{0, 0, unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANON}, actAllow},
		{"a stack of glibc's", "mmap", [6]uint64{0, 0, unix.PROT_NONE, unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE | unix.MAP_STACK}, actAllow},
		{"code", "mprotect", [6]uint64{0, 0, unix.PROT_READ | unix.PROT_EXEC}, eacces},
		{"the last of all", "setpriority", [6]uint64{unix.PRIO_PROCESS, 0, 19}, actAllow},
		{"the first of all", "setpriority", [6]uint64{unix.PRIO_PROCESS, 0, ^uint64(19)}, eperm},
		{"another's priority", "setpriority", [6]uint64{unix.PRIO_PROCESS, 2, 19}, eperm},
		{"a file", "openat", [6]uint64{}, eperm},
		{"a file of old", "open", [6]uint64{}, eperm},
		{"a lock on the model", "fcntl", [6]uint64{3, unix.F_SETLK}, eperm},
		{"a signal handler's descriptor", "fcntl", [6]uint64{3, unix.F_SETOWN}, eperm},
	} {
		n, ok := a.number[c.name]
		if !ok && !a.x32 {
			continue // this processor has no such call
		}
		if got := interpret(t, prog, call64{n, a.audit, c.args}); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.what, got, c.want)
		}
	}
	if n, ok := a.number["arch_prctl"]; ok {
		for _, c := range []struct {
			args [6]uint64
			want uint32
		}{
			{[6]uint64{0x1023, 18}, actAllow}, // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
			{[6]uint64{0x1023, 17}, eperm},
			{[6]uint64{0x1002, 18}, eperm}, // ARCH_SET_FS
		} {
			if got := interpret(t, prog, call64{n, a.audit, c.args}); got != c.want {
				t.Errorf("arch_prctl%v: %#x, want %#x", c.args, got, c.want)
			}
		}
	}
}

// TestAssemblerRefuses: a spec that cannot be assembled as it is meant is an
// error, never a filter that allows something else.
func TestAssemblerRefuses(t *testing.T) {
	a := native()
	for what, calls := range map[string][]workerspec.Syscall{
		"twice":        {{Name: "read"}, {Name: "read"}},
		"fatal":        {{Name: "mount"}},
		"argument":     {{Name: "read", Any: [][]workerspec.Cond{{{Arg: 6, Op: workerspec.Equal}}}}},
		"comparison":   {{Name: "read", Any: [][]workerspec.Cond{{{Arg: 0}}}}},
		"refusal":      {{Name: "read", Refusal: "EWHAT", Any: [][]workerspec.Cond{{{Op: workerspec.Equal}}}}},
		"too long":     {{Name: "read", Any: [][]workerspec.Cond{slices.Repeat([]workerspec.Cond{{Op: workerspec.Equal}}, 64)}}},
		"program long": {{Name: "read", Any: slices.Repeat([][]workerspec.Cond{{{Op: workerspec.Equal}}}, 900)}},
	} {
		if _, err := strictFilter(workerspec.Spec{Syscalls: calls}, a, 1); err == nil {
			t.Errorf("%s was assembled", what)
		}
	}
}

// TestNothingIsOmitted: a stub that is shipped has no way to leave out a layer.
func TestNothingIsOmitted(t *testing.T) {
	for _, l := range workerspec.Layers() {
		if (seam{}).omits(l) {
			t.Errorf("%s can be left out", l)
		}
	}
}

// listed are the specs with an allow-list of calls.
func listed() []workerspec.Spec {
	all := append(workerspec.All(), workerspec.Hosts()...)
	for _, s := range workerspec.All() {
		if r, err := s.Reduce(); err == nil {
			r.Kind += " at level 2"
			all = append(all, r)
		}
	}
	return slices.DeleteFunc(all, func(s workerspec.Spec) bool { return !s.Requires(workerspec.SeccompStrict) })
}
