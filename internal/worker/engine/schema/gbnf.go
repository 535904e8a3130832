package schema

import "strings"

// The grammar's own text is read again to see whether its rules have an end; the
// tests read it to make sentences of it.

// part is an expression of the grammar.
type part struct {
	// One of these is set.
	text  string // of a literal; also the empty one, when lit is set
	class string // within the brackets
	ref   string
	group [][]part // alternatives
	lit   bool
	// How often; to < 0 is without an end.
	from, to int
}

// read parses the body of a rule as this package writes them.
func read(s string) [][]part {
	g := &grammar{s: s}
	return g.alternatives()
}

type grammar struct {
	s string
	i int
}

func (g *grammar) alternatives() [][]part {
	out := [][]part{nil}
	for {
		for g.i < len(g.s) && g.s[g.i] == ' ' {
			g.i++
		}
		if g.i >= len(g.s) || g.s[g.i] == ')' {
			return out
		}
		if g.s[g.i] == '|' {
			g.i++
			out = append(out, nil)
			continue
		}
		out[len(out)-1] = append(out[len(out)-1], g.repeated(g.atom()))
	}
}

func (g *grammar) atom() part {
	switch g.s[g.i] {
	case '(':
		g.i++
		p := part{group: g.alternatives()}
		g.i++
		return p
	case '"', '[':
		end := byte('"')
		if g.s[g.i] == '[' {
			end = ']'
		}
		from := g.i + 1
		for g.i = from; g.s[g.i] != end; g.i++ {
			if g.s[g.i] == '\\' {
				g.i++
			}
		}
		g.i++
		if end == ']' {
			return part{class: g.s[from : g.i-1]}
		}
		return part{text: g.s[from : g.i-1], lit: true}
	}
	from := g.i
	for g.i < len(g.s) && !strings.ContainsRune(" |()*+?{\"[", rune(g.s[g.i])) {
		g.i++
	}
	return part{ref: g.s[from:g.i]}
}

func (g *grammar) repeated(p part) part {
	p.from, p.to = 1, 1
	if g.i >= len(g.s) {
		return p
	}
	switch g.s[g.i] {
	case '?':
		p.from, p.to = 0, 1
	case '*':
		p.from, p.to = 0, -1
	case '+':
		p.to = -1
	case '{':
		end := g.i + strings.IndexByte(g.s[g.i:], '}')
		lo, hi, ranged := strings.Cut(g.s[g.i+1:end], ",")
		p.from = atoi(lo)
		p.to = p.from
		if ranged {
			p.to = -1
			if hi != "" {
				p.to = atoi(hi)
			}
		}
		g.i = end
	default:
		return p
	}
	g.i++
	return p
}

func atoi(s string) int {
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

// canEnd reports whether a body has a way to an end through rules that have one.
func canEnd(body [][]part, done map[string]bool) bool {
	for _, sequence := range body {
		ok := true
		for _, p := range sequence {
			ok = ok && (p.from == 0 || p.lit || p.class != "" || p.ref != "" && done[p.ref] || p.group != nil && canEnd(p.group, done))
		}
		if ok {
			return true
		}
	}
	return false
}

// starts adds the rules that a body may go through before its first character,
// and reports whether it may have none.
func starts(body [][]part, rules map[string][][]part, seen map[string]bool) bool {
	nothing := false
	for _, sequence := range body {
		empty := true
		for _, p := range sequence {
			own := p.lit && p.text == ""
			switch {
			case p.ref != "" && !seen[p.ref]:
				seen[p.ref] = true
				own = starts(rules[p.ref], rules, seen)
			case p.group != nil:
				own = starts(p.group, rules, seen)
			}
			if !own && p.from > 0 {
				empty = false
				break
			}
		}
		nothing = nothing || empty
	}
	return nothing
}
