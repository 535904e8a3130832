//go:build !linux

package sandbox

import (
	"context"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/workerspec"
)

func refuse() error { return errs.New(errs.NotSupported, "sandbox") }

// Process is a running worker; there are none here.
type Process struct{}

// Start refuses: nothing runs without a sandbox.
func Start(context.Context, Config) (*Process, error) { return nil, refuse() }

func (*Process) PID() int                           { return -1 }
func (*Process) Spec() workerspec.Spec              { return workerspec.Spec{} }
func (*Process) Reduced() bool                      { return false }
func (*Process) Kill() error                        { return refuse() }
func (*Process) Done() <-chan struct{}              { return nil }
func (*Process) Wait(context.Context) (Exit, error) { return Exit{}, refuse() }
func (*Process) Posture() (Posture, error)          { return Posture{}, refuse() }
func (*Process) SealedFromOutside() error           { return refuse() }

// AwaitConfined refuses.
func (*Process) AwaitConfined(context.Context, Given) error { return refuse() }

// Stub refuses, so that a worker's binary ends at once.
func Stub([]string) (bool, error) { return true, refuse() }

// Seal refuses.
func Seal(workerspec.Spec) error { return refuse() }

// MakeUndumpable refuses.
func MakeUndumpable() error { return refuse() }

// EmptyDumps does nothing.
func EmptyDumps() error { return refuse() }

// OwnStart does nothing.
func OwnStart() {}

// Probe reports no attempt, which is never what a spec demands.
func Probe(workerspec.Spec, bool) []Attempt { return nil }

// Survey finds nothing.
func Survey(context.Context) []LayerState { return nil }

type seam struct{}

// TakeProgram refuses.
func TakeProgram(context.Context, *os.File, workerspec.Spec) (*Program, error) { return nil, refuse() }

// SystemProgram refuses.
func SystemProgram(context.Context, *os.File, string) (sum [32]byte, size int64, still func() error, err error) {
	return sum, 0, nil, refuse()
}

// CheckPlace refuses.
func CheckPlace(*os.File, string) error { return refuse() }

// CheckStreams refuses.
func CheckStreams(_, _, _ *os.File) error { return refuse() }
