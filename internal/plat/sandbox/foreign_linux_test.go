package sandbox

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// asArgument has a filter read the address of a call where a call64 has its
// fifth argument: execveat is looked at by its address alone.
func asArgument(p []insn) []insn {
	p = slices.Clone(p)
	for i := range p {
		if p[i].code == opLoad && (p[i].k == offAddress || p[i].k == offAddress+4) {
			p[i].k += offArgs + 8*4 - offAddress
		}
	}
	return p
}

// TestForeignFilter: the filter of a foreign program differs from that of a
// worker in one exec from one address, and in the calls of a start that the list
// of differences names. Where the kind may execute programs, in nothing.
func TestForeignFilter(t *testing.T) {
	const address = 0x1234_5678_9abc
	for _, s := range workerspec.All() {
		whole, err := strictFilter(s, native(), goldenSelf)
		if err != nil {
			t.Fatal(err)
		}
		a := native()
		if s.Class == workerspec.Exec {
			if p, err := strictFilter(s.Foreign(), a, goldenSelf); err != nil || !slices.Equal(p, whole) {
				t.Errorf("%s: another filter, %v", s.Kind, err)
			}
			continue
		}
		prog, err := foreignFilter(s.Foreign(), a, goldenSelf, address)
		if err != nil {
			t.Fatal(err)
		}
		prog = asArgument(prog)
		gate := []call64{}
		for _, v := range []uint64{address, 0, address + 1, address - 1, address ^ 1<<32, address & 0xffffffff, ^uint64(0)} {
			c := call64{unix.SYS_EXECVEAT, a.audit, [6]uint64{4: v}}
			gate = append(gate, c)
			want := uint32(actKill)
			if v == address {
				want = actAllow
			}
			if got := interpret(t, prog, c); got != want {
				t.Errorf("%s: from %#x: %s", s.Kind, v, verdictName(got))
			}
		}
		at := len(prologue(a))
		for pc := at; pc < at+7; pc++ {
			for _, m := range mutants(prog[pc]) {
				mutant := slices.Clone(prog)
				mutant[pc] = m
				others := append(slices.Clone(gate), call64{unix.SYS_EXECVEAT + 1, a.audit, [6]uint64{}}, call64{unix.SYS_EXECVE, a.audit, [6]uint64{}})
				if !slices.ContainsFunc(others, func(c call64) bool { return interpret(t, mutant, c) != interpret(t, prog, c) }) {
					t.Errorf("%s: instruction %d may be %+v as well as %+v", s.Kind, pc, m, prog[pc])
				}
			}
		}
		start := map[uint32]bool{}
		for _, name := range []string{"set_tid_address", "set_robust_list", "arch_prctl", "mprotect"} {
			start[a.number[name]] = true
			if !strings.Contains(differenceNamed(t, s, workerspec.DiffStart).Program, name) {
				t.Errorf("%s: %s is told to nobody", s.Kind, name)
			}
		}
		for _, r := range goldenRows(t, native(), syscallList(t, "amd64")) {
			for _, c := range r.calls {
				got, want := interpret(t, prog, c), interpret(t, whole, c)
				switch {
				case c.audit == a.audit && c.number == unix.SYS_EXECVEAT:
				case got == want:
				case c.audit == a.audit && start[c.number] && got == actAllow:
				default:
					t.Errorf("%s: %s: %s, a worker's %s", s.Kind, r.what, verdictName(got), verdictName(want))
				}
			}
		}
		for n, want := range map[uint64]uint32{0x1002: actAllow, 0x1001: actErrno | 1, 0x1003: actErrno | 1, 0x4001: actErrno | 1} {
			if got := interpret(t, prog, call64{a.number["arch_prctl"], a.audit, [6]uint64{n}}); got != want {
				t.Errorf("%s: arch_prctl(%#x): %s", s.Kind, n, verdictName(got))
			}
		}
		for prot, want := range map[uint64]uint32{unix.PROT_READ: actAllow, unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC: actErrno | 13} {
			if got := interpret(t, prog, call64{a.number["mprotect"], a.audit, [6]uint64{0, 0, prot}}); got != want {
				t.Errorf("%s: mprotect(%d): %s", s.Kind, prot, verdictName(got))
			}
		}
	}
}

func differenceNamed(t *testing.T, s workerspec.Spec, name string) workerspec.Difference {
	t.Helper()
	all := s.Differences()
	i := slices.IndexFunc(all, func(d workerspec.Difference) bool { return d.Name == name })
	if i < 0 {
		t.Fatalf("%s: no difference %s", s.Kind, name)
	}
	return all[i]
}

// TestRandomPage: two programs do not start from one address.
func TestRandomPage(t *testing.T) {
	seen := map[uintptr]bool{}
	for range 64 {
		p, err := randomPage()
		if err != nil || p%4096 != 0 || p < 1<<32 || p >= 1<<47 || seen[p] {
			t.Fatalf("%#x, %v", p, err)
		}
		seen[p] = true
	}
}
