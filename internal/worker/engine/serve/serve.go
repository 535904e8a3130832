// Package serve puts bailey.engine.v1 in front of an engine.Model: one model,
// loaded once from a descriptor, then conversations, texts and vectors.
//
// What is a matter of the conversation and not of the library is here: chat
// templates (package template), JSON schemas (package schema), whole characters
// and stop texts (package text), what is done when a prompt is too long, and the
// quotas of the grant, which are taken before anything is given out.
//
// It refuses a second load, a model of another role than it was loaded for, a
// call over its quota, and everything that would need a guess: a prompt over the
// context is an error unless the client asked for old turns to be left out, and a
// chat template that does not render is never replaced by another one.
//
// Requests were validated, and their grant checked against the worker's own row,
// before they come here. The engine worker registers it.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/template"
	"github.com/bailey-run/bailey/internal/workerkit"
)

// Config is what a service is made of.
type Config struct {
	// Library was opened before the seal.
	Library engine.Library
	Clock   clock.Clock
	// Memory is the resident memory of the process, in bytes.
	Memory func() uint64
	// Log gets why calls fail; never prompts or answers.
	Log *slog.Logger
}

// Service implements enginev1.EngineServiceServer.
type Service struct {
	cfg  Config
	pace pace

	mu    sync.Mutex
	began bool
	m     *loaded
}

var _ enginev1.EngineServiceServer = (*Service)(nil)

// loaded is a model that is ready.
type loaded struct {
	model     engine.Model
	info      engine.Info
	embedding bool
	// bos is put in front of every prompt; nil = the model wants none.
	bos  []engine.Token
	chat *template.Template
	// refused says why chat is nil.
	refused error
}

// New returns the service of a library.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// Close unloads the model. Idempotent.
func (s *Service) Close() error {
	s.mu.Lock()
	m := s.m
	s.m = nil
	s.mu.Unlock()
	if m == nil {
		return nil
	}
	return m.model.Close()
}

func (s *Service) loaded(op string) (*loaded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		return nil, errs.New(errs.Malformed, op).With("no model is loaded")
	}
	return s.m, nil
}

// Load implements enginev1.EngineServiceServer.
func (s *Service) Load(ctx context.Context, in *enginev1.LoadRequest, out *enginev1.EngineServiceLoadSender) error {
	const op = "engine.load"
	files := ipc.TakeFiles(ctx)
	refuse := func(err error) error {
		for _, f := range files {
			f.Close()
		}
		return err
	}
	if len(files) != 1 || in.Size == 0 || in.Size > math.MaxInt64 || in.Context > math.MaxInt32 {
		return refuse(errs.New(errs.Malformed, op))
	}
	embedding := in.Role == modelv1.Role_ROLE_EMBEDDING
	if in.Role == modelv1.Role_ROLE_UNSPECIFIED {
		return refuse(errs.New(errs.ModelRole, op).With("it was not said what the model is for"))
	}
	s.mu.Lock()
	again := s.began
	s.began = true
	s.mu.Unlock()
	if again {
		return refuse(errs.New(errs.Malformed, op).With("a model was loaded before"))
	}

	start := time.Now()
	m, err := s.load(ctx, files[0], in, embedding, out)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.m = m
	s.mu.Unlock()
	l := &modelv1.Loaded{
		Engine: s.cfg.Library.Name(), Variant: s.cfg.Library.Variant(),
		Context: uint32(m.info.Context), TrainedContext: uint32(m.info.TrainedContext), Dimension: uint32(m.info.Dimension),
		Threads: uint32(m.info.Threads), Parallel: uint32(m.info.Parallel),
		Chat: m.chat != nil, Milliseconds: uint64(time.Since(start).Milliseconds()), Memory: s.cfg.Memory(),
		Card: cut(m.info.Graphics.Device, limits.EngineReason), CardLayers: uint32(m.info.Graphics.Layers), Vram: m.info.Graphics.VRAM,
	}
	if m.refused != nil {
		l.ChatRefused = reason(m.refused)
	}
	return out.Send(&enginev1.LoadResponse{Event: &enginev1.LoadResponse_Loaded{Loaded: l}})
}

// load has the library read the model and tries its chat template.
func (s *Service) load(ctx context.Context, f *os.File, in *enginev1.LoadRequest, embedding bool, out *enginev1.EngineServiceLoadSender) (*loaded, error) {
	const op = "engine.load"
	p := &progress{out: out}
	defer p.end()
	model, err := s.cfg.Library.Load(ctx, f, engine.Options{
		Size: int64(in.Size), Embedding: embedding, Context: int(in.Context),
		Parallel: int(in.Parallel), Threads: int(in.Threads), VRAM: in.Vram,
	}, p.report)
	if err != nil {
		return nil, ended(ctx, err)
	}
	m := &loaded{model: model, info: model.Info(), embedding: embedding}
	if embedding && m.info.Dimension == 0 {
		_ = model.Close()
		return nil, errs.New(errs.ModelRole, op).With("it makes no vectors")
	}
	if embedding && m.info.Dimension > limits.EngineDimension {
		_ = model.Close()
		return nil, errs.New(errs.ModelRefused, op).With(fmt.Sprintf("its vectors have %d numbers; %d are the most", m.info.Dimension, limits.EngineDimension))
	}
	if embedding {
		m.refused = errs.New(errs.ModelRole, op)
		return m, nil
	}
	if m.info.AddBOS && m.info.BOS != "" {
		if t, err := model.Tokenize(m.info.BOS, true); err == nil && len(t) == 1 {
			m.bos = t
		}
	}
	m.chat, m.refused = template.New(ctx, m.info.Template, m.info.BOS, m.info.EOS, s.cfg.Clock.Wall())
	if ctx.Err() != nil {
		_ = model.Close()
		return nil, ended(ctx, ctx.Err())
	}
	return m, nil
}

// progress sends how far a load is, not too often.
type progress struct {
	out *enginev1.EngineServiceLoadSender

	mu   sync.Mutex
	last time.Time
	over bool
}

func (p *progress) report(fraction float32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || time.Since(p.last) < limits.EngineProgress {
		return
	}
	p.last = time.Now()
	n := uint32(max(0, min(fraction, 1)) * 1000)
	// That the core is gone the load learns by its context.
	_ = p.out.Send(&enginev1.LoadResponse{Event: &enginev1.LoadResponse_Progress{Progress: &modelv1.LoadProgress{Thousandths: n}}})
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// reason is a short sentence of an error, for Loaded.
func reason(err error) string {
	e := errs.From(err)
	s := e.Detail
	if s == "" {
		s = e.Message()
	}
	return cut(s, limits.EngineReason)
}

// Serve implements enginev1.EngineServiceServer.
func (s *Service) Serve(ctx context.Context, in *enginev1.ServeRequest) (*enginev1.ServeResponse, error) {
	files := ipc.TakeFiles(ctx)
	if len(files) != 1 {
		for _, f := range files {
			f.Close()
		}
		return nil, errs.New(errs.Malformed, "engine.serve")
	}
	if err := workerkit.ServePeer(ctx, in.Handle, files[0]); err != nil {
		return nil, err
	}
	return &enginev1.ServeResponse{}, nil
}

// Stats implements enginev1.EngineServiceServer.
func (s *Service) Stats(context.Context, *enginev1.StatsRequest) (*enginev1.StatsResponse, error) {
	m, err := s.loaded("engine.stats")
	if err != nil {
		return nil, err
	}
	t := m.model.Stats()
	return &enginev1.StatsResponse{
		Memory: s.cfg.Memory(), Vram: t.VRAM, Temperature: t.Temperature, PromptTokens: t.PromptTokens, OutputTokens: t.OutputTokens,
		Running: uint32(t.Running), Waiting: uint32(t.Waiting),
	}, nil
}

// ended replaces what a library says of a call whose context has ended by why it
// has.
func ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	cause := context.Cause(ctx)
	var e *errs.Error
	switch {
	case errors.As(cause, &e):
		return e
	case errors.Is(cause, context.DeadlineExceeded):
		return errs.New(errs.Deadline, "engine")
	}
	return errs.New(errs.Cancelled, "engine")
}
