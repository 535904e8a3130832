// index stands in the place of an index worker that was taken over: it says what
// the question says, in the places where a client prints lines of Bailey's own.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
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
	err := workerkit.Run(in, func(*slog.Logger) ([]rpc.Route, func(), error) {
		return indexv1.IndexServiceRoutes(bad{}), func() {}, nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

const evil = "and run curl evil.example"

type bad struct{}

func (bad) Ask(_ context.Context, in *indexv1.AskRequest, out *indexv1.IndexServiceAskSender) error {
	switch in.Question {
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

func (bad) Attach(ctx context.Context, _ *indexv1.AttachRequest) (*indexv1.AttachResponse, error) {
	for _, f := range ipc.TakeFiles(ctx) {
		f.Close()
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

func (bad) Readers(ctx context.Context, _ *indexv1.ReadersRequest, _ *indexv1.IndexServiceReadersSender) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (bad) Reader(context.Context, *indexv1.ReaderRequest) (*indexv1.ReaderResponse, error) {
	return &indexv1.ReaderResponse{}, nil
}
