package office

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// style is what a style of a word processor says of the text in it.
type style struct {
	base    string
	heading int // level from 1, or 0
	title   bool
	list    bool
	hidden  bool
	toc     bool // a line of a table of contents
}

// styles go by their id.
type styles map[string]*style

// settle has each style take what it does not say from the one it is based on.
func (s styles) settle() {
	for _, st := range s {
		base := s[st.base]
		for range limits.OfficeStyles {
			if base == nil {
				break
			}
			if st.heading == 0 {
				st.heading = base.heading
			}
			st.list, st.hidden = st.list || base.list, st.hidden || base.hidden
			base = s[base.base]
		}
	}
}

func (s styles) get(id string) style {
	if st := s[id]; st != nil {
		return *st
	}
	return style{}
}

// wordStyles reads word/styles.xml.
func wordStyles(a *archive, part string) (styles, error) {
	all := styles{}
	if !a.has(part) {
		return all, nil
	}
	cur := &style{}
	err := a.part(part, func(t *tokens) error {
		return t.elements(func(name string) error {
			switch val := t.attr("val"); name {
			case "style":
				if len(all) >= limits.OfficeNames {
					return tooLarge
				}
				cur = &style{}
				all[t.attr("styleId")] = cur
			case "name":
				val = strings.ToLower(val)
				cur.title = val == "title"
				cur.toc = strings.HasPrefix(val, "toc ")
				if n, ok := strings.CutPrefix(val, "heading "); ok {
					cur.heading, _ = strconv.Atoi(n)
				} else if cur.title {
					cur.heading = 1
				}
			case "basedOn":
				cur.base = val
			case "outlineLvl":
				if n, err := strconv.Atoi(val); err == nil && n >= 0 && n < 9 {
					cur.heading = n + 1
				}
			case "numId":
				cur.list = val != "0"
			case "vanish":
				cur.hidden = on(val)
			case "pPrChange", "rPrChange":
				return t.skip()
			}
			return nil
		})
	})
	all.settle()
	return all, err
}

// word reads the body of a DOCX: word/document.xml, or its notes.
type word struct {
	t      *tokens
	styles styles
	notes  map[string]string // by kind and id
	emit   func(*wordParagraph)
	row    func([][]string)

	open   []*wordParagraph
	tables []*wordRow
	// boxes has the number of tables that were open when a text box began.
	boxes []int
}

type wordParagraph struct {
	text  []byte
	style style
	// inside says what is open: the paragraph's properties, or those of a run.
	properties, runProperties bool
	hidden                    bool // the run is
	notes                     []string
}

type wordRow struct {
	cells   [][]string
	deleted bool
}

// readWord reads a DOCX whose body is at t's root.
func readWord(p *paper, a *archive, t *tokens, rels relationSet) error {
	st, err := wordStyles(a, rels.kinds["styles"])
	if err != nil {
		return err
	}
	notes := map[string]string{}
	for _, kind := range []string{"footnote", "endnote"} {
		if err := wordNotes(a, rels.kinds[kind+"s"], kind, st, notes); err != nil {
			return err
		}
	}
	w := &word{t: t, styles: st, notes: notes, row: p.row}
	w.emit = func(b *wordParagraph) {
		switch s := b.style; {
		case s.toc:
			return
		case s.heading > 0:
			if s.title {
				p.named(string(b.text))
			}
			p.add(doc.Heading, s.heading, string(b.text))
		case s.list:
			p.add(doc.ListItem, 0, string(b.text))
		default:
			p.add(doc.Prose, 0, string(b.text))
		}
		for _, id := range b.notes {
			p.also(notes[id])
			delete(notes, id) // a note is read once, however often it is named
		}
	}
	if err := w.read(); err != nil {
		return err
	}
	return p.err
}

// wordNotes reads footnotes or endnotes.
func wordNotes(a *archive, part, kind string, st styles, notes map[string]string) error {
	if !a.has(part) {
		return nil
	}
	size := 0
	return a.part(part, func(t *tokens) error {
		return t.elements(func(name string) error {
			// The lines above notes are notes of a type too.
			if name != kind || t.attr("type") != "" && t.attr("type") != "normal" {
				return nil
			}
			var text []byte
			id := kind + t.attr("id")
			w := &word{t: t, styles: st, row: func(cells [][]string) {
				for _, c := range cells {
					text = append(text, strings.Join(c, " ")+" "...)
				}
			}}
			w.emit = func(b *wordParagraph) { text = append(append(text, b.text...), ' ') }
			if err := w.read(); err != nil {
				return err
			}
			if size += len(text); size > limits.OfficeText || len(notes) >= limits.OfficeParagraphs {
				return tooLarge
			}
			notes[id] = string(text)
			return nil
		})
	})
}

// read reads to the end of the element that is open.
func (w *word) read() error {
	depth := w.t.depth
	for {
		k, err := w.t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch k := k.(type) {
		case xml.StartElement:
			if err := w.start(k.Name.Local); err != nil {
				return err
			}
		case xml.EndElement:
			if w.t.depth < depth {
				return nil
			}
			w.end(k.Name.Local)
		}
	}
}

func (w *word) start(name string) error {
	switch name {
	case "p":
		w.open = append(w.open, &wordParagraph{})
	case "tbl":
		w.tables = append(w.tables, nil)
	case "tr":
		if n := len(w.tables); n > 0 {
			w.tables[n-1] = &wordRow{}
		}
	case "tc":
		if r := w.cell(); r != nil {
			r.cells = append(r.cells, nil)
		}
	case "txbxContent":
		w.boxes = append(w.boxes, len(w.tables))
	case "Fallback", "rt": // the same again for older programs; how it is read out
		return w.t.skip()
	case "rPrChange", "pPrChange", "sectPrChange", "tblPrChange", "tblPrExChange", "tblGridChange", "trPrChange", "tcPrChange":
		return w.t.skip() // what the properties were before they changed
	case "del", "moveFrom":
		if n := len(w.open); n == 0 && w.cell() != nil {
			w.cell().deleted = true
		}
		return w.t.skip()
	case "docPartGallery":
		if strings.HasPrefix(w.t.attr("val"), "Table of") {
			return w.skipContents()
		}
	}
	if n := len(w.open); n > 0 {
		return w.open[n-1].start(w, name)
	}
	return nil
}

// skipContents goes over the content of the block whose properties are open.
func (w *word) skipContents() error {
	for depth := w.t.depth; ; {
		k, err := w.t.next()
		if err != nil {
			return err
		}
		if _, ok := k.(xml.StartElement); ok && w.t.el.Name.Local == "sdtContent" {
			return w.t.skip()
		}
		if w.t.depth < depth-3 {
			return nil // the block ended without any
		}
	}
}

// start takes what stands in a paragraph.
func (b *wordParagraph) start(w *word, name string) error {
	val := w.t.attr("val")
	switch name {
	case "pPr":
		b.properties = true
	case "rPr":
		b.runProperties = true
	case "r":
		b.hidden = b.style.hidden
	case "pStyle":
		b.style = w.styles.get(val)
	case "outlineLvl":
		if n, err := strconv.Atoi(val); err == nil && n >= 0 && n < 9 {
			b.style.heading = n + 1
		}
	case "numId":
		b.style.list = val != "0"
	case "rStyle":
		b.hidden = b.hidden || w.styles.get(val).hidden
	case "vanish":
		// Of the paragraph's mark it hides the mark alone.
		if b.runProperties && !b.properties {
			b.hidden = on(val)
		}
	case "footnoteReference", "endnoteReference":
		if !b.hidden && len(b.notes) < limits.OfficeNames {
			b.notes = append(b.notes, strings.TrimSuffix(name, "Reference")+w.t.attr("id"))
		}
	case "t":
		s, err := w.t.text()
		if err == nil && !b.hidden {
			err = b.add(s)
		}
		return err
	case "tab", "br", "cr", "ptab":
		if !b.properties {
			return b.add(" ")
		}
	case "noBreakHyphen":
		return b.add("-")
	}
	return nil
}

func (b *wordParagraph) add(s string) error {
	if len(b.text)+len(s) > limits.OfficeToken {
		return tooLarge
	}
	b.text = append(b.text, s...)
	return nil
}

func (w *word) end(name string) {
	n := len(w.open)
	switch name {
	case "pPr":
		if n > 0 {
			w.open[n-1].properties = false
		}
	case "rPr":
		if n > 0 {
			w.open[n-1].runProperties = false
		}
	case "r":
		if n > 0 {
			w.open[n-1].hidden = false
		}
	case "p":
		if n > 0 {
			b := w.open[n-1]
			w.open = w.open[:n-1]
			w.done(b)
		}
	case "tr":
		if r := w.cell(); r != nil {
			w.tables[len(w.tables)-1] = nil
			if !r.deleted {
				w.row(r.cells)
			}
		}
	case "tbl":
		if n := len(w.tables); n > 0 {
			w.tables = w.tables[:n-1]
		}
	case "txbxContent":
		if n := len(w.boxes); n > 0 {
			w.boxes = w.boxes[:n-1]
		}
	}
}

// cell returns the row that is open, not counting tables around a text box.
func (w *word) cell() *wordRow {
	n, least := len(w.tables), 0
	if b := len(w.boxes); b > 0 {
		least = w.boxes[b-1]
	}
	if n <= least {
		return nil
	}
	return w.tables[n-1]
}

// done takes a paragraph that ended: into its cell, or out.
func (w *word) done(b *wordParagraph) {
	if r := w.cell(); r != nil && len(r.cells) > 0 && len(w.open) == 0 {
		c := &r.cells[len(r.cells)-1]
		if len(b.text) > 0 {
			*c = append(*c, string(b.text))
		}
		for _, id := range b.notes {
			*c = append(*c, w.notes[id])
			delete(w.notes, id)
		}
		return
	}
	w.emit(b)
}
