package schema

import (
	"regexp/syntax"
	"slices"
	"unicode"

	"github.com/bailey-run/bailey/internal/limits"
)

// plain refuses a pattern that can be read in two ways.
//
// llama.cpp follows all ways at once, and for each character of each token of the
// vocabulary every way that it has reached may fork again: of 30 stars in a row
// over the same letters it never came back, and two nested counts of 16 took 0.6 s
// for each token. So after every character it has to be plain which place of the
// pattern comes next (the expression is one-unambiguous: Brüggemann-Klein and
// Wood, 1998; places and what follows them are those of Glushkov's automaton, with
// counts written out).
func plain(parts []*syntax.Regexp, at string) error {
	g := &glushkov{}
	whole, ok := g.sequence(parts)
	if !ok {
		return refuse(at, "the pattern has more than %d places, or repeats what may be empty", limits.SchemaPattern)
	}
	for _, next := range append(g.follow, whole.first) {
		for i, a := range next {
			for _, b := range next[:i] {
				if a != b && overlaps(g.sets[a], g.sets[b]) {
					return refuse(at, "the pattern can be read in two ways: after each character it has to be plain what comes next")
				}
			}
		}
	}
	return nil
}

// glushkov are the places of a pattern: the characters that each takes, and the
// places that may come behind it.
type glushkov struct {
	sets   [][]rune
	follow [][]int
}

// piece is a part of a pattern: where it begins and ends, and whether it may be
// empty.
type piece struct {
	first, last []int
	empty       bool
}

func (g *glushkov) place(set ...rune) piece {
	g.sets = append(g.sets, set)
	g.follow = append(g.follow, nil)
	n := []int{len(g.sets) - 1}
	return piece{first: n, last: n}
}

// link says that next may come behind the ends of a piece.
func (g *glushkov) link(last, next []int) {
	for _, l := range last {
		for _, n := range next {
			if !slices.Contains(g.follow[l], n) {
				g.follow[l] = append(g.follow[l], n)
			}
		}
	}
}

// then is a and b behind it.
func (g *glushkov) then(a, b piece) piece {
	g.link(a.last, b.first)
	out := piece{first: a.first, last: b.last, empty: a.empty && b.empty}
	if a.empty {
		out.first = slices.Concat(a.first, b.first)
	}
	if b.empty {
		out.last = slices.Concat(b.last, a.last)
	}
	return out
}

func (g *glushkov) sequence(parts []*syntax.Regexp) (piece, bool) {
	out := piece{empty: true}
	for _, p := range parts {
		e, ok := g.of(p)
		if !ok {
			return out, false
		}
		out = g.then(out, e)
	}
	return out, true
}

// of is false for what is too large, or repeats what may be empty.
func (g *glushkov) of(re *syntax.Regexp) (piece, bool) {
	if len(g.sets) > limits.SchemaPattern {
		return piece{}, false
	}
	switch re.Op {
	case syntax.OpLiteral:
		out := piece{empty: true}
		for _, r := range re.Rune {
			out = g.then(out, g.place(r, r))
		}
		return out, true
	case syntax.OpCharClass:
		return g.place(re.Rune...), true
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return g.place(0, unicode.MaxRune), true
	case syntax.OpCapture:
		return g.of(re.Sub[0])
	case syntax.OpConcat:
		return g.sequence(re.Sub)
	case syntax.OpAlternate:
		var out piece
		for _, s := range re.Sub {
			e, ok := g.of(s)
			if !ok {
				return out, false
			}
			out = piece{slices.Concat(out.first, e.first), slices.Concat(out.last, e.last), out.empty || e.empty}
		}
		return out, true
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return g.repeated(re)
	}
	return piece{empty: true}, true
}

func (g *glushkov) repeated(re *syntax.Regexp) (piece, bool) {
	from, to := times(re)
	one := func() (piece, bool) {
		e, ok := g.of(re.Sub[0])
		return e, ok && (!e.empty || to == 1)
	}
	out := piece{empty: true}
	for i := range from {
		e, ok := one()
		if !ok {
			return out, false
		}
		if to < 0 && i == from-1 {
			g.link(e.last, e.first)
		}
		out = g.then(out, e)
	}
	// What may come besides is nested, x(x(x)?)?, as llama.cpp writes it.
	rest := piece{empty: true}
	more := to - from
	if to < 0 && from == 0 {
		more = 1
	}
	for range more {
		e, ok := one()
		if !ok {
			return out, false
		}
		if to < 0 {
			g.link(e.last, e.first)
		}
		rest = g.then(e, rest)
		rest.empty = true
	}
	return g.then(out, rest), true
}

// times returns how often a repetition repeats; to < 0 is without an end.
func times(re *syntax.Regexp) (from, to int) {
	switch re.Op {
	case syntax.OpStar:
		return 0, -1
	case syntax.OpPlus:
		return 1, -1
	case syntax.OpQuest:
		return 0, 1
	}
	return re.Min, re.Max
}

func overlaps(a, b []rune) bool {
	for i := 0; i+1 < len(a); i += 2 {
		for j := 0; j+1 < len(b); j += 2 {
			if a[i] <= b[j+1] && b[j] <= a[i+1] {
				return true
			}
		}
	}
	return false
}
