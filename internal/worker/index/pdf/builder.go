package pdf

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// builder puts a document together.
type builder struct {
	list  []*pdfv1.Paragraph
	bytes int
	pages int
	title string
}

// add takes one message, and refuses when the document becomes larger than may be.
func (b *builder) add(m *pdfv1.TextResponse) bool {
	for _, p := range m.GetParagraphs() {
		p.Text = strings.TrimSpace(strings.Map(printable, p.GetText()))
		if p.Text == "" {
			continue
		}
		if n := len(b.list); n > 0 && p.GetPage() < b.list[n-1].GetPage() {
			p.Page = b.list[n-1].GetPage() // pages come in order
		}
		b.list = append(b.list, p)
		b.bytes += len(p.Text)
		b.pages = max(b.pages, int(p.GetPage()))
	}
	if m.GetLast() {
		b.title = m.GetTitle()
	}
	return b.bytes <= limits.TextFile && len(b.list) <= limits.PDFDocument
}

func printable(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

func (b *builder) empty() bool { return len(b.list) == 0 }

// text is the document: each page begins with a line that says which it is, and each
// paragraph is a line, with an empty one behind it.
func (b *builder) text() doc.Text {
	running := b.running()
	t := doc.Text{Format: doc.PDF, Title: b.title}
	var s strings.Builder
	s.Grow(b.bytes + 2*len(b.list) + 16*b.pages)
	page, number := uint32(0), int32(0)
	for i, p := range b.list {
		if p.GetPage() != page {
			page, number = p.GetPage(), 0
			fmt.Fprintf(&s, "[page %d]\n\n", page)
		}
		start := s.Len()
		s.WriteString(p.GetText())
		if !running[i] && !contents(p.GetText()) {
			number++
			q := doc.Paragraph{Start: int32(start), End: int32(s.Len()), Page: int32(page), Number: number}
			if p.GetHeading() {
				q.Role, q.Level = doc.Heading, headingLevel
			}
			t.Paragraphs = append(t.Paragraphs, q)
		}
		s.WriteString("\n\n")
	}
	t.Source = s.String()
	return t
}

// contents reports whether a paragraph is a line of a table of contents: dots lead
// from its words to a page.
func contents(s string) bool { return strings.Contains(s, ". . . .") || strings.Contains(s, ".....") }

// headingLevel is that of all headings: how they stand to one another their size
// alone does not say.
const headingLevel = 2

// Paragraphs at the edge of a page are its running head or foot when they come again
// on other pages, but for numbers.
const (
	edge      = 2   // from the page's top and bottom
	runs      = 4   // pages, at least
	runLength = 120 // bytes, at most
)

// running tells which paragraphs are.
func (b *builder) running() []bool {
	atEdge := make([]bool, len(b.list))
	for from := 0; from < len(b.list); {
		to := from
		for to < len(b.list) && b.list[to].GetPage() == b.list[from].GetPage() {
			to++
		}
		for i := from; i < to; i++ {
			atEdge[i] = i-from < edge || to-1-i < edge
		}
		from = to
	}
	keys := make([]string, len(b.list))
	pages := map[string]int{}
	last := map[string]uint32{}
	for i, p := range b.list {
		if !atEdge[i] || len(p.GetText()) > runLength {
			continue
		}
		keys[i] = strings.Map(withoutNumbers, p.GetText())
		if last[keys[i]] != p.GetPage() {
			last[keys[i]] = p.GetPage()
			pages[keys[i]]++
		}
	}
	out := make([]bool, len(b.list))
	all := 0
	for i, p := range b.list {
		out[i] = atEdge[i] && len(p.GetText()) <= runLength && pages[keys[i]] >= runs
		if out[i] {
			all++
		}
	}
	if all == len(b.list) {
		return make([]bool, len(b.list)) // there is nothing else
	}
	return out
}

// withoutNumbers drops what changes from page to page: digits, and small Roman
// numbers with them.
func withoutNumbers(r rune) rune {
	if unicode.IsDigit(r) || unicode.IsSpace(r) {
		return -1
	}
	return unicode.ToLower(r)
}
