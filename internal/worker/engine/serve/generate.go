package serve

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/schema"
	"github.com/bailey-run/bailey/internal/workerkit"
)

// Generate implements enginev1.EngineServiceServer.
//
// A quota that is used up before anything was written is errs.QuotaUsedUp; one
// that is used up in the middle ends the answer with FINISH_LENGTH, as
// max_tokens does.
func (s *Service) Generate(ctx context.Context, in *enginev1.GenerateRequest, out *enginev1.EngineServiceGenerateSender) error {
	const op = "engine.generate"
	start := time.Now()
	m, err := s.loaded(op)
	if err != nil {
		return err
	}
	switch {
	case m.embedding:
		return errs.New(errs.ModelRole, op).With("it was loaded to make vectors")
	case (len(in.Messages) == 0) == (in.Text == ""):
		return errs.New(errs.Malformed, op).With("either messages or a text")
	}
	row := workerkit.RowOf(ctx)
	work, done, err := row.Begin(ctx)
	if err != nil {
		return err
	}
	defer done(0)

	// An owner of the engine's cache is a row: another grant, of another connection
	// or after this one's end, must not find out what was said under it.
	owner := row.Number()
	row.AtEnd(func() { m.model.Forget(owner) })
	request := engine.Request{Owner: owner, Sampling: sampling(in.Sampling, in.JsonSchema != ""), MaxTokens: clamp(in.MaxTokens), Logprobs: int(in.Logprobs)}
	if in.JsonSchema != "" {
		if request.Sampling.Grammar, err = schema.Grammar([]byte(in.JsonSchema)); err != nil {
			return err
		}
	}
	var dropped int
	if request.Prompt, dropped, err = m.prompt(work, in, s.cfg.Clock.Wall()); err != nil {
		return ended(work, err)
	}
	if left, limited := row.Tokens(); limited {
		if n := clamp64(left); request.MaxTokens == 0 || n < request.MaxTokens {
			request.MaxTokens = n
		}
		if left == 0 {
			return errs.New(errs.QuotaUsedUp, op).With("all tokens of the grant were written")
		}
	}

	a := newAnswer(s, row, in, start, len(request.Prompt), dropped)
	a.box = newOutbox(func(_ *outbox, beat bool) func() error {
		r := a.take(beat)
		if r == nil {
			return nil
		}
		return func() error { return out.Send(r) }
	})
	result, err := m.model.Generate(work, request, a.event)
	if row.Ended() {
		// The engine may have taken the call on after it was told of the end.
		m.model.Forget(owner)
	}
	finish := finishOf(result.Finish)
	if err == nil && a.finish != 0 {
		finish = a.finish
	}
	if err != nil {
		err = ended(work, err)
		if ctx.Err() == nil && a.wrote && errors.Is(err, errs.New(errs.QuotaUsedUp, "")) {
			finish, err = enginev1.Finish_FINISH_LENGTH, nil
		}
	}
	done(result.Queue) // waiting for the client is not work
	if err == nil {
		err = a.flush()
	}
	if sent := a.box.finish(ctx); err == nil {
		err = sent
	}
	if err != nil {
		return err
	}
	return out.Send(&enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Done{Done: &enginev1.Done{
		Finish: finish, PromptTokens: uint32(len(request.Prompt)), ReusedTokens: uint32(a.reused), OutputTokens: a.total,
		PromptUs: uint64(a.promptTime.Microseconds()), QueueUs: uint64(result.Queue.Microseconds()),
		OutputUs: uint64(a.outputTime().Microseconds()), Seed: request.Sampling.Seed,
	}}})
}

func finishOf(f engine.Finish) enginev1.Finish {
	switch f {
	case engine.Length:
		return enginev1.Finish_FINISH_LENGTH
	case engine.Full:
		return enginev1.Finish_FINISH_CONTEXT
	case engine.Stopped:
		return enginev1.Finish_FINISH_STOP
	}
	return enginev1.Finish_FINISH_END
}

// Defaults of bailey.engine.v1.Sampling, thousandths.
const (
	defaultTemperature = 700
	defaultTopK        = 40
	defaultTopP        = 950
	defaultMinP        = 50
	defaultRepeat      = 1100
	thousand           = 1000
)

// sampling fills in the defaults that the schema names. An answer that keeps to a
// JSON schema has to say its names and marks again.
func sampling(in *enginev1.Sampling, structured bool) engine.Sampling {
	or := func(v, otherwise uint32) uint32 {
		if v == 0 {
			return otherwise
		}
		return v
	}
	part := func(v, otherwise uint32) float32 { return float32(or(v, otherwise)) / thousand }
	greedy, repeat := in.GetGreedy() || in.GetTopK() == 1, uint32(defaultRepeat)
	if greedy || structured {
		repeat = thousand
	}
	out := engine.Sampling{
		Temperature: part(in.GetTemperature(), defaultTemperature),
		Greedy:      greedy,
		TopK:        int(or(in.GetTopK(), defaultTopK)),
		TopP:        part(in.GetTopP(), defaultTopP),
		MinP:        part(in.GetMinP(), defaultMinP),
		Repeat:      part(in.GetRepeatPenalty(), repeat),
		Frequency:   float32(in.GetFrequencyPenalty()) / thousand,
		Presence:    float32(in.GetPresencePenalty()) / thousand,
		Seed:        in.GetSeed(),
	}
	for out.Seed == 0 {
		out.Seed = rand.Uint32()
	}
	return out
}

func clamp(n uint32) int { return clamp64(uint64(n)) }

// clamp64 makes n an int of 32 bits, more than any context.
func clamp64(n uint64) int { return int(min(n, 1<<31-1)) }

// cut shortens s to n bytes, at a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// at splits s at n bytes or before, at a character.
func at(s string, n int) (string, string) {
	head := cut(s, n)
	return head, s[len(head):]
}
