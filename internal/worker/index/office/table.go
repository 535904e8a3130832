package office

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// table writes the rows of one sheet. A first row of names alone is the header:
// each row below says the name before each value, so that it speaks for itself.
type table struct {
	p      *paper
	header map[int]string
	begun  bool
}

// cell is a value in a column, which counts from 0.
type cell struct {
	column int
	text   string
	name   bool // text, and no number or date
}

// row writes the row of that number; cells come in the order of their columns.
func (t *table) row(number int, cells []cell) {
	full := cells[:0]
	for _, c := range cells {
		if c.text = clean(c.text); c.text != "" {
			full = append(full, c)
		}
	}
	if len(full) == 0 {
		return
	}
	t.p.number = int32(number)
	if names(full) && (t.header == nil || !t.begun) {
		// A title above the table is one cell; names are two or more.
		t.header = map[int]string{}
		for _, c := range full {
			t.header[c.column] = c.text
		}
		t.begun = false
		t.write(full, false)
		return
	}
	t.begun = true
	t.write(full, true)
}

// names reports whether cells may be the names of columns.
func names(cells []cell) bool {
	said := map[string]bool{}
	for _, c := range cells {
		if !c.name || len(c.text) > limits.OfficeHeader || said[c.text] {
			return false
		}
		said[c.text] = true
	}
	return len(cells) > 1
}

func (t *table) write(cells []cell, named bool) {
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			b.WriteString(" | ")
		}
		if h := t.header[c.column]; named && h != "" {
			b.WriteString(h)
			if !strings.HasSuffix(h, ":") {
				b.WriteByte(':')
			}
			b.WriteByte(' ')
		}
		b.WriteString(c.text)
		if b.Len() > limits.OfficeText {
			t.p.fail(tooLarge)
			return
		}
	}
	role := doc.Table
	if len(cells) == 1 && cells[0].name && strings.Contains(cells[0].text, " ") {
		role = doc.Prose // a remark
	}
	t.p.line(role, 0, b.String())
}
