// bailey-worker is every worker that is pure Go. The core starts it; a person
// has no use for it. It does nothing outside its sandbox: without the
// descriptors and the surroundings that the core's start gives it, it ends.
package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
	"github.com/bailey-run/bailey/internal/workerkit"
	"github.com/bailey-run/bailey/internal/workerspec"
)

func main() { os.Exit(doMain(os.Args)) }

// connFD is the connection to the core.
const connFD = 3

func doMain(args []string) int {
	if stub, err := sandbox.Stub(args); stub {
		fmt.Fprintln(os.Stderr, "bailey-worker:", err)
		return errs.ExitUnavailable
	}
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "bailey-worker is started by bailey-core; run `bailey help`")
		return errs.ExitUsage
	}
	if err := run(args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "bailey-worker:", err)
		return errs.ExitFailed
	}
	return errs.ExitOK
}

func run(kind string) error {
	const op = "worker.run"
	spec, ok := workerspec.For(kind)
	service := serviceOf(kind)
	if !ok || service == nil {
		return errs.New(errs.NotSupported, op)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	conn, err := ipc.FromFD(connFD)
	if err != nil {
		return err
	}
	routes, stop, err := service(log)
	if err != nil {
		return err
	}
	defer stop()
	if err := sandbox.Seal(spec); err != nil {
		return err
	}
	kit := workerkit.New(workerkit.Config{
		Kind: kind, Release: release.Version(), Clock: clock.System{}, Log: log, Seal: sandbox.MakeUndumpable,
		Probe: func() []*workerv1.Attempt {
			var out []*workerv1.Attempt
			for _, a := range sandbox.Probe(spec) {
				out = append(out, &workerv1.Attempt{Name: a.Name, Errno: a.Errno, Held: a.Held})
			}
			return out
		},
	})
	c := ipc.New(conn, ipc.Options{Mux: kit.Mux(routes), Peer: policyv1.Caller_CALLER_CORE, Even: true, Gone: errs.CoreUnavailable, Log: log})
	// The core's end of the socket is its life: when it is gone, so are we.
	<-c.Done()
	return c.Close()
}
