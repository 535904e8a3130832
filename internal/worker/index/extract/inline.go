package extract

import (
	"html"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
)

// Inline Markdown (CommonMark 0.31, 6) is read in three passes, each linear:
// tokens with links resolved, emphasis, output.

type tokenKind uint8

const (
	tokText tokenKind = iota
	tokVerbatim
	tokEntity
	tokDelim
	tokOpen  // [ or ![ ; literal unless linked
	tokClose // ] with what follows it
	tokSpace
	tokNone
)

type token struct {
	kind     tokenKind
	linked   bool
	canOpen  bool
	canClose bool
	drop     int // characters of a delimiter run that are markup
	from, to int
}

// inline reads paragraphs; its slices are used again.
type inline struct {
	b       *builder
	toks    []token
	opens   []int // indices of bracket tokens
	delims  []int // indices of open delimiter tokens
	labels  map[string]bool
	noClose [64]bool // no code span of this length closes in the paragraph
	noTag   bool     // no comment closes in the paragraph
	// After run: bytes of text written, and how many of them in links.
	linkBytes, allBytes int
}

// special holds the bytes that can mean something.
const special = "\\`*_~[]<&!\n"

func isSpecial(c byte) bool {
	switch c {
	case '\\', '`', '*', '_', '~', '[', ']', '<', '&', '!', '\n':
		return true
	}
	return false
}

// run adds source[from:to], a paragraph quoted so many levels deep, to the open
// block without its markup.
func (p *inline) run(from, to, quote int) {
	p.linkBytes, p.allBytes = 0, 0
	if quote == 0 && !strings.ContainsAny(p.b.src[from:to], special[:len(special)-1]) {
		p.b.words(from, to)
		p.allBytes = to - from
		return
	}
	p.toks, p.opens, p.delims = p.toks[:0], p.opens[:0], p.delims[:0]
	p.noClose, p.noTag = [64]bool{}, false
	p.tokens(from, to, quote)
	p.emphasis()
	p.emit()
}

func (p *inline) text(from, to int) {
	if from < to {
		p.toks = append(p.toks, token{kind: tokText, from: from, to: to})
	}
}

func (p *inline) tokens(from, to, quote int) {
	src := p.b.src
	start := from
	for i := from; i < to; {
		c := src[i]
		if !isSpecial(c) {
			i++
			continue
		}
		t := token{kind: tokNone, from: i, to: i}
		switch c {
		case '\n':
			if quote == 0 {
				i++
				continue
			}
			t.kind, t.to = tokSpace, i+1
			for n := 0; t.to < to; t.to++ {
				if src[t.to] == '>' && n < quote {
					n++
				} else if src[t.to] != ' ' && src[t.to] != '\t' {
					break
				}
			}
		case '\\':
			if i+1 < to && src[i+1] == '\n' {
				t.kind, t.to = tokSpace, i+1
			} else if i+1 < to && punct(src[i+1]) {
				t.kind, t.from, t.to = tokVerbatim, i+1, i+2
			}
		case '`':
			t = p.code(i, to)
		case '<':
			t = p.angle(i, to)
		case '&':
			if n := entity(src[i:to]); n > 0 {
				t.kind, t.to = tokEntity, i+n
			}
		case '*', '_', '~':
			t = delim(src, i, from, to)
		case '!':
			if i+1 < to && src[i+1] == '[' {
				t.kind, t.to = tokOpen, i+2
			}
		case '[':
			t.kind, t.to = tokOpen, i+1
		case ']':
			t = p.closing(i, start, to)
			if t.kind == tokClose {
				p.text(start, i)
				p.link(t)
				i, start = t.to, t.to
				continue
			}
		}
		if t.kind == tokNone && t.to == i {
			i++
			continue
		}
		p.text(start, i)
		if t.kind == tokOpen {
			p.opens = append(p.opens, len(p.toks))
		}
		p.toks = append(p.toks, t)
		i = max(t.to, i+1)
		if t.kind == tokVerbatim && c == '`' {
			i = t.drop
		} else if t.kind == tokVerbatim && c == '<' {
			i = t.to + 1
		}
		start = i
	}
	p.text(start, to)
}

func punct(c byte) bool {
	return c > ' ' && c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z' && c < 0x7f
}

// code reads a code span; drop of the token is where the text goes on.
func (p *inline) code(i, to int) token {
	src := p.b.src
	n := 0
	for i+n < to && src[i+n] == '`' {
		n++
	}
	literal := token{kind: tokText, from: i, to: i + n}
	if n >= len(p.noClose) || p.noClose[n] {
		return literal
	}
	for j := i + n; j < to; {
		k := strings.IndexByte(src[j:to], '`')
		if k < 0 {
			break
		}
		j += k
		m := 0
		for j+m < to && src[j+m] == '`' {
			m++
		}
		if m == n {
			return token{kind: tokVerbatim, from: i + n, to: j, drop: j + n}
		}
		j += m
	}
	p.noClose[n] = true
	return literal
}

// angle reads an autolink, a tag or a comment.
func (p *inline) angle(i, to int) token {
	src := p.b.src
	none := token{kind: tokNone, from: i, to: i}
	if strings.HasPrefix(src[i:to], "<!--") {
		if p.noTag {
			return none
		}
		if n := strings.Index(src[i+4:to], "-->"); n >= 0 {
			return token{kind: tokNone, from: i, to: i + 4 + n + 3}
		}
		p.noTag = true
		return none
	}
	if i+1 >= to {
		return none
	}
	c := src[i+1]
	if !letter(c) && c != '/' && c != '?' && c != '!' {
		return none
	}
	j := i + 1
	for j < to && src[j] != '>' && src[j] != '<' {
		j++
	}
	if j >= to || src[j] != '>' {
		return none
	}
	in := src[i+1 : j]
	if strings.IndexByte(in, ' ') < 0 && (strings.Contains(in, ":") || strings.Contains(in, "@")) && c != '/' {
		return token{kind: tokVerbatim, from: i + 1, to: j}
	}
	if k := strings.IndexFunc(in, func(r rune) bool {
		return r >= 0x80 || !letter(byte(r)) && !digit(byte(r)) && r != '-' && r != '/' && r != '!' && r != '?'
	}); k >= 0 && in[k] != ' ' && in[k] != '\n' && in[k] != '\t' && in[k] != '\r' && in[k] != ':' {
		return none // "<not a tag, but text>"
	}
	return token{kind: tokNone, from: i, to: j + 1}
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
func word(c byte) bool   { return letter(c) || digit(c) || c >= 0x80 }

// entity returns the length of the character reference that s begins with, or 0.
func entity(s string) int {
	for i := 1; i < len(s) && i < 33; i++ {
		c := s[i]
		if c == ';' {
			if i > 1 && html.UnescapeString(s[:i+1]) != s[:i+1] {
				return i + 1
			}
			return 0
		}
		if !letter(c) && !digit(c) && c != '#' {
			return 0
		}
	}
	return 0
}

func delim(src string, i, from, to int) token {
	c := src[i]
	n := 1
	for i+n < to && src[i+n] == c {
		n++
	}
	t := token{kind: tokDelim, from: i, to: i + n}
	before, after := byte(' '), byte(' ')
	if i > from {
		before = src[i-1]
	}
	if i+n < to {
		after = src[i+n]
	}
	left := after > ' ' && (!punct(after) || before <= ' ' || punct(before))
	right := before > ' ' && (!punct(before) || after <= ' ' || punct(after))
	t.canOpen, t.canClose = left, right
	if c == '_' {
		t.canOpen = left && (!right || punct(before))
		t.canClose = right && (!left || punct(after))
	}
	if c == '~' && n > 2 {
		t.canOpen, t.canClose = false, false
	}
	return t
}

// closing reads ] and what makes it the end of a link: a destination, a label,
// or a definition of the text itself elsewhere.
func (p *inline) closing(i, start, to int) token {
	none := token{kind: tokNone, from: i, to: i}
	if len(p.opens) == 0 {
		return none
	}
	src := p.b.src
	open := p.toks[p.opens[len(p.opens)-1]]
	label := src[open.to:i]
	end := 0
	if i+1 < to && src[i+1] == '(' {
		end = destination(src, i+1, to)
	} else if i+1 < to && src[i+1] == '[' {
		if n := strings.IndexAny(src[i+2:min(to, i+202)], "[]"); n >= 0 && src[i+2+n] == ']' {
			name := src[i+2 : i+2+n]
			if n == 0 {
				name = label
			}
			if p.labels[labelKey(name)] {
				end = i + 2 + n + 1
			}
		}
	}
	if end == 0 && (p.labels[labelKey(label)] || len(label) > 1 && len(label) < 100 && label[0] == '^') {
		end = i + 1
	}
	if end == 0 {
		p.opens = p.opens[:len(p.opens)-1]
		return none
	}
	return token{kind: tokClose, from: i, to: end, linked: true}
}

// link ends the innermost open bracket with the link t.
func (p *inline) link(t token) {
	at := p.opens[len(p.opens)-1]
	p.opens = p.opens[:len(p.opens)-1]
	p.toks[at].linked = true
	if open := p.toks[at]; p.b.src[open.to] == '^' && t.to == t.from+1 {
		// A footnote's mark is not part of the sentence.
		for k := at; k < len(p.toks); k++ {
			p.toks[k].kind = tokNone
		}
		t.kind = tokNone
	}
	p.toks = append(p.toks, t)
}

func labelKey(s string) string {
	if len(s) == 0 || len(s) > 200 {
		return ""
	}
	return strings.ToLower(strings.Join(strings.Fields(s), " "))
}

// destination returns where "(url "title")" at i ends, or 0.
func destination(src string, i, to int) int {
	depth := 0
	for j := i; j < to && j < i+limits.LinkDestination; j++ {
		switch src[j] {
		case '\\':
			j++
		case '(':
			if depth++; depth > limits.BlockNesting/2 {
				return 0
			}
		case ')':
			if depth--; depth == 0 {
				return j + 1
			}
		}
	}
	return 0
}

// emphasis decides which delimiters are markup (CommonMark 0.31, 6.2, without
// the rule of three).
func (p *inline) emphasis() {
	var open [3]int
	class := func(k int) int { return strings.IndexByte("*_~", p.b.src[p.toks[k].from]) }
	left := func(k int) int { t := &p.toks[k]; return t.to - t.from - t.drop }
	for k := range p.toks {
		if p.toks[k].kind != tokDelim {
			continue
		}
		c := class(k)
		for p.toks[k].canClose && open[c] > 0 && left(k) > 0 {
			top := p.delims[len(p.delims)-1]
			if class(top) == c {
				n := min(left(top), left(k))
				p.toks[top].drop += n
				p.toks[k].drop += n
				if left(top) > 0 {
					continue
				}
			}
			open[class(top)]--
			p.delims = p.delims[:len(p.delims)-1]
		}
		if p.toks[k].canOpen && left(k) > 0 {
			open[c]++
			p.delims = append(p.delims, k)
		}
	}
}

func (p *inline) emit() {
	b := p.b
	depth := 0
	for k := range p.toks {
		t := &p.toks[k]
		before := len(b.buf)
		switch t.kind {
		case tokText, tokVerbatim:
			b.words(t.from, t.to)
		case tokEntity:
			b.entity(t.from, t.to)
		case tokDelim:
			// Which of a run's characters are left does not matter: they are
			// the same.
			b.verbatim(t.from+t.drop, t.to)
		case tokSpace:
			b.space(t.from)
		case tokOpen:
			if t.linked {
				depth++
			} else {
				b.verbatim(t.from, t.to)
			}
		case tokClose:
			depth--
		}
		n := len(b.buf) - before
		p.allBytes += n
		if depth > 0 {
			p.linkBytes += n
		}
	}
}

// entity adds the character reference source[from:to], decoded.
func (b *builder) entity(from, to int) {
	s := html.UnescapeString(b.src[from:to])
	if strings.TrimSpace(strings.Trim(s, "\u00a0\u200b\ufeff")) == "" {
		b.space(from)
		return
	}
	b.put(s, from, to)
}
