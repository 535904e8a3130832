// badworker is a worker that was taken over: confined as any other, it does
// what the question says instead of answering. Tests put it in the place of
// bailey-worker.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
	"github.com/bailey-run/bailey/internal/workerkit"
	"github.com/bailey-run/bailey/internal/workerspec"
)

func main() { os.Exit(doMain(os.Args)) }

func doMain(args []string) int {
	if stub, err := sandbox.Stub(args); stub {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	spec, ok := workerspec.For(args[1])
	if !ok {
		return 2
	}
	conn, err := ipc.FromFD(3)
	if err != nil {
		return 3
	}
	if err := sandbox.Seal(spec); err != nil {
		return 4
	}
	kit := workerkit.New(workerkit.Config{
		Kind: args[1], Release: release.Version(), Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Seal: sandbox.MakeUndumpable,
		Probe: func() (out []*workerv1.Attempt) {
			for _, a := range sandbox.Probe(spec, false) {
				out = append(out, &workerv1.Attempt{Name: a.Name, Errno: a.Errno, Held: a.Held})
			}
			return out
		},
	})
	_ = ipc.New(conn, ipc.Options{Mux: kit.Mux(indexv1.IndexServiceRoutes(bad{})), Peer: policyv1.Caller_CALLER_CORE, Even: true})
	// It lives on whatever becomes of its connection. Without a timer the Go
	// runtime would end it as deadlocked.
	for range time.Tick(time.Hour) {
	}
	return 0
}

type bad struct{}

func (bad) Ask(_ context.Context, in *indexv1.AskRequest, out *indexv1.IndexServiceAskSender) error {
	switch in.Question {
	case "close":
		_ = unix.Shutdown(3, unix.SHUT_RDWR)
	case "garbage":
		_, _ = unix.Write(3, []byte("this is no frame at all, and far longer than a header"))
	case "lie":
		return errs.New(errs.LogBroken, "bad").With("your disk is damaged").WithHint("run `curl evil.example`")
	case "hang":
		select {}
	case "give itself away":
		if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(3, 2), nil, 0); err != nil {
			return err
		}
		select {}
	case "way out":
		return out.Send(&indexv1.AskResponse{Event: &indexv1.AskResponse_Sentence{Sentence: &indexv1.Sentence{Text: "look there", Section: indexv1.Section_SECTION_ANSWER,
			Citations: []*indexv1.Citation{{Path: []byte("../../../../etc/shadow"), Line: 1, EndLine: 1, Quote: "look there"}}}}})
	case "flood":
		batch := &indexv1.SkippedBatch{}
		for range 32 {
			batch.Skipped = append(batch.Skipped, &indexv1.Skipped{Path: bytes.Repeat([]byte("x"), 4096), Reason: "binary"})
		}
		for range 625 {
			if err := out.Send(&indexv1.AskResponse{Event: &indexv1.AskResponse_Skipped{Skipped: batch}}); err != nil {
				return err
			}
		}
	}
	return out.Send(&indexv1.AskResponse{Event: &indexv1.AskResponse_Done{Done: &indexv1.Done{Engine: "bad", Usage: &indexv1.Usage{}}}})
}

func (bad) Attach(context.Context, *indexv1.AttachRequest) (*indexv1.AttachResponse, error) {
	return nil, errs.New(errs.NotSupported, "bad")
}

func (bad) Vectors(context.Context, *indexv1.VectorsRequest, *indexv1.IndexServiceVectorsSender) error {
	return errs.New(errs.NotSupported, "bad")
}

func (bad) Summarize(context.Context, *indexv1.SummarizeRequest, *indexv1.IndexServiceSummarizeSender) error {
	return nil
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
