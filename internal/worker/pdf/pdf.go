// Package pdf answers bailey.pdf.v1 in the pdf worker: it takes the text out of the
// document whose descriptor rides on a call, page by page, in paragraphs.
//
// The worker is born with nothing but its connection and, if the core has made it
// before, the machine code of its reader. It has no folder, and opens no file. The
// descriptor has to be of a regular file, opened for reading only. One document is
// read at a time; what a crafted one does to the reader ends that reader, and the
// next document gets another. One that keeps the reader at work without end is not
// ended here: nothing is said any more, and whoever waits has the worker ended.
//
// The code that it compiled itself it gives away once, and only while it has not
// been asked to serve: what has seen a document makes no code for others.
package pdf

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/worker/pdf/layout"
	"github.com/bailey-run/bailey/internal/worker/pdf/pdfium"
	"github.com/bailey-run/bailey/internal/workerkit"
)

// Service implements pdfv1.PdfServiceServer.
type Service struct {
	library *pdfium.Library
	given   bool
	log     *slog.Logger

	// mu is held by the call that reads.
	mu       sync.Mutex
	serves   bool
	instance *pdfium.Instance
}

var _ pdfv1.PdfServiceServer = (*Service)(nil)

// New makes the reader, and takes its machine code from code if that is given and
// fits. It is called before the seal: no page becomes code later.
func New(code []byte, log *slog.Logger) (*Service, error) {
	l, err := pdfium.Open(context.Background(), code)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, "pdf.new", err)
	}
	return &Service{library: l, given: len(code) > 0, log: log}, nil
}

// Close ends the reader. Idempotent.
func (s *Service) Close() error { return s.library.Close(context.Background()) }

// Serve implements pdfv1.PdfServiceServer.
func (s *Service) Serve(ctx context.Context, in *pdfv1.ServeRequest) (*pdfv1.ServeResponse, error) {
	const op = "pdf.serve"
	files := ipc.TakeFiles(ctx)
	s.mu.Lock()
	again := s.serves
	s.serves = true
	s.mu.Unlock()
	if len(files) != 1 || again {
		closeAll(files)
		return nil, errs.New(errs.Malformed, op)
	}
	s.library.Code() // forgotten
	if err := workerkit.ServePeer(ctx, in.GetHandle(), files[0]); err != nil {
		return nil, err
	}
	return &pdfv1.ServeResponse{Stale: s.given && s.library.Fresh()}, nil
}

// Code implements pdfv1.PdfServiceServer.
func (s *Service) Code(ctx context.Context, _ *pdfv1.CodeRequest) (*pdfv1.CodeResponse, error) {
	const op = "pdf.code"
	files := ipc.TakeFiles(ctx)
	defer closeAll(files)
	s.mu.Lock()
	defer s.mu.Unlock()
	code := s.library.Code()
	if len(files) != 1 || s.serves || code == nil {
		return nil, errs.New(errs.Malformed, op).With("no code to give")
	}
	if _, err := files[0].Write(code); err != nil {
		return nil, errs.Wrap(errs.NoSpace, op, err)
	}
	return &pdfv1.CodeResponse{Size: uint64(len(code))}, nil
}

func closeAll[F io.Closer](files []F) {
	for _, f := range files {
		f.Close()
	}
}

// Text implements pdfv1.PdfServiceServer.
func (s *Service) Text(ctx context.Context, _ *pdfv1.TextRequest, out *pdfv1.PdfServiceTextSender) error {
	const op = "pdf.text"
	files := ipc.TakeFiles(ctx)
	defer closeAll(files)
	if len(files) != 1 {
		return errs.New(errs.Malformed, op)
	}
	size, err := modelfile.HandedOver(files[0])
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limits.PDFTime)
	defer cancel()
	w := &writer{out: out.Send}
	if size > limits.PDFFile {
		return w.end(pdfv1.Unread_UNREAD_COSTLY, "")
	}
	title, unread, err := s.read(ctx, files[0], int64(size), w)
	if err != nil {
		return err
	}
	return w.end(unread, title)
}

// read reads one document. What is wrong with the document is no error.
func (s *Service) read(ctx context.Context, f io.ReaderAt, size int64, w *writer) (title string, unread pdfv1.Unread, err error) {
	i, err := s.open()
	if err != nil {
		return "", 0, err
	}
	title, unread, err = s.pages(ctx, i, f, size, w)
	if err != nil || i.Memory() > limits.PDFModuleKept {
		s.drop()
	}
	switch {
	case errors.Is(err, pdfium.ErrLocked):
		return "", pdfv1.Unread_UNREAD_LOCKED, nil
	case errors.Is(err, pdfium.ErrDamaged):
		return "", pdfv1.Unread_UNREAD_DAMAGED, nil
	case errors.Is(err, pdfium.ErrEnded):
		s.log.Info("a document ended its reader", "error", err)
		return "", pdfv1.Unread_UNREAD_COSTLY, nil
	}
	return title, unread, err
}

// open returns the instance to read with.
func (s *Service) open() (*pdfium.Instance, error) {
	if s.instance == nil {
		i, err := s.library.New(context.Background())
		if err != nil {
			return nil, errs.Wrap(errs.MemoryUsedUp, "pdf.open", err)
		}
		s.instance = i
	}
	return s.instance, nil
}

func (s *Service) drop() {
	if s.instance != nil {
		s.instance.Close()
		s.instance = nil
	}
}

func (s *Service) pages(ctx context.Context, i *pdfium.Instance, f io.ReaderAt, size int64, w *writer) (string, pdfv1.Unread, error) {
	d, err := i.Document(ctx, f, size)
	if err != nil {
		return "", 0, err
	}
	w.pages = uint32(d.Pages())
	if d.Pages() > limits.PDFPages {
		return "", pdfv1.Unread_UNREAD_COSTLY, d.Close()
	}
	title, err := d.Title()
	if err != nil {
		return "", 0, err
	}
	bad, read := 0, false
	for n := range d.Pages() {
		if ctx.Err() != nil {
			return "", pdfv1.Unread_UNREAD_COSTLY, d.Close()
		}
		lines, ok, err := d.Page(n)
		if err != nil {
			return "", 0, err
		}
		if !ok {
			if bad++; bad == limits.PDFUnreadable {
				break
			}
			continue
		}
		bad, read = 0, true
		for _, p := range layout.Paragraphs(lines) {
			if err := w.paragraph(n+1, p); err != nil {
				return "", 0, err
			}
		}
		if err := w.page(); err != nil {
			return "", 0, err
		}
	}
	if err := d.Close(); err != nil {
		return "", 0, err
	}
	switch {
	case !read:
		return "", pdfv1.Unread_UNREAD_DAMAGED, nil
	case w.bytes == 0:
		return "", pdfv1.Unread_UNREAD_PICTURES, nil
	}
	return title, 0, nil
}
