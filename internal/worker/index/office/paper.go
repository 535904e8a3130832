package office

import (
	"fmt"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// paper is what a file's text is written on: a paragraph a line, with marks for
// people before it that are no part of the paragraph.
type paper struct {
	source     strings.Builder
	paragraphs []doc.Paragraph
	title      string
	page       int32
	number     int32
	err        error
}

// named gives the document its title, unless it has one.
func (p *paper) named(title string) {
	if p.title == "" {
		p.title = clean(title)
	}
}

// turn begins a page, slide, sheet or chapter; its name is for people alone.
func (p *paper) turn(name string) {
	if p.page++; p.page > limits.OfficePages {
		p.fail(tooLarge)
		return
	}
	p.number = 0
	if p.source.Len() > 0 {
		p.write("\n")
	}
	p.write(fmt.Sprintf("— %d", p.page))
	if name = clean(name); name != "" {
		p.write(": ")
		p.mark(doc.Heading, 1, name, given(name))
	}
	p.write(" —\n")
}

// given reports a name that a person gave, which is a heading, and no "Sheet1".
func given(name string) bool {
	word := strings.TrimRight(name, "0123456789")
	return word == name || strings.Contains(word, " ")
}

func (p *paper) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *paper) write(s string) {
	if p.source.Len()+len(s) > limits.OfficeText {
		p.fail(tooLarge)
	}
	if p.err == nil {
		p.source.WriteString(s)
	}
}

// add writes the next paragraph; one without text is none.
func (p *paper) add(role doc.Role, level int, text string) {
	if text = clean(text); text != "" {
		p.number++
		p.line(role, level, text)
	}
}

// also writes text that belongs to the paragraph before it, as footnotes do.
func (p *paper) also(text string) {
	if text = clean(text); text != "" {
		p.line(doc.Prose, 0, text)
	}
}

// block writes a paragraph whose lines are kept.
func (p *paper) block(role doc.Role, text string) {
	if text = strings.Trim(text, "\n"); strings.TrimSpace(text) != "" {
		p.number++
		p.line(role, 0, text)
	}
}

func (p *paper) line(role doc.Role, level int, text string) {
	switch role {
	case doc.Heading:
		level = min(max(level, 1), 9)
		p.write(strings.Repeat("#", min(level, 6)) + " ")
	case doc.ListItem:
		p.write("- ")
	}
	p.mark(role, level, text, true)
	p.write("\n")
}

// mark writes text, which is a paragraph or stands there for people alone.
func (p *paper) mark(role doc.Role, level int, text string, indexed bool) {
	start := p.source.Len()
	p.write(text)
	if !indexed {
		return
	}
	if len(p.paragraphs) >= limits.OfficeParagraphs {
		p.fail(tooLarge)
	}
	if p.err == nil {
		p.paragraphs = append(p.paragraphs, doc.Paragraph{Start: int32(start), End: int32(start + len(text)), Page: p.page, Number: p.number, Role: role, Level: uint8(level)})
	}
}

// row writes a row of a table: as one line, or, when its cells are a layout,
// with each of their paragraphs as one.
func (p *paper) row(cells [][]string) {
	var line []string
	layout := false
	for _, c := range cells {
		if s := clean(strings.Join(c, " ")); s != "" {
			line = append(line, s)
			layout = layout || len(s) > limits.OfficeCell
		}
	}
	if len(line) > 1 && !layout {
		p.add(doc.Table, 0, strings.Join(line, " | "))
		return
	}
	for _, c := range cells {
		for _, s := range c {
			p.add(doc.Prose, 0, s)
		}
	}
}

// clean makes each run of white space one space.
func clean(s string) string { return strings.Join(strings.Fields(s), " ") }
