//go:build linux && bailey_hostile

package sandbox

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// A foreign program is one that was not written to be a worker: it does not
// seal itself. The stub puts the strict filter on in its place, before the
// program's first instruction, and the program must come after it by one exec.
//
// Which exec that is the filter tells by the address that the call is made
// from: a page at a random address that the stub made, holds that one call, and
// is gone with the exec. No program learns the address, and one that guesses is
// killed for the first wrong guess. Were it right, it would still hold no
// descriptor of a file that Landlock lets it execute. Rejected: a user
// notification, because an answer to let a call continue says nothing about
// what its arguments are by then, and somebody has to be there to answer; and a
// loader in the worker, because the program would share the loader's memory and
// threads.

// Offset of the address that a call was made from, in struct seccomp_data.
const offAddress = 8

// Foreign returns a Config whose worker is a foreign program.
func (c Config) Foreign() Config {
	c.seam.Foreign = true
	return c
}

// CheckForeign refuses a program that could not run, or would have what no
// worker has: a loader, and memory that is both writable and executable.
func CheckForeign(f *os.File) error {
	e, err := elf.NewFile(f)
	if err != nil {
		return err
	}
	for _, p := range e.Progs {
		switch {
		case p.Type == elf.PT_INTERP:
			return errors.New("the program is linked to libraries; build it static")
		case (p.Type == elf.PT_LOAD || p.Type == elf.PT_GNU_STACK) && p.Flags&(elf.PF_W|elf.PF_X) == elf.PF_W|elf.PF_X:
			return errors.New("the program asks for memory that is writable and executable")
		}
	}
	return nil
}

// StartCalls are what a foreign program may call besides the spec's: what the
// C library does before main, each of which a worker does before it seals
// itself.
func StartCalls() []workerspec.Syscall {
	const archSetFS = 0x1002
	return []workerspec.Syscall{
		{Name: "set_tid_address"}, {Name: "set_robust_list"},
		{Name: "arch_prctl", Any: [][]workerspec.Cond{{{Arg: 0, Op: workerspec.Equal32, Value: archSetFS}}}},
	}
}

// foreignFilter is the strict filter, with one exec from an address.
func foreignFilter(spec workerspec.Spec, a arch, self uint32, address uint64) ([]insn, error) {
	a.number["set_tid_address"] = unix.SYS_SET_TID_ADDRESS
	spec.Syscalls = slices.Clone(spec.Syscalls)
	for _, c := range StartCalls() {
		i := slices.IndexFunc(spec.Syscalls, func(s workerspec.Syscall) bool { return s.Name == c.Name })
		switch {
		case i < 0:
			spec.Syscalls = append(spec.Syscalls, c)
		case len(spec.Syscalls[i].Any) > 0:
			spec.Syscalls[i].Any = append(slices.Clone(spec.Syscalls[i].Any), c.Any...)
		}
	}
	p, err := strictFilter(spec, a, self)
	if err != nil {
		return nil, err
	}
	return slices.Insert(p, len(prologue(a)),
		insn{code: opJeq, jt: 0, jf: 6, k: unix.SYS_EXECVEAT},
		insn{code: opLoad, k: offAddress},
		insn{code: opJeq, jt: 0, jf: 3, k: uint32(address)},
		insn{code: opLoad, k: offAddress + 4},
		insn{code: opJeq, jt: 0, jf: 1, k: uint32(address >> 32)},
		insn{code: opRet, k: actAllow},
		insn{code: opRet, k: actKill},
	), nil
}

// randomPage is the address of a page among 2^34.
func randomPage() (uintptr, error) {
	var b [8]byte
	if n, err := unix.Getrandom(b[:], 0); err != nil || n != len(b) {
		return 0, fmt.Errorf("%d random bytes: %w", n, err)
	}
	const low, pages = 1 << 32, 1 << 34
	return low + uintptr(binary.LittleEndian.Uint64(b[:])%pages)<<12, nil
}
