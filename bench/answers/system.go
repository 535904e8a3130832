package main

import (
	"context"
	"math"
	"sort"
)

const (
	windowMax = 420 // letters in one sentence shown, at most
	shown     = 3   // sentences that a reader reads
	bestUnits = 5   // ranked units that sentences are chosen from
)

// A system answers questions about one collection.
type system interface {
	// ask returns what the system would say, best first.
	ask(ctx context.Context, q string) (answer, error)
	close() error
}

// An answer is the ranked units of the system's own (paragraphs, chunks or
// sentences), the sentences it shows, under one or more ways of choosing them,
// and how sure it is, on one or more scales. Ways and scales that a peer
// offers are tried, and its best is reported.
type answer struct {
	units  []passage
	shown  map[string][]passage
	scores map[string]float64
	cited  []passage // every citation, where they are promised to be exact
}

// windows cuts a paragraph into runs of whole sentences of at most windowMax
// bytes; a longer sentence is cut at a space.
func windows(p *paragraph) []passage {
	var out []passage
	add := func(from, to int) {
		a, b := p.span(from, to)
		out = append(out, passage{File: p.file, Line: a, End: b, Text: p.text[from:to]})
	}
	start, end := -1, 0
	for _, s := range sentences(p.text) {
		if start >= 0 && s[1]-start <= windowMax {
			end = s[1]
			continue
		}
		if start >= 0 {
			add(start, end)
		}
		start, end = s[0], s[1]
		for end-start > windowMax {
			cut := start + windowMax
			for cut > start && p.text[cut] != ' ' {
				cut--
			}
			if cut == start {
				cut = start + windowMax
			}
			add(start, cut)
			start = cut
			for start < end && p.text[start] == ' ' {
				start++
			}
		}
		if start == end {
			start = -1
		}
	}
	if start >= 0 {
		add(start, end)
	}
	return out
}

// choose picks the sentences of a peer's best units in three ways: in reading
// order from the best unit on; the first of each of the best; and those that
// hold the most of the question's words, rare words counting more.
func choose(units []*paragraph, weight map[string]float64, stop map[string]bool) map[string][]passage {
	var lead, each, all []passage
	for i, u := range units {
		if i == bestUnits {
			break
		}
		w := windows(u)
		if len(w) == 0 {
			continue
		}
		lead = append(lead, w...)
		each = append(each, w[0])
		all = append(all, w...)
	}
	score := make([]float64, len(all))
	order := make([]int, len(all))
	for i, p := range all {
		order[i] = i
		for w := range stems(p.Text, stop) {
			score[i] += weight[w]
		}
	}
	sort.SliceStable(order, func(i, j int) bool { return score[order[i]] > score[order[j]] })
	best := make([]passage, 0, len(all))
	for _, i := range order {
		best = append(best, all[i])
	}
	return map[string][]passage{"in order": first(lead), "one each": first(each), "most words": first(best)}
}

func first(p []passage) []passage {
	if len(p) > shown {
		p = p[:shown]
	}
	return p
}

// idf gives each stemmed word the weight ln(1 + N/n), N paragraphs, n of which
// hold it.
func idf(paras []*paragraph, stop map[string]bool) func(string) float64 {
	n := map[string]int{}
	for _, p := range paras {
		for w := range stems(p.text, stop) {
			n[w]++
		}
	}
	return func(w string) float64 { return math.Log(1 + float64(len(paras))/float64(1+n[w])) }
}

func weights(q string, f func(string) float64, stop map[string]bool) map[string]float64 {
	m := map[string]float64{}
	for w := range stems(q, stop) {
		m[w] = f(w)
	}
	return m
}

// coverage is the share of the question's weight that the text holds.
func coverage(text string, weight map[string]float64, stop map[string]bool) float64 {
	has := stems(text, stop)
	var got, sum float64
	for w, x := range weight {
		sum += x
		if has[w] {
			got += x
		}
	}
	if sum == 0 {
		return 0
	}
	return got / sum
}

func asPassage(p *paragraph) passage {
	a, b := p.span(0, len(p.text))
	return passage{File: p.file, Line: a, End: b, Text: p.text}
}
