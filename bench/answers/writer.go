package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/template"
	found "github.com/bailey-run/bailey/internal/worker/index/answer"
	"github.com/bailey-run/bailey/internal/worker/index/written"
)

// writer is a chat model in this process; it is a written.Writer.
type writer struct {
	m engine.Model
	t *template.Template
}

var _ written.Writer = (*writer)(nil)

func openWriter(ctx context.Context, file, library string) (*writer, error) {
	m, err := load(ctx, file, library, false)
	if err != nil {
		return nil, err
	}
	i := m.m.Info()
	t, err := template.New(ctx, i.Template, i.BOS, i.EOS, time.Now())
	if err != nil {
		return nil, err
	}
	return &writer{m.m, t}, nil
}

func (w *writer) Context() int { return w.m.Info().Context }

func (w *writer) Write(ctx context.Context, system, user string, max int, emit func(string) error) (written.Tokens, error) {
	turns := []template.Message{{Role: template.User, Text: user}}
	if system != "" {
		turns = append([]template.Message{{Role: template.System, Text: system}}, turns...)
	}
	spans, err := w.t.Render(ctx, turns, time.Now())
	if err != nil {
		return written.Tokens{}, err
	}
	var prompt []engine.Token
	for _, s := range spans {
		t, err := w.m.Tokenize(s.Text, s.Message < 0)
		if err != nil {
			return written.Tokens{}, err
		}
		prompt = append(prompt, t...)
	}
	var rest []byte
	r, err := w.m.Generate(ctx, engine.Request{Owner: 1, Prompt: prompt, MaxTokens: max, Sampling: engine.Sampling{Greedy: true, Repeat: 1}}, func(e engine.Event) error {
		if e.Out == nil {
			return nil
		}
		// Whole lines of bytes are enough for a text that is read when it is done.
		rest = append(rest, e.Out.Bytes...)
		return nil
	})
	if err == nil {
		err = emit(string(rest))
	}
	return written.Tokens{Prompt: r.Prompt, Output: r.Out}, err
}

// writing counts what a model's text adds to the passages, or spoils.
type writing struct {
	Answerable   int `json:"answerable"` // answerable questions it was given passages for
	PassageRight int `json:"passages_right"`
	Right        int `json:"right"`           // a sentence matches the key
	RightMarked  int `json:"right_supported"` // and is marked as supported, at the key's place
	Folded       int `json:"folded"`
	Unanswerable int `json:"unanswerable"` // unanswerable questions it was given passages for
	FalseMarked  int `json:"false_supported"`
	Sentences    int `json:"sentences"`
	Supported    int `json:"supported"`
	// WrongMarked are supported sentences, to answerable questions, in texts none of
	// whose sentences matches the key.
	WrongMarked int     `json:"supported_beside_the_answer"`
	Seconds     float64 `json:"seconds"`
}

// write has a model write about each question of the tuning thirds for which
// passages were found.
func write(ctx context.Context, o options, w *writer, qs []question, out io.Writer) (writing, error) {
	var t writing
	for _, c := range collections() {
		s, err := openEngine(ctx, filepath.Join(o.dir, "collections", c))
		if err != nil {
			return t, err
		}
		for i := range qs {
			if q := &qs[i]; q.Collection == c && !q.Held && (o.first == 0 || t.Answerable+t.Unanswerable < o.first) {
				if err := t.one(ctx, o, s, w, q, out); err != nil {
					return t, err
				}
			}
		}
		if err := s.close(); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *writing) one(ctx context.Context, o options, s *engineOf, w *writer, q *question, out io.Writer) error {
	var a found.Answer
	var err error
	if o.model != nil {
		a, err = s.x.AskBy(ctx, q.Text, asked, o.model)
	} else {
		a, err = s.x.Ask(ctx, q.Text, asked)
	}
	if err != nil || len(a.Sentences) == 0 {
		return err
	}
	var ps []written.Passage
	for _, x := range a.Sentences {
		ps = append(ps, written.Passage{Text: x.Text, Language: x.Language, Citations: x.Citations})
	}
	var said []written.Sentence
	began := time.Now()
	text, err := written.Answer(ctx, w, q.Text, ps, func(x written.Sentence) error { said = append(said, x); return nil })
	if err != nil {
		return err
	}
	t.Seconds += time.Since(began).Seconds()
	right, marked, supported := false, false, 0
	for _, x := range said {
		if x.Supported {
			supported++
		}
		right = right || q.says(x.Text)
		for _, c := range x.Citations {
			marked = marked || q.holds(passage{File: c.Path, Line: c.Line, End: c.End, Text: x.Text})
		}
	}
	t.Sentences += len(said)
	t.Supported += supported
	if text.Folded {
		t.Folded++
	}
	if q.Kind == none {
		t.Unanswerable++
		if supported > 0 {
			t.FalseMarked++
		}
	} else {
		t.Answerable++
		for _, p := range fromIndex(a).shown[""] {
			if q.holds(p) {
				t.PassageRight++
				break
			}
		}
		switch {
		case marked:
			t.RightMarked++
			t.Right++
		case right:
			t.Right++
		default:
			t.WrongMarked += supported
		}
	}
	if o.verbose {
		fmt.Fprintf(out, "\n%s %s: %s\n", q.ID, q.Kind, q.Text)
		for _, x := range said {
			fmt.Fprintf(out, "  %-5v %s\n", x.Supported, x.Text)
		}
	}
	return nil
}

// says reports whether a text has the answer, wherever it is from.
func (q *question) says(text string) bool {
	for i := range q.Keys {
		if q.Keys[i].re.MatchString(collapse(text)) {
			return true
		}
	}
	return false
}

func (t writing) print(w io.Writer) {
	fmt.Fprintf(w, "\nwhat the model writes below the passages, the two tuning thirds\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "answerable questions with passages\t%d\n", t.Answerable)
	fmt.Fprintf(tw, "  the passages have the answer\t%d\n", t.PassageRight)
	fmt.Fprintf(tw, "  the text has it\t%d\n", t.Right)
	fmt.Fprintf(tw, "  in a sentence marked as supported, by the right place\t%d\n", t.RightMarked)
	fmt.Fprintf(tw, "unanswerable questions with passages\t%d\n", t.Unanswerable)
	fmt.Fprintf(tw, "  with a sentence marked as supported\t%d\n", t.FalseMarked)
	fmt.Fprintf(tw, "texts folded\t%d\n", t.Folded)
	fmt.Fprintf(tw, "sentences, of which supported\t%d\t%d\n", t.Sentences, t.Supported)
	fmt.Fprintf(tw, "supported sentences in texts without the answer\t%d\n", t.WrongMarked)
	fmt.Fprintf(tw, "seconds a text\t%.1f\n", t.Seconds/float64(max(1, t.Answerable+t.Unanswerable)))
	tw.Flush()
}
