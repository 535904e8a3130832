package serve

import (
	"context"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/worker/index/pdf"
)

// Readers implements indexv1.IndexServiceServer.
func (s *Service) Readers(ctx context.Context, _ *indexv1.ReadersRequest, out *indexv1.IndexServiceReadersSender) error {
	return s.pdf.Wants(ctx, func(wanted bool) error { return out.Send(&indexv1.ReadersResponse{Wanted: wanted}) })
}

// Reader implements indexv1.IndexServiceServer.
func (s *Service) Reader(ctx context.Context, in *indexv1.ReaderRequest) (*indexv1.ReaderResponse, error) {
	const op = "index.reader"
	files := ipc.TakeFiles(ctx)
	handle := in.GetHandle()
	if len(handle) == 0 && len(files) == 0 {
		s.pdf.Take(nil, nil)
		return &indexv1.ReaderResponse{}, nil
	}
	if len(files) != 1 || len(handle) != limits.HandleBytes {
		for _, f := range files {
			f.Close()
		}
		return nil, errs.New(errs.Malformed, op).With("a reader comes with one socket")
	}
	socket, err := ipc.FromFile(files[0])
	if err != nil {
		return nil, err
	}
	s.pdf.Take(ipc.New(socket, ipc.Options{Gone: pdf.Gone, Log: s.cfg.Log}), handle)
	return &indexv1.ReaderResponse{}, nil
}
