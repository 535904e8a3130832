//go:build linux && bailey_hostile

package sandbox

import (
	"slices"
	"syscall"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// seam lets a control run leave out layers, to show that an attack which the
// whole sandbox stops succeeds without them. Binaries that are shipped are
// built without the tag.
type seam struct {
	Omit []workerspec.Layer `json:"omit,omitempty"`
	// Foreign says that the worker's binary is anyone's static program.
	Foreign bool `json:"foreign,omitempty"`
}

func (s seam) execute(spec workerspec.Spec, argv, env []string) error {
	if s.Foreign && !s.omits(workerspec.SeccompStrict) {
		return executeForeign(spec, argv, env)
	}
	return execDescriptor(binaryFD, argv, env)
}

func (s seam) omits(l workerspec.Layer) bool { return slices.Contains(s.Omit, l) }

// Without returns a Config whose worker lacks some layers.
func (c Config) Without(layers ...workerspec.Layer) Config {
	c.seam.Omit = layers
	return c
}

// clone takes namespaces and the parent-death signal out of a clone.
func (s seam) clone(sys *syscall.SysProcAttr) {
	for layer, flag := range map[workerspec.Layer]uintptr{
		workerspec.PIDNamespace: syscall.CLONE_NEWPID,
		workerspec.NetNamespace: syscall.CLONE_NEWNET,
		workerspec.IPCNamespace: syscall.CLONE_NEWIPC,
	} {
		if s.omits(layer) {
			sys.Cloneflags &^= flag
		}
	}
	if s.omits(workerspec.ParentDeath) {
		sys.Pdeathsig = 0
	}
}
