// Package inspect answers bailey.inspect.v1 in the inspect worker: it reads what
// the core must not parse, from the one descriptor that rides on the request.
// The descriptor has to be of a regular file, opened for reading only; what can
// be written, or is no file, was handed over by mistake and is refused.
//
// What it reads is hostile, so each file gets a worker of its own, which ends
// with the answer.
package inspect

import (
	"context"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/wire/inspectv1"
	"github.com/bailey-run/bailey/internal/worker/inspect/gguf"
)

// Service implements inspectv1.InspectServiceServer.
type Service struct{}

// Model implements inspectv1.InspectServiceServer.
func (Service) Model(ctx context.Context, in *inspectv1.ModelRequest) (*inspectv1.ModelResponse, error) {
	const op = "inspect.model"
	files := ipc.TakeFiles(ctx)
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if len(files) != 1 {
		return nil, errs.New(errs.Malformed, op)
	}
	size, err := modelfile.HandedOver(files[0])
	if err != nil {
		return nil, err
	}
	if size != in.Size {
		return nil, errs.New(errs.ModelRefused, op).With("its size changed while it was looked at")
	}
	f, err := gguf.Read(files[0], size)
	if err != nil {
		return nil, err
	}
	// The schema wants a digest; the core puts the one there that it found.
	f.Sha256 = make([]byte, limits.DigestBytes)
	return &inspectv1.ModelResponse{Facts: f}, nil
}

var _ inspectv1.InspectServiceServer = Service{}
