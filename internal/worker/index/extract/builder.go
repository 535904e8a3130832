package extract

import (
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// builder collects the blocks of a document. Scanners add pieces of the source
// to the open block and then close it in a role.
type builder struct {
	src string
	doc *doc.Document

	// The open block.
	buf     []byte
	spans   []doc.Span
	changed bool // buf is not one verbatim piece of the source
	gap     bool // white space stands before what is added next
	gapAt   int
	end     int

	// spill closes the open block when it has grown very long.
	spill func()

	// Parts: see Each.
	name   string
	part   int // bytes of text, 0 for all at once
	size   int // bytes of text so far in this part
	parted bool
	yield  func(*doc.Document) error
	err    error

	arena []doc.Span
	path  []string
	level []int
}

// open reports whether the open block has text.
func (b *builder) open() bool { return len(b.buf) > 0 }

// expect is where in the source the next byte must stand to need no new span.
func (b *builder) expect() int {
	s := b.spans[len(b.spans)-1]
	return s.Source + len(b.buf) - s.Text
}

func (b *builder) mark(at int) {
	if len(b.buf) == 0 {
		b.spans = append(b.spans[:0], doc.Span{Text: 0, Source: at})
		b.changed = false
		return
	}
	if b.expect() != at {
		b.spans = append(b.spans, doc.Span{Text: len(b.buf), Source: at})
		b.changed = true
	}
}

func (b *builder) flushGap() {
	if !b.gap {
		return
	}
	b.gap = false
	if n := len(b.buf); n == 0 || b.buf[n-1] == ' ' || b.buf[n-1] == '\n' {
		return
	}
	b.mark(b.gapAt)
	b.buf = append(b.buf, ' ')
	if b.src[b.gapAt] != ' ' {
		b.changed = true
	}
}

// verbatim adds source[from:to] as it is.
func (b *builder) verbatim(from, to int) {
	if from >= to {
		return
	}
	b.flushGap()
	b.mark(from)
	b.buf = append(b.buf, b.src[from:to]...)
	b.end = to
	if len(b.buf) > longParagraph && b.spill != nil {
		b.spill()
	}
}

// longParagraph is a text longer than any that people write, in bytes. It is
// read in pieces, since its tokens and spans would take ten times its size.
const longParagraph = 8 * limits.BlockText

// space notes that white space stands at the source offset at. Runs become one
// space; none stands at a block's ends.
func (b *builder) space(at int) {
	if !b.gap && len(b.buf) > 0 && at < len(b.src) {
		b.gap, b.gapAt = true, at
	}
}

// words adds source[from:to] with runs of white space made one space.
func (b *builder) words(from, to int) {
	src := b.src
	start := from
	for i := from; i < to; i++ {
		c := src[i]
		if c > ' ' && c != 0xc2 || c == ' ' && i > start && i+1 < to && src[i+1] > ' ' {
			continue
		}
		n := 1
		if c == 0xc2 { // U+00A0
			if i+1 >= to || src[i+1] != 0xa0 {
				continue
			}
			n = 2
		}
		b.verbatim(start, i)
		b.space(i)
		i += n - 1
		start = i + 1
	}
	b.verbatim(start, to)
}

// put adds s, which stands for source[at:end]: a decoded entity or escape, or
// what a macro means.
func (b *builder) put(s string, at, end int) {
	if s == "" {
		return
	}
	if len(s) > end-at {
		b.each(s, at, end)
		return
	}
	b.flushGap()
	opening := len(b.buf) == 0 || b.buf[len(b.buf)-1] == ' '
	if len(s) == 1 && !opening && end > at {
		// One byte can only stand for one end of its source: the last, unless
		// it begins a word, so that quotes of a range hold all of it.
		at = end - 1
	}
	b.mark(at)
	b.changed = true
	last := len(s) - 1
	b.buf = append(b.buf, s[:last]...)
	if len(s) > 1 {
		b.mark(max(end-1, at))
	}
	b.buf = append(b.buf, s[last])
	b.end = max(b.end, end)
}

// each adds s, all of whose bytes stand for source[at:end], which is shorter.
func (b *builder) each(s string, at, end int) {
	b.flushGap()
	for i := 0; i < len(s); i++ {
		b.mark(at)
		b.buf = append(b.buf, s[i])
	}
	b.changed = true
	b.end = max(b.end, end)
}

// drop forgets the open block.
func (b *builder) drop() {
	b.buf, b.gap = b.buf[:0], false
}

// close ends the open block in role, and returns its text.
func (b *builder) close(role doc.Role, level int) string {
	b.gap = false
	b.trim(role == doc.Code || role == doc.Table)
	if len(b.buf) == 0 {
		return ""
	}
	var text string
	if from := b.spans[0].Source; !b.changed && len(b.spans) == 1 {
		text = b.src[from : from+len(b.buf)]
	} else {
		text = string(b.buf)
	}
	spans := b.keep(b.spans)
	b.drop()
	if role == doc.Heading {
		b.enter(level, text)
	}
	limit := limits.BlockText
	if role == doc.Code || role == doc.Table {
		limit = limits.BlockCode
	}
	end := b.end
	for rest := 0; rest < len(text); {
		to := len(text)
		if to-rest > limit {
			to = rest + cut(text[rest:], limit, role == doc.Code || role == doc.Table)
		}
		blk := doc.Block{Role: role, Level: level, Text: text[rest:to], Path: b.path, End: end}
		if role == doc.Heading {
			blk.Path = b.path[:len(b.path)-1]
		}
		if rest == 0 && to == len(text) {
			blk.Spans = spans
		} else {
			blk.Spans = b.sub(spans, rest, to)
			if to < len(text) {
				blk.End = sourceOf(spans, to-1) + 1
			}
		}
		b.doc.Blocks = append(b.doc.Blocks, blk)
		if b.size += to - rest; b.part > 0 && b.size >= b.part {
			b.emit()
		}
		for to < len(text) && (text[to] == ' ' || text[to] == '\n') {
			to++
		}
		rest = to
	}
	return text
}

// trim leaves out the white space at the ends of the open block, but not the
// first line's indentation where lines are kept.
func (b *builder) trim(lines bool) {
	n := len(b.buf)
	for n > 0 && b.buf[n-1] <= ' ' {
		n--
	}
	if n < len(b.buf) {
		b.buf = b.buf[:n]
		for len(b.spans) > 1 && b.spans[len(b.spans)-1].Text >= n {
			b.spans = b.spans[:len(b.spans)-1]
		}
		if n > 0 {
			b.end = min(b.end, b.expect())
		}
	}
	k := 0
	for i := 0; i < n && b.buf[i] <= ' '; i++ {
		if b.buf[i] == '\n' || !lines {
			k = i + 1
		}
	}
	if k > 0 {
		b.spans = append(b.spans[:0], b.sub(b.spans, k, n)...)
		b.buf = append(b.buf[:0], b.buf[k:]...)
	}
}

// keep copies spans into memory that is taken in large pieces.
func (b *builder) keep(spans []doc.Span) []doc.Span {
	if cap(b.arena)-len(b.arena) < len(spans) {
		b.arena = make([]doc.Span, 0, max(256, len(spans)))
	}
	n := len(b.arena)
	b.arena = append(b.arena, spans...)
	return b.arena[n:len(b.arena):len(b.arena)]
}

func sourceOf(spans []doc.Span, at int) int {
	blk := doc.Block{Spans: spans, End: 1 << 62}
	s, _ := blk.SourceRange(at, at+1)
	return s
}

// sub returns the spans of text[from:to] alone.
func (b *builder) sub(spans []doc.Span, from, to int) []doc.Span {
	out := []doc.Span{{Text: 0, Source: sourceOf(spans, from)}}
	first := sort.Search(len(spans), func(i int) bool { return spans[i].Text > from })
	for _, s := range spans[first:] {
		if s.Text >= to {
			break
		}
		out = append(out, doc.Span{Text: s.Text - from, Source: s.Source})
	}
	return out
}

// cut returns where to cut s, at most at limit: behind a line or a word, or
// between characters.
func cut(s string, limit int, lines bool) int {
	if lines {
		if i := strings.LastIndexByte(s[:limit], '\n'); i > 0 {
			return i
		}
	}
	if i := strings.LastIndexByte(s[limit/2:limit], ' '); i > 0 {
		return limit/2 + i
	}
	for i := limit; i > limit-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return limit
}

// enter makes text the heading above what follows.
func (b *builder) enter(level int, text string) {
	n := len(b.level)
	for n > 0 && b.level[n-1] >= level {
		n--
	}
	if n >= limits.BlockNesting {
		n = limits.BlockNesting - 1
	}
	b.level = append(b.level[:n], level)
	b.path = append(append(make([]string, 0, n+1), b.path[:n]...), clip(text))
}

// clip cuts a title at its limit, between characters.
func clip(s string) string {
	if len(s) <= limits.DocTitle {
		return s
	}
	i := limits.DocTitle
	for i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return strings.TrimSpace(s[:i])
}

// raw closes source[from:to], lines kept, in role, without blank lines at its
// ends and white space at the end.
func (b *builder) raw(role doc.Role, from, to int) {
	b.close(doc.Prose, 0)
	for from < to {
		nl := strings.IndexByte(b.src[from:to], '\n')
		if nl < 0 || strings.TrimSpace(b.src[from:from+nl]) != "" {
			break
		}
		from += nl + 1
	}
	to = from + len(strings.TrimRight(b.src[from:to], " \t\r\n\f"))
	if from < to {
		spill := b.spill
		b.spill = nil // it knows nothing of role
		b.verbatim(from, to)
		b.close(role, 0)
		b.spill = spill
	}
}
