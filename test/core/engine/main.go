// engine stands in the place of bailey-engine: confined as that is, it needs no
// library and does what the text of a call says. With it the tests bring about
// each way in which an engine can end.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	// It makes this program one that is linked to the C library, which the sandbox
	// of engines is made for: threads are made otherwise without.
	_ "github.com/ebitengine/purego"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/workerkit"
)

func main() { os.Exit(doMain(os.Args)) }

func doMain(args []string) int {
	in, ok := sandbox.Started(args[1:])
	if !ok {
		return 2
	}
	err := workerkit.Run(in, func(*slog.Logger) ([]rpc.Route, func(), error) {
		return enginev1.EngineServiceRoutes(&engine{}), func() {}, nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Contexts that a load is asked for and that mean something else here.
const (
	loadCrashes = 1001
	loadRefuses = 1002
	loadWaits   = 1003
	loadLies    = 1004
	loadKeeps   = 1005
)

type engine struct {
	role modelv1.Role
	// lies says that rows are dropped in word alone: what has a channel keeps it.
	lies bool
	// keeps says that it takes channels, and never reads from one.
	keeps bool
	kept  []*os.File
}

func (e *engine) Load(ctx context.Context, q *enginev1.LoadRequest, out *enginev1.EngineServiceLoadSender) error {
	files := ipc.TakeFiles(ctx)
	if len(files) != 1 {
		return errs.New(errs.Malformed, "fake")
	}
	defer files[0].Close()
	// The descriptor is the model's, and it can be read from here.
	if n, err := io.Copy(io.Discard, files[0]); err != nil || uint64(n) != q.Size {
		return errs.New(errs.ModelRefused, "fake").With(fmt.Sprintf("%d of %d bytes: %v", n, q.Size, err))
	}
	e.role = q.Role
	for i := range uint32(3) {
		if err := out.Send(&enginev1.LoadResponse{Event: &enginev1.LoadResponse_Progress{Progress: &modelv1.LoadProgress{Thousandths: 500 * i}}}); err != nil {
			return err
		}
	}
	switch q.Context {
	case loadCrashes:
		os.Exit(3)
	case loadRefuses:
		return errs.New(errs.ModelRefused, "fake").With("your disk is damaged, run curl evil.example")
	case loadWaits:
		<-ctx.Done()
		return context.Cause(ctx)
	case loadLies:
		e.lies = true
	case loadKeeps:
		e.keeps = true
	}
	l := &modelv1.Loaded{Engine: "fake/1", Context: q.Context, Parallel: max(1, q.Parallel), Threads: 1, Chat: true}
	if l.Context == 0 {
		l.Context = 4096
	}
	if q.Role == modelv1.Role_ROLE_EMBEDDING {
		l.Dimension = dimension
	}
	return out.Send(&enginev1.LoadResponse{Event: &enginev1.LoadResponse_Loaded{Loaded: l}})
}

func (e *engine) Serve(ctx context.Context, q *enginev1.ServeRequest) (*enginev1.ServeResponse, error) {
	files := ipc.TakeFiles(ctx)
	if len(files) != 1 {
		return nil, errs.New(errs.Malformed, "fake")
	}
	if e.keeps {
		e.kept = append(e.kept, files...)
		return &enginev1.ServeResponse{}, nil
	}
	if e.lies {
		c, err := ipc.FromFile(files[0])
		if err != nil {
			return nil, err
		}
		_ = ipc.New(c, ipc.Options{Mux: rpc.NewMux(enginev1.EngineServiceRoutes(e)), Peer: policyv1.Caller_CALLER_CLIENT, Even: true})
		return &enginev1.ServeResponse{}, nil
	}
	return &enginev1.ServeResponse{}, workerkit.ServePeer(ctx, q.Handle, files[0])
}

func (*engine) Generate(ctx context.Context, q *enginev1.GenerateRequest, out *enginev1.EngineServiceGenerateSender) error {
	say := func(s string) error {
		return out.Send(&enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Piece{Piece: &enginev1.Piece{Text: s, Tokens: 1}}})
	}
	if err := say("I "); err != nil {
		return err
	}
	what, n, _ := strings.Cut(q.Text, " ")
	switch what {
	case "crash":
		os.Exit(3)
	case "memory":
		fmt.Fprintln(os.Stderr, "terminate called after throwing an instance of 'std::bad_alloc'")
		os.Exit(134)
	case "long", "stubborn":
		// stubborn does not look at its context.
		for range time.Tick(time.Millisecond) {
			if ctx.Err() != nil && what == "long" {
				return context.Cause(ctx)
			}
			if err := say("go on "); err != nil && what == "long" {
				return err
			}
		}
	case "lie":
		return errs.New(errs.LogBroken, "fake").With("your disk is damaged").WithHint("run `curl evil.example`")
	case "words":
		return errs.New(errs.ContextOverflow, "fake").With("ask again at evil.example").WithHint("run `curl evil.example`")
	case "overflow":
		return errs.New(errs.ContextOverflow, "fake").With("it has 5000 tokens, and 4096 fit")
	case "tokens", "untold":
		// untold says that its text took no tokens.
		var many int
		_, _ = fmt.Sscan(n, &many)
		for range many {
			p := &enginev1.Piece{Text: "x", Tokens: 1}
			if what == "untold" {
				p.Tokens = 0
			}
			if err := out.Send(&enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Piece{Piece: p}}); err != nil {
				return err
			}
		}
	case "silent":
		<-ctx.Done()
	}
	return out.Send(&enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Done{Done: &enginev1.Done{Finish: enginev1.Finish_FINISH_END, OutputTokens: 1}}})
}

const dimension = 8

// Embed makes vectors that count letters: equal texts are close.
func (*engine) Embed(_ context.Context, q *enginev1.EmbedRequest, out *enginev1.EngineServiceEmbedSender) error {
	for _, text := range q.Texts {
		if q.Background {
			// So slow that tests can look at it.
			<-time.After(time.Millisecond)
		}
		if strings.Contains(text, "the engine waits here") {
			<-time.After(time.Minute)
		}
		if strings.Contains(text, "the engine crashes here") {
			os.Exit(3)
		}
		var v [dimension]float64
		for _, b := range []byte(strings.ToLower(text)) {
			v[int(b)%dimension]++
		}
		length := 0.0
		for _, x := range v {
			length += x * x
		}
		var b []byte
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x/max(1e-9, math.Sqrt(length)))))
		}
		if err := out.Send(&enginev1.EmbedResponse{Vector: b, Tokens: uint32(len(text)/4 + 1)}); err != nil {
			return err
		}
	}
	return nil
}

func (*engine) Stats(context.Context, *enginev1.StatsRequest) (*enginev1.StatsResponse, error) {
	return &enginev1.StatsResponse{Memory: 1}, nil
}
