package pdf

import (
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/worker/pdf/layout"
	"github.com/bailey-run/bailey/internal/worker/pdf/pdfium"
)

// writer puts paragraphs together into messages.
type writer struct {
	out   func(*pdfv1.TextResponse) error
	held  []*pdfv1.Paragraph
	size  int // of what is held, bytes
	bytes int // of all text
	pages uint32
	quiet int // pages since the last message
}

// pagesQuiet is how many pages without text may pass without a message: whoever
// reads takes silence for a hang.
const pagesQuiet = 64

func (w *writer) paragraph(page int, p layout.Paragraph) error {
	for text := p.Text; text != ""; {
		var part string
		part, text = cut(text)
		if w.size+len(part) > limits.PDFMessage || len(w.held) == limits.PDFParagraphs {
			if err := w.send(&pdfv1.TextResponse{}); err != nil {
				return err
			}
		}
		w.held = append(w.held, &pdfv1.Paragraph{Page: uint32(page), Text: part, Heading: p.Heading})
		w.size += len(part)
		w.bytes += len(part)
	}
	if w.bytes > limits.TextFile {
		return pdfium.ErrEnded // nothing more is wanted of it
	}
	return nil
}

// page ends a page.
func (w *writer) page() error {
	if w.quiet++; w.quiet < pagesQuiet {
		return nil
	}
	return w.send(&pdfv1.TextResponse{})
}

// end sends what is held, and how it ended.
func (w *writer) end(unread pdfv1.Unread, title string) error {
	if unread != 0 {
		w.held = nil
	}
	return w.send(&pdfv1.TextResponse{Last: true, Unread: unread, Title: short(title), Pages: w.pages})
}

func (w *writer) send(m *pdfv1.TextResponse) error {
	m.Paragraphs = w.held
	w.held, w.size, w.quiet = nil, 0, 0
	if err := w.out(m); err != nil {
		return errs.From(err)
	}
	return nil
}

// cut takes from a text what fits into one paragraph, at the end of a word if one
// is near.
func cut(s string) (part, rest string) {
	if len(s) <= limits.PDFParagraphBytes {
		return s, ""
	}
	end := limits.PDFParagraphBytes
	for !utf8.RuneStart(s[end]) {
		end--
	}
	if i := strings.LastIndexByte(s[:end], ' '); i > end/2 {
		return s[:i], s[i+1:]
	}
	return s[:end], s[end:]
}

// short makes a title fit for one line.
func short(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if len(s) > limits.PDFTitle {
		return ""
	}
	return s
}
