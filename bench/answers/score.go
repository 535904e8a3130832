package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
)

// falseOneIn is the rate of false answers that every system is tuned to: at
// most one of so many unanswerable questions is answered.
const falseOneIn = 8

// A record is what one system did with one question.
type record struct {
	q      *question
	hit1   bool            // its best unit holds the answer
	hit3   bool            // one of its three best does
	in3    map[string]bool // by way of choosing: one of the three sentences shown does
	empty  bool            // it says nothing
	scores map[string]float64
	shown  map[string][]passage
	cited  int // citations that are to be exact
	wrong  []string
}

func ask(ctx context.Context, s system, files map[string]*source, qs []*question) ([]record, error) {
	var out []record
	for _, q := range qs {
		a, err := s.ask(ctx, q.Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.ID, err)
		}
		r := record{q: q, scores: a.scores, shown: a.shown, in3: map[string]bool{}, empty: true}
		for i, u := range a.units {
			if i < 3 && q.holds(u) {
				r.hit1 = r.hit1 || i == 0
				r.hit3 = true
			}
		}
		for way, ps := range a.shown {
			r.empty = r.empty && len(ps) == 0
			for _, p := range ps {
				r.in3[way] = r.in3[way] || q.holds(p)
			}
		}
		for _, u := range a.cited {
			r.cited++
			if why := exact(files[u.File], u); why != "" {
				r.wrong = append(r.wrong, fmt.Sprintf("%s: %s:%d-%d: %s", q.ID, u.File, u.Line, u.End, why))
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// A choice is a way of choosing sentences and a score with the threshold below
// or at which the system is silent.
type choice struct {
	Way       string  `json:"way"`
	Scale     string  `json:"scale"`
	Threshold float64 `json:"threshold"`
}

func (c choice) silent(r *record) bool {
	if r.empty {
		return true
	}
	x, ok := r.scores[c.Scale]
	return ok && x <= c.Threshold
}

// tune finds the way and scale with which most questions are answered rightly
// while at most one in falseOneIn unanswerable ones is answered at all. It
// must be given no held question.
// Only the named scales are tried; none named, all are.
func tune(rs []record, only ...string) choice {
	ways, scales := map[string]bool{}, map[string]bool{}
	may := map[string]bool{}
	for _, s := range only {
		may[s] = true
	}
	unanswerable := 0
	for _, r := range rs {
		for w := range r.in3 {
			ways[w] = true
		}
		for w := range r.shown {
			ways[w] = true
		}
		for s := range r.scores {
			if len(only) == 0 || may[s] {
				scales[s] = true
			}
		}
		if r.q.Kind == none {
			unanswerable++
		}
	}
	allowed := unanswerable / falseOneIn
	best, bestRight := choice{}, -1
	for _, scale := range sorted(scales) {
		var xs []float64
		for _, r := range rs {
			if x, ok := r.scores[scale]; ok && r.q.Kind == none && !r.empty {
				xs = append(xs, x)
			}
		}
		sort.Sort(sort.Reverse(sort.Float64Slice(xs)))
		t := math.Inf(-1)
		if len(xs) > allowed {
			t = xs[allowed]
		}
		for _, way := range sorted(ways) {
			c := choice{Way: way, Scale: scale, Threshold: t}
			if n := measure(rs, c).In3; n > bestRight {
				best, bestRight = c, n
			}
		}
	}
	if len(scales) == 0 { // no score of its own: as it comes
		for _, way := range sorted(ways) {
			c := choice{Way: way, Threshold: math.Inf(-1)}
			if n := measure(rs, c).In3; n > bestRight {
				best, bestRight = c, n
			}
		}
	}
	return best
}

// bestWay is the way with which most questions are answered when the system is
// never silent.
func bestWay(rs []record) choice {
	ways := map[string]bool{}
	for _, r := range rs {
		for w := range r.shown {
			ways[w] = true
		}
	}
	best, bestRight := choice{Threshold: math.Inf(-1)}, -1
	for _, way := range sorted(ways) {
		c := choice{Way: way, Threshold: math.Inf(-1)}
		if n := measure(rs, c).In3; n > bestRight {
			best, bestRight = c, n
		}
	}
	return best
}

func sorted(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// tally counts one system's results under one choice.
type tally struct {
	Answerable   int `json:"answerable"`
	Hit1         int `json:"hit1"`
	Hit3         int `json:"hit3"`
	In3          int `json:"in3"`
	Silent       int `json:"silent"` // on answerable questions
	Unanswerable int `json:"unanswerable"`
	False        int `json:"false"`
	Far          int `json:"far"`
	FarIn3       int `json:"far_in3"`
	Cited        int `json:"cited"`
	CitedWrong   int `json:"cited_wrong"`
}

func measure(rs []record, c choice) tally {
	var t tally
	for i := range rs {
		r := &rs[i]
		silent := c.silent(r)
		t.Cited += r.cited
		t.CitedWrong += len(r.wrong)
		if r.q.Kind == none {
			t.Unanswerable++
			if !silent {
				t.False++
			}
			continue
		}
		t.Answerable++
		if r.q.Kind == far {
			t.Far++
		}
		if silent {
			t.Silent++
			continue
		}
		if r.hit1 {
			t.Hit1++
		}
		if r.hit3 {
			t.Hit3++
		}
		if r.in3[c.Way] {
			t.In3++
			if r.q.Kind == far {
				t.FarIn3++
			}
		}
	}
	return t
}

// resamples of the paired bootstrap.
const resamples = 10000

// bootstrap gives the difference of the shares of questions that a and b
// answer in three sentences, in points, and its 95 % interval by resampling
// questions (Efron's percentile method), always with the same seed.
func bootstrap(a, b []record, ca, cb choice) (diff, low, high float64) {
	var ds []float64
	for i := range a {
		if a[i].q.Kind == none {
			continue
		}
		d := 0.0
		if !ca.silent(&a[i]) && a[i].in3[ca.Way] {
			d++
		}
		if !cb.silent(&b[i]) && b[i].in3[cb.Way] {
			d--
		}
		ds = append(ds, d)
	}
	if len(ds) == 0 {
		return 0, 0, 0
	}
	rng := rand.New(rand.NewPCG(1, 2))
	means := make([]float64, resamples)
	for i := range means {
		for range ds {
			means[i] += ds[rng.IntN(len(ds))]
		}
		means[i] *= 100 / float64(len(ds))
	}
	sort.Float64s(means)
	for _, d := range ds {
		diff += d
	}
	return diff * 100 / float64(len(ds)), means[resamples*25/1000], means[resamples*975/1000]
}
