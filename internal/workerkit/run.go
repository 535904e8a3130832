package workerkit

import (
	"log/slog"
	"os"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/inspectv1"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// connFD is the connection to the core.
const connFD = 3

// Open makes what a kind needs before the seal: it may still load libraries and
// open what is mounted. stop is called when the core is gone.
type Open func(log *slog.Logger) (routes []rpc.Route, stop func(), err error)

// Run is a worker's life: open, seal, serve the core until it is gone. Only the
// mains of workers call it.
func Run(in sandbox.Inside, open Open) error {
	spec := in.Spec
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	conn, err := ipc.FromFD(connFD)
	if err != nil {
		return err
	}
	routes, stop, err := open(log)
	if err != nil {
		return err
	}
	defer stop()
	attempts := attempt(spec, true)
	if err := sandbox.Seal(spec); err != nil {
		return err
	}
	kit := New(Config{
		Kind: spec.Kind, Release: release.Version(), Clock: clock.System{}, Log: log, Seal: sandbox.MakeUndumpable,
		Probe: func() []*workerv1.Attempt {
			return append(attempts[:len(attempts):len(attempts)], attempt(spec, false)...)
		},
	})
	c := ipc.New(conn, ipc.Options{
		Mux: kit.Mux(routes), Peer: policyv1.Caller_CALLER_CORE, Even: true, Gone: errs.CoreUnavailable, Log: log,
		Descriptors: Descriptors,
	})
	// The core's end of the socket is its life: when it is gone, so are we.
	<-c.Done()
	return c.Close()
}

// Descriptors says how many descriptors ride on a call of the core's.
func Descriptors(m *rpc.Method) int {
	switch m {
	case enginev1.EngineServiceLoadMethod(), enginev1.EngineServiceServeMethod(), indexv1.IndexServiceAttachMethod(),
		indexv1.IndexServiceReaderMethod(), inspectv1.InspectServiceModelMethod(), pdfv1.PdfServiceServeMethod(), pdfv1.PdfServiceCodeMethod():
		return 1
	}
	return 0
}

func attempt(spec workerspec.Spec, early bool) []*workerv1.Attempt {
	var out []*workerv1.Attempt
	for _, a := range sandbox.Probe(spec, early) {
		out = append(out, &workerv1.Attempt{Name: a.Name, Errno: a.Errno, Held: a.Held})
	}
	return out
}
