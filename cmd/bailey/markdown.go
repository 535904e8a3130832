package main

import (
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// markdownPrinter writes one CommonMark 0.31 document: what documents and file
// names say is escaped, so that it is shown and never becomes a link, an image
// or markup. The only links are the citations.
type markdownPrinter struct {
	out     *output
	at      places
	title   string // plain text
	section indexv1.Section
	started bool
	listed  bool // the last lines are a list
	folded  bool // show what a model wrote without support
}

func (p *markdownPrinter) begin() {
	if !p.started {
		p.out.WriteString("# " + escapeMarkdown(p.title) + "\n\n")
		p.started = true
	}
}

func (p *markdownPrinter) sentence(s *indexv1.Sentence) {
	p.begin()
	if s.GetSection() != p.section {
		p.section = s.GetSection()
		if title := sectionTitle(p.section); title != "" {
			p.out.WriteString("## " + title + "\n\n")
		}
	}
	end := "\n\n"
	if p.section == indexv1.Section_SECTION_FILE {
		p.out.WriteString("- ")
		end = "\n"
		p.listed = true
	}
	for i, l := range shownLines(s) {
		if i > 0 {
			p.out.WriteString("\\\n") // a hard line break (section 6.7)
		}
		p.out.WriteString(escapeMarkdown(l))
	}
	for _, c := range s.GetCitations() {
		p.out.WriteString(" " + p.at.link(c))
	}
	p.out.WriteString(end)
}

func (p *markdownPrinter) endList() {
	if p.listed {
		p.out.WriteString("\n")
		p.listed = false
	}
}

// written is a section of its own, in a block quote: what stands there is not
// the documents'.
func (p *markdownPrinter) written(r *result) {
	p.begin()
	p.endList()
	p.out.WriteString("## " + escapeMarkdown(writtenTitle(r)) + "\n\n")
	for _, w := range r.shownWritten(p.folded) {
		p.out.WriteString("> " + escapeMarkdown(visible.Text(w.GetText())))
		if !w.GetSupported() {
			p.out.WriteString(" *(" + notInDocuments + ")*")
		}
		for _, c := range w.GetCitations() {
			p.out.WriteString(" (" + similarAt + p.at.link(c) + ")")
		}
		p.out.WriteString("\n>\n")
	}
	if len(r.shownWritten(p.folded)) > 0 {
		p.out.WriteString("\n")
	}
	for _, l := range r.writtenNotes(p.folded) {
		p.out.WriteString(escapeMarkdown(l) + "\n\n")
	}
}

func (p *markdownPrinter) finish(r *result) {
	p.begin()
	p.endList()
	if len(r.sentences) == 0 {
		p.out.WriteString(nothingLine(r) + "\n\n")
	}
	p.out.WriteString("## About this document\n\n")
	for _, l := range lastLines(r, p.at) {
		p.out.WriteString("- " + escapeMarkdown(l) + "\n")
	}
}

// escapeMarkdown escapes one line of plain text so that CommonMark shows it as
// it is (CommonMark 0.31, section 2.4: any ASCII punctuation may be escaped).
// What cannot mean anything where it stands is left alone, for those who read
// the source.
func escapeMarkdown(s string) string {
	var b strings.Builder
	start := true // nothing but digits so far
	before := ' '
	for i, r := range s {
		rest := strings.TrimPrefix(s[i:], string(r))
		escape := false
		switch r {
		case '\\', '`', '*', '[', ']', '<', '>', '|', '~', '$':
			escape = true
		case '_':
			// Inside a word it is a letter (section 6.2).
			next, _ := utf8.DecodeRuneInString(rest)
			escape = !letter(before) || rest == "" || !letter(next)
		case '&':
			escape = rest != "" && (rest[0] == '#' || letter(rune(rest[0])))
		case '#':
			// A heading, or the end of one.
			escape = start || strings.Trim(rest, "# ") == ""
		case '+', '-', '=', '.', ')':
			// A list, or the line below a heading.
			escape = start
		}
		if escape {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		if r < '0' || r > '9' {
			start = false
		}
		before = r
	}
	return b.String()
}

func letter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
