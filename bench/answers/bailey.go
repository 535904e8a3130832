package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index"
	found "github.com/bailey-run/bailey/internal/worker/index/answer"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// asked is how many sentences we ask for; a reader reads the first three.
const asked = 5

// plainly is what Bailey finds without a model.
const plainly = "bailey"

func isOurs(name string) bool { return strings.HasPrefix(name, "bailey") }

func ours(o options) []opener {
	all := []opener{{plainly, nil, func(ctx context.Context, dir string, _ []*source) (system, error) { return openEngine(ctx, dir) }}}
	if m := o.model; m != nil {
		all = append(all,
			opener{"bailey, by meaning", nil, func(ctx context.Context, dir string, _ []*source) (system, error) {
				return openByMeaning(ctx, dir, m, true)
			}},
			opener{"bailey, by meaning, fresh", nil, func(ctx context.Context, dir string, _ []*source) (system, error) {
				return openByMeaning(ctx, dir, m, false)
			}})
	}
	if o.binary != "" {
		all = append(all, opener{"bailey ask --json", nil, func(_ context.Context, dir string, _ []*source) (system, error) { return openBinary(o.binary, dir) }})
	}
	return all
}

// engineOf is the index worker's engine for one folder, in this process, without its sandbox.
type engineOf struct {
	x  *index.Index
	db string
}

func openEngine(ctx context.Context, dir string) (*engineOf, error) {
	db, err := os.MkdirTemp("", "answers")
	if err != nil {
		return nil, err
	}
	e := &engineOf{db: db}
	e.x, err = index.Open(ctx, index.Config{
		Root: func() (*dirfd.Dir, error) { return dirfd.Open(dir) }, DB: db,
		Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(db))
	}
	if _, err := e.x.Update(ctx, func(index.Progress) {}, func([]doc.Skipped) {}); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *engineOf) close() error { return errors.Join(e.x.Close(), os.RemoveAll(e.db)) }

func (e *engineOf) ask(ctx context.Context, q string) (answer, error) {
	a, err := e.x.Ask(ctx, q, asked)
	if err != nil {
		return answer{}, err
	}
	return fromIndex(a), nil
}

func fromIndex(a found.Answer) answer {
	var ps []passage
	for _, s := range a.Sentences {
		p := passage{Text: s.Text}
		for i, c := range s.Citations {
			at := passage{File: c.Path, Line: c.Line, End: c.End, Text: s.Text, Quote: c.Quote}
			if i == 0 {
				p = at
			} else {
				p.also = append(p.also, at)
			}
		}
		ps = append(ps, p)
	}
	return ourAnswer(ps, map[string]float64{"evidence": a.Evidence})
}

// ourAnswer takes each sentence for a ranked unit.
func ourAnswer(ps []passage, scores map[string]float64) answer {
	var cited []passage
	for _, p := range ps {
		cited = append(append(cited, p), p.also...)
	}
	for i := range ps {
		// What a reader would not get to see does not count.
		if r := []rune(ps[i].Text); len(r) > windowMax {
			ps[i].Text, ps[i].Quote = string(r[:windowMax]), ""
		}
	}
	return answer{units: ps, shown: map[string][]passage{"": first(ps)}, scores: scores, cited: cited}
}

func ourSummary(ctx context.Context, dir, _ string, max int) ([]passage, error) {
	e, err := openEngine(ctx, dir)
	if err != nil {
		return nil, err
	}
	s, err := e.x.Summarize(ctx, max)
	var ps []passage
	for _, x := range s.Sentences {
		ps = append(ps, passage{File: x.Path, Line: x.Line, End: x.End, Text: x.Text, Quote: x.Quote})
	}
	return ps, errors.Join(err, e.close())
}

// binary is the real command with its core, its grant and its sandboxed
// worker. It has no score: it is silent or not.
type binary struct{ path, dir, home string }

func openBinary(path, dir string) (*binary, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "answers")
	if err != nil {
		return nil, err
	}
	return &binary{path, dir, home}, nil
}

func (b *binary) close() error { return os.RemoveAll(b.home) }

func (b *binary) ask(ctx context.Context, q string) (answer, error) {
	cmd := exec.CommandContext(ctx, b.path, "ask", b.dir, q, "--allow-read", b.dir, "--remember", "--json", "--home", b.home)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", b.path, err)
	}
	var got struct {
		Sentences []struct {
			Text      string
			Citations []struct {
				Path  string
				Line  int
				End   int `json:"end_line"`
				Quote string
			}
		}
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return answer{}, fmt.Errorf("%s: %w", b.path, err)
	}
	var ps []passage
	for _, s := range got.Sentences {
		p := passage{Text: s.Text}
		for i, c := range s.Citations {
			file := strings.TrimPrefix(strings.TrimPrefix(c.Path, b.dir), "/")
			at := passage{File: file, Line: c.Line, End: c.End, Text: s.Text, Quote: c.Quote}
			if i == 0 {
				p = at
			} else {
				p.also = append(p.also, at)
			}
		}
		ps = append(ps, p)
	}
	return ourAnswer(ps, nil), nil
}
