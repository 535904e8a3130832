package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// scanTeX reads LaTeX, lightly: headings, paragraphs and items, commands and
// braces left out, formulas and listings as code. It expands nothing.
func scanTeX(b *builder, _ string) {
	b.spill = func() { b.close(doc.Prose, 0) }
	src := b.src
	role := doc.Prose
	at := 0
	if i := strings.Index(src, "\\begin{document}"); i >= 0 {
		if t := strings.Index(src[:i], "\\title{"); t >= 0 {
			end := braces(src, t+len("\\title"), i)
			b.tex(t+len("\\title{"), end-1)
			b.doc.Title = b.close(doc.Heading, 1)
		}
		b.pieces(doc.Boilerplate, 0, i)
		_, at = line(src, i)
	}
	for at < len(src) {
		end, next := line(src, at)
		_, off := indent(src[at:end])
		i := at + off
		s := src[i:end]
		switch {
		case i >= end:
			b.close(role, 0)
			if role == doc.ListItem {
				role = doc.Prose
			}
		case s[0] == '%':
		case strings.HasPrefix(s, "\\begin{"):
			b.close(role, 0)
			name, _, _ := strings.Cut(s[len("\\begin{"):], "}")
			if r := environment(name); r != doc.Prose {
				to := len(src)
				if k := strings.Index(src[next:], "\\end{"+name+"}"); k >= 0 {
					to = next + k
				}
				b.pieces(r, next, to)
				if to < len(src) {
					_, next = line(src, to)
				} else {
					next = to
				}
			}
		case strings.HasPrefix(s, "\\end{"):
			b.close(role, 0)
			role = doc.Prose
		case strings.HasPrefix(s, "\\item"):
			b.close(role, 0)
			role = doc.ListItem
			b.tex(i+len("\\item"), end)
			b.space(end)
		default:
			if level, open := section(s); level > 0 {
				b.close(role, 0)
				role = doc.Prose
				b.tex(i+open+1, braces(src, i+open, end)-1)
				b.close(doc.Heading, level)
				break
			}
			b.tex(i, end)
			b.space(end)
		}
		at = next
	}
	b.close(role, 0)
}

// section returns the level of the heading that s begins with, and where its
// brace opens.
func section(s string) (level, open int) {
	for i, name := range []string{"\\chapter", "\\section", "\\subsection", "\\subsubsection", "\\paragraph"} {
		rest, ok := strings.CutPrefix(s, name)
		if rest = strings.TrimPrefix(rest, "*"); ok && strings.HasPrefix(rest, "{") {
			return i + 1, len(s) - len(rest)
		}
	}
	return 0, 0
}

// braces returns where the group that opens at at ends, at most at end.
func braces(src string, at, end int) int {
	depth := 0
	for i := at; i < end; i++ {
		switch src[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return end + 1
}

// environment returns the role of what stands in an environment.
func environment(name string) doc.Role {
	switch strings.TrimSuffix(name, "*") {
	case "verbatim", "Verbatim", "lstlisting", "minted", "alltt", "equation", "align", "gather", "multline", "eqnarray", "displaymath", "math", "tikzpicture", "picture", "algorithm", "algorithmic", "thebibliography", "filecontents":
		return doc.Code
	case "tabular", "tabularx", "longtable", "array", "tabbing":
		return doc.Table
	}
	return doc.Prose
}

// tex adds a piece of a line without its commands.
func (b *builder) tex(from, to int) {
	src := b.src
	start := from
	for i := from; i < to; i++ {
		switch src[i] {
		case '%':
			b.words(start, i)
			return
		case '{', '}', '~':
			b.words(start, i)
			if src[i] == '~' {
				b.space(i)
			}
			start = i + 1
		case '\\':
			b.words(start, i)
			j := i + 1
			for j < to && letter(src[j]) {
				j++
			}
			if j == i+1 { // an escaped sign, which is text, or a line's end
				start = j
				if j < to && (src[j] == '\\' || src[j] == ',' || src[j] == '/' || src[j] == '-') {
					b.space(i)
					start = j + 1
				}
				i = j
				break
			}
			if name := src[i+1 : j]; hiddenArgument(name) && j < to {
				if src[j] == '[' {
					if k := strings.IndexByte(src[j:min(to, j+200)], ']'); k > 0 {
						j += k + 1
					}
				}
				if j < to && src[j] == '{' {
					j = min(braces(src, j, to), to)
				}
			} else if j < to && src[j] == ' ' && !b.open() {
				j++
			}
			start = j
			i = j - 1
		}
	}
	b.words(start, to)
}

// hiddenArgument reports a command whose argument readers do not see.
func hiddenArgument(name string) bool {
	switch name {
	case "label", "ref", "pageref", "cite", "citep", "citet", "eqref", "index", "includegraphics", "input", "include", "bibliography", "bibliographystyle", "usepackage", "vspace", "hspace", "setlength", "pagestyle", "thispagestyle", "href", "hyperref", "color":
		return true
	}
	return false
}
