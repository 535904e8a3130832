//go:build linux && bailey_hostile

package sandbox

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// seam lets a control run leave out layers, to show that an attack which the
// whole sandbox stops succeeds without them. Binaries that are shipped are
// built without the tag.
type seam struct {
	Omit []workerspec.Layer `json:"omit,omitempty"`
	// Refused has the thread that starts the worker be refused user namespaces, by a
	// filter such as Docker's.
	Refused bool `json:"refused,omitempty"`
	// Unwrapped has bubblewrap be refused them too.
	Unwrapped bool `json:"unwrapped,omitempty"`
}

func (s seam) omits(l workerspec.Layer) bool { return slices.Contains(s.Omit, l) }

// Without returns a Config whose worker lacks some layers.
func (c Config) Without(layers ...workerspec.Layer) Config {
	c.seam.Omit = layers
	return c
}

// RefusedNamespaces returns a Config whose worker comes to be at level 2.
func (c Config) RefusedNamespaces() Config {
	c.seam.Refused, c.seam.Unwrapped = true, true
	return c
}

// RefusedToBailey returns a Config whose worker is started by bubblewrap, if that
// works here.
func (c Config) RefusedToBailey() Config {
	c.seam.Refused = true
	return c
}

func (s seam) unwrapped() bool { return s.Unwrapped }

// refuse puts a filter on the calling thread, which nothing else uses again, that
// refuses clones into a user namespace.
func refuse() {
	a := native()
	b, err := rule(a, workerspec.Syscall{Name: "clone", Any: [][]workerspec.Cond{{{Arg: 0, Op: workerspec.NoBits, Value: unix.CLONE_NEWUSER}}}}, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	if err == nil {
		b = append(b, verdict(a, "clone3", actErrno|38)...)
		err = seccompFilter(program(append(prologue(a), append(b, insn{code: opRet, k: actAllow})...)), 0)
	}
	if err != nil {
		panic("BUG: " + err.Error())
	}
}

// clone takes namespaces and the parent-death signal out of a clone.
func (s seam) clone(sys *syscall.SysProcAttr) {
	if s.Refused && sys.Cloneflags&syscall.CLONE_NEWUSER != 0 {
		refuse()
	}
	for layer, flag := range map[workerspec.Layer]uintptr{
		workerspec.PIDNamespace: syscall.CLONE_NEWPID,
		workerspec.NetNamespace: syscall.CLONE_NEWNET,
		workerspec.IPCNamespace: syscall.CLONE_NEWIPC,
		workerspec.UTSNamespace: syscall.CLONE_NEWUTS,
	} {
		if s.omits(layer) {
			sys.Cloneflags &^= flag
		}
	}
	if s.omits(workerspec.ParentDeath) {
		sys.Pdeathsig = 0
	}
}
