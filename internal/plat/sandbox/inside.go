package sandbox

import (
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// reducedArgument tells a worker its level, behind its kind.
const reducedArgument = "level-2"

// Inside is what a worker must know of its sandbox to find what it was given: the
// same code runs at every level.
type Inside struct{ Spec workerspec.Spec }

// Started reads a worker's arguments, without the program's name. It is false for
// what no core starts.
func Started(args []string) (Inside, bool) {
	if len(args) == 0 {
		return Inside{}, false
	}
	spec, ok := workerspec.For(args[0])
	switch {
	case !ok:
		return Inside{}, false
	case len(args) == 1:
		return Inside{spec}, true
	case len(args) == 2 && args[1] == reducedArgument:
		spec, err := spec.Reduce()
		return Inside{spec}, err == nil
	}
	return Inside{}, false
}

// Grant opens the person's directory, which may be done again and again.
func (in Inside) Grant() (*dirfd.Dir, error) {
	if in.Spec.Reduced {
		return dirfd.OpenAt(workerspec.GrantFD)
	}
	return dirfd.Open(in.Spec.Mounts[in.Spec.Grant()].Target)
}

// Dir is the path of a directory of the spec that is not a person's. At level 2
// there is one, and it is the one that the worker stands in.
func (in Inside) Dir(target string) string {
	if in.Spec.Reduced {
		return "."
	}
	return target
}
