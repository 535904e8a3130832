// Package template turns a conversation into a model's prompt by the chat template
// that the model's file brought.
//
// The template is tried when a model is loaded, on two small conversations: one
// that does not render, takes more than limits.Template*, or leaves out what was
// said is refused then, with the reason. It is never replaced by another one.
//
// One thing is done for templates that know no system turn, because they raise an
// exception at one or leave it out: the system's text is put in front of the next
// user turn, with a blank line between, and the same template renders that.
//
// What the turns say is kept apart from what the template wrote, so that a text
// which looks like a control token is not taken for one. Package serve uses it.
package template

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/worker/engine/jinja"
)

// Role is who says a turn, in the words of templates.
type Role string

// The roles.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
)

// Message is one turn.
type Message struct {
	Role Role
	Text string
}

// Span is a part of a prompt.
type Span struct {
	Text string
	// Message is the number of the turn that said it, or -1 for the template's
	// own words.
	Message int
}

// Template is a chat template that renders.
type Template struct {
	t        *jinja.Template
	bos, eos string
}

// New parses a template and tries it. bos and eos are the texts of those tokens,
// now is what the template may take for today. Errors: errs.TemplateRefused.
func New(ctx context.Context, source, bos, eos string, now time.Time) (*Template, error) {
	const op = "template.new"
	switch {
	case source == "":
		return nil, errs.New(errs.TemplateRefused, op).With("the file brings none")
	case len(source) > limits.TemplateBytes:
		return nil, errs.New(errs.TemplateRefused, op).With(fmt.Sprintf("it has %d bytes; %d are the most", len(source), limits.TemplateBytes))
	}
	parsed, err := jinja.Parse(source, jinja.Limits{
		Steps: limits.TemplateSteps, Memory: limits.TemplateMemory, Output: limits.TemplateOutput, Depth: limits.TemplateDepth,
		Range: limits.TemplateRange, Time: limits.TemplateTime,
	})
	if err != nil {
		return nil, refused(ctx, op, err)
	}
	t := &Template{t: parsed, bos: bos, eos: eos}
	for _, trial := range [][]Message{
		{{User, "Hello."}},
		{{System, "Be brief."}, {User, "Hello."}, {Assistant, "Hi."}, {User, "How are you?"}},
	} {
		if _, err := t.Render(ctx, trial, now); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Render writes the prompt of a conversation up to where the assistant goes on.
// Errors: errs.TemplateRefused.
func (t *Template) Render(ctx context.Context, turns []Message, now time.Time) ([]Span, error) {
	const op = "template.render"
	spans, err := t.render(ctx, turns, now)
	if err == nil {
		err = missing(spans, turns, System)
	}
	if err != nil && has(turns, System) {
		// The first error tells more, should folding not help.
		if folded, foldErr := t.render(ctx, fold(turns), now); foldErr == nil {
			spans, turns, err = folded, fold(turns), nil
		}
	}
	if err == nil {
		err = missing(spans, turns, User)
	}
	if err != nil {
		return nil, refused(ctx, op, err)
	}
	return spans, nil
}

func (t *Template) render(ctx context.Context, turns []Message, now time.Time) ([]Span, error) {
	var messages []any
	for i, m := range turns {
		messages = append(messages, jinja.Pairs{{Key: "role", Value: string(m.Role)}, {Key: "content", Value: jinja.Text{Text: m.Text, ID: i}}})
	}
	parts, err := t.t.Render(ctx, map[string]any{
		"messages": messages, "add_generation_prompt": true, "bos_token": t.bos, "eos_token": t.eos, "tools": nil, "documents": nil,
	}, now)
	if err != nil {
		return nil, err
	}
	spans := make([]Span, len(parts))
	for i, p := range parts {
		spans[i] = Span{Text: p.Text, Message: p.ID}
	}
	return spans, nil
}

func has(turns []Message, r Role) bool {
	for _, m := range turns {
		if m.Role == r {
			return true
		}
	}
	return false
}

// missing reports a turn of a role of which nothing is in the prompt: a template
// that does not say what was said makes a prompt for another conversation. What
// the assistant said templates may leave out, as they do with its thoughts.
func missing(spans []Span, turns []Message, r Role) error {
	said := make([]bool, len(turns))
	for _, s := range spans {
		if s.Message >= 0 {
			said[s.Message] = true
		}
	}
	for i, m := range turns {
		if m.Role == r && !said[i] && strings.TrimSpace(m.Text) != "" {
			return &jinja.Error{Kind: jinja.Failed, Text: "it leaves out what the " + string(r) + " says"}
		}
	}
	return nil
}

// fold puts the texts of system turns in front of the next user turn.
func fold(turns []Message) []Message {
	var out []Message
	var system []string
	for _, m := range turns {
		switch {
		case m.Role == System:
			system = append(system, m.Text)
			continue
		case m.Role == User && len(system) > 0:
			m.Text = strings.Join(append(system, m.Text), "\n\n")
			system = nil
		}
		out = append(out, m)
	}
	return out
}

// refused makes an error for people of one of a template's.
func refused(ctx context.Context, op string, err error) error {
	var e *jinja.Error
	if !errors.As(err, &e) {
		if ctx.Err() != nil {
			return errs.Wrap(errs.Cancelled, op, err)
		}
		return errs.Wrap(errs.TemplateRefused, op, err)
	}
	text := e.Error()
	if e.Kind == jinja.Raised {
		text = "it says: " + e.Error()
	}
	if len(text) > limits.TemplateReason {
		text = strings.ToValidUTF8(text[:limits.TemplateReason], "") + "…"
	}
	return errs.New(errs.TemplateRefused, op).With(visible.Text(text))
}
