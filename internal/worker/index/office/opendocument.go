package office

import (
	"encoding/xml"
	"io"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// readOpenDocument reads ODT, ODS and ODP: content.xml, all in one.
func readOpenDocument(p *paper, a *archive) (doc.Format, error) {
	if a.has("META-INF/manifest.xml") {
		err := a.part("META-INF/manifest.xml", func(t *tokens) error {
			return t.elements(func(name string) error {
				if name == "encryption-data" {
					return encrypted
				}
				return nil
			})
		})
		if err != nil {
			return "", err
		}
	}
	o := &openDocument{p: p, hidden: map[string]bool{}}
	if a.has("styles.xml") {
		if err := a.part("styles.xml", func(t *tokens) error {
			o.t = t
			return t.elements(o.style)
		}); err != nil {
			return "", err
		}
	}
	if err := a.part("content.xml", func(t *tokens) error {
		o.t = t
		return o.read()
	}); err != nil {
		return "", err
	}
	if o.format == "" {
		return "", damaged
	}
	return o.format, readTitle(p, a, "meta.xml")
}

type openDocument struct {
	p      *paper
	t      *tokens
	format doc.Format
	// hidden has the styles whose text, row, column or page is not shown.
	hidden map[string]bool
	family string // of the style that is open
	named  string

	open   []*odParagraph
	lists  int
	place  string // what a frame of a slide is for
	notes  int    // depth of the notes of a slide, or 0
	tables []*odTable
}

type odParagraph struct {
	role  doc.Role
	level int
	text  []byte
	depth int
	notes []string
	// cell is the row that it stands in when it began, or nil.
	cell *odTable
}

// odTable is a table of a text or a slide, or a sheet.
type odTable struct {
	sheet   *table
	cells   [][]string
	at      []int  // the columns of the cells
	columns []bool // hidden ones of a sheet
	row     int
	column  int
	repeat  int
	skip    bool
	numbers map[int]bool // columns whose cell is a number
	size    int
}

// style notes a style that hides.
func (o *openDocument) style(name string) error {
	t := o.t
	switch name {
	case "style", "default-style", "list-style", "outline-style":
		o.family, o.named = t.attr("family"), t.attr("name")
		return nil
	case "text-properties":
		if t.attr("display") == "none" || t.attr("display") == "true" && o.family == "" {
			return o.hide()
		}
	case "table-properties":
		if t.attr("display") == "false" {
			return o.hide()
		}
	case "drawing-page-properties":
		if t.attr("visibility") == "hidden" {
			return o.hide()
		}
	}
	return nil
}

func (o *openDocument) hide() error {
	if len(o.hidden) >= limits.OfficeNames {
		return tooLarge
	}
	o.hidden[o.family+" "+o.named] = true
	return nil
}

func (o *openDocument) read() error {
	for {
		k, err := o.t.next()
		if err == io.EOF {
			return o.p.err
		}
		if err != nil {
			return err
		}
		switch k := k.(type) {
		case xml.StartElement:
			if err := o.start(k.Name.Local); err != nil {
				return err
			}
		case xml.CharData:
			if n := len(o.open); n > 0 {
				if err := o.open[n-1].add(string(k)); err != nil {
					return err
				}
			}
		case xml.EndElement:
			o.end(k.Name.Local)
		}
		if o.p.err != nil {
			return o.p.err
		}
	}
}

func (b *odParagraph) add(s string) error {
	if len(b.text)+len(s) > limits.OfficeToken {
		return tooLarge
	}
	b.text = append(b.text, s...)
	return nil
}

func (o *openDocument) start(name string) error {
	t := o.t
	switch name {
	case "text", "spreadsheet", "presentation":
		if o.format == "" && strings.HasSuffix(t.el.Name.Space, "office:1.0") {
			o.format = doc.Format(map[string]string{"text": "odt", "spreadsheet": "ods", "presentation": "odp"}[name])
		}
		return nil
	}
	if o.format == "" {
		return o.style(name)
	}
	switch name {
	case "tracked-changes", "annotation", "annotation-end", "table-of-content", "alphabetical-index", "illustration-index", "hidden-text",
		"shapes", "header", "footer", "date-time", "page-number", "event-listeners", "ruby-text", "desc", "title", "settings", "forms":
		return t.skip()
	case "section":
		if d := t.attr("display"); d == "none" || d == "condition" {
			return t.skip()
		}
	case "hidden-paragraph":
		if n := len(o.open); n > 0 && t.attr("is-hidden") == "true" {
			o.open[n-1].text, o.open[n-1].level = nil, -1
		}
	case "page":
		o.p.turn("")
		if o.hidden["drawing-page "+t.attr("style-name")] {
			return t.skip()
		}
	case "notes":
		o.notes = t.depth
	case "frame", "custom-shape":
		o.place = t.attr("class")
	case "list":
		o.lists++
	case "note":
		return o.note()
	case "h", "p":
		return o.paragraph(name)
	case "span":
		if o.hidden["text "+t.attr("style-name")] {
			return t.skip()
		}
	case "s":
		return o.put(" ")
	case "tab", "line-break":
		return o.put(" ")
	case "table":
		return o.table()
	case "table-column", "table-row", "table-cell", "covered-table-cell":
		if n := len(o.tables); n > 0 {
			return o.tables[n-1].start(o, name)
		}
	}
	return nil
}

func (o *openDocument) put(s string) error {
	if n := len(o.open); n > 0 {
		return o.open[n-1].add(s)
	}
	return nil
}

// paragraph begins one, unless its style hides it.
func (o *openDocument) paragraph(name string) error {
	t := o.t
	if o.hidden["paragraph "+t.attr("style-name")] {
		return t.skip()
	}
	b := &odParagraph{depth: t.depth}
	switch {
	case name == "h":
		b.role, b.level = doc.Heading, max(1, min(9, number(t.attr("outline-level"), 1)))
	case strings.HasPrefix(t.attr("style-name"), "Title"):
		b.role, b.level = doc.Heading, 1
	case o.format == "odp" && o.place == "title" && o.notes == 0:
		b.role, b.level = doc.Heading, 1
	case o.format == "odp" && o.place == "outline", o.lists > 0:
		b.role = doc.ListItem
	}
	if n := len(o.tables); n > 0 && len(o.open) == 0 {
		b.cell = o.tables[n-1]
	}
	o.open = append(o.open, b)
	return nil
}

// note reads a footnote, whose mark stands in the open paragraph.
func (o *openDocument) note() error {
	var text []byte
	t := o.t
	for depth := t.depth; t.depth >= depth; {
		k, err := t.next()
		if err != nil {
			return err
		}
		switch k := k.(type) {
		case xml.StartElement:
			if k.Name.Local == "note-citation" {
				if err := t.skip(); err != nil {
					return err
				}
			}
		case xml.CharData:
			if len(text)+len(k) > limits.OfficeToken {
				return tooLarge
			}
			text = append(text, k...)
		case xml.EndElement:
			if k.Name.Local == "p" {
				text = append(text, ' ')
			}
		}
	}
	if n := len(o.open); n > 0 {
		o.open[n-1].notes = append(o.open[n-1].notes, string(text))
	}
	return nil
}

func (o *openDocument) end(name string) {
	switch name {
	case "list":
		o.lists = max(0, o.lists-1)
	case "notes":
		o.notes = 0
	case "frame", "custom-shape":
		o.place = ""
	case "h", "p":
		n := len(o.open)
		if n == 0 || o.open[n-1].depth != o.t.depth+1 {
			return
		}
		b := o.open[n-1]
		o.open = o.open[:n-1]
		o.done(b)
	case "table-row":
		if n := len(o.tables); n > 0 {
			o.tables[n-1].endRow(o.p)
		}
	case "table":
		if n := len(o.tables); n > 0 {
			o.tables = o.tables[:n-1]
		}
	}
}

func (o *openDocument) done(b *odParagraph) {
	if b.level < 0 {
		return
	}
	if c := b.cell; c != nil && len(c.cells) > 0 && len(o.tables) > 0 {
		at := len(c.cells) - 1
		if c.size += len(b.text); c.size > limits.OfficeText {
			o.p.fail(tooLarge)
			return
		}
		if len(b.text) > 0 {
			c.cells[at] = append(c.cells[at], string(b.text))
		}
		c.cells[at] = append(c.cells[at], b.notes...)
		return
	}
	if b.role == doc.Heading && b.level == 1 && o.format == "odp" {
		o.p.named(string(b.text))
	}
	o.p.add(b.role, b.level, string(b.text))
	for _, s := range b.notes {
		o.p.also(s)
	}
}

// table begins a table; one of a spreadsheet is a sheet, and a page.
func (o *openDocument) table() error {
	tab := &odTable{}
	if o.format == "ods" && len(o.tables) == 0 {
		if o.hidden["table "+o.t.attr("style-name")] {
			o.p.turn("") // it counts, and not even its name is shown
			return o.t.skip()
		}
		o.p.turn(o.t.attr("name"))
		tab.sheet = &table{p: o.p}
	}
	o.tables = append(o.tables, tab)
	return nil
}

func (t *odTable) start(o *openDocument, name string) error {
	at := o.t
	shut := at.attr("visibility") == "collapse" || at.attr("visibility") == "filter"
	many := max(1, min(number(at.attr("number-columns-repeated"), 1), limits.OfficeColumns))
	switch name {
	case "table-column":
		for range min(many, limits.OfficeColumns-len(t.columns)) {
			t.columns = append(t.columns, shut)
		}
	case "table-row":
		t.row++
		t.repeat = max(1, min(number(at.attr("number-rows-repeated"), 1), limits.OfficeRows))
		t.cells, t.at, t.numbers, t.column, t.skip, t.size = nil, nil, map[int]bool{}, 0, shut, 0
	default:
		// A value that is repeated is said once.
		column := t.column
		t.column += many
		if t.skip || t.column > limits.OfficeColumns || t.sheet != nil && column < len(t.columns) && t.columns[column] {
			return at.skip()
		}
		t.cells, t.at = append(t.cells, nil), append(t.at, column)
		if v := at.attr("value-type"); v != "" && v != "string" {
			t.numbers[column] = true
		}
	}
	return nil
}

func (t *odTable) endRow(p *paper) {
	cells := t.cells
	t.cells = nil
	if t.sheet == nil {
		if !t.skip {
			p.row(cells)
		}
		return
	}
	var row []cell
	for i, c := range cells {
		if len(c) > 0 {
			row = append(row, cell{t.at[i], strings.Join(c, " "), !t.numbers[t.at[i]]})
		}
	}
	t.sheet.row(min(t.row, limits.OfficeRows), row)
	t.row += t.repeat - 1
}
