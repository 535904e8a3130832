package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/worker/pdf"
	"github.com/bailey-run/bailey/internal/workerkit"
)

// Where the core puts the machine code of the reader, if it has it.
const (
	pdfCache = "/cache"
	pdfCode  = "code"
)

// pdfService reads the file whose descriptor comes with a call.
func pdfService(in sandbox.Inside) workerkit.Open {
	return func(log *slog.Logger) ([]rpc.Route, func(), error) {
		debug.SetMemoryLimit(limits.PDFHeap)
		code, err := os.ReadFile(in.Dir(pdfCache) + "/" + pdfCode)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			// It is compiled then, as without.
			log.Warn("the reader's code cannot be read", "error", err)
		}
		s, err := pdf.New(code, log)
		if err != nil {
			return nil, nil, err
		}
		return pdfv1.PdfServiceRoutes(s), func() { _ = s.Close() }, nil
	}
}
