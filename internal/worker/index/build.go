package index

import (
	"bytes"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/extract"
	"github.com/bailey-run/bailey/internal/worker/index/fold"
	"github.com/bailey-run/bailey/internal/worker/index/sentence"
	"github.com/bailey-run/bailey/internal/worker/index/store"
	"github.com/bailey-run/bailey/internal/worker/index/summary"
)

// builder turns texts into entries; one goroutine has one.
type builder struct {
	fold *fold.Folder
	buf  []byte
	once map[string]bool
	beat func() // called after each piece of a text
}

func newBuilder(beat func()) *builder {
	return &builder{fold: fold.New(), once: map[string]bool{}, beat: beat}
}

// build extracts t into e, a few megabytes at a time, so that a large file
// needs little more memory than its text.
// With part set, it is given the passages of each piece but the last.
func (b *builder) build(e *store.Entry, t doc.Text, part func(*store.Entry) error) error {
	line, base := 1, 0
	c := &chunker{builder: b, entry: e}
	c.name = b.fold.Append(nil, e.Path, "", false)
	if part != nil {
		c.entry = &store.Entry{}
	}
	for first := true; len(t.Source) > 0; first = false {
		var piece doc.Text
		piece, t = split(t, base)
		base += len(piece.Source)
		d := extract.Text(piece)
		if first {
			e.Lang, e.Title, e.Format, e.Licence = d.Language, d.Title, string(d.Format), d.Licence
		}
		c.document(d, line)
		if first {
			if len(c.leads) == 0 {
				c.leads = c.spare
			}
			e.Lead = store.EncodeLeads(thin(c.leads))
		}
		line += strings.Count(piece.Source, "\n")
		b.beat()
		if len(t.Source) > 0 && part != nil {
			if err := part(c.entry); err != nil {
				return err
			}
			c.entry = &store.Entry{}
		}
	}
	if c.entry != e {
		return part(c.entry)
	}
	return nil
}

// split takes a piece of about limits.IndexPiece bytes off t, whose paragraphs
// count from base: whole paragraphs where t has any, else whole lines where they
// are not longer than that. The piece's paragraphs count from its own beginning.
func split(t doc.Text, base int) (piece, rest doc.Text) {
	cut := len(t.Source)
	n := len(t.Paragraphs)
	switch {
	case cut <= limits.IndexPiece:
	case n > 0:
		n = max(1, sort.Search(n, func(i int) bool { return int(t.Paragraphs[i].End)-base > limits.IndexPiece }))
		if n < len(t.Paragraphs) {
			cut = int(t.Paragraphs[n].Start) - base
		}
	default:
		cut = limits.IndexPiece
		if i := strings.LastIndexByte(t.Source[:cut], '\n'); i >= 0 {
			cut = i + 1
		}
		for cut > 0 && t.Source[cut]&0xC0 == 0x80 {
			cut--
		}
	}
	piece, rest = t, t
	piece.Source, rest.Source = t.Source[:cut], t.Source[cut:]
	piece.Paragraphs, rest.Paragraphs = t.Paragraphs[:n], t.Paragraphs[n:]
	for i := range piece.Paragraphs {
		piece.Paragraphs[i].Start -= int32(base)
		piece.Paragraphs[i].End -= int32(base)
	}
	return piece, rest
}

// chunker cuts documents into passages of up to limits.IndexChunk bytes within
// one heading.
type chunker struct {
	*builder
	entry *store.Entry
	name  []byte
	leads []store.Lead
	spare []store.Lead // when there are none that are fit
	// where the last lead was looked for, and how many were found there
	section             string
	depth, taken, intro int

	d     *doc.Document
	line  int // of the document's first line
	at    int // offset that lineAt counted to
	cur   int // line there
	chunk *store.Chunk
	start int // offset of the chunk's source
	end   int
	size  int
	para  int // the last sentence's paragraph
}

func (c *chunker) document(d *doc.Document, line int) {
	c.d, c.line, c.at, c.cur = d, line, 0, line
	block := -1
	text := func(i int) { // blocks up to i that are not made of sentences
		for block++; block < i; block++ {
			c.lines(&d.Blocks[block])
		}
	}
	for s := range sentences(d) {
		begins := s.Block != block
		if begins {
			text(s.Block)
			block = s.Block
		}
		c.sentence(&d.Blocks[s.Block], s, begins)
	}
	text(len(d.Blocks))
	c.flush()
}

func sentences(d *doc.Document) func(func(doc.Sentence) bool) {
	return func(yield func(doc.Sentence) bool) { sentence.Each(d, yield) }
}

func (c *chunker) sentence(b *doc.Block, s doc.Sentence, begins bool) {
	role := store.Prose
	if c.d.Licence != "" {
		role = store.Licence
	}
	c.add(b, role, store.Sentence{Text: s.Text, Start: s.Start, End: s.End, Begins: begins})
	if role == store.Prose && len(c.leads) < limits.IndexLeadsSeen {
		c.lead(b, s)
	}
}

// lines adds a block of code, a table or a licence, a line a sentence.
func (c *chunker) lines(b *doc.Block) {
	role := store.Code
	switch b.Role {
	case doc.Code, doc.Table:
	case doc.LicenceText:
		role = store.Licence
	default:
		return
	}
	for from := 0; from < len(b.Text); {
		to := from + strings.IndexByte(b.Text[from:], '\n')
		if to < from {
			to = len(b.Text)
		}
		if line := strings.TrimSpace(b.Text[from:to]); line != "" {
			at := from + strings.Index(b.Text[from:to], line)
			start, end := b.SourceRange(at, at+len(line))
			if end > start && end <= len(c.d.Source) {
				c.add(b, role, store.Sentence{Text: line, Start: start, End: end, Begins: from == 0})
			}
		}
		from = to + 1
	}
}

// add puts a sentence, with its offsets in the document, into the passage.
func (c *chunker) add(b *doc.Block, role store.Role, s store.Sentence) {
	if s.End <= s.Start || s.End > len(c.d.Source) {
		return
	}
	s.Start, s.End = whole(c.d.Source, s.Start, s.End)
	head := c.head(b)
	if c.chunk != nil && (role != c.chunk.Role || head != c.chunk.Head || b.Page != c.chunk.Page || b.Paragraph < c.para || s.Start < c.end ||
		c.size+len(s.Text) > limits.IndexChunk || s.End-c.start > limits.IndexChunkSource) {
		c.flush()
	}
	if c.chunk == nil {
		c.chunk = &store.Chunk{Head: head, Role: role, Line: c.lineAt(s.Start), Page: b.Page}
		c.start, _ = doc.Beside(c.d.Source, s.Start, s.End)
		c.size = 0
	}
	c.para = b.Paragraph
	c.end = s.End
	c.size += len(s.Text) + 1
	c.chunk.Sentences = append(c.chunk.Sentences, store.Sentence{Text: s.Text, Start: s.Start - c.start, End: s.End - c.start, Begins: s.Begins,
		Item: b.Role == doc.ListItem, Paragraph: b.Paragraph})
}

// whole widens a range to whole characters: what an entity such as &eacute;
// became may be mapped to the middle of one.
func whole(source string, start, end int) (int, int) {
	for start > 0 && !utf8.RuneStart(source[start]) {
		start--
	}
	for end < len(source) && !utf8.RuneStart(source[end]) {
		end++
	}
	return start, end
}

func (c *chunker) lineAt(offset int) int {
	if offset < c.at {
		c.cur -= strings.Count(c.d.Source[offset:c.at], "\n")
	} else {
		c.cur += strings.Count(c.d.Source[c.at:offset], "\n")
	}
	c.at = offset
	return c.cur
}

func (c *chunker) head(b *doc.Block) string {
	path := b.Path
	if len(path) > 0 && path[0] == c.d.Title {
		path = path[1:]
	}
	head := c.d.Title
	for _, p := range path {
		if head != "" {
			head += " › "
		}
		head += p
	}
	if len(head) > limits.IndexHead {
		head = strings.ToValidUTF8(head[:limits.IndexHead], "")
	}
	return head
}

func (c *chunker) flush() {
	if c.chunk == nil {
		return
	}
	ch := c.chunk
	c.chunk, c.para = nil, 0
	_, end := doc.Beside(c.d.Source, c.start, c.end)
	ch.Source = c.d.Source[c.start:end]
	name := c.name
	if ch.Role != store.Prose {
		c.name = nil // the file's name finds its first passage of code; ranking sees it for all
	}
	c.entry.Add(ch, store.Tokens{Name: name, Head: c.tokens(false, ch.Head), Body: c.body(ch)})
}

// body returns the tokens of a passage; of code each once, since how often it
// names something says little, and each place costs space and time.
func (c *chunker) body(ch *store.Chunk) []byte {
	c.buf = c.buf[:0]
	for _, s := range ch.Sentences {
		c.buf = c.fold.Append(c.buf, s.Text, c.d.Language, true)
	}
	if ch.Role == store.Prose {
		return append([]byte(nil), c.buf...)
	}
	return c.unique()
}

func (c *chunker) tokens(drop bool, text string) []byte {
	c.buf = c.fold.Append(c.buf[:0], text, c.d.Language, drop)
	return c.unique()
}

// unique returns the tokens of buf, each once.
func (c *chunker) unique() []byte {
	clear(c.once)
	out := make([]byte, 0, len(c.buf))
	for from := 0; from < len(c.buf); {
		to := from + bytes.IndexByte(c.buf[from:], ' ') + 1
		if tok := c.buf[from:to]; !c.once[string(tok)] {
			c.once[string(tok)] = true
			out = append(out, tok...)
		}
		from = to
	}
	return out
}

// lead keeps s if it may stand for the file in a summary: the document's own
// description, its first sentences, and the first good one below each heading.
func (c *chunker) lead(b *doc.Block, s doc.Sentence) {
	section := ""
	if n := len(b.Path); n > 0 {
		section = b.Path[n-1]
	}
	if len(b.Path) != c.depth || section != c.section {
		c.depth, c.section, c.taken = len(b.Path), section, 0
	}
	level, want := 2, 1
	switch {
	case b.Role == doc.FrontMatter:
		level = 0
	case len(b.Path) <= 1 && c.intro < limits.IndexIntro:
		level, want = 1, limits.IndexIntro
	case len(b.Path) > 3:
		return
	}
	if c.taken >= want || s.End-s.Start > limits.IndexQuote {
		return
	}
	if !summary.Fit(s.Text, section, c.d.Format == doc.Man) {
		if len(c.leads) == 0 && len(c.spare) < limits.IndexIntro && utf8.RuneCountInString(s.Text) <= limits.SummaryText {
			c.spare = append(c.spare, c.cite(b, s, section, store.Spare))
		}
		return
	}
	c.taken++
	if level == 1 {
		c.intro++
	}
	c.leads = append(c.leads, c.cite(b, s, section, level))
}

func (c *chunker) cite(b *doc.Block, s doc.Sentence, section string, level int) store.Lead {
	start, end := whole(c.d.Source, s.Start, s.End)
	start, end = doc.Marked(c.d.Source, start, end)
	line := c.lineAt(start)
	quote := c.d.Source[start:end]
	return store.Lead{Text: s.Text, Head: section, Quote: quote, Line: line, End: line + strings.Count(quote, "\n"), Level: level, Page: b.Page, Paragraph: b.Paragraph}
}

// thin keeps the beginning and an even part of the rest.
func thin(leads []store.Lead) []store.Lead {
	if len(leads) <= limits.IndexLeads {
		return leads
	}
	out := append([]store.Lead(nil), leads[:limits.IndexIntro]...)
	rest := leads[limits.IndexIntro:]
	n := limits.IndexLeads - limits.IndexIntro
	for i := range n {
		out = append(out, rest[i*len(rest)/n])
	}
	return out
}
