package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report is all that one run found.
type report struct {
	systems   []string
	records   map[string][]record // by system, in the order of the questions
	tuned     map[string]choice
	open      map[string]choice // never silent
	summaries []summaryResult
	held      bool
	set       string // the file of the questions
	sizes     map[string]int
}

// opener makes a system over one collection.
type opener struct {
	name   string
	scales []string // the scores that silence may be tuned on; none named, all
	open   func(ctx context.Context, dir string, files []*source) (system, error)
}

func peers() []opener {
	words := func(_ context.Context, _ string, f []*source) (system, error) { return openGrep(f, false) }
	prefixes := func(_ context.Context, _ string, f []*source) (system, error) { return openGrep(f, true) }
	bm25 := func(_ context.Context, _ string, f []*source) (system, error) { return openFTS(f) }
	return []opener{
		{"ripgrep, words", []string{"words", "share of words"}, words},
		{"ripgrep, stems", []string{"words", "share of words"}, prefixes},
		{"FTS5 bm25", []string{"bm25", "bm25 per word"}, bm25},
		// Harder to beat than any tool as it comes: its score weighed by how
		// rare the question's words are.
		{"FTS5 bm25, best scale", nil, bm25},
	}
}

func evaluate(ctx context.Context, o options, all []question, progress io.Writer) (*report, error) {
	rep := &report{records: map[string][]record{}, tuned: map[string]choice{}, open: map[string]choice{}, held: o.held, set: o.set, sizes: map[string]int{}}
	openers := peers()
	if !o.peersOnly {
		openers = append(openers, ours(o)...)
	}
	for _, op := range openers {
		rep.systems = append(rep.systems, op.name)
	}
	for _, c := range collections() {
		dir := filepath.Join(o.dir, "collections", c)
		files, err := loadCollection(dir)
		if err != nil {
			return nil, err
		}
		byName := map[string]*source{}
		for _, s := range files {
			byName[s.file] = s
			rep.sizes[c] += len(s.text)
		}
		var qs []*question
		for i := range all {
			if all[i].Collection == c && (o.held || !all[i].Held) {
				qs = append(qs, &all[i])
			}
		}
		for _, op := range openers {
			start := time.Now()
			s, err := op.open(ctx, dir, files)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", op.name, c, err)
			}
			rs, err := ask(ctx, s, byName, qs)
			if cerr := s.close(); err == nil {
				err = cerr
			}
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", op.name, c, err)
			}
			fmt.Fprintf(progress, "%s, %s: %d questions in %.1f s\n", c, op.name, len(qs), time.Since(start).Seconds())
			rep.records[op.name] = append(rep.records[op.name], rs...)
		}
		if o.summaries {
			sums, err := summarise(ctx, o, c, dir, files)
			if err != nil {
				return nil, err
			}
			rep.summaries = append(rep.summaries, sums...)
		}
	}
	for _, op := range openers {
		t := part(rep.records[op.name], false)
		rep.tuned[op.name], rep.open[op.name] = tune(t, op.scales...), bestWay(t)
	}
	return rep, nil
}

// part is the records of held or of other questions.
func part(rs []record, held bool) []record {
	var out []record
	for _, r := range rs {
		if r.q.Held == held {
			out = append(out, r)
		}
	}
	return out
}

// shows says whether the question's own result is shown: the tuning thirds are
// asked with another set, but only for the thresholds.
func (r *report) shows(q *question) bool { return !alone(r.set) || q.Held }

func percent(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", 100*float64(n)/float64(of))
}

func (r *report) print(w io.Writer, o options) {
	switch {
	case alone(r.set):
		r.table(w, fmt.Sprintf("THE HELD SET %s, thresholds from the tuning thirds of %s", r.set, tuningSet), true)
	default:
		r.table(w, "the two tuning thirds", false)
		if r.held {
			r.table(w, "THE HELD THIRD, thresholds from the other two", true)
		}
	}
	for name, rs := range r.records {
		for _, x := range rs {
			if !r.shows(x.q) {
				continue
			}
			for _, e := range x.wrong {
				fmt.Fprintf(w, "wrong citation, %s: %s\n", name, e)
			}
		}
	}
	printSummaries(w, r.summaries, o.verbose)
	if o.verbose {
		r.each(w)
	}
}

func (r *report) table(w io.Writer, title string, held bool) {
	fmt.Fprintf(w, "\nAnswers, %s. Per cent of the answerable questions; false: per cent of the unanswerable ones answered.\n", title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "system\thit@1\thit@3\tin 3 sentences\tfalse\t| with silence: hit@1\thit@3\tin 3 sentences\tfar ones\tsilent\tfalse\tcitations exact\t")
	for _, name := range r.systems {
		rs := part(r.records[name], held)
		a, b := measure(rs, r.open[name]), measure(rs, r.tuned[name])
		cites := "-"
		if b.Cited > 0 {
			cites = fmt.Sprintf("%d of %d", b.Cited-b.CitedWrong, b.Cited)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t| %s\t%s\t%s\t%s\t%s\t%d of %d\t%s\t\n", name,
			percent(a.Hit1, a.Answerable), percent(a.Hit3, a.Answerable), percent(a.In3, a.Answerable), percent(a.False, a.Unanswerable),
			percent(b.Hit1, b.Answerable), percent(b.Hit3, b.Answerable), percent(b.In3, b.Answerable), percent(b.FarIn3, b.Far), percent(b.Silent, b.Answerable), b.False, b.Unanswerable, cites)
	}
	t.Flush()
	for _, name := range r.systems {
		c := r.tuned[name]
		fmt.Fprintf(w, "  %s: %q; silent at %s ≤ %.3f\n", name, c.Way, c.Scale, c.Threshold)
	}
	for _, name := range r.systems {
		if !isOurs(name) {
			continue
		}
		for _, peer := range r.systems {
			// Beside the peers: what a model adds to ours without one.
			if isOurs(peer) && (peer != plainly || name == plainly) {
				continue
			}
			d, lo, hi := bootstrap(part(r.records[name], held), part(r.records[peer], held), r.tuned[name], r.tuned[peer])
			fmt.Fprintf(w, "  %s − %s, in 3 sentences with silence: %+.1f points, 95 %% of resamples %+.1f to %+.1f\n", name, peer, d, lo, hi)
		}
	}
}

// each is a line for every question and system: what became of it.
func (r *report) each(w io.Writer) {
	fmt.Fprintln(w)
	for i := range r.records[r.systems[0]] {
		q := r.records[r.systems[0]][i].q
		if !r.shows(q) {
			continue
		}
		fmt.Fprintf(w, "%s %s %s\n", q.ID, q.Kind, q.Text)
		for _, name := range r.systems {
			x := &r.records[name][i]
			c := r.tuned[name]
			verdict := "wrong"
			switch {
			case q.Kind == none && c.silent(x):
				verdict = "rightly silent"
			case q.Kind == none:
				verdict = "FALSE ANSWER"
			case c.silent(x) && x.in3[c.Way]:
				verdict = "silent, had it"
			case c.silent(x):
				verdict = "silent"
			case x.in3[c.Way]:
				verdict = "right"
			}
			fmt.Fprintf(w, "  %-16s %-14s %s=%.3f", name, verdict, c.Scale, x.scores[c.Scale])
			for _, p := range x.shown[c.Way] {
				fmt.Fprintf(w, " %s:%d", p.File, p.Line)
			}
			fmt.Fprintln(w)
		}
	}
}

// row is a row of DESIGN's bench output.
type row struct {
	Name      string   `json:"name"`
	Value     float64  `json:"value"`
	Unit      string   `json:"unit"`
	Peer      string   `json:"peer,omitempty"`
	PeerValue *float64 `json:"peer_value,omitempty"`
	Ratio     *float64 `json:"ratio,omitempty"`
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return math.Round(1000*float64(n)/float64(of)) / 10
}

func (r *report) rows() []row {
	var rows []row
	measures := []struct {
		name string
		of   func(tally) float64
	}{
		{"hit@1", func(t tally) float64 { return share(t.Hit1, t.Answerable) }},
		{"hit@3", func(t tally) float64 { return share(t.Hit3, t.Answerable) }},
		{"answer in three sentences", func(t tally) float64 { return share(t.In3, t.Answerable) }},
		{"false answers", func(t tally) float64 { return share(t.False, t.Unanswerable) }},
	}
	for _, held := range []bool{false, true} {
		if held && !r.held || !held && alone(r.set) {
			continue
		}
		set := "tuning thirds"
		switch {
		case alone(r.set):
			set = r.set
		case held:
			set = "held third"
		}
		for _, name := range r.systems {
			mine := measure(part(r.records[name], held), r.tuned[name])
			for _, m := range measures {
				rows = append(rows, row{Name: fmt.Sprintf("answers/%s/%s/%s", set, name, m.name), Value: m.of(mine), Unit: "%"})
				if !isOurs(name) {
					continue
				}
				for _, peer := range r.systems {
					if isOurs(peer) {
						continue
					}
					x := row{Name: fmt.Sprintf("answers/%s/%s/%s", set, name, m.name), Value: m.of(mine), Unit: "%", Peer: peer}
					v := m.of(measure(part(r.records[peer], held), r.tuned[peer]))
					x.PeerValue = &v
					if v != 0 {
						q := math.Round(1000*x.Value/v) / 1000
						x.Ratio = &q
					}
					rows = append(rows, x)
				}
			}
			if mine.Cited > 0 {
				rows = append(rows, row{Name: fmt.Sprintf("answers/%s/%s/citations exact", set, name), Value: share(mine.Cited-mine.CitedWrong, mine.Cited), Unit: "%"})
			}
		}
	}
	for _, s := range r.summaries {
		rows = append(rows,
			row{Name: fmt.Sprintf("summaries/%s/%s/topics covered", s.Collection, s.System), Value: share(s.Covered, s.Topics), Unit: "%"},
			row{Name: fmt.Sprintf("summaries/%s/%s/junk", s.Collection, s.System), Value: share(len(s.Junk), s.Sentences), Unit: "%"})
	}
	return rows
}

type rawPassage struct {
	File string `json:"file"`
	Line int    `json:"line"`
	End  int    `json:"end_line"`
}

type rawResult struct {
	Question string             `json:"question"`
	System   string             `json:"system"`
	Silent   bool               `json:"silent"`
	Hit1     bool               `json:"hit1"`
	Hit3     bool               `json:"hit3"`
	In3      bool               `json:"in3"`
	Scores   map[string]float64 `json:"scores,omitempty"`
	Shown    []rawPassage       `json:"shown"`
}

func machine() map[string]any {
	m := map[string]any{"go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "cpus": runtime.NumCPU()}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for _, l := range strings.Split(string(b), "\n") {
			if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
				m["cpu"] = strings.TrimSpace(v)
				break
			}
		}
	}
	return m
}

func (r *report) write(path string) error {
	var raw []rawResult
	finite := map[string]choice{}
	for _, name := range r.systems {
		c := r.tuned[name]
		for i := range r.records[name] {
			x := &r.records[name][i]
			if !r.shows(x.q) {
				continue
			}
			y := rawResult{Question: x.q.ID, System: name, Silent: c.silent(x), Hit1: x.hit1, Hit3: x.hit3, In3: x.in3[c.Way], Scores: x.scores, Shown: []rawPassage{}}
			for _, p := range x.shown[c.Way] {
				y.Shown = append(y.Shown, rawPassage{p.File, p.Line, p.End})
			}
			raw = append(raw, y)
		}
		if math.IsInf(c.Threshold, -1) {
			c.Threshold = -1e300 // JSON has no infinity; never silent of itself
		}
		finite[name] = c
	}
	b, err := json.MarshalIndent(map[string]any{
		"machine": machine(), "time": time.Now().UTC().Format(time.RFC3339), "held": r.held, "set": r.set,
		"bytes": r.sizes, "choices": finite, "rows": r.rows(), "summaries": r.summaries,
	}, "", " ")
	if err != nil {
		return err
	}
	// One raw result a line, so that a change of one is a change of one line.
	var s strings.Builder
	s.Write(b[:len(b)-2])
	s.WriteString(",\n \"results\": [\n")
	for i, y := range raw {
		l, err := json.Marshal(y)
		if err != nil {
			return err
		}
		s.Write(l)
		if i < len(raw)-1 {
			s.WriteByte(',')
		}
		s.WriteByte('\n')
	}
	s.WriteString(" ]\n}\n")
	return os.WriteFile(path, []byte(s.String()), 0o644)
}
