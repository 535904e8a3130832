package serve

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/workerkit"
)

// Embed implements enginev1.EngineServiceServer. A grant's quota of tokens counts
// those that were read: a vector is given out when all its tokens were taken.
func (s *Service) Embed(ctx context.Context, in *enginev1.EmbedRequest, out *enginev1.EngineServiceEmbedSender) error {
	const op = "engine.embed"
	m, err := s.loaded(op)
	if err != nil {
		return err
	}
	if !m.embedding {
		return errs.New(errs.ModelRole, op).With("it was loaded to write")
	}
	row := workerkit.RowOf(ctx)
	work, done, err := row.Begin(ctx)
	if err != nil {
		return err
	}
	defer done(0)

	var waiting []*enginev1.EmbedResponse
	box := newOutbox(func(box *outbox, _ bool) func() error {
		if len(waiting) == 0 {
			return nil
		}
		next := waiting[0]
		waiting = waiting[1:]
		box.unread -= len(next.Vector)
		return func() error { return out.Send(next) }
	})
	err = m.model.Embed(work, in.Texts, in.Background, func(vector []float32, tokens, truncated int) error {
		s.pace.step()
		if taken := row.TakeTokens(uint64(tokens)); taken < uint64(tokens) {
			row.GiveTokens(taken)
			return errs.New(errs.QuotaUsedUp, op).With("all tokens of the grant were read")
		}
		r := &enginev1.EmbedResponse{Vector: littleEndian(vector), Tokens: uint32(tokens), Truncated: uint32(truncated)}
		return box.put(len(r.Vector), func() { waiting = append(waiting, r) })
	})
	err = ended(work, err)
	done(0) // waiting for the client is not work
	if sent := box.finish(ctx); err == nil {
		err = sent
	}
	return err
}

func littleEndian(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}
