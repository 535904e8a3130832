// bailey-engine is the worker that runs a native inference library. It is Go
// without cgo, linked to the system's C library by its loader, so that it can
// load others. The core starts it inside the sandbox that bailey-worker builds;
// a person has no use for it. It loads its libraries, seals itself, and opens
// nothing after that: the model comes as a descriptor. As the kind that is given
// a graphics card it has the system's driver besides, which opens what its sandbox
// has for it.
package main

import (
	"fmt"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerkit"
	"github.com/bailey-run/bailey/internal/workerspec"
)

func main() { os.Exit(doMain(os.Args)) }

func doMain(args []string) int {
	in, ok := sandbox.Started(args[1:])
	if !ok || in.Spec.Program != workerspec.EngineProgram {
		fmt.Fprintln(os.Stderr, "bailey-engine is started by bailey-core; run `bailey help`")
		return errs.ExitUsage
	}
	// The core tells a library that cannot be loaded from a crash by the code.
	if err := workerkit.Run(in, engineService(in)); err != nil {
		fmt.Fprintln(os.Stderr, "bailey-engine:", err)
		return errs.From(err).Exit()
	}
	return errs.ExitOK
}
