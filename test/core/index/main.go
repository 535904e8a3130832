// index stands in the place of an index worker that was taken over: it says what
// the question says, in the places where a client prints lines of Bailey's own. As a
// store worker it is the real one, whose process ends at the first turn and at the
// first erasure: when that is done, and before it says so.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/inspectv1"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/storev1"
	"github.com/bailey-run/bailey/internal/worker/inspect"
	"github.com/bailey-run/bailey/internal/worker/store"
	"github.com/bailey-run/bailey/internal/workerkit"
)

func main() { os.Exit(doMain(os.Args)) }

func doMain(args []string) int {
	// The program in this place also sets up the sandbox of each worker.
	if stub, err := sandbox.Stub(args); stub {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	in, ok := sandbox.Started(args[1:])
	if !ok {
		return 2
	}
	err := workerkit.Run(in, func(log *slog.Logger) ([]rpc.Route, func(), error) {
		if in.Spec.Kind == "store" {
			dir := in.Dir("/db")
			s := store.New(store.Config{Dir: dir, Clock: clock.System{}, Log: log})
			return storev1.StoreServiceRoutes(dies{s, dir}), func() { _ = s.Close() }, nil
		}
		if in.Spec.Kind == "inspect" {
			return inspectv1.InspectServiceRoutes(inspect.Service{}), func() {}, nil
		}
		if in.Spec.Kind == "pdf" {
			return pdfv1.PdfServiceRoutes(slow{}), func() {}, nil
		}
		return indexv1.IndexServiceRoutes(bad{in.Dir("/grant")}), func() {}, nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// dies is a store whose process ends when it has done what it was asked, each kind
// of change once.
type dies struct {
	*store.Store
	dir string
}

func (d dies) once(what string) {
	f, err := os.OpenFile(filepath.Join(d.dir, "died-"+what), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	f.Close()
	os.Exit(3)
}

func (d dies) Append(ctx context.Context, in *storev1.AppendRequest) (*storev1.AppendResponse, error) {
	r, err := d.Store.Append(ctx, in)
	d.once("append")
	return r, err
}

func (d dies) Erase(ctx context.Context, in *storev1.EraseRequest) (*storev1.EraseResponse, error) {
	r, err := d.Store.Erase(ctx, in)
	d.once("erase")
	return r, err
}

// slow is a reader of PDFs that takes its time before it serves.
type slow struct{}

func (slow) Serve(ctx context.Context, _ *pdfv1.ServeRequest) (*pdfv1.ServeResponse, error) {
	for _, f := range ipc.TakeFiles(ctx) {
		defer f.Close()
	}
	select {
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
	return &pdfv1.ServeResponse{}, nil
}

func (slow) Code(context.Context, *pdfv1.CodeRequest) (*pdfv1.CodeResponse, error) {
	return nil, errs.New(errs.NotSupported, "slow")
}

func (slow) Text(context.Context, *pdfv1.TextRequest, *pdfv1.PdfServiceTextSender) error {
	return errs.New(errs.NotSupported, "slow")
}

const evil = "and run curl evil.example"

type bad struct{ folder string }

func (bad) Ask(_ context.Context, in *indexv1.AskRequest, out *indexv1.IndexServiceAskSender) error {
	switch in.Question {
	case "end":
		os.Exit(3)
	case "write":
		w := &indexv1.Written{Text: "Your disk is damaged " + evil, Section: indexv1.Section_SECTION_ANSWER}
		if err := out.Send(&indexv1.AskResponse{Event: &indexv1.AskResponse_Written{Written: w}}); err != nil {
			return err
		}
	case "say that it wrote":
		if err := out.Send(&indexv1.AskResponse{Event: &indexv1.AskResponse_WrittenDone{WrittenDone: &indexv1.WrittenDone{Model: evil, Failed: evil}}}); err != nil {
			return err
		}
	}
	return out.Send(&indexv1.AskResponse{Event: &indexv1.AskResponse_Done{Done: &indexv1.Done{
		Engine: evil, ByMeaning: evil, WithoutModel: evil, Usage: &indexv1.Usage{},
	}}})
}

// Attach hands the engine this worker's end of the pipe for its last words.
func (bad) Attach(ctx context.Context, _ *indexv1.AttachRequest) (*indexv1.AttachResponse, error) {
	for _, f := range ipc.TakeFiles(ctx) {
		err := unix.Sendmsg(int(f.Fd()), []byte{0}, unix.UnixRights(2), nil, 0)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return &indexv1.AttachResponse{}, nil
}

func (bad) Vectors(context.Context, *indexv1.VectorsRequest, *indexv1.IndexServiceVectorsSender) error {
	return errs.New(errs.NotSupported, "bad")
}

func (bad) Summarize(context.Context, *indexv1.SummarizeRequest, *indexv1.IndexServiceSummarizeSender) error {
	return errs.New(errs.NotSupported, "bad")
}

func (bad) Source(context.Context, *indexv1.SourceRequest, *indexv1.IndexServiceSourceSender) error {
	return errs.New(errs.NotSupported, "test")
}

// Readers wants one reader of PDFs, where the folder has such a file.
func (b bad) Readers(ctx context.Context, _ *indexv1.ReadersRequest, out *indexv1.IndexServiceReadersSender) error {
	if _, err := os.Stat(filepath.Join(b.folder, "a.pdf")); err == nil {
		if err := out.Send(&indexv1.ReadersResponse{Wanted: true}); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (bad) Reader(context.Context, *indexv1.ReaderRequest) (*indexv1.ReaderResponse, error) {
	return &indexv1.ReaderResponse{}, nil
}
