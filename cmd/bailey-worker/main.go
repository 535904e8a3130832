// bailey-worker is every worker that is pure Go, and the stub that builds the
// sandbox of every worker. The core starts it; a person has no use for it. It
// does nothing outside its sandbox: without the descriptors and the surroundings
// that the core's start gives it, it ends.
package main

import (
	"fmt"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerkit"
)

func main() { os.Exit(doMain(os.Args)) }

func doMain(args []string) int {
	if stub, err := sandbox.Stub(args); stub {
		fmt.Fprintln(os.Stderr, "bailey-worker:", err)
		return errs.ExitUnavailable
	}
	in, ok := sandbox.Started(args[1:])
	if !ok {
		fmt.Fprintln(os.Stderr, "bailey-worker is started by bailey-core; run `bailey help`")
		return errs.ExitUsage
	}
	open := serviceOf(in)
	if open == nil {
		fmt.Fprintln(os.Stderr, "bailey-worker:", errs.New(errs.NotSupported, "worker.run"))
		return errs.ExitFailed
	}
	if err := workerkit.Run(in, open); err != nil {
		fmt.Fprintln(os.Stderr, "bailey-worker:", err)
		return errs.ExitFailed
	}
	return errs.ExitOK
}
