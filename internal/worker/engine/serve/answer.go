package serve

import (
	"math"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/text"
	"github.com/bailey-run/bailey/internal/workerkit"
)

// answer is one generation on its way to its client.
type answer struct {
	s   *Service
	row *workerkit.Row
	box *outbox

	// These belong to who calls event.
	cutter     *text.Cutter
	logprobs   bool
	finish     enginev1.Finish
	wrote      bool
	total      uint32
	reused     int
	size       int
	dropped    int
	start      time.Time
	promptTime time.Duration
	first      time.Time
	newest     time.Time
	reported   time.Time
	prompted   bool

	// These wait to be sent; guarded by box.mu.
	reading *enginev1.Reading
	prompt  *enginev1.Prompt
	units   []unit
	silent  uint32 // tokens that have made no text yet
	beaten  time.Time
	begun   bool      // something came from the library
	said    time.Time // the last piece was sent
}

// unit is what one token, or a few, added.
type unit struct {
	text       []byte
	tokens     uint32
	candidates *enginev1.TokenCandidates
}

func newAnswer(s *Service, row *workerkit.Row, in *enginev1.GenerateRequest, start time.Time, size, dropped int) *answer {
	return &answer{s: s, row: row, cutter: text.NewCutter(in.Stop), logprobs: in.Logprobs > 0, start: start, size: size, dropped: dropped}
}

// event gets each step of the library.
func (a *answer) event(e engine.Event) error {
	a.s.pace.step()
	if e.Read != nil {
		return a.read(e.Read)
	}
	if e.Out == nil {
		return nil
	}
	now := time.Now()
	if err := a.read(nil); err != nil {
		return err
	}
	if a.row.TakeTokens(1) == 0 {
		a.finish = enginev1.Finish_FINISH_LENGTH
		return engine.ErrStop
	}
	if a.first.IsZero() {
		a.first = now
	}
	a.newest, a.wrote = now, true
	a.total++
	s, stopped := a.cutter.Push(e.Out.Bytes)
	if err := a.add(s, 1, e.Out.Candidates); err != nil {
		return err
	}
	if stopped {
		a.finish = enginev1.Finish_FINISH_STOP
		return engine.ErrStop
	}
	return nil
}

// read notes progress in the prompt; nil means that it has been read.
func (a *answer) read(r *engine.Read) error {
	if a.prompted {
		return nil
	}
	if r != nil {
		a.reused = r.Reused
	}
	if r == nil || r.Tokens >= r.Total {
		a.prompted, a.promptTime = true, time.Since(a.start)
		p := &enginev1.Prompt{Tokens: uint32(a.size), Reused: uint32(a.reused), Dropped: uint32(a.dropped)}
		return a.box.put(0, func() { a.begun, a.reading, a.prompt = true, nil, p })
	}
	if time.Since(a.reported) < limits.EngineProgress {
		return nil
	}
	a.reported = time.Now()
	p := &enginev1.Reading{Tokens: uint32(r.Tokens), Total: uint32(r.Total)}
	return a.box.put(0, func() { a.begun, a.reading = true, p })
}

// add puts what a token made behind the rest.
func (a *answer) add(s string, tokens uint32, candidates []engine.Candidate) error {
	if !a.logprobs {
		if s == "" {
			return a.box.put(0, func() { a.silent += tokens })
		}
		return a.box.put(len(s), func() {
			tokens += a.silent
			a.silent = 0
			if n := len(a.units); n > 0 && len(a.units[n-1].text)+len(s) <= limits.EnginePiece {
				u := &a.units[n-1]
				u.text, u.tokens = append(u.text, s...), u.tokens+tokens
				return
			}
			a.split(s, tokens, nil)
		})
	}
	var c *enginev1.TokenCandidates
	if tokens > 0 {
		c = &enginev1.TokenCandidates{}
		for _, k := range candidates {
			c.Candidates = append(c.Candidates, &enginev1.Candidate{
				Text: k.Bytes[:min(len(k.Bytes), limits.EngineCandidateBytes)], Logprob: thousandths(k.Logprob),
			})
		}
	}
	return a.box.put(len(s)+len(candidates)*limits.EngineCandidateBytes, func() { a.split(s, tokens, c) })
}

// split adds units no longer than one message.
func (a *answer) split(s string, tokens uint32, c *enginev1.TokenCandidates) {
	for len(s) > limits.EnginePiece {
		var head string
		head, s = at(s, limits.EnginePiece)
		a.units = append(a.units, unit{text: []byte(head)})
	}
	a.units = append(a.units, unit{text: []byte(s), tokens: tokens, candidates: c})
}

func thousandths(logprob float32) int32 {
	const least = math.MinInt32
	v := float64(logprob) * thousand
	if math.IsNaN(v) || v < least {
		return least
	}
	return int32(min(math.Round(v), 0))
}

// flush adds what was kept back.
func (a *answer) flush() error {
	if s := a.cutter.End(); s != "" {
		if err := a.add(s, 0, nil); err != nil {
			return err
		}
	}
	return a.box.put(0, func() {
		if a.silent > 0 {
			a.units = append(a.units, unit{tokens: a.silent})
			a.silent = 0
		}
	})
}

func (a *answer) outputTime() time.Duration {
	if a.first.IsZero() {
		return 0
	}
	return a.newest.Sub(a.first)
}

// take returns the next message, or nil. While nothing happens in this call but
// the library goes on with others, a beat says that it waits; and one says so
// while tokens come that make no text. A library that stands says nothing, so
// that the core can tell.
func (a *answer) take(beat bool) *enginev1.GenerateResponse {
	switch {
	case a.reading != nil:
		r := a.reading
		a.reading = nil
		return &enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Reading{Reading: r}}
	case a.prompt != nil:
		p := a.prompt
		a.prompt = nil
		return &enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Prompt{Prompt: p}}
	case len(a.units) > 0:
		now := time.Now()
		if rest := limits.EngineGap - now.Sub(a.said); rest > 0 && !a.box.closed && !a.full() {
			a.box.rest(rest)
			return nil
		}
		a.said = now
		return a.piece()
	case beat && !a.begun:
		if last := a.s.pace.last(); last.After(a.beaten) && last.After(a.start) {
			a.beaten = time.Now()
			return &enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Reading{Reading: &enginev1.Reading{Total: uint32(a.size)}}}
		}
	case beat && a.silent > 0:
		p := &enginev1.Piece{Tokens: a.silent}
		a.silent = 0
		return &enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Piece{Piece: p}}
	}
	return nil
}

// full reports whether more waits than one message takes.
func (a *answer) full() bool {
	if a.logprobs {
		return len(a.units) > limits.EnginePieceTokens
	}
	return len(a.units) > 1 // units grow as long as they fit
}

// piece joins units up to the limits of one message.
func (a *answer) piece() *enginev1.GenerateResponse {
	p := &enginev1.Piece{}
	n := 0
	for n < len(a.units) {
		u := a.units[n]
		if n > 0 && len(p.Text)+len(u.text) > limits.EnginePiece || len(p.Candidates) >= limits.EnginePieceTokens {
			break
		}
		n++
		p.Text += string(u.text)
		p.Tokens += u.tokens
		if u.candidates != nil {
			p.Candidates = append(p.Candidates, u.candidates)
		}
		a.box.unread -= len(u.text) + len(u.candidates.GetCandidates())*limits.EngineCandidateBytes
	}
	a.units = append(a.units[:0], a.units[n:]...)
	return &enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Piece{Piece: p}}
}
