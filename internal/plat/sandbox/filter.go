package sandbox

import (
	"fmt"
	"slices"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// insn is one instruction of a classic BPF program, as struct sock_filter.
type insn struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// Opcodes that filters use, from linux/bpf_common.h.
const (
	opLoad  = 0x20 // LD|W|ABS
	opJump  = 0x05 // JMP|JA
	opJeq   = 0x15 // JMP|JEQ|K
	opJgt   = 0x25 // JMP|JGT|K
	opJge   = 0x35 // JMP|JGE|K
	opJset  = 0x45 // JMP|JSET|K
	opAnd   = 0x54 // ALU|AND|K
	opRet   = 0x06 // RET|K
	x32Flag = 0x40000000
)

// Actions, from linux/seccomp.h.
const (
	actKill  = 0x80000000
	actErrno = 0x00050000
	actAllow = 0x7fff0000
)

// Offsets in struct seccomp_data; both supported architectures are
// little-endian.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// arch is what a filter must know of a machine.
type arch struct {
	audit uint32
	// x32 says that numbers from x32Flag on are another ABI of the same
	// machine.
	x32 bool
	// last is the highest number of this release's table; above it a call is
	// unknown.
	last uint32
	// number of a call by name; a call that the machine does not have, such
	// as open on arm64, is not in it.
	number map[string]uint32
}

// errno values that filters return, the same on all supported machines.
func errnoNumber(name string) (uint32, error) {
	switch name {
	case "", "EPERM":
		return 1, nil
	case "EACCES":
		return 13, nil
	case "ENOSYS":
		return 38, nil
	case "EAFNOSUPPORT":
		return 97, nil
	}
	return 0, fmt.Errorf("errno %q is not known to filters", name)
}

// compatFilter is the deny-list that is on before the worker's binary is
// executed: it stops what no program needs and leaves the loader, the runtime
// and native libraries alone.
func compatFilter(spec workerspec.Spec, a arch) ([]insn, error) {
	p := prologue(a)
	nests := spec.Surroundings != nil && spec.Surroundings.Nests
	for _, n := range workerspec.Fatal() {
		if nests && slices.Contains(workerspec.Nesting(), n) {
			continue
		}
		p = append(p, verdict(a, n, actKill)...)
	}
	for _, n := range workerspec.Absent() {
		p = append(p, verdict(a, n, actErrno|38)...)
	}
	if len(spec.Sockets) == 0 {
		p = append(p, verdict(a, "socket", actErrno|1)...)
	} else {
		r, err := socketCalls(spec.Sockets)
		if err != nil {
			return nil, err
		}
		b, err := rule(a, r, 0)
		if err != nil {
			return nil, err
		}
		p = append(p, b...)
	}
	if !slices.Contains(spec.Sockets, "AF_UNIX") {
		b, err := rule(a, workerspec.Pairs(), 0)
		if err != nil {
			return nil, err
		}
		p = append(p, b...)
	}
	for _, s := range compatRules() {
		if nests && s.Name == "clone" {
			continue
		}
		b, err := rule(a, s, 0)
		if err != nil {
			return nil, err
		}
		p = append(p, b...)
	}
	// What came into the kernel after this release may mount as well as any other.
	p = append(p,
		insn{code: opJgt, jt: 0, jf: 1, k: a.last},
		insn{code: opRet, k: actErrno | 38},
		insn{code: opRet, k: actAllow},
	)
	return p, checkLength(p)
}

// socketCalls allows sockets of some families alone.
func socketCalls(names []string) (workerspec.Syscall, error) {
	families := map[string]uint64{"AF_UNIX": afUnix, "AF_INET": afInet, "AF_INET6": afInet6, "AF_NETLINK": afNetlink}
	r := workerspec.Syscall{Name: "socket", Refusal: "EAFNOSUPPORT"}
	for _, n := range names {
		f, ok := families[n]
		if !ok {
			return r, fmt.Errorf("sockets of %s are not known to filters", n)
		}
		alternative := []workerspec.Cond{{Arg: 0, Op: workerspec.Equal32, Value: f}}
		if f == afInet || f == afInet6 {
			// MPTCP, of which Landlock knows nothing.
			alternative = append(alternative, workerspec.Cond{Arg: 2, Op: workerspec.Not32, Value: protocolMPTCP})
		}
		if f == afNetlink {
			// NETLINK_ROUTE of all its families.
			alternative = append(alternative, workerspec.Cond{Arg: 2, Op: workerspec.Equal32, Value: 0})
		}
		r.Any = append(r.Any, alternative)
	}
	return r, nil
}

// strictFilter is the allow-list that is on before the worker gets work. self
// is the worker's process id as it sees it.
func strictFilter(spec workerspec.Spec, a arch, self uint32) ([]insn, error) {
	p := prologue(a)
	seen := map[string]bool{}
	for _, s := range spec.Syscalls {
		if seen[s.Name] {
			return nil, fmt.Errorf("%s: %s is listed twice", spec.Kind, s.Name)
		}
		seen[s.Name] = true
		b, err := rule(a, s, self)
		if err != nil {
			return nil, err
		}
		p = append(p, b...)
	}
	for _, n := range workerspec.Fatal() {
		if seen[n] {
			return nil, fmt.Errorf("%s: %s is fatal and allowed", spec.Kind, n)
		}
		p = append(p, verdict(a, n, actKill)...)
	}
	for _, n := range workerspec.Absent() {
		if !seen[n] {
			p = append(p, verdict(a, n, actErrno|38)...)
		}
	}
	p = append(p,
		insn{code: opJgt, jt: 0, jf: 1, k: a.last},
		insn{code: opRet, k: actErrno | 38},
		insn{code: opRet, k: actErrno | 1},
	)
	return p, checkLength(p)
}

func checkLength(p []insn) error {
	if len(p) > 4095 { // BPF_MAXINSNS, less the last one
		return fmt.Errorf("filter of %d instructions", len(p))
	}
	return nil
}

// prologue kills a call of any other architecture or ABI, and leaves the
// call's number in the accumulator.
func prologue(a arch) []insn {
	p := []insn{
		{code: opLoad, k: offArch},
		{code: opJeq, jt: 1, jf: 0, k: a.audit},
		{code: opRet, k: actKill},
		{code: opLoad, k: offNumber},
	}
	if a.x32 {
		p = append(p, insn{code: opJge, jt: 0, jf: 1, k: x32Flag}, insn{code: opRet, k: actKill})
	}
	return p
}

// verdict answers a call whatever its arguments.
func verdict(a arch, name string, action uint32) []insn {
	n, ok := a.number[name]
	if !ok {
		return nil
	}
	return []insn{{code: opJeq, jt: 0, jf: 1, k: n}, {code: opRet, k: action}}
}

// rule allows a call when one of its alternatives holds, and refuses it
// otherwise.
func rule(a arch, s workerspec.Syscall, self uint32) ([]insn, error) {
	n, ok := a.number[s.Name]
	if !ok {
		return nil, nil
	}
	if len(s.Any) == 0 {
		return verdict(a, s.Name, actAllow), nil
	}
	refusal, err := errnoNumber(s.Refusal)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	var body []insn
	for _, alt := range s.Any {
		b, err := alternative(alt, self)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		body = append(body, b...)
	}
	body = append(body, insn{code: opRet, k: actErrno | refusal})
	return append([]insn{{code: opJeq, jt: 1, jf: 0, k: n}, {code: opJump, k: uint32(len(body))}}, body...), nil
}

// alternative allows when all conditions hold, and falls through to what
// follows when one does not. It may spoil the accumulator: a rule's body
// always returns.
func alternative(conds []workerspec.Cond, self uint32) ([]insn, error) {
	// fail marks a jump to the end; it is replaced by the distance below.
	const fail = 0xff
	var b []insn
	for _, c := range conds {
		if c.Arg < 0 || c.Arg > 5 {
			return nil, fmt.Errorf("argument %d", c.Arg)
		}
		low, high := uint32(offArgs+8*c.Arg), uint32(offArgs+8*c.Arg+4)
		switch c.Op {
		case workerspec.Equal:
			b = append(b, insn{code: opLoad, k: high}, insn{code: opJeq, jf: fail, k: uint32(c.Value >> 32)},
				insn{code: opLoad, k: low}, insn{code: opJeq, jf: fail, k: uint32(c.Value)})
		case workerspec.Equal32:
			b = append(b, insn{code: opLoad, k: low}, insn{code: opJeq, jf: fail, k: uint32(c.Value)})
		case workerspec.NoBits:
			b = append(b, insn{code: opLoad, k: high}, insn{code: opJset, jt: fail, k: uint32(c.Value >> 32)},
				insn{code: opLoad, k: low}, insn{code: opJset, jt: fail, k: uint32(c.Value)})
		case workerspec.Not32:
			b = append(b, insn{code: opLoad, k: low}, insn{code: opJeq, jt: fail, k: uint32(c.Value)})
		case workerspec.IoctlType:
			b = append(b, insn{code: opLoad, k: low}, insn{code: opAnd, k: 0xff00}, insn{code: opJeq, jf: fail, k: uint32(c.Value) << 8})
		case workerspec.Self:
			b = append(b, insn{code: opLoad, k: low}, insn{code: opJeq, jf: fail, k: self})
		default:
			return nil, fmt.Errorf("comparison %d", c.Op)
		}
	}
	b = append(b, insn{code: opRet, k: actAllow})
	if len(b) >= fail {
		return nil, fmt.Errorf("%d conditions", len(conds))
	}
	for i := range b {
		to := uint8(len(b) - i - 1)
		if b[i].jt == fail {
			b[i].jt = to
		}
		if b[i].jf == fail {
			b[i].jf = to
		}
	}
	return b, nil
}

// Values that the deny-list names; a test compares them with x/sys.
const (
	cloneNewFlags    = 0x7e020080 // every CLONE_NEW*: time, mount, cgroup, uts, ipc, user, pid, net
	seccompListener  = 0x8
	personalityQuery = 0xffffffff
	afUnix           = 1
	afInet           = 2
	afInet6          = 10
	afNetlink        = 16
	protocolMPTCP    = 262
	tiocsti          = 0x5412
	tioclinux        = 0x541c
	prSetMM          = 35
	prSetDispatch    = 59
	fSetlease        = 1024
	fSetdeleg        = 1040
	soPassPIDFD      = 76
	soPeerPIDFD      = 77
	rlimitCore       = 4
)

// compatRules are the calls that the deny-list looks into.
func compatRules() []workerspec.Syscall {
	cond := func(arg int, op workerspec.Op, v uint64) workerspec.Cond {
		return workerspec.Cond{Arg: arg, Op: op, Value: v}
	}
	return []workerspec.Syscall{
		{Name: "clone", Any: [][]workerspec.Cond{{cond(0, workerspec.NoBits, cloneNewFlags)}}},
		{Name: "personality", Any: [][]workerspec.Cond{
			{cond(0, workerspec.Equal32, personalityQuery)}, {cond(0, workerspec.Equal32, 0)}}},
		{Name: "seccomp", Any: [][]workerspec.Cond{{cond(1, workerspec.NoBits, seccompListener)}}},
		{Name: "ioctl", Any: [][]workerspec.Cond{{cond(1, workerspec.Not32, tiocsti), cond(1, workerspec.Not32, tioclinux)}}},
		{Name: "prctl", Any: [][]workerspec.Cond{{cond(0, workerspec.Not32, prSetMM), cond(0, workerspec.Not32, prSetDispatch)}}},
		// A lease on a file or a directory takes a descriptor for reading, and holds up
		// whoever writes.
		{Name: "fcntl", Any: [][]workerspec.Cond{{cond(1, workerspec.Not32, fSetlease), cond(1, workerspec.Not32, fSetdeleg)}}},
		// The process at the other end of a socket, which is the core. Of no other level
		// is an option of these numbers anybody's here.
		{Name: "getsockopt", Any: [][]workerspec.Cond{{cond(2, workerspec.Not32, soPeerPIDFD)}}},
		{Name: "setsockopt", Any: [][]workerspec.Cond{{cond(2, workerspec.Not32, soPassPIDFD)}}},
		// No core dump is a limit of 1 (limits.WorkerCore), and 0 would be less and bring
		// them back. Programs bear a system that has no such call: GnuPG ends for EPERM.
		{Name: "setrlimit", Refusal: "ENOSYS", Any: [][]workerspec.Cond{{cond(0, workerspec.Not32, rlimitCore)}}},
		{Name: "prlimit64", Refusal: "ENOSYS", Any: [][]workerspec.Cond{{cond(1, workerspec.Not32, rlimitCore)}, {cond(1, workerspec.Equal32, rlimitCore), cond(2, workerspec.Equal, 0)}}},
	}
}
