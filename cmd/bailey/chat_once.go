package main

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// once answers one question and ends.
func (t *talk) once(ctx context.Context) error {
	if t.continues {
		t.note(t.model.GetName() + " continues the text; it was not taught to converse")
	}
	t.add(storev1.Speaker_SPEAKER_USER, t.o.prompt)
	t.keep(ctx)
	var out sink
	text := &flow{out: t.c.out, columns: t.c.screen.columns, trim: !t.continues}
	bar := &progress{out: t.c.errOut, columns: t.c.screen.redraw}
	defer bar.erase()
	lines := &jsonSink{c: t.c, t: t, bar: bar}
	if t.c.json {
		out = lines
	} else {
		out = &textSink{c: t.c, flow: text, bar: bar}
	}
	a, err := t.reply(ctx, out)
	bar.erase()
	if err != nil && a.text == "" && refusal(err) {
		t.takeBack(ctx)
	}
	if errs.CodeOf(err) == errs.ContextOverflow {
		err = errs.From(err).WithHint(t.shorter())
	}
	if t.c.json {
		if err != nil {
			return err
		}
		if err := lines.start(); err != nil {
			return err
		}
		if err := t.c.printJSON(doneOf(t, a)); err != nil {
			return err
		}
		return t.wholeJSON(a)
	}
	// The end of the answer first: what is told besides goes another way.
	if e := text.end(); e != nil {
		return e
	}
	if e := t.c.out.Flush(); e != nil {
		return outputError(e)
	}
	if err != nil {
		return err
	}
	switch a.done.GetFinish() {
	case enginev1.Finish_FINISH_CONTEXT:
		t.note("the context is full, so the answer ends here")
	case enginev1.Finish_FINISH_LENGTH:
		switch {
		case a.done.GetOutputTokens() < t.o.most:
			t.note("the quota of the grant ends the answer here")
		case t.o.unwatched:
			t.note(fmt.Sprintf("nobody is there to stop it, so the answer ends here, after %d tokens; --max-tokens sets another end", t.o.most))
		default:
			t.note(fmt.Sprintf("the answer was cut after %d tokens, by --max-tokens", t.o.most))
		}
	}
	if a.dropped > 0 {
		t.note(count(uint64(a.dropped), "turn") + " of the beginning did not fit into the context")
	}
	return t.wholeJSON(a)
}

// shorter says what can be done about a text that is longer than the context.
func (t *talk) shorter() string {
	hint := "shorten it"
	if t.turnsSaid() > 1 {
		hint = "begin a new conversation, or say --drop-oldest"
	}
	have, most := t.loaded.GetContext(), t.model.GetFacts().GetContext()
	switch {
	case most == 0:
		return hint
	case have < most:
		return fmt.Sprintf("%s, or raise --context; the most that this model takes is %d", hint, most)
	}
	return fmt.Sprintf("%s; the most that this model takes is %d tokens, with the answer", hint, most)
}

// wholeJSON fails where a schema was to be kept to and the answer was cut: it is no
// whole JSON then. That it was cut is said already.
func (t *talk) wholeJSON(a *outcome) error {
	if t.o.schema != "" && a.cut() {
		return reported{errs.ExitFailed}
	}
	return nil
}

// textSink prints an answer for a person.
type textSink struct {
	c    *cli
	flow *flow
	bar  *progress

	begun bool
}

func (s *textSink) loading(thousandths uint32) { s.bar.show(loadingLine(thousandths)) }

func (s *textSink) reading(tokens, total uint32) { s.bar.show(readingLine(tokens, total)) }

func (s *textSink) piece(text string) error {
	if !s.begun {
		s.bar.erase()
		s.begun = true
	}
	if err := s.flow.write(text); err != nil {
		return err
	}
	if err := s.c.out.Flush(); err != nil {
		return outputError(err)
	}
	return nil
}

// The lines of `chat --json`.
type chatStart struct {
	Type         string  `json:"type"`
	Model        string  `json:"model"`
	SHA256       string  `json:"sha256"`
	Engine       string  `json:"engine"`
	Context      uint32  `json:"context"`
	Conversation *string `json:"conversation"`
	Continues    bool    `json:"continues"`
	// Card has layers of the model; nil where the processor has all.
	Card        *string `json:"card,omitempty"`
	CardLayers  uint32  `json:"card_layers,omitempty"`
	VRAM        uint64  `json:"vram,omitempty"`
	CardRefused string  `json:"card_refused,omitempty"`
}

type chatText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type chatDone struct {
	Type      string  `json:"type"`
	Text      string  `json:"text"`
	Finish    string  `json:"finish"`
	Prompt    uint32  `json:"prompt_tokens"`
	Reused    uint32  `json:"reused_tokens"`
	Output    uint32  `json:"output_tokens"`
	Dropped   uint32  `json:"dropped_turns"`
	First     float64 `json:"first_token_seconds"`
	Seconds   float64 `json:"seconds"`
	Rate      float64 `json:"tokens_per_second"`
	Seed      uint32  `json:"seed"`
	Truncated bool    `json:"truncated"`
}

func finishName(f enginev1.Finish) string {
	switch f {
	case enginev1.Finish_FINISH_END:
		return "end"
	case enginev1.Finish_FINISH_STOP:
		return "stop"
	case enginev1.Finish_FINISH_LENGTH:
		return "length"
	case enginev1.Finish_FINISH_CONTEXT:
		return "context"
	}
	return "unknown"
}

func doneOf(t *talk, a *outcome) chatDone {
	d := a.done
	return chatDone{
		Type: "done", Text: a.text, Finish: finishName(d.GetFinish()), Prompt: d.GetPromptTokens(), Reused: d.GetReusedTokens(), Output: d.GetOutputTokens(),
		Dropped: a.dropped, First: a.first.Seconds(), Seconds: a.all.Seconds(), Rate: a.rate(), Seed: d.GetSeed(),
		Truncated: a.cut(),
	}
}

// jsonSink prints an answer as JSON Lines.
type jsonSink struct {
	c     *cli
	t     *talk
	bar   *progress
	begun bool
}

func (s *jsonSink) loading(thousandths uint32) { s.bar.show(loadingLine(thousandths)) }

func (s *jsonSink) reading(tokens, total uint32) { s.bar.show(readingLine(tokens, total)) }

// start prints the line that comes before all others.
func (s *jsonSink) start() error {
	if s.begun {
		return nil
	}
	s.begun = true
	s.bar.erase()
	start := chatStart{Type: "start", Model: s.t.model.GetName(), SHA256: hex.EncodeToString(s.t.model.GetFacts().GetSha256()),
		Engine: s.t.loaded.GetEngine(), Context: s.t.loaded.GetContext(), Continues: s.t.continues}
	if l := s.t.loaded; l.GetCard() != "" {
		card := visible.Text(l.GetCard())
		start.Card, start.CardLayers, start.VRAM = &card, l.GetCardLayers(), l.GetVram()
	} else {
		start.CardRefused = visible.Path(l.GetCardRefused())
	}
	if s.t.id != "" {
		start.Conversation = &s.t.id
	}
	return s.c.printJSON(start)
}

func (s *jsonSink) piece(text string) error {
	if err := s.start(); err != nil {
		return err
	}
	if err := s.c.printJSON(chatText{"text", text}); err != nil {
		return err
	}
	if err := s.c.out.Flush(); err != nil {
		return outputError(err)
	}
	return nil
}
