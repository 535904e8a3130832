// Package serve offers an index as bailey.index.v1.IndexService.
//
// It translates and streams, nothing else: the request was validated and its
// grant checked against the worker's own row before it comes here. The index
// worker registers it.
package serve

import (
	"context"
	"maps"
	"strings"
	"sync"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/worker/index"
	"github.com/bailey-run/bailey/internal/worker/index/answer"
	"github.com/bailey-run/bailey/internal/worker/index/attach"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/pdf"
	"github.com/bailey-run/bailey/internal/worker/index/written"
)

// Service implements indexv1.IndexServiceServer on one index.
type Service struct {
	cfg index.Config
	pdf *pdf.Reader
	// source is held by the call that holds a file's text.
	source chan struct{}

	mu      sync.Mutex
	x       *index.Index
	engines map[string]*attach.Engine // by handle
}

var _ indexv1.IndexServiceServer = (*Service)(nil)

// New returns the service of the index that cfg describes. It is opened by the
// first call, so that a worker has no more open before it is sealed than its
// spec declares.
func New(cfg index.Config) *Service {
	s := &Service{cfg: cfg, source: make(chan struct{}, 1), engines: map[string]*attach.Engine{}}
	s.pdf = pdf.New(cfg.Log)
	s.cfg.PDF = s.pdf
	return s
}

func (s *Service) index(ctx context.Context) (*index.Index, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.x == nil {
		x, err := index.Open(ctx, s.cfg)
		if err != nil {
			return nil, err
		}
		s.x = x
	}
	return s.x, nil
}

// Close closes the index, if a call has opened it, and the engines.
func (s *Service) Close() error {
	s.mu.Lock()
	x, engines := s.x, s.engines
	s.x, s.engines = nil, map[string]*attach.Engine{}
	s.mu.Unlock()
	for _, e := range engines {
		e.Close()
	}
	s.pdf.Close()
	if x == nil {
		return nil
	}
	return x.Close()
}

// Ask brings the index up to date and streams the answer, and below it what a
// model writes.
func (s *Service) Ask(ctx context.Context, in *indexv1.AskRequest, out *indexv1.IndexServiceAskSender) error {
	use, err := s.named(in.GetEngines())
	if err != nil {
		return err
	}
	x, err := s.index(ctx)
	if err != nil {
		return err
	}
	send := askEvents(out)
	usage, err := s.update(ctx, x, send)
	if err != nil {
		return err
	}
	a, err := s.find(ctx, x, in, use, send)
	if err != nil {
		return err
	}
	var told []written.Passage
	for _, line := range a.Sentences {
		m := &indexv1.Sentence{Text: line.Text, Section: indexv1.Section_SECTION_ANSWER, Citations: citations(line.Citations)}
		if err := out.Send(&indexv1.AskResponse{Event: &indexv1.AskResponse_Sentence{Sentence: m}}); err != nil {
			return err
		}
		told = append(told, written.Passage{Text: line.Text, Language: line.Language, Citations: line.Citations})
	}
	if use.writes != nil && len(told) > 0 {
		if err := s.write(ctx, use.writes, send, func(emit func(written.Sentence) error) (written.Text, error) {
			return written.Answer(ctx, use.writes, in.GetQuestion(), told, emit)
		}); err != nil {
			return err
		}
	}
	done := &indexv1.Done{Engine: index.Engine, Usage: usage, WithoutModel: string(a.Without)}
	if use.embeds != nil && a.Without == "" {
		done.ByMeaning = use.embeds.Name()
	}
	return out.Send(&indexv1.AskResponse{Event: &indexv1.AskResponse_Done{Done: done}})
}

// find answers by words, and by meaning where a model for that was granted.
func (s *Service) find(ctx context.Context, x *index.Index, in *indexv1.AskRequest, use engines, send func(message) error) (answer.Answer, error) {
	if use.embeds == nil {
		return x.Ask(ctx, in.GetQuestion(), int(in.GetMaxSentences()))
	}
	if err := send(message{progress: &indexv1.Progress{Stage: "embedding"}}); err != nil {
		return answer.Answer{}, err
	}
	return x.AskBy(ctx, in.GetQuestion(), int(in.GetMaxSentences()), use.embeds)
}

// Summarize brings the index up to date and streams a summary, and below it what
// a model writes.
func (s *Service) Summarize(ctx context.Context, in *indexv1.SummarizeRequest, out *indexv1.IndexServiceSummarizeSender) error {
	use, err := s.named(in.GetEngines())
	if err != nil {
		return err
	}
	x, err := s.index(ctx)
	if err != nil {
		return err
	}
	send := summarizeEvents(out)
	usage, err := s.update(ctx, x, send)
	if err != nil {
		return err
	}
	sum, err := x.Summarize(ctx, int(in.GetMaxSentences()))
	if err != nil {
		return err
	}
	for _, line := range sum.Sentences {
		section := indexv1.Section_SECTION_FILE
		if line.Overview {
			section = indexv1.Section_SECTION_OVERVIEW
		}
		m := &indexv1.Sentence{Text: line.Text, Section: section, Citations: []*indexv1.Citation{
			citation(answer.Citation{Path: line.Path, Line: line.Line, End: line.End, Quote: line.Quote, Page: line.Page, Paragraph: line.Paragraph})}}
		if err := out.Send(&indexv1.SummarizeResponse{Event: &indexv1.SummarizeResponse_Sentence{Sentence: m}}); err != nil {
			return err
		}
	}
	if use.writes != nil && len(sum.Sentences) > 0 {
		if err := s.write(ctx, use.writes, send, func(emit func(written.Sentence) error) (written.Text, error) {
			return x.Write(ctx, use.writes, sum, emit)
		}); err != nil {
			return err
		}
	}
	done := &indexv1.Done{Engine: index.Engine, Usage: usage}
	for i, l := range sum.Licences {
		if i == limits.ServeLicences {
			break
		}
		done.Licences = append(done.Licences, &indexv1.Licence{Path: []byte(l.Path), Name: l.Name})
	}
	done.LicencesMore = uint32(sum.LicencesTotal - len(done.Licences))
	return out.Send(&indexv1.SummarizeResponse{Event: &indexv1.SummarizeResponse_Done{Done: done}})
}

// write streams what a model writes. Only the caller's own end, or a broken
// database, is an error: a model that fails leaves the passages as they are.
func (s *Service) write(ctx context.Context, e *attach.Engine, send func(message) error, by func(func(written.Sentence) error) (written.Text, error)) error {
	if err := send(message{progress: &indexv1.Progress{Stage: "writing"}}); err != nil {
		return err
	}
	began := s.cfg.Clock.Boot()
	t, err := by(func(w written.Sentence) error {
		section := indexv1.Section_SECTION_ANSWER
		switch {
		case w.Overview:
			section = indexv1.Section_SECTION_OVERVIEW
		case w.File:
			section = indexv1.Section_SECTION_FILE
		}
		return send(message{written: &indexv1.Written{Text: w.Text, Supported: w.Supported, Citations: citations(w.Citations), Section: section}})
	})
	if err != nil {
		return err
	}
	return send(message{writtenDone: &indexv1.WrittenDone{Model: e.Name(), Folded: t.Folded, PromptTokens: uint32(t.Prompt), OutputTokens: uint32(t.Output),
		Milliseconds: uint64((s.cfg.Clock.Boot() - began).Milliseconds()), Failed: string(t.Failed), Files: uint32(t.Files)}})
}

func citations(list []answer.Citation) []*indexv1.Citation {
	var out []*indexv1.Citation
	for _, c := range list[:min(len(list), limits.ServeCitations)] {
		out = append(out, citation(c))
	}
	return out
}

func citation(c answer.Citation) *indexv1.Citation {
	return &indexv1.Citation{Path: []byte(c.Path), Line: uint32(c.Line), EndLine: uint32(c.End), Quote: c.Quote,
		Page: uint32(c.Page), Paragraph: uint32(c.Paragraph)}
}

// Attach implements indexv1.IndexServiceServer. A handle that is there already
// gets another engine: the one before has ended.
func (s *Service) Attach(ctx context.Context, in *indexv1.AttachRequest) (*indexv1.AttachResponse, error) {
	const op = "index.attach"
	files := ipc.TakeFiles(ctx)
	if len(files) != 1 {
		for _, f := range files {
			f.Close()
		}
		return nil, errs.New(errs.Malformed, op).With("an engine comes with one socket")
	}
	socket, err := ipc.FromFile(files[0])
	if err != nil {
		return nil, err
	}
	e, err := attach.New(ipc.New(socket, ipc.Options{Gone: attach.Gone, Log: s.cfg.Log}), in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	maps.DeleteFunc(s.engines, func(_ string, e *attach.Engine) bool { return e.Over() })
	old := s.engines[string(in.GetHandle())]
	full := old == nil && len(s.engines) >= limits.IndexEngines
	if !full {
		s.engines[string(in.GetHandle())] = e
	}
	s.mu.Unlock()
	if full {
		e.Close()
		return nil, errs.New(errs.TooLarge, op).With("more engines than a task may use")
	}
	if old != nil {
		old.Close()
	}
	return &indexv1.AttachResponse{}, nil
}

// engines are what a call may use; nil where it may not.
type engines struct{ embeds, writes *attach.Engine }

// named returns the engines that a request names.
func (s *Service) named(handles [][]byte) (engines, error) {
	const op = "index.engines"
	s.mu.Lock()
	defer s.mu.Unlock()
	var use engines
	for _, h := range handles {
		e := s.engines[string(h)]
		switch {
		case e == nil:
			return engines{}, errs.New(errs.GrantMissing, op)
		case e.Embeds() && use.embeds == nil:
			use.embeds = e
		case e.Writes() && use.writes == nil:
			use.writes = e
		default:
			return engines{}, errs.New(errs.ModelRole, op).With(e.Name())
		}
	}
	return use, nil
}

// Vectors implements indexv1.IndexServiceServer.
func (s *Service) Vectors(ctx context.Context, in *indexv1.VectorsRequest, out *indexv1.IndexServiceVectorsSender) error {
	use, err := s.named([][]byte{in.GetEngine()})
	if err != nil {
		return err
	}
	if use.embeds == nil {
		return errs.New(errs.ModelRole, "index.vectors").With(use.writes.Name())
	}
	x, err := s.index(ctx)
	if err != nil {
		return err
	}
	if _, err := s.update(ctx, x, func(message) error { return ctx.Err() }); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = x.Vectors(ctx, use.embeds, func(done, total int) {
		if err := out.Send(&indexv1.VectorsResponse{Done: uint64(done), Total: uint64(total)}); err != nil {
			cancel(err)
		}
	})
	if cause := context.Cause(ctx); err != nil && cause != nil && errs.CodeOf(cause) != errs.Internal {
		return cause
	}
	return err
}

// message is what both calls stream beside sentences and their end.
type message struct {
	progress    *indexv1.Progress
	skipped     *indexv1.SkippedBatch
	written     *indexv1.Written
	writtenDone *indexv1.WrittenDone
}

func askEvents(out *indexv1.IndexServiceAskSender) func(message) error {
	return func(m message) error {
		r := &indexv1.AskResponse{}
		switch {
		case m.progress != nil:
			r.Event = &indexv1.AskResponse_Progress{Progress: m.progress}
		case m.skipped != nil:
			r.Event = &indexv1.AskResponse_Skipped{Skipped: m.skipped}
		case m.written != nil:
			r.Event = &indexv1.AskResponse_Written{Written: m.written}
		default:
			r.Event = &indexv1.AskResponse_WrittenDone{WrittenDone: m.writtenDone}
		}
		return out.Send(r)
	}
}

func summarizeEvents(out *indexv1.IndexServiceSummarizeSender) func(message) error {
	return func(m message) error {
		r := &indexv1.SummarizeResponse{}
		switch {
		case m.progress != nil:
			r.Event = &indexv1.SummarizeResponse_Progress{Progress: m.progress}
		case m.skipped != nil:
			r.Event = &indexv1.SummarizeResponse_Skipped{Skipped: m.skipped}
		case m.written != nil:
			r.Event = &indexv1.SummarizeResponse_Written{Written: m.written}
		default:
			r.Event = &indexv1.SummarizeResponse_WrittenDone{WrittenDone: m.writtenDone}
		}
		return out.Send(r)
	}
}

func (s *Service) update(ctx context.Context, x *index.Index, send func(message) error) (*indexv1.Usage, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	try := func(m message) {
		if err := send(m); err != nil {
			cancel(err) // the client is gone: no need to read on
		}
	}
	usage, err := x.Update(ctx, func(p index.Progress) {
		try(message{progress: &indexv1.Progress{Files: uint64(p.Files), FilesTotal: uint64(p.Total), Bytes: uint64(p.Bytes), Stage: "reading"}})
	}, func(list []doc.Skipped) {
		for len(list) > 0 {
			n := min(len(list), limits.IndexSkipBatch)
			b := &indexv1.SkippedBatch{}
			for _, k := range list[:n] {
				b.Skipped = append(b.Skipped, skipped(k))
			}
			try(message{skipped: b})
			list = list[n:]
		}
	})
	if cause := context.Cause(ctx); err != nil && cause != nil && errs.CodeOf(err) == errs.Cancelled {
		if errs.CodeOf(cause) != errs.Internal {
			return nil, cause
		}
	}
	if err != nil {
		return nil, err
	}
	return &indexv1.Usage{Files: uint64(usage.Files), Bytes: uint64(usage.Bytes), Chunks: uint64(usage.Chunks), Skipped: uint64(usage.Skipped),
		Unchanged: uint64(usage.Unchanged), Milliseconds: uint64(usage.Elapsed.Milliseconds())}, nil
}

// skipped fits a path that is deeper than any message may name: its beginning
// says where it is.
func skipped(k doc.Skipped) *indexv1.Skipped {
	path := k.Path
	if len(path) > limits.WalkPath {
		path = path[:limits.WalkPath]
	}
	return &indexv1.Skipped{Path: path, Reason: string(k.Reason), Hint: strings.ToValidUTF8(k.Hint, "")}
}
