// Package vm is what the two sides of `make vm-test` share: tools/vmtest on the
// host, which boots another kernel under qemu, and test/vm/guest, which is the
// first process there.
//
// The host writes an archive of files ([Archive]) that the kernel unpacks as its
// root: the guest's program as /init, the suites' programs, and a [Plan]. The
// guest carries the plan out and says on its serial line what happens, a line
// each, behind [Mark] so that a word of the kernel's in between does no harm:
//
//	@vm kernel 6.1.0-56-cloud-amd64
//	@vm landlock 2
//	@vm begin hostile root
//	@vm out --- PASS: TestEscapes/root/index/E1_read_/etc/passwd (0.00s)
//	@vm end hostile root 0
//	@vm done
//
// [Read] makes a [Report] of that. A line that does not come is a failure: what
// was cut off never counts as passed. The package touches no system; both sides
// may import it, and nothing else does.
package vm

// PlanFile is where the guest finds its plan.
const PlanFile = "/plan.json"

// Mark begins each of the guest's lines.
const Mark = "@vm "

// The users of a guest.
const (
	Root     = "root"
	Ordinary = "ordinary"
	// Without is the ordinary user where user namespaces are switched off.
	Without = "without-namespaces"
	// Unprofiled is the ordinary user where AppArmor gives user namespaces to
	// profiles that say so alone, and Bailey has none; Wrapped where the system's
	// bubblewrap has one, and Profiled where Bailey has.
	Unprofiled = "without-profile"
	Wrapped    = "with-bubblewraps-profile"
	Profiled   = "with-profile"
)

// OrdinaryID is the ordinary user's and its group's number in the guest.
const OrdinaryID = 1000

// Plan is what a guest does, in this order.
type Plan struct {
	Runs []Run
}

// Run is one program that a guest runs as one user.
type Run struct {
	// Suite and User name it; neither has a space.
	Suite, User string
	Argv        []string
	// Dir is the working directory.
	Dir string
	// Seconds is how long it may take.
	Seconds int
}
