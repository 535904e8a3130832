package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// markdown reads the block structure of CommonMark with GitHub's tables and
// task lists. Containers are flattened: a paragraph in a list in a quote is a
// paragraph. Inline markup is left to inline.
//
// Own code instead of a full parser: the tests hold its text against goldmark's,
// which takes four times as long and builds a tree that nobody needs here.
type markdown struct {
	*builder
	in inline

	para     bool // a paragraph is open
	from, to int  // its source
	quote    int  // levels of quotation around it
	role     doc.Role
	list     int // column where the innermost list item's text begins, or 0
}

func scanMarkdown(b *builder, variant string) {
	m := &markdown{builder: b}
	m.in = inline{b: b, labels: labels(b.src)}
	at := frontMatter(b)
	for at < len(b.src) {
		at = m.line(at, variant)
	}
	m.end()
}

// labels finds the link definitions of the whole document.
func labels(src string) map[string]bool {
	var out map[string]bool
	for at := 0; ; {
		i := strings.Index(src[at:], "]:")
		if i < 0 {
			return out
		}
		at += i
		start := strings.LastIndexByte(src[max(0, at-202):at], '\n') + 1 + max(0, at-202)
		def := strings.TrimLeft(src[start:at], " >\t")
		if len(def) > 1 && def[0] == '[' && def[1] != '^' {
			if k := labelKey(def[1:]); k != "" {
				if out == nil {
					out = map[string]bool{}
				}
				out[k] = true
			}
		}
		at += 2
	}
}

// indent returns the column of the first character that is no blank in s, and
// its offset.
func indent(s string) (col, off int) {
	for off < len(s) {
		switch s[off] {
		case ' ':
			col++
		case '\t':
			col += 4 - col%4
		default:
			return col, off
		}
		off++
	}
	return col, off
}

// line reads the line at at and returns where to go on.
func (m *markdown) line(at int, variant string) int {
	src := m.src
	end, next := line(src, at)
	i, quote := m.quotes(at, end)
	col, off := indent(src[i:end])
	i += off
	if i >= end {
		m.end()
		return next
	}
	if m.para && quote > m.quote {
		m.end()
	}
	outer := col
	if quote > 0 {
		outer, _ = indent(src[at:end]) // where the quotation itself stands
	}
	if !m.para && m.list > 0 && outer < 2 && outer < m.list {
		if _, ok := marker(src[i:end]); !ok {
			m.list = 0
		}
	}
	if !m.para && col >= m.list+4 && quote == 0 {
		if _, ok := marker(src[i:end]); !ok || m.list == 0 {
			return m.indented(at, m.list+4)
		}
	}
	for nesting := 0; nesting < limits.BlockNesting; nesting++ {
		s := src[i:end]
		switch {
		case m.para && m.role != doc.ListItem && underline(s) > 0:
			m.heading(m.from, m.to, underline(s))
			return next
		case rule(s):
			m.end()
			return next
		case s[0] == '#' && atx(s) > 0:
			m.end()
			m.heading(i+atx(s), end, atx(s))
			return next
		case strings.HasPrefix(s, "```") || strings.HasPrefix(s, "~~~"):
			if to, ok := m.fence(i, end, next, quote); ok {
				return to
			}
		case s[0] == '<':
			if to := m.html(i, end); to > i {
				return to
			}
			if block, level := blockTag(s); block {
				m.end()
				if level > 0 {
					m.heading(i, end, level)
					return next
				}
				if strings.HasSuffix(strings.TrimRight(s, " \t\r"), ">") {
					m.begin(i, end, quote)
					m.end()
					return next
				}
			}
		case s[0] == '[' && definition(s, m.para) > 0:
			m.end()
			if i += definition(s, false); i >= end {
				return next
			}
		case strings.HasPrefix(s, ":::") || strings.HasPrefix(s, "{%") && strings.HasSuffix(strings.TrimSpace(s), "%}") ||
			strings.HasPrefix(s, "{{") && strings.HasSuffix(strings.TrimSpace(s), "}}"):
			m.end()
			return next
		case variant == "mdx" && !m.para && (strings.HasPrefix(s, "import ") || strings.HasPrefix(s, "export ")):
			return next
		case strings.IndexByte(s, '|') >= 0 && next < len(src):
			if to := m.table(at, next); to > next {
				return to
			}
		}
		n, ok := marker(s)
		if !ok || m.para && m.role != doc.ListItem && digit(s[0]) && (s[0] != '1' || n > 2) {
			break
		}
		m.end()
		c, o := indent(s[n:])
		if c > 4 {
			c = 1
		}
		m.list, m.role = col+n+c, doc.ListItem
		i += n + o
		col = m.list
		if t := src[i:end]; len(t) > 3 && t[0] == '[' && t[2] == ']' && t[3] == ' ' && (t[1] == ' ' || t[1]|0x20 == 'x') {
			i += 4
		}
		if i >= end {
			return next
		}
		m.begin(i, end, quote)
		m.para = false // so that what stands in the item may be more than text
	}
	if !m.para {
		if m.list == 0 {
			m.role = doc.Prose
		}
		m.begin(i, end, quote)
	}
	m.to = end
	return next
}

func (m *markdown) begin(from, to, quote int) {
	m.para, m.from, m.to, m.quote = true, from, to, quote
	if m.list > 0 {
		m.role = doc.ListItem
	} else {
		m.role = doc.Prose
	}
}

// quotes skips the quotation marks of a line.
func (m *markdown) quotes(at, end int) (i, quote int) {
	i = at
	for {
		col, off := indent(m.src[i:end])
		if i+off >= end || m.src[i+off] != '>' || col > m.list+3 {
			return i, quote
		}
		i += off + 1
		quote++
		if i < end && m.src[i] == ' ' {
			i++
		}
	}
}

// end closes the open paragraph.
func (m *markdown) end() {
	if !m.para {
		return
	}
	m.para = false
	s := m.src[m.from:m.to]
	if len(s) > 2 && s[0] == '[' && s[1] == '!' && letter(s[2]) {
		// An alert's kind: "> [!NOTE]".
		if n := strings.IndexByte(s, ']'); n > 0 && n < 14 {
			m.from += n + 1
		}
	}
	if t := strings.ToLower(strings.Trim(s, "[]_ ")); t == "toc" && len(s) > 3 {
		return
	}
	// A paragraph longer than any that people write is read in pieces, since
	// the tokens of it all would take ten times its size.
	for from := m.from; from < m.to; {
		to := m.to
		if to-from > longParagraph {
			to = from + cut(m.src[from:to], longParagraph, false)
		}
		m.in.run(from, to, m.quote)
		role := m.role
		// A line of badges or links: navigation, not text.
		if m.in.allBytes > 0 && m.in.linkBytes*10 >= m.in.allBytes*8 {
			role = doc.Boilerplate
		}
		m.close(role, 0)
		from = to
	}
}

func (m *markdown) heading(from, to, level int) {
	m.para = false
	m.list = 0
	s := strings.TrimRight(m.src[from:to], " \t\r")
	if t := strings.TrimRight(s, "#"); t != s && (t == "" || t[len(t)-1] == ' ') {
		s = strings.TrimRight(t, " ")
	}
	if strings.HasSuffix(s, "}") {
		if i := strings.LastIndex(s, "{#"); i > 0 {
			s = strings.TrimRight(s[:i], " ")
		}
	}
	m.in.run(from, from+len(s), m.quote)
	m.close(doc.Heading, level)
}

// atx returns the level of a heading with number signs, or 0.
func atx(s string) int {
	n := 0
	for n < len(s) && s[n] == '#' {
		n++
	}
	if n > 6 || n < len(s) && s[n] != ' ' && s[n] != '\t' {
		return 0
	}
	return n
}

// underline returns the level of the heading that s underlines, or 0.
func underline(s string) int {
	s = strings.TrimRight(s, " \t\r")
	if len(s) < 2 {
		return 0
	}
	for i := 0; i < len(s); i++ {
		if s[i] != s[0] {
			return 0
		}
	}
	switch s[0] {
	case '=':
		return 1
	case '-':
		return 2
	}
	return 0
}

// rule reports a thematic break.
func rule(s string) bool {
	n := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\r':
		case c == s[0] && (c == '-' || c == '*' || c == '_'):
			n++
		default:
			return false
		}
	}
	return n >= 3
}

// marker returns the length of the list marker that s begins with.
func marker(s string) (int, bool) {
	n := 0
	switch {
	case s[0] == '-' || s[0] == '*' || s[0] == '+':
		n = 1
	case digit(s[0]):
		for n < len(s) && n < 9 && digit(s[n]) {
			n++
		}
		if n == len(s) || s[n] != '.' && s[n] != ')' {
			return 0, false
		}
		n++
	default:
		return 0, false
	}
	if n < len(s) && s[n] != ' ' && s[n] != '\t' {
		return 0, false
	}
	return n, true
}

// definition returns how much of a line is a link definition (all of it) or a
// footnote's label. In a paragraph only what points somewhere is one.
func definition(s string, para bool) int {
	i := strings.Index(s, "]:")
	if i < 2 || strings.IndexByte(s[1:i], '[') >= 0 {
		return 0
	}
	if to := strings.TrimSpace(s[i+2:]); para && (to == "" || !strings.Contains(to, "://") && strings.IndexByte("./#<", to[0]) < 0) {
		return 0
	}
	if s[1] == '^' {
		i += 2
		for i < len(s) && s[i] == ' ' {
			i++
		}
		return i
	}
	return len(s)
}

// fence reads a fenced block that opens at i.
func (m *markdown) fence(i, end, next, quote int) (int, bool) {
	src := m.src
	c, n := src[i], 0
	for i+n < end && src[i+n] == c {
		n++
	}
	if c == '`' && strings.IndexByte(src[i+n:end], '`') >= 0 {
		return 0, false
	}
	m.end()
	from := next
	for at := next; at < len(src); {
		e, nx := line(src, at)
		j, q := m.quotes(at, e)
		if q < quote {
			m.raw(doc.Code, from, at)
			return at, true
		}
		_, off := indent(src[j:e])
		k := j + off
		for k < e && src[k] == c {
			k++
		}
		if k-j-off >= n && blank(src[k:e]) {
			m.raw(doc.Code, from, at)
			return nx, true
		}
		at = nx
	}
	m.raw(doc.Code, from, len(src))
	return len(src), true
}

// indented reads a block of code that is indented by so many columns.
func (m *markdown) indented(at, columns int) int {
	from := at
	for at < len(m.src) {
		end, next := line(m.src, at)
		if col, off := indent(m.src[at:end]); at+off < end && col < columns {
			break
		}
		at = next
	}
	m.raw(doc.Code, from, at)
	return at
}

// table reads a table whose head is the line at at, or returns next.
func (m *markdown) table(at, next int) int {
	end, after := line(m.src, next)
	s := strings.Trim(m.src[next:end], " \t\r>")
	if len(s) < 3 || strings.Trim(s, "|-: \t") != "" || !strings.Contains(s, "--") && !strings.Contains(s, "|-") {
		return next
	}
	m.end()
	for after < len(m.src) {
		e, n := line(m.src, after)
		if strings.IndexByte(m.src[after:e], '|') < 0 {
			break
		}
		after = n
	}
	m.raw(doc.Table, at, after)
	return after
}

// html reads what HTML a line may begin with that is not for readers, or
// returns i. Other tags are markup in a paragraph.
func (m *markdown) html(i, end int) int {
	src := m.src
	if strings.HasPrefix(src[i:], "<!--") {
		if strings.Contains(src[i:end], "-->") {
			return i // inline leaves it out, and keeps what stands beside it
		}
		m.end()
		return m.behind(i, "-->")
	}
	for _, tag := range []string{"script", "style", "pre"} {
		if n := 1 + len(tag); i+n < len(src) && strings.EqualFold(src[i+1:i+n], tag) && !word(src[i+n]) {
			m.end()
			n := indexFold(src[i:], "</"+tag)
			if n < 0 {
				n = len(src) - i
			}
			if open := strings.IndexByte(src[i:i+n], '>'); tag == "pre" && open >= 0 {
				m.raw(doc.Code, i+open+1, i+n)
			}
			return m.behind(i+n, ">")
		}
	}
	return i
}

// blockTag reports whether a line begins with a tag that ends a paragraph, and
// the level when the line is a heading.
func blockTag(s string) (block bool, level int) {
	name := strings.TrimPrefix(s[1:], "/")
	n := 0
	for n < len(name) && n < 12 && word(name[n]) {
		n++
	}
	switch name = strings.ToLower(name[:n]); name {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		if indexFold(s, "</"+name) > 0 {
			return true, int(name[1] - '0')
		}
		return true, 0
	case "p", "div", "details", "summary", "table", "thead", "tbody", "tr", "td", "th", "ul", "ol", "li", "center", "hr", "dl", "dt", "dd", "blockquote", "section", "picture", "source", "figure", "figcaption":
		return true, 0
	}
	return false, 0
}

// behind returns where the line behind the one that holds mark begins. Going on
// within a line would make a long line of comments take quadratic time.
func (m *markdown) behind(at int, mark string) int {
	n := strings.Index(m.src[at:], mark)
	if n < 0 {
		return len(m.src)
	}
	_, next := line(m.src, at+n)
	return next
}

// indexFold is strings.Index without regard to the case of ASCII; sub is lower
// case and begins with a character that has none.
func indexFold(s, sub string) int {
	for at := 0; ; {
		i := strings.IndexByte(s[at:], sub[0])
		if i < 0 || at+i+len(sub) > len(s) {
			return -1
		}
		at += i
		if strings.EqualFold(s[at:at+len(sub)], sub) {
			return at
		}
		at++
	}
}
