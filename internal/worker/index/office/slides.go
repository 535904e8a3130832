package office

import (
	"encoding/xml"
	"io"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// readPresentation reads a PPTX whose list of slides is at t's root. A slide is
// a page; its title comes first, its notes last.
func readPresentation(p *paper, a *archive, t *tokens, rels relationSet) error {
	seen := map[string]bool{}
	return t.elements(func(name string) error {
		if name != "sldId" {
			return nil
		}
		id := ""
		for _, at := range t.el.Attr {
			if at.Name.Local == "id" && at.Name.Space != "" {
				id = at.Value // its other id has no name space
			}
		}
		part := rels.ids[id]
		p.turn("") // hidden slides count, as in every program
		if seen[part] {
			return damaged
		}
		seen[part] = true
		if err := readSlide(p, a, part); err != nil {
			return err
		}
		return p.err
	})
}

func readSlide(p *paper, a *archive, part string) error {
	s := &slide{}
	if err := a.part(part, s.read); err != nil {
		return err
	}
	if s.hidden {
		return nil
	}
	rels, err := relations(a, part)
	if err != nil {
		return err
	}
	s.write(p)
	notes := rels.kinds["notesSlide"]
	if !a.has(notes) {
		return nil
	}
	n := &slide{notes: true}
	if err := a.part(notes, n.read); err != nil {
		return err
	}
	n.write(p)
	return nil
}

// slide is what stands on a slide, or on the page of its notes.
type slide struct {
	notes  bool
	hidden bool
	title  []string
	body   []func(*paper)
	size   int

	t     *tokens
	place string // the placeholder that the shape fills
	cells [][]string
	inRow bool
}

func (s *slide) write(p *paper) {
	if title := clean(strings.Join(s.title, " ")); title != "" {
		p.named(title)
		p.add(doc.Heading, 1, title)
	}
	for _, f := range s.body {
		f(p)
	}
}

func (s *slide) read(t *tokens) error {
	root, err := t.root()
	if err != nil {
		return err
	}
	if v := t.attr("show"); root == "sld" && v != "" && !on(v) {
		s.hidden = true
		return nil
	}
	s.t = t
	for {
		k, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch k := k.(type) {
		case xml.StartElement:
			if err := s.start(k.Name.Local); err != nil {
				return err
			}
		case xml.EndElement:
			s.end(k.Name.Local)
		}
	}
}

func (s *slide) start(name string) error {
	switch name {
	case "sp", "graphicFrame":
		s.place = ""
	case "cNvPr":
		if v := s.t.attr("hidden"); v != "" && on(v) {
			return s.skipShape()
		}
	case "ph":
		s.place = s.t.attr("type")
		if s.place == "" {
			s.place = "body"
		}
	case "Fallback":
		return s.t.skip()
	case "tr":
		s.inRow, s.cells = true, nil
	case "tc":
		s.cells = append(s.cells, nil)
	case "p":
		text, err := s.paragraph()
		if err != nil {
			return err
		}
		return s.add(text)
	}
	return nil
}

// skipShape goes behind the shape whose name and properties are open.
func (s *slide) skipShape() error {
	// sp > nvSpPr > cNvPr: two levels above.
	for depth := s.t.depth - 2; s.t.depth >= depth; {
		if _, err := s.t.next(); err != nil {
			return err
		}
	}
	return nil
}

// paragraph returns the text of the paragraph that was just begun.
func (s *slide) paragraph() (string, error) {
	var b strings.Builder
	for depth := s.t.depth; s.t.depth >= depth; {
		k, err := s.t.next()
		if err != nil {
			return "", err
		}
		if _, ok := k.(xml.StartElement); !ok {
			continue
		}
		switch s.t.el.Name.Local {
		case "t":
			text, err := s.t.text()
			if err != nil {
				return "", err
			}
			if b.Len()+len(text) > limits.OfficeToken {
				return "", tooLarge
			}
			b.WriteString(text)
		case "br":
			b.WriteByte(' ')
		case "fld": // the slide's number, today's date
			if err := s.t.skip(); err != nil {
				return "", err
			}
		}
	}
	return b.String(), nil
}

func (s *slide) add(text string) error {
	if text = clean(text); text == "" {
		return nil
	}
	if s.size += len(text); s.size > limits.OfficeText || len(s.body) > limits.OfficeParagraphs {
		return tooLarge
	}
	if s.inRow {
		if n := len(s.cells); n > 0 {
			s.cells[n-1] = append(s.cells[n-1], text)
		}
		return nil
	}
	role := doc.Prose
	switch s.place {
	case "title", "ctrTitle":
		if !s.notes {
			s.title = append(s.title, text)
			return nil
		}
	case "body":
		if !s.notes {
			role = doc.ListItem
		}
	case "dt", "ftr", "hdr", "sldNum", "sldImg":
		return nil
	}
	if s.notes && s.place != "body" {
		return nil
	}
	s.body = append(s.body, func(p *paper) { p.add(role, 0, text) })
	return nil
}

func (s *slide) end(name string) {
	if name == "tr" && s.inRow {
		s.inRow = false
		cells := s.cells
		s.body = append(s.body, func(p *paper) { p.row(cells) })
	}
}
