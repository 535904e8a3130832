package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// talk is one chat: a conversation, and the way to a model. Each part of the way
// may be lost (the core, the grant, the loaded model); it is taken up again by the next
// answer, and the conversation goes on.
type talk struct {
	c       *cli
	o       chatOptions
	connect func(context.Context) (*client.Client, error)
	// note tells the person something besides.
	note func(string)

	cl        *client.Client
	task      string
	model     *modelv1.Model
	continues bool // the model continues a text
	handle    []byte
	loaded    *modelv1.Loaded

	turns []*storev1.Turn
	// id names the conversation in the store; empty before its first turn. saved
	// of its turns are there.
	id    string
	saved int
	// unkept says that it was erased, or grew too long: nothing more is kept.
	unkept bool
	tries  uint32
}

// open connects, reads the conversation that is gone on with, and gets the grant.
func (t *talk) open(ctx context.Context) error {
	if t.note == nil {
		t.note = func(s string) { t.c.tell("bailey: " + s + ".") }
	}
	if err := t.reach(ctx); err != nil {
		return err
	}
	if t.o.goOn {
		if err := t.resume(ctx); err != nil {
			return err
		}
	}
	if t.o.system != "" {
		if len(t.turns) > 0 {
			return usage("the conversation has begun, and --system comes first", "leave --system out, or begin another one")
		}
		t.add(storev1.Speaker_SPEAKER_SYSTEM, t.o.system)
	}
	if err := t.choose(ctx); err != nil {
		return err
	}
	return t.permitted(ctx)
}

// reach connects to the core and begins a task there, if that is to be done.
func (t *talk) reach(ctx context.Context) error {
	if t.cl != nil {
		return nil
	}
	cl, err := t.connect(ctx)
	if err != nil {
		return err
	}
	begun, err := cl.Core.BeginTask(ctx, &corev1.BeginTaskRequest{Verb: "chat"})
	if err != nil {
		_ = cl.Close()
		return err
	}
	t.cl, t.task = cl, begun.GetTask()
	return nil
}

// permitted gets the grant to run the model, if that is to be done. It may put a
// question.
func (t *talk) permitted(ctx context.Context) error {
	if err := t.reach(ctx); err != nil {
		return err
	}
	if t.handle != nil {
		return nil
	}
	w := wanted{
		want: &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: t.model.GetName()},
		covers: func(row *grantv1.Row) (bool, error) {
			for _, name := range t.o.allowed {
				if name == row.GetModel().GetName() || name == t.o.model {
					return true, nil
				}
			}
			if len(t.o.allowed) > 0 {
				return false, errs.New(errs.Denied, "cli.decide").With("the model is " + visible.Name(row.GetModel().GetName()) + ", which --allow-model does not name")
			}
			return false, nil
		},
		flag: func(row *grantv1.Row) string { return "--allow-model " + shellWord(row.GetModel().GetName()) },
	}
	got, card, err := t.c.permitWithCard(ctx, t.cl, "chat", t.task, []wanted{w}, t.o.card, false, t.note)
	if err != nil {
		return err
	}
	t.handle = got[0].handle
	if card == nil {
		t.o.card.wanted = false // a no is not asked about again
	}
	return nil
}

// connected reports whether there is a core, and a grant there, as far as is
// known.
func (t *talk) connected() bool { return t.cl != nil && t.handle != nil }

// load loads the model, if that is to be done. progress gets thousandths.
func (t *talk) load(ctx context.Context, progress func(uint32)) error {
	if !t.connected() {
		return errs.New(errs.CoreUnavailable, "cli.load")
	}
	if t.loaded != nil {
		return nil
	}
	s, err := t.cl.Model.Load(ctx, &modelv1.LoadRequest{Grant: t.handle, Context: t.o.context, Threads: t.o.threads, OverMemory: t.o.over})
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		r, err := s.Recv()
		switch {
		case err == io.EOF:
			return errs.New(errs.Malformed, "cli.load").With("loading has no end")
		case err != nil:
			return err
		case r.GetLoaded() != nil:
			t.loaded = r.GetLoaded()
			if have := t.loaded.GetContext(); have > 0 && have < t.o.context {
				t.note(trainedFor(t.model, have, t.o.context))
				t.o.context = have
			}
			if n := cardNote(t.loaded); n != "" {
				t.note(n)
			}
			if !t.continues && !t.loaded.GetChat() {
				return errs.New(errs.TemplateRefused, "cli.chat").With(visible.Text(t.loaded.GetChatRefused()))
			}
			return nil
		}
		progress(r.GetProgress().GetThousandths())
	}
}

// lose forgets the part of the way that an error says is gone.
func (t *talk) lose(err error) {
	switch errs.CodeOf(err) {
	case errs.CoreUnavailable, errs.ReleaseMismatch:
		if t.cl != nil {
			_ = t.cl.Close()
		}
		t.cl, t.task, t.handle, t.loaded = nil, "", nil, nil
	case errs.GrantRevoked, errs.GrantExpired, errs.GrantMissing, errs.QuotaUsedUp:
		t.handle, t.loaded = nil, nil
		t.o.card.wanted = false // nor is what was withdrawn
	case errs.WorkerCrashed, errs.WorkerHung, errs.EngineCrashed, errs.EngineHung, errs.MemoryUsedUp, errs.ModelChanged, errs.TemplateRefused:
		t.loaded = nil
	}
}

// leave ends the task.
func (t *talk) leave(ctx context.Context, err error) {
	if t.cl == nil {
		return
	}
	endTask(ctx, t.cl, t.task, err)
	_ = t.cl.Close()
}

func (t *talk) add(who storev1.Speaker, text string) *storev1.Turn {
	turn := &storev1.Turn{Number: uint32(len(t.turns) + 1), Speaker: who, Text: text, AtMs: time.Now().UnixMilli()}
	t.turns = append(t.turns, turn)
	return turn
}

// sink is where an answer goes while it comes.
type sink interface {
	loading(thousandths uint32)
	reading(tokens, total uint32)
	piece(text string) error
}

// outcome is what came of one.
type outcome struct {
	text    string
	stopped bool
	dropped uint32
	tokens  uint32
	// first is the time from the question to the first text, last to the last, and
	// all to the end.
	first, last, all time.Duration
	done             *enginev1.Done
}

// cut reports whether the answer was ended by its number of tokens or by the
// context, and not by the model.
func (a *outcome) cut() bool {
	f := a.done.GetFinish()
	return f == enginev1.Finish_FINISH_LENGTH || f == enginev1.Finish_FINISH_CONTEXT
}

// rate is the tokens a second; 0 when there were too few to tell.
func (a *outcome) rate() float64 {
	if us := a.done.GetOutputUs(); us > 0 && a.done.GetOutputTokens() > 1 {
		return float64(a.done.GetOutputTokens()-1) * 1e6 / float64(us)
	}
	if d := a.last - a.first; a.done == nil && d > 0 && a.tokens > 1 {
		return float64(a.tokens-1) / d.Seconds()
	}
	return 0
}

// reply has the model answer what was said. The answer is kept while it comes and
// when it is cut off. An error is why it did not come to its end.
func (t *talk) reply(ctx context.Context, out sink) (*outcome, error) {
	if err := t.load(ctx, out.loading); err != nil {
		t.lose(err)
		return &outcome{stopped: errors.Is(context.Cause(ctx), errStopped)}, stoppedOr(ctx, err)
	}
	request, left, err := t.request()
	if err != nil {
		return &outcome{}, err
	}
	turn := &storev1.Turn{Number: uint32(len(t.turns) + 1), Speaker: storev1.Speaker_SPEAKER_ASSISTANT, Unfinished: true,
		Model: t.model.GetName(), AtMs: time.Now().UnixMilli()}
	a := &outcome{dropped: left}
	err = t.generate(ctx, request, a, out, func() {
		turn.Text, turn.Tokens = a.text, a.tokens
		t.keepPart(ctx, turn)
	})
	a.stopped = errors.Is(context.Cause(ctx), errStopped)
	if err != nil {
		t.lose(err)
		err = stoppedOr(ctx, err)
	}
	turn.Text, turn.Tokens, turn.Unfinished = a.text, a.tokens, a.done == nil || a.cut()
	if turn.Text != "" {
		t.turns = append(t.turns, turn)
	}
	t.keep(ctx)
	return a, err
}

// stoppedOr is nil when the person ended the answer.
func stoppedOr(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStopped) {
		return nil
	}
	return err
}

func (t *talk) generate(ctx context.Context, request *enginev1.GenerateRequest, a *outcome, out sink, keep func()) error {
	began, kept := time.Now(), time.Now()
	defer func() { a.all = time.Since(began) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := t.cl.Engine.Generate(ctx, request)
	if err != nil {
		return err
	}
	defer s.Close()
	var text strings.Builder
	for {
		r, err := s.Recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF {
			if a.done == nil {
				return errs.New(errs.Malformed, "cli.chat").With("the answer has no end")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case r.GetReading() != nil:
			out.reading(r.GetReading().GetTokens(), r.GetReading().GetTotal())
		case r.GetPrompt() != nil:
			a.dropped += r.GetPrompt().GetDropped()
		case r.GetPiece() != nil:
			p := r.GetPiece()
			a.last = time.Since(began)
			if a.first == 0 {
				a.first = a.last
			}
			if text.Len()+len(p.GetText()) > limits.ChatTurn {
				return errs.New(errs.TooLarge, "cli.chat").With("the answer does not end").WithHint("set --max-tokens")
			}
			text.WriteString(p.GetText())
			a.text, a.tokens = text.String(), a.tokens+p.GetTokens()
			if err := out.piece(p.GetText()); err != nil {
				return err
			}
			if time.Since(kept) > limits.ChatKeep {
				keep()
				kept = time.Now()
			}
		case r.GetDone() != nil:
			a.done = r.GetDone()
			a.tokens = a.done.GetOutputTokens()
		}
	}
}

// request is the conversation as an engine takes it. Turns without an answer are
// joined with the next, because templates want speakers to alternate; an answer
// without a word is none. left counts the oldest turns that did not fit into
// one message to the engine and were left out, if that is allowed.
func (t *talk) request() (q *enginev1.GenerateRequest, left uint32, err error) {
	q = &enginev1.GenerateRequest{Grant: t.handle, MaxTokens: t.o.most, JsonSchema: t.o.schema, Sampling: &enginev1.Sampling{
		Temperature: t.o.sampling.GetTemperature(), Greedy: t.o.sampling.GetGreedy(), Seed: t.o.sampling.GetSeed(),
	}}
	if q.Sampling.Seed != 0 {
		// Another try with the same number would say the same.
		q.Sampling.Seed += t.tries
	}
	if t.continues {
		q.Text = t.turns[len(t.turns)-1].GetText()
		return q, 0, nil
	}
	if t.o.drop {
		q.Overflow = enginev1.Overflow_OVERFLOW_DROP_OLDEST
	}
	size := 0
	for _, turn := range t.turns {
		if turn.GetText() == "" {
			continue
		}
		size += len(turn.GetText())
		who := enginev1.Speaker(turn.GetSpeaker())
		if n := len(q.Messages); n > 0 && q.Messages[n-1].Speaker == who {
			q.Messages[n-1].Text += "\n\n" + turn.GetText()
			continue
		}
		q.Messages = append(q.Messages, &enginev1.Message{Speaker: who, Text: turn.GetText()})
	}
	first := 0
	if len(q.Messages) > 0 && q.Messages[0].Speaker == enginev1.Speaker_SPEAKER_SYSTEM {
		first = 1
	}
	for (size > limits.ChatSent || len(q.Messages) > limits.StoreTurns) && len(q.Messages) > first+2 {
		if !t.o.drop {
			return nil, 0, errs.New(errs.ContextOverflow, "cli.chat").With("the conversation has grown too long")
		}
		size -= len(q.Messages[first].Text) + len(q.Messages[first+1].Text)
		q.Messages = append(q.Messages[:first], q.Messages[first+2:]...)
		left += 2
	}
	return q, left, nil
}
