package main

import (
	"context"
	"math"
	"strings"
	"testing"
)

// rec is a record of a question of kind with one score; right says whether the
// answer is in the three sentences.
func rec(kind string, score float64, right bool) record {
	q := &question{Kind: kind}
	return record{q: q, hit1: right, hit3: right, in3: map[string]bool{"w": right}, scores: map[string]float64{"s": score}, shown: map[string][]passage{"w": {{}}}}
}

func TestTuneAnswersOneInEightUnanswerable(t *testing.T) {
	var rs []record
	for i := range 16 {
		rs = append(rs, rec(none, float64(i), false))
	}
	rs = append(rs, rec(plain, 13.5, true), rec(plain, 12.5, true), rec(plain, 20, false))
	c := tune(rs)
	m := measure(rs, c)
	if m.False != 2 || m.In3 != 1 || m.Silent != 1 || m.Unanswerable != 16 {
		t.Errorf("threshold %v: %+v", c.Threshold, m)
	}
	// Never silent, for comparison: the control.
	if m := measure(rs, bestWay(rs)); m.False != 16 || m.In3 != 2 {
		t.Errorf("never silent: %+v", m)
	}
	// Ties at the threshold must not let more through.
	for i := range rs {
		rs[i].scores["s"] = 7
	}
	if m := measure(rs, tune(rs)); m.False != 0 {
		t.Errorf("ties: %+v", m)
	}
}

func TestTuneTakesTheBestWayAndScale(t *testing.T) {
	var rs []record
	for i := range 8 {
		r := rec(none, 5, false)
		r.scores["good"] = float64(i) / 100
		rs = append(rs, r)
	}
	r := rec(plain, 1, true)
	r.scores["good"] = 1
	r.in3["v"], r.shown["v"] = false, []passage{{}}
	rs = append(rs, r)
	if c := tune(rs); c.Way != "w" || c.Scale != "good" {
		t.Errorf("%+v", c)
	}
	if c := tune(rs, "s"); c.Scale != "s" {
		t.Errorf("another scale than the one allowed: %+v", c)
	}
}

func TestAnEmptyAnswerIsSilence(t *testing.T) {
	r := rec(none, 9, false)
	r.empty, r.scores = true, nil
	if m := measure([]record{r}, choice{Threshold: math.Inf(-1)}); m.False != 0 {
		t.Errorf("%+v", m)
	}
}

func TestBootstrap(t *testing.T) {
	var a, b []record
	for i := range 40 {
		a = append(a, rec(plain, 1, i < 30))
		b = append(b, rec(plain, 1, i < 10))
	}
	a, b = append(a, rec(none, 1, false)), append(b, rec(none, 1, false))
	c := choice{Way: "w", Threshold: math.Inf(-1)}
	d, lo, hi := bootstrap(a, b, c, c)
	if d != 50 || lo < 30 || lo > 40 || hi < 60 || hi > 70 {
		t.Errorf("%v %v %v", d, lo, hi)
	}
	if d, lo, hi := bootstrap(a, a, c, c); d != 0 || lo != 0 || hi != 0 {
		t.Errorf("against itself: %v %v %v", d, lo, hi)
	}
}

func TestExact(t *testing.T) {
	s := &source{lines: []string{"one two", "three four", "five"}}
	for _, c := range []struct {
		p    passage
		good bool
	}{
		{passage{Line: 1, End: 1, Quote: "two"}, true},
		{passage{Line: 1, End: 2, Quote: "two\nthree"}, true},
		{passage{Line: 2, End: 2, Quote: "two"}, false},
		{passage{Line: 1, End: 1, Quote: "Two"}, false},
		{passage{Line: 1, End: 2, Quote: "two"}, false},
		{passage{Line: 1, End: 2, Quote: "two three"}, false},
		{passage{Line: 3, End: 4, Quote: "five"}, false},
		{passage{Line: 0, End: 1, Quote: "one"}, false},
		{passage{Line: 2, End: 1, Quote: "one"}, false},
	} {
		if why := exact(s, c.p); (why == "") != c.good {
			t.Errorf("%+v: %q", c.p, why)
		}
	}
	if exact(nil, passage{}) == "" {
		t.Error("a file that is not there")
	}
}

func TestHolds(t *testing.T) {
	qs, _ := loaded(t)
	var q *question
	for i := range qs {
		if qs[i].ID == "prom-004" { // docs/storage.md:106, average of only 1-2 bytes per sample
			q = &qs[i]
		}
	}
	for _, c := range []struct {
		p    passage
		want bool
	}{
		{passage{File: "docs/storage.md", Line: 106, End: 106, Text: "Prometheus stores an average of only 1-2\nbytes per `sample`."}, true},
		{passage{File: "docs/storage.md", Line: 100, End: 110, Text: "Stores an average of only 1-2 bytes per sample."}, true},
		{passage{File: "docs/storage.md", Line: 107, End: 110, Text: "Stores an average of only 1-2 bytes per sample."}, false},
		{passage{File: "docs/index.md", Line: 106, End: 106, Text: "Stores an average of only 1-2 bytes per sample."}, false},
		{passage{File: "docs/storage.md", Line: 106, End: 106, Text: "Thus, to plan the capacity"}, false},
		{passage{File: "docs/storage.md", Line: 106, End: 106, Text: "cleaned beyond recognition", Quote: "an average of only 1-2 bytes\nper `sample`"}, true},
		{passage{File: "x", Text: "y", also: []passage{{File: "docs/storage.md", Line: 106, End: 106, Text: "an average of only 1-2 bytes per sample"}}}, true},
	} {
		if got := q.holds(c.p); got != c.want {
			t.Errorf("%+v: %v", c.p, got)
		}
	}
}

func TestExtractKeepsLines(t *testing.T) {
	for _, c := range []struct{ file, source, want string }{
		{"a.md", "# Head\n\nSome `code` and\na [link](x.md#y).\n- item_one _em_\n", "1-1 Head|3-4 Some code and a link.|5-5 - item_one em"},
		{"a.html", "<p>One &amp;\n<b>two</b><script>\nx\n</script>\n<li>three", "1-2 One & two|5-5 three"},
		{"a.1.gz", ".\\\" comment\n.Sh NAME\n.Nm ssh\n.Nd login\n.Pp\nUse\n.Fl v\nand \\fBbold\\fR\\-face.\n", "2-2 NAME|3-4 ssh login|6-8 Use v and bold-face."},
		{"a.txt", "one\ntwo\n\n  three  four\n", "1-2 one two|4-4 three four"},
	} {
		var got []string
		for _, p := range extract(c.file, c.source) {
			a, b := p.span(0, len(p.text))
			got = append(got, strings.Join([]string{itoa(a) + "-" + itoa(b), p.text}, " "))
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s: %q, want %q", c.file, s, c.want)
		}
	}
}

func itoa(n int) string { return string(rune('0' + n)) }

func TestWindows(t *testing.T) {
	text := strings.Repeat("A sentence of forty letters, more or less. ", 30)
	p := &paragraph{file: "f", text: text, lines: make([]int32, len(text))}
	var sum int
	for _, w := range windows(p) {
		if len(w.Text) > windowMax || len(w.Text) == 0 {
			t.Errorf("a window of %d", len(w.Text))
		}
		sum += strings.Count(w.Text, "sentence")
	}
	if sum != 30 {
		t.Errorf("%d of 30 sentences", sum)
	}
	long := strings.Repeat("word ", 300)
	p = &paragraph{file: "f", text: long, lines: make([]int32, len(long))}
	for _, w := range windows(p) {
		if len(w.Text) > windowMax {
			t.Errorf("a window of %d", len(w.Text))
		}
	}
}

// Both peers find what is there to be found, and say nothing for words that
// are nowhere.
func TestPeersFind(t *testing.T) {
	s := &source{file: "a.md", text: "# Zones\n\nThe zones are reloaded with a signal.\n\nOther things are elsewhere.\n"}
	s.paras = extract(s.file, s.text)
	g, err := openGrep([]*source{s}, false)
	if err != nil {
		t.Fatal(err)
	}
	f, err := openFTS([]*source{s})
	if err != nil {
		t.Fatal(err)
	}
	for name, sys := range map[string]system{"ripgrep": g, "FTS5": f} {
		a, err := sys.ask(context.Background(), "How are zones reloaded?")
		if err != nil || len(a.units) == 0 || !strings.Contains(a.units[0].Text, "with a signal") || len(a.shown["in order"]) == 0 {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		if a, err := sys.ask(context.Background(), "Where does Guadalupe live?"); err != nil || len(a.units) != 0 {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		if a, err := sys.ask(context.Background(), "what is it"); err != nil || len(a.units) != 0 {
			t.Errorf("%s, stop words alone: %+v, %v", name, a, err)
		}
		if err := sys.close(); err != nil {
			t.Error(err)
		}
	}
}
