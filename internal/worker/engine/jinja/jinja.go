// Package jinja renders the chat templates that models bring: the part of Jinja
// (https://jinja.palletsprojects.com/en/stable/templates/, as of 3.1) that the
// transformers library gives them, with trim_blocks and lstrip_blocks.
//
// A template is a program of a stranger's. So it runs with nothing but its
// variables, and every evaluation, every value and every level of nesting is
// counted: an endless, exploding or recursive template ends in an error of this
// package after [Limits], never by the death of the process. What is not
// understood is an error, never left out, since a prompt that a model was not
// made for is silently worse than none. There is no include, import, extends, no
// access to attributes of the host, and no change of a given value.
//
// Texts carry where they came from: each byte of a rendered prompt is known to be
// the template's or that of one variable given as [Text], through every filter
// and method, so that the caller can treat the two differently.
//
// The tests hold it against jinja2 itself.
// Package template uses it.
package jinja

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"
)

// Limits of one rendering.
type Limits struct {
	// Steps is how many evaluations; long texts count more.
	Steps int
	// Memory of all values made, in bytes.
	Memory int
	// Output in bytes.
	Output int
	// Depth of nesting.
	Depth int
	// Range is the longest range().
	Range int
	Time  time.Duration
}

// Kind of an [Error].
type Kind uint8

// The kinds.
const (
	// Syntax: the template cannot be parsed, or uses what is not supported.
	Syntax Kind = iota + 1
	// Raised: the template called raise_exception.
	Raised
	// Failed: a value was not what the template wanted.
	Failed
	// Limit: it took more than it may.
	Limit
)

// Error is why a template does not render.
type Error struct {
	Kind Kind
	// Text is a short phrase; of a Raised error the template's own words.
	Text string
	Line int
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Text)
	}
	return e.Text
}

func failed(format string, args ...any) error {
	return &Error{Kind: Failed, Text: fmt.Sprintf(format, args...)}
}

func limit(what string) error { return &Error{Kind: Limit, Text: what} }

// Text is a value whose bytes are known again in the output by ID, which is not
// negative.
type Text struct {
	Text string
	ID   int
}

// Span is a part of the output. ID is that of the Text it came of, or Own.
type Span struct {
	Text string
	ID   int
}

// Own is the ID of what is the template's own.
const Own = -1

// Template is a parsed template. It may be rendered by several goroutines at
// once.
type Template struct {
	nodes []node
	l     Limits
}

// Parse reads a template. Errors are *Error of kind Syntax or Limit.
func Parse(source string, l Limits) (*Template, error) {
	if !utf8.ValidString(source) {
		return nil, &Error{Kind: Syntax, Text: "it is not UTF-8"}
	}
	p, err := newParser(source, l)
	if err != nil {
		return nil, err
	}
	nodes, err := p.body()
	if err != nil {
		return nil, err
	}
	return &Template{nodes: nodes, l: l}, nil
}

// Render renders with variables: nil, bool, int, float64, string, [Text], []any
// and map[string]any, whose keys come in alphabetical order, or [Pairs]. now is what
// strftime_now tells. Errors are *Error; when ctx ends its own.
func (t *Template) Render(ctx context.Context, vars map[string]any, now time.Time) ([]Span, error) {
	m := &machine{ctx: ctx, l: t.l, now: now, end: time.Now().Add(t.l.Time)}
	global := &scope{vars: map[string]value{}}
	for name, v := range vars {
		global.vars[name] = given(v)
	}
	m.scope = global
	m.outs = []*str{{}}
	_, err := m.exec(t.nodes)
	if err != nil {
		return nil, err
	}
	return m.outs[0].spans(), nil
}

// machine is the state of one rendering.
type machine struct {
	ctx context.Context
	l   Limits
	now time.Time
	end time.Time

	scope *scope
	// outs are the texts that are being written: the output, and what blocks,
	// macros and calls capture.
	outs  []*str
	steps int
	seen  int
	mem   int
	depth int
}

// checkEvery is how many steps pass between two looks at the clock.
const checkEvery = 1 << 9

// step counts n evaluations.
func (m *machine) step(n int) error {
	m.steps += n
	if m.steps > m.l.Steps {
		return limit("it takes too many steps")
	}
	if m.steps-m.seen >= checkEvery {
		m.seen = m.steps
		if err := m.ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(m.end) {
			return limit("it takes too long")
		}
	}
	return nil
}

// byteSteps is how many bytes of a text are as much work as one step.
const byteSteps = 64

// scan counts the work on n bytes.
func (m *machine) scan(n int) error { return m.step(1 + n/byteSteps) }

// cuts counts the work of cutting n parts out of s.
func (m *machine) cuts(s str, n int) error { return m.step(n * (1 + len(s.marks)/8)) }

// alloc counts n bytes of a value that is about to be made.
func (m *machine) alloc(n int) error {
	if n < 0 || n > m.l.Memory-m.mem {
		return limit("its values take too much memory")
	}
	m.mem += n
	return m.scan(n)
}

// down goes one level deeper; up has to follow.
func (m *machine) down() error {
	m.depth++
	if m.depth > m.l.Depth {
		return limit("it nests too deep")
	}
	return m.step(1)
}

func (m *machine) up() { m.depth-- }

// write appends to the text that is being written.
func (m *machine) write(s str) error {
	o := m.outs[len(m.outs)-1]
	if len(o.b)+len(s.s()) > m.l.Output {
		return limit("its output is too long")
	}
	if err := m.scan(len(s.s())); err != nil {
		return err
	}
	o.append(s)
	return nil
}
