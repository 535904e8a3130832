package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// scanMarkup reads reStructuredText and AsciiDoc, lightly: headings, paragraphs
// and lists as in plain text, what is for the renderer left out, and the marks
// inside lines dropped.
func scanMarkup(b *builder, variant string) {
	p := &plain{builder: b, style: variant}
	b.spill = func() { p.finish(doc.Prose) }
	from := 0
	src := b.src
	for at := 0; at < len(src); {
		end, next := line(src, at)
		s := src[at:end]
		var to int
		if variant == "rst" {
			to = p.restructured(s, from, at, next)
		} else {
			to = p.asciidoc(s, from, at, next)
		}
		if to > at {
			from, at = to, to
			continue
		}
		at = next
	}
	p.all(from, len(src))
}

// restructured reads a directive, comment or literal block at the line s, after
// closing the text before it, and returns where to go on; else at.
func (p *plain) restructured(s string, from, at, next int) int {
	col, off := indent(s)
	t := s[off:]
	switch {
	case strings.HasPrefix(t, ".. ") || t == "..":
		p.all(from, at)
		name := ""
		if i := strings.Index(t, "::"); i > 0 {
			name = strings.TrimSpace(t[2:i])
		}
		switch name {
		case "note", "warning", "tip", "important", "caution", "danger", "attention", "hint", "seealso", "admonition", "versionadded", "versionchanged", "deprecated", "topic", "sidebar", "epigraph", "function", "class", "method", "option", "program":
			return next // its body is text
		}
		body := p.indentedTo(next, col)
		switch name {
		case "code", "code-block", "sourcecode", "highlight", "literalinclude", "parsed-literal", "productionlist", "math":
			p.pieces(doc.Code, next, body)
		case "table", "list-table", "csv-table":
			p.pieces(doc.Table, next, body)
		}
		return body
	case strings.HasPrefix(t, ":") && (col > 0 || len(p.doc.Blocks) == 0 && at == from) && strings.Index(t[1:], ":") > 0 && len(t) < 100 && !strings.Contains(t, "`"):
		p.all(from, at) // an option of a directive
		return next
	case strings.HasSuffix(strings.TrimRight(t, " \t\r"), "::"):
		body := p.indentedTo(next, col)
		if body == next {
			return at
		}
		p.all(from, next)
		p.pieces(doc.Code, next, body)
		return body
	}
	return at
}

// indentedTo returns where the block ends that is indented more than col.
func (p *plain) indentedTo(at, col int) int {
	last := at
	for at < len(p.src) {
		end, next := line(p.src, at)
		if !blank(p.src[at:end]) {
			if c, _ := indent(p.src[at:end]); c <= col {
				break
			}
			last = next
		}
		at = next
	}
	return last
}

func (p *plain) asciidoc(s string, from, at, next int) int {
	t := strings.TrimRight(s, " \t\r")
	switch {
	case t == "":
		return at
	case t[0] == '=' && atxLike(t) > 0:
		p.all(from, at)
		n := atxLike(t)
		p.markup(at+n+1, at+len(t))
		p.close(doc.Heading, n)
		return next
	case len(t) >= 4 && (same(t) && strings.IndexByte("-.+/", t[0]) >= 0) || t == "|===" || t == "```":
		if len(t) >= len(p.noFence) || t[0] == '-' && p.noFence[len(t)] {
			return at
		}
		to, after := p.fenceTo(next, t)
		if t[0] == '-' && to == len(p.src) {
			p.noFence[len(t)] = true
			return at // an underline
		}
		p.all(from, at)
		switch t[0] {
		case '/': // a comment
		case '|':
			p.pieces(doc.Table, next, to)
		default:
			p.pieces(doc.Code, next, to)
		}
		return after
	case t[0] == ':' && strings.IndexByte(t[1:], ':') > 0, t[0] == '.' && len(t) > 1 && letter(t[1]), t[0] == '[' && t[len(t)-1] == ']',
		strings.HasPrefix(t, "//"), strings.HasPrefix(t, "image::"), strings.HasPrefix(t, "include::"), strings.HasPrefix(t, "ifdef::"), strings.HasPrefix(t, "endif::"), strings.HasPrefix(t, "ifndef::"), strings.HasPrefix(t, "toc::"):
		p.all(from, at)
		return next
	}
	return at
}

func atxLike(t string) int {
	n := 0
	for n < len(t) && t[n] == '=' {
		n++
	}
	if n > 6 || n+1 >= len(t) || t[n] != ' ' {
		return 0
	}
	return n
}

func (p *plain) fenceTo(at int, mark string) (to, after int) {
	for at < len(p.src) {
		end, next := line(p.src, at)
		if strings.TrimRight(p.src[at:end], " \t\r") == mark {
			return at, next
		}
		at = next
	}
	return at, at
}

// markupLine is the longest line whose marks are looked for: the search looks
// ahead and back within the line.
const markupLine = 4096

// markup adds a line without “literal“, *emphasis*, :role:`text`,
// `text <target>`_, |substitution| and link:target[text].
func (p *plain) markup(from, to int) {
	src := p.src
	start := from
	if to-from > markupLine {
		p.words(from, to)
		return
	}
	skip := func(i, n int) int {
		p.words(start, i)
		start = i + n
		return start
	}
	for i := from; i < to; {
		switch c := src[i]; {
		case c == '`' || c == '*':
			n := 1
			for i+n < to && src[i+n] == c {
				n++
			}
			spaced := (i == from || src[i-1] <= ' ') && (i+n >= to || src[i+n] <= ' ')
			if spaced && c == '*' {
				i += n
				continue
			}
			i = skip(i, n)
			if i < to && src[i] == '_' && c == '`' { // a reference
				i = skip(i, 1)
				if i < to && src[i] == '_' {
					i = skip(i, 1)
				}
			}
		case c == ':' && p.style == "rst" && i+3 < to && letter(src[i+1]):
			j := i + 1
			for j < to && (letter(src[j]) || src[j] == '-' || src[j] == ':' && j+1 < to && letter(src[j+1])) {
				j++
			}
			if j+1 < to && src[j] == ':' && src[j+1] == '`' {
				i = skip(i, j+1-i)
			} else {
				i++
			}
		case c == '<' && p.style == "rst":
			j := strings.IndexByte(src[i:min(to, i+400)], '>')
			if j > 0 && strings.HasPrefix(src[i+j:to], ">`") {
				k := i
				for k > start && src[k-1] == ' ' {
					k--
				}
				p.words(start, k)
				start = i + j + 1
				i = start
			} else {
				i++
			}
		case c == '_' && p.style == "rst" && i > from && word(src[i-1]) && (i+1 == to || !word(src[i+1]) && src[i+1] != '_'):
			i = skip(i, 1)
		case c == ':' && p.style == "rst" && i+2 == to && src[i+1] == ':':
			i++
			p.words(start, i)
			start = to
			i = to
		case c == '+' && p.style == "adoc" && i > from && i+1 < to && (src[i-1] <= ' ') != (src[i+1] <= ' '):
			i = skip(i, 1)
		case c == '[' && p.style == "adoc" && i > from && strings.IndexByte(src[from:i], ':') >= 0:
			w := i
			for w > start && src[w-1] > ' ' {
				w--
			}
			j := strings.IndexByte(src[i:to], ']')
			if j > 1 && strings.IndexByte(src[w:i], ':') > 0 {
				p.words(start, w)
				if w > from && src[w-1] <= ' ' {
					p.space(w - 1)
				}
				p.words(i+1, i+j)
				start = i + j + 1
				i = start
			} else {
				i++
			}
		default:
			i++
		}
	}
	p.words(start, to)
}
