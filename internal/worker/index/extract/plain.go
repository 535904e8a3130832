package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// line returns the line of s that begins at at, without its end, and where the
// next begins.
func line(s string, at int) (end, next int) {
	i := strings.IndexByte(s[at:], '\n')
	if i < 0 {
		return len(s), len(s)
	}
	end, next = at+i, at+i+1
	if i > 0 && s[end-1] == '\r' {
		end--
	}
	return end, next
}

func blank(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] > ' ' {
			return false
		}
	}
	return true
}

// row is a line of a group: its source without white space around it, and the
// column at which it begins.
type row struct{ from, to, col int }

// groupRows is how many lines are judged together. Longer groups are judged in
// parts, so that the slice stays small on files without blank lines.
const groupRows = 400

// plain reads text without markup: groups of lines between blank lines, of
// which each is a heading, a list, a table, code or a paragraph by its looks.
type plain struct {
	*builder
	rows    []row
	base    int // column at which most text stands
	style   string
	marks   string // underline characters in the order of their first use
	mail    bool
	first   bool
	noFence [81]bool // no AsciiDoc block of so many dashes ends
}

func scanPlain(b *builder, variant string) {
	p := &plain{builder: b, base: baseColumn(b.src), style: variant, first: true}
	p.mail = isMail(b.src)
	b.spill = func() { p.finish(doc.Prose) }
	p.all(0, len(b.src))
}

func (p *plain) all(at, to int) {
	for at < to {
		end, next := line(p.src, at)
		end = min(end, to)
		col, off := indent(p.src[at:end])
		if trimmed := strings.TrimRight(p.src[at+off:end], " \t\r\f"); trimmed != "" {
			p.rows = append(p.rows, row{at + off, at + off + len(trimmed), col})
			if len(p.rows) < groupRows {
				at = next
				continue
			}
		}
		p.group(p.rows)
		p.rows = p.rows[:0]
		at = next
	}
	p.group(p.rows)
	p.rows = p.rows[:0]
}

// baseColumn is the commonest column of the first lines.
func baseColumn(src string) int {
	var count [16]int
	src = src[:min(len(src), limits.SniffColumn)]
	for at := 0; at < len(src); {
		end, next := line(src, at)
		if col, off := indent(src[at:end]); at+off < end && col < len(count) {
			count[col]++
		}
		at = next
	}
	best := 0
	for c := range count {
		if count[c] > count[best] {
			best = c
		}
	}
	return best
}

func isMail(src string) bool {
	head := src[:min(len(src), limits.SniffMail)]
	if i := strings.Index(head, "\n\n"); i > 0 {
		head = head[:i]
	}
	return strings.Contains("\n"+head, "\nFrom: ") && strings.Contains("\n"+head, "\nSubject: ")
}

func (p *plain) text(r row) string { return p.src[r.from:r.to] }

// group judges a group of lines.
func (p *plain) group(rows []row) {
	for len(rows) > 0 {
		first := p.first
		p.first = false
		if n := p.headings(rows, first); n > 0 {
			rows = rows[n:]
			continue
		}
		if s := p.text(rows[0]); len(s) > 4 && s[0] == '[' && s[1] == ' ' && strings.HasSuffix(s, " ]") {
			p.lines(doc.Boilerplate, rows[:1]) // whose changes follow
			rows = rows[1:]
			continue
		}
		if divider(p.text(rows[0])) {
			rows = rows[1:]
			p.first = first
			continue
		}
		switch {
		case p.mail && first:
			p.mailHead(rows)
		case p.mail && p.src[rows[0].from] == '>':
			n := 1
			for n < len(rows) && p.src[rows[n].from] == '>' {
				n++
			}
			p.lines(doc.Boilerplate, rows[:n])
			rows = rows[n:]
			continue
		case p.changelog(rows):
		case p.columns(rows):
			p.lines(doc.Table, rows)
		case p.code(rows):
			p.lines(doc.Code, rows)
		default:
			p.paragraph(rows)
		}
		return
	}
}

// lines closes rows as they are.
func (p *plain) lines(role doc.Role, rows []row) {
	from := rows[0].from
	if i := strings.LastIndexByte(p.src[:from], '\n') + 1; role != doc.Boilerplate {
		from = i
	}
	p.raw(role, from, rows[len(rows)-1].to)
}

// headings closes the heading that rows begin with and returns its length in
// lines, or 0.
func (p *plain) headings(rows []row, first bool) int {
	s := p.text(rows[0])
	if len(rows) > 2 && divider(s) && divider(p.text(rows[2])) && !divider(p.text(rows[1])) && s[0] == p.src[rows[2].from] {
		p.heading(rows[1], p.markLevel(s[0]))
		return 3
	}
	if len(s) > 100 || divider(s) || strings.Contains(s, "; urgency=") {
		return 0
	}
	if len(rows) > 1 {
		u := p.text(rows[1])
		if divider(u) && same(u) && len(u) >= 3 && len(u) >= len(s)/2 && len(u) <= 2*len(s)+4 && strings.IndexByte("=-~^*#_+\"'`", u[0]) >= 0 {
			p.heading(rows[0], p.markLevel(u[0]))
			return 2
		}
	}
	alone := len(rows) == 1
	switch {
	case p.mail && first:
		return 0
	case capitals(s) && (alone || rows[1].col > rows[0].col) && rows[0].col <= p.base+2:
		if first {
			p.heading(rows[0], 1)
		} else {
			p.heading(rows[0], 2)
		}
	case alone && numbered(s) > 0 && rows[0].col <= p.base+2:
		p.heading(rows[0], numbered(s))
	case alone && first && len(s) <= 80 && letter(s[0]) && strings.IndexByte(".,;:{", s[len(s)-1]) < 0 && !codeLine(s):
		p.heading(rows[0], 1)
	case alone && s[len(s)-1] == ':' && len(s) <= 60 && len(strings.Fields(s)) <= 6 && rows[0].col <= p.base && upper(s[0]):
		p.heading(rows[0], 4)
	default:
		return 0
	}
	return 1
}

func (p *plain) heading(r row, level int) {
	s := strings.TrimRight(p.text(r), ":")
	p.inline(r.from, r.from+len(s))
	p.close(doc.Heading, level)
}

// markLevel is the level of headings underlined with c, by order of first use.
func (p *plain) markLevel(c byte) int {
	i := strings.IndexByte(p.marks, c)
	if i < 0 {
		i = len(p.marks)
		p.marks += string(rune(c))
	}
	return min(i+1, 6)
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

// divider reports whether s has no letter or digit.
func divider(s string) bool {
	for i := 0; i < len(s); i++ {
		if word(s[i]) {
			return false
		}
	}
	return len(s) > 0
}

func same(s string) bool { return strings.Count(s, s[:1]) == len(s) }

// capitals reports a line in capital letters.
func capitals(s string) bool {
	letters := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= 'a' && s[i] <= 'z' || s[i] >= 0x80 {
			return false
		}
		if upper(s[i]) {
			letters++
		}
	}
	return letters >= 4 && letters*2 > len(s) && strings.IndexByte(s, '=') < 0
}

// numbered returns the level of a numbered heading, or 0.
func numbered(s string) int {
	level, i := 0, 0
	for i < len(s) {
		j := i
		for j < len(s) && digit(s[j]) {
			j++
		}
		if j == i || j-i > 3 {
			break
		}
		level++
		i = j
		if i < len(s) && s[i] == '.' {
			i++
		}
	}
	if level == 0 || i >= len(s) || s[i] != ' ' || len(s) > 80 {
		return 0
	}
	t := strings.TrimLeft(s[i:], " ")
	if t == "" || !upper(t[0]) || strings.IndexByte(".,;:!?", t[len(t)-1]) >= 0 || len(strings.Fields(t)) > 9 {
		return 0
	}
	return min(level, 6)
}

// columns reports whether rows are a table: words far apart in most lines.
func (p *plain) columns(rows []row) bool {
	if len(rows) < 2 {
		return false
	}
	n := 0
	for _, r := range rows {
		s := p.text(r)
		if m, ok := bullet(s); ok {
			s = strings.TrimLeft(s[m:], " \t")
		}
		if strings.Contains(s, "   ") || strings.IndexByte(s, '\t') >= 0 || strings.Count(s, "|") > 1 {
			n++
		}
	}
	return n*10 >= len(rows)*6
}

// code reports whether rows are code, by their signs or by their column.
func (p *plain) code(rows []row) bool {
	if p.style == "rst" || p.style == "adoc" {
		return false // these say themselves what is code
	}
	n := 0
	deep := true
	for _, r := range rows {
		if codeLine(p.text(r)) {
			n++
		}
		deep = deep && r.col >= p.base+4
	}
	if n*2 >= len(rows) {
		return true
	}
	if !deep {
		return false
	}
	if _, ok := bullet(p.text(rows[0])); ok {
		return false
	}
	return !proseLike(p.src[rows[0].from:rows[len(rows)-1].to])
}

// codeLine reports whether a line looks as if it were written for a machine.
func codeLine(s string) bool {
	if len(s) < 2 {
		return false
	}
	switch s[len(s)-1] {
	case ';', '{', '}', '\\':
		return true
	}
	for _, p := range []string{"$ ", "% ", ">>> ", "#include", "#!/", "./", "sudo ", "$(", "<?", "</", "-->", "@@ "} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	signs := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '}', '[', ']', ';', '=', '<', '>', '|', '&', '$', '\\', '_', '*', '%', '^', '~':
			signs += 2
		case '(', ')', '/', '"', '#', '+':
			signs++
		}
	}
	return signs*4 > len(s) && signs > 3
}

// proseLike reports whether s reads like a sentence: mostly letters, some
// words, and an end.
func proseLike(s string) bool {
	letters := 0
	for i := 0; i < len(s); i++ {
		if word(s[i]) && !digit(s[i]) || s[i] <= ' ' || s[i] == ',' || s[i] == '.' {
			letters++
		}
	}
	if letters*100 < len(s)*88 || len(s) < 24 {
		return false
	}
	words := 1 + strings.Count(s, " ")
	c := s[len(s)-1]
	return words >= 5 && (c == '.' || c == ':' || c == '!' || c == '?' || c == ')' || words >= 12)
}

// bullet returns the length of the mark of a list item.
func bullet(s string) (int, bool) {
	if len(s) < 2 {
		return 0, false
	}
	n := 0
	switch c := s[0]; {
	case c == '-' || c == '*' || c == '+' || c == 'o':
		n = 1
	case strings.HasPrefix(s, "•") || strings.HasPrefix(s, "–"):
		n = 3
	case strings.HasPrefix(s, "·"):
		n = 2
	case digit(c):
		for n < len(s) && n < 4 && digit(s[n]) {
			n++
		}
		if n == len(s) || s[n] != '.' && s[n] != ')' {
			return 0, false
		}
		n++
	case c == '(' && len(s) > 3 && word(s[1]):
		n = strings.IndexByte(s[:min(len(s), 6)], ')') + 1
		if n < 3 {
			return 0, false
		}
	case letter(c) && s[1] == ')':
		n = 2
	}
	if n == 0 || n >= len(s) || s[n] != ' ' && s[n] != '\t' {
		return 0, false
	}
	return n, true
}

// paragraph closes rows as text, with the items of lists apart.
func (p *plain) paragraph(rows []row) {
	role := doc.Prose
	loose := p.ragged(rows)
	for i, r := range rows {
		from := r.from
		s := p.text(r)
		if loose && i > 0 && role == doc.Prose && !lower(s[0]) {
			p.finish(role)
		}
		if n, ok := bullet(s); ok && (i == 0 || role == doc.ListItem || s[0] == '-' || s[0] == '*' || r.col != rows[i-1].col) {
			p.finish(role)
			role = doc.ListItem
			from += n
		} else if divider(s) {
			p.finish(role)
			role = doc.Prose
			continue
		} else if i > 0 && role == doc.Prose && r.col >= rows[i-1].col+3 && rows[i-1].col == rows[0].col && strings.HasSuffix(p.text(rows[i-1]), ":") {
			p.finish(role)
		}
		p.inline(from, r.to)
		p.space(r.to)
	}
	p.finish(role)
}

// ragged reports lines that were not broken for lack of room: most of the time
// the next line's first word would have fit. Such lines are names, commands or
// verses, and make no sentence together.
func (p *plain) ragged(rows []row) bool {
	if len(rows) < 3 {
		return false
	}
	width := 40
	for _, r := range rows {
		width = max(width, r.col+r.to-r.from)
	}
	fit := 0
	for i, r := range rows[:len(rows)-1] {
		next := p.text(rows[i+1])
		if n := strings.IndexByte(next, ' '); n >= 0 {
			next = next[:n]
		}
		if r.col+r.to-r.from+1+len(next) <= width {
			fit++
		}
	}
	return fit*10 >= (len(rows)-1)*7
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' }

// finish closes the open block; what has no word worth the name is kept apart.
func (p *plain) finish(role doc.Role) {
	if len(p.buf) > 400 {
		if spaces := strings.Count(string(p.buf[:400]), " "); spaces < 4 && ascii(p.buf[:400]) {
			role = doc.Boilerplate // base64 and the like
		}
	}
	p.close(role, 0)
}

func ascii(s []byte) bool {
	for _, c := range s {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// inline adds source[from:to] without the marks of the document's style.
func (p *plain) inline(from, to int) {
	if p.style == "rst" || p.style == "adoc" {
		p.markup(from, to)
		return
	}
	p.words(from, to)
}

// changelog knows the entries of Debian's (deb-changelog(5)) and GNU's
// changelogs, and reports whether rows were one.
func (p *plain) changelog(rows []row) bool {
	s := p.text(rows[0])
	switch {
	case rows[0].col == 0 && strings.Contains(s, "; urgency="):
		p.heading(rows[0], 2)
	case rows[0].col == 1 && strings.HasPrefix(s, "-- ") && strings.IndexByte(s, '<') > 0:
		p.lines(doc.Boilerplate, rows[:1])
	case rows[0].col == 0 && date(s) && (strings.IndexByte(s, '<') > 0 || len(rows) == 1):
		p.heading(rows[0], 2)
	default:
		return false
	}
	if len(rows) > 1 {
		p.group(rows[1:])
	}
	return true
}

// date reports whether s begins with a date as changelogs write it.
func date(s string) bool {
	return len(s) > 10 && digit(s[0]) && digit(s[3]) && s[4] == '-' && digit(s[5]) && s[7] == '-' && digit(s[9])
}

// mailHead takes the subject out of a mail's header.
func (p *plain) mailHead(rows []row) {
	for _, r := range rows {
		if s, ok := strings.CutPrefix(p.text(r), "Subject: "); ok {
			p.words(r.to-len(s), r.to)
			p.doc.Title = p.close(doc.Heading, 1)
			continue
		}
		p.words(r.from, r.to)
		p.close(doc.Boilerplate, 0)
	}
}

// pieces closes source[from:to] in parts that end at blank lines or at the
// limit, lines kept.
func (b *builder) pieces(role doc.Role, from, to int) {
	start := from
	for at := from; at < to; {
		end, next := line(b.src, at)
		next = min(next, to)
		if at-start >= limits.BlockCode/8 && blank(b.src[at:min(end, to)]) || next-start > limits.BlockCode {
			b.raw(role, start, at)
			start = at
			if next-start > limits.BlockText {
				b.long(role, start, next)
				start = next
			}
		}
		at = next
	}
	if start < to {
		b.raw(role, start, to)
	}
}

// long closes a very long line.
func (b *builder) long(role doc.Role, from, to int) {
	for from < to {
		n := to - from
		if n > limits.BlockCode {
			n = cut(b.src[from:to], limits.BlockCode, false)
		}
		b.raw(role, from, from+n)
		from += n
	}
}
