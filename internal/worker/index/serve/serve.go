// Package serve offers an index as bailey.index.v1.IndexService.
//
// It translates and streams, nothing else: the request was validated and its
// grant checked against the worker's own row before it comes here. The index
// worker registers it.
package serve

import (
	"context"
	"strings"
	"sync"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/worker/index"
	"github.com/bailey-run/bailey/internal/worker/index/answer"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// Service implements indexv1.IndexServiceServer on one index.
type Service struct {
	cfg index.Config

	mu sync.Mutex
	x  *index.Index
}

var _ indexv1.IndexServiceServer = (*Service)(nil)

// New returns the service of the index that cfg describes. It is opened by the
// first call, so that a worker has no more open before it is sealed than its
// spec declares.
func New(cfg index.Config) *Service { return &Service{cfg: cfg} }

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

// Close closes the index, if a call has opened it.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.x == nil {
		return nil
	}
	x := s.x
	s.x = nil
	return x.Close()
}

// Ask brings the index up to date and streams the answer.
func (s *Service) Ask(ctx context.Context, in *indexv1.AskRequest, out *indexv1.IndexServiceAskSender) error {
	x, err := s.index(ctx)
	if err != nil {
		return err
	}
	usage, err := s.update(ctx, x, func(m message) error {
		r := &indexv1.AskResponse{}
		if m.progress != nil {
			r.Event = &indexv1.AskResponse_Progress{Progress: m.progress}
		} else {
			r.Event = &indexv1.AskResponse_Skipped{Skipped: m.skipped}
		}
		return out.Send(r)
	})
	if err != nil {
		return err
	}
	a, err := x.Ask(ctx, in.GetQuestion(), int(in.GetMaxSentences()))
	if err != nil {
		return err
	}
	for _, line := range a.Sentences {
		m := &indexv1.Sentence{Text: line.Text, Section: indexv1.Section_SECTION_ANSWER}
		for _, c := range line.Citations[:min(len(line.Citations), limits.ServeCitations)] {
			m.Citations = append(m.Citations, citation(c))
		}
		if err := out.Send(&indexv1.AskResponse{Event: &indexv1.AskResponse_Sentence{Sentence: m}}); err != nil {
			return err
		}
	}
	return out.Send(&indexv1.AskResponse{Event: &indexv1.AskResponse_Done{Done: &indexv1.Done{Engine: index.Engine, Usage: usage}}})
}

// Summarize brings the index up to date and streams a summary.
func (s *Service) Summarize(ctx context.Context, in *indexv1.SummarizeRequest, out *indexv1.IndexServiceSummarizeSender) error {
	x, err := s.index(ctx)
	if err != nil {
		return err
	}
	usage, err := s.update(ctx, x, func(m message) error {
		r := &indexv1.SummarizeResponse{}
		if m.progress != nil {
			r.Event = &indexv1.SummarizeResponse_Progress{Progress: m.progress}
		} else {
			r.Event = &indexv1.SummarizeResponse_Skipped{Skipped: m.skipped}
		}
		return out.Send(r)
	})
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
			citation(answer.Citation{Path: line.Path, Line: line.Line, End: line.End, Quote: line.Quote})}}
		if err := out.Send(&indexv1.SummarizeResponse{Event: &indexv1.SummarizeResponse_Sentence{Sentence: m}}); err != nil {
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

func citation(c answer.Citation) *indexv1.Citation {
	return &indexv1.Citation{Path: []byte(c.Path), Line: uint32(c.Line), EndLine: uint32(c.End), Quote: c.Quote}
}

// Attach implements indexv1.IndexServiceServer.
func (s *Service) Attach(context.Context, *indexv1.AttachRequest) (*indexv1.AttachResponse, error) {
	return nil, errs.New(errs.NotSupported, "index.attach")
}

// Vectors implements indexv1.IndexServiceServer.
func (s *Service) Vectors(context.Context, *indexv1.VectorsRequest, *indexv1.IndexServiceVectorsSender) error {
	return errs.New(errs.NotSupported, "index.vectors")
}

// message is what both calls stream while the index is brought up to date.
type message struct {
	progress *indexv1.Progress
	skipped  *indexv1.SkippedBatch
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
