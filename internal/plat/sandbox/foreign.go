package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Foreign is what a start of anyone's own program is told besides the rest of a
// [Config]: one that was not written to be a worker, and does not seal itself.
// The stub puts the strict filter on in its place.
//
// The spec is the kind's own ([workerspec.Spec.Foreign] of it). Of kinds that may
// execute nothing the program has to be static, for the filter is on before its
// first instruction, and a loader could open no library then; it is executed from
// the sealed copy that [TakeProgram] makes. Kinds that may execute programs take
// any, scripts too.
type Foreign struct {
	// Argv are the program's arguments, its name the first.
	Argv []string
	// Stdin and Stdout become descriptors 0 and 1; nil is /dev/null.
	Stdin, Stdout *os.File
	// Path is where a program of the system's stands, in the sandbox as outside: it
	// is executed by its path, so that it finds what belongs to it. Of kinds that
	// may execute programs alone; empty is Config.Worker.
	Path string
}

// SeesProgram reports whether a program at a path, absolute and clean, is one that
// a kind sees at the same place and may execute there.
func SeesProgram(spec workerspec.Spec, path string) bool {
	return spec.Class == workerspec.Exec && spec.Surroundings != nil &&
		slices.ContainsFunc(spec.Surroundings.System, func(dir string) bool { return strings.HasPrefix(path, dir+"/") })
}

// InOrder sorts mounts as they stand in a spec.
func InOrder(spec workerspec.Spec, mounts []Mount) []Mount {
	at := func(m Mount) int {
		return slices.IndexFunc(spec.Mounts, func(w workerspec.Mount) bool { return w.Target == m.Target })
	}
	mounts = slices.Clone(mounts)
	slices.SortStableFunc(mounts, func(a, b Mount) int { return at(a) - at(b) })
	return mounts
}

// Program is what is going to be executed, as a copy that nobody can change.
type Program struct {
	File *os.File
	Size int64
	// Digest is the SHA-256 of its bytes.
	Digest [32]byte
}

// Close gives the copy back.
func (p *Program) Close() error { return p.File.Close() }

// checkBefore judges the posture of a stub that is about to execute a foreign
// program, with all on but the strict filter.
func checkBefore(p Posture, spec workerspec.Spec) error {
	var bad []string
	if spec.Reduced {
		p.Environ = environment(spec, p.Named) // it is given with the exec
		bad = checkReduced(p, spec)
	} else {
		bad = append(checkConfined(p, spec), checkRoot(p, spec)...)
	}
	// Kernels before 5.9 do not count them.
	if p.Status.Filters != p.Inherited+1 && (p.Status.Filters != -1 || p.Inherited != -1) {
		bad = append(bad, fmt.Sprintf("%d seccomp filters", p.Status.Filters))
	}
	bad = append(bad, checkLimits(p.Limits, spec.Limits)...)
	if len(bad) > 0 {
		return errs.New(errs.PostureFailed, "sandbox.check-before").With(strings.Join(bad, "; "))
	}
	return nil
}
