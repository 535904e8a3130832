// Package llama is llama.cpp v0.5.0 as an [engine.Library]: its C functions,
// called without cgo. It is for the engine worker alone, whose sandbox is what
// confines the library; nothing here does. It refuses a library of another
// release (see abi.go), since the layout of what is passed to it is not told by
// the library.
//
// One goroutine on a thread of its own decodes for all generations of a model
// (loop.go); their callers take what it writes from a channel, so that a slow
// client holds up nobody. A call in the library ends early through a byte that
// the library looks at between two steps of its graph: the callback that it asks
// is C's own strlen on that byte, because a callback into Go at each of hundreds
// of steps would cost more than the sampling.
//
// Files named *_unsafe.go hold all that touches C's memory.
package llama

import (
	"github.com/bailey-run/bailey/internal/errs"
)

// Version is the release of llama.cpp that this package is made for.
const Version = "0.5.0"

// missing is the error for a library that is not there or not the right one.
func missing(op, detail string, cause error) error {
	return errs.Wrap(errs.EngineMissing, "llama."+op, cause).With(detail)
}
