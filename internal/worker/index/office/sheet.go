package office

import (
	"encoding/xml"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
)

// readWorkbook reads an XLSX whose list of sheets is at t's root. A sheet is a
// page, a row a paragraph of the number that it has there. Values are those that
// were stored when the file was written; no formula is evaluated.
func readWorkbook(p *paper, a *archive, t *tokens, rels relationSet) error {
	book := &workbook{p: p, a: a}
	var err error
	if book.formats, err = cellFormats(a, rels.kinds["styles"]); err != nil {
		return err
	}
	if err := book.readStrings(rels.kinds["sharedStrings"]); err != nil {
		return err
	}
	seen := map[string]bool{}
	return t.elements(func(name string) error {
		switch name {
		case "workbookPr":
			v := t.attr("date1904")
			book.from1904 = v != "" && on(v)
		case "sheet":
			if s := t.attr("state"); s == "hidden" || s == "veryHidden" {
				p.turn("") // it counts, and not even its name is shown
				return p.err
			}
			p.turn(t.attr("name"))
			if p.err != nil {
				return p.err
			}
			id := ""
			for _, at := range t.el.Attr {
				if at.Name.Local == "id" {
					id = at.Value
				}
			}
			part := rels.ids[id]
			if seen[part] {
				return damaged
			}
			seen[part] = true
			if !a.has(part) && part != "" || strings.Contains(part, "/chartsheets/") {
				return nil
			}
			return a.part(part, book.sheet)
		}
		return nil
	})
}

type workbook struct {
	p        *paper
	a        *archive
	formats  []format
	from1904 bool
	// The shared strings, one behind the other, and where each ends.
	strings strings.Builder
	ends    []uint32
}

// format is how a number is shown, as far as it changes what it says.
type format uint8

const (
	plain format = iota
	percent
	date
	clock
	dateTime
)

// cellFormats reads xl/styles.xml: the format of each cell style.
func cellFormats(a *archive, part string) ([]format, error) {
	if !a.has(part) {
		return nil, nil
	}
	var out []format
	custom := map[string]format{}
	in := false // cellXfs; cellStyleXfs has elements of the same name
	err := a.part(part, func(t *tokens) error {
		return t.elements(func(name string) error {
			switch name {
			case "numFmt":
				if len(custom) < limits.OfficeNames {
					custom[t.attr("numFmtId")] = formatOf(t.attr("formatCode"))
				}
			case "cellXfs":
				in = true
			case "cellStyles", "dxfs", "cellStyleXfs":
				in = false
			case "xf":
				if !in {
					return nil
				}
				if len(out) >= limits.OfficeNames {
					return tooLarge
				}
				id := t.attr("numFmtId")
				f, ok := custom[id]
				if !ok {
					f = builtIn(id)
				}
				out = append(out, f)
			}
			return nil
		})
	})
	return out, err
}

// builtIn is the format of a number that is not defined in the file (ECMA-376-1,
// 18.8.30).
func builtIn(id string) format {
	switch id {
	case "9", "10":
		return percent
	case "14", "15", "16", "17":
		return date
	case "18", "19", "20", "21", "45", "46", "47":
		return clock
	case "22":
		return dateTime
	}
	return plain
}

// formatOf tells from a format's code what it shows.
func formatOf(code string) format {
	code, _, _ = strings.Cut(code, ";")
	days, hours := false, false
	for i := 0; i < len(code); i++ {
		switch code[i] {
		case '"':
			n := strings.IndexByte(code[i+1:], '"')
			if n < 0 {
				return plain
			}
			i += n + 1
		case '[': // a colour, a currency; of [h] it says enough that it is a time
			n := strings.IndexByte(code[i:], ']')
			if n < 0 {
				return plain
			}
			in := strings.ToLower(code[i+1 : i+n])
			hours = hours || in != "" && strings.Trim(in, "hms") == ""
			i += n
		case '\\', '_', '*':
			i++
		case '%':
			return percent
		case 'y', 'Y', 'd', 'D':
			days = true
		case 'h', 'H', 's', 'S':
			hours = true
		}
	}
	switch {
	case days && hours:
		return dateTime
	case days:
		return date
	case hours:
		return clock
	}
	return plain
}

// readStrings reads xl/sharedStrings.xml.
func (b *workbook) readStrings(part string) error {
	if !b.a.has(part) {
		return nil
	}
	return b.a.part(part, func(t *tokens) error {
		return t.elements(func(name string) error {
			if name != "si" {
				return nil
			}
			s, err := richText(t)
			if err != nil {
				return err
			}
			if len(b.ends) >= limits.OfficeParagraphs || b.strings.Len()+len(s) > limits.OfficeText {
				return tooLarge
			}
			b.strings.WriteString(s)
			b.ends = append(b.ends, uint32(b.strings.Len()))
			return nil
		})
	})
}

// richText returns the text of the element that was just begun without how it is
// read out.
func richText(t *tokens) (string, error) {
	var s strings.Builder
	for depth := t.depth; t.depth >= depth; {
		k, err := t.next()
		if err != nil {
			return "", err
		}
		if _, ok := k.(xml.StartElement); !ok {
			continue
		}
		switch t.el.Name.Local {
		case "rPh":
			if err := t.skip(); err != nil {
				return "", err
			}
		case "t":
			text, err := t.text()
			if err != nil {
				return "", err
			}
			if s.Len()+len(text) > limits.OfficeToken {
				return "", tooLarge
			}
			s.WriteString(text)
		}
	}
	return s.String(), nil
}

func (b *workbook) shared(index string) string {
	n, err := strconv.Atoi(strings.TrimSpace(index))
	if err != nil || n < 0 || n >= len(b.ends) {
		return ""
	}
	from := uint32(0)
	if n > 0 {
		from = b.ends[n-1]
	}
	return b.strings.String()[from:b.ends[n]]
}

// sheet reads one worksheet.
func (b *workbook) sheet(t *tokens) error {
	tab := &table{p: b.p}
	var hidden [limits.OfficeColumns]bool
	var cells []cell
	row, column, size := 0, 0, 0
	off := false // the row is hidden
	for {
		k, err := t.next()
		if err == io.EOF {
			return b.p.err
		}
		if err != nil {
			return err
		}
		switch k := k.(type) {
		case xml.StartElement:
			switch k.Name.Local {
			case "col":
				if v := t.attr("hidden"); v != "" && on(v) {
					first, last := number(t.attr("min"), 1), number(t.attr("max"), 0)
					for c := max(first, 1); c <= min(last, limits.OfficeColumns); c++ {
						hidden[c-1] = true
					}
				}
			case "row":
				next := number(t.attr("r"), row+1)
				row = max(row+1, min(next, limits.OfficeRows)) // it never goes back
				v := t.attr("hidden")
				off = v != "" && on(v)
				cells, column, size = cells[:0], 0, 0
			case "c":
				if c := columnOf(t.attr("r")); c >= column {
					column = c
				}
				c, err := b.cell(t)
				if err != nil {
					return err
				}
				if c.column = column; column < limits.OfficeColumns && !hidden[column] && !off && c.text != "" {
					if size += len(c.text); size > limits.OfficeText || len(cells) >= limits.OfficeColumns {
						return tooLarge
					}
					cells = append(cells, c)
				}
				column++
			}
		case xml.EndElement:
			if k.Name.Local == "row" {
				tab.row(row, cells)
				if b.p.err != nil {
					return b.p.err
				}
			}
		}
	}
}

// number reads a number, or says another.
func number(s string, or int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return or
}

// columnOf returns the column of a reference such as BC12, from 0; -1 without.
func columnOf(ref string) int {
	n := 0
	for i := 0; i < len(ref) && ref[i] >= 'A' && ref[i] <= 'Z'; i++ {
		if n = n*26 + int(ref[i]-'A') + 1; n > limits.OfficeColumns {
			return limits.OfficeColumns
		}
	}
	return n - 1
}

// cell reads the cell that was just begun.
func (b *workbook) cell(t *tokens) (cell, error) {
	kind, style := t.attr("t"), number(t.attr("s"), 0)
	var c cell
	for depth := t.depth; t.depth >= depth; {
		k, err := t.next()
		if err != nil {
			return c, err
		}
		if _, ok := k.(xml.StartElement); !ok {
			continue
		}
		switch t.el.Name.Local {
		case "v":
			v, err := t.text()
			if err != nil {
				return c, err
			}
			c.text, c.name = b.value(kind, style, v)
		case "is":
			if c.text, err = richText(t); err != nil {
				return c, err
			}
			c.name = true
		default: // a formula
			if err := t.skip(); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// value says what a stored value shows.
func (b *workbook) value(kind string, style int, v string) (text string, name bool) {
	switch kind {
	case "s":
		return b.shared(v), true
	case "str":
		return v, true
	case "b":
		if v == "1" {
			return "TRUE", false
		}
		return "FALSE", false
	case "e", "d":
		return v, false
	}
	x, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		return v, false
	}
	f := plain
	if style >= 0 && style < len(b.formats) {
		f = b.formats[style]
	}
	if s := b.moment(f, x); s != "" {
		return s, false
	}
	if f == percent {
		return decimal(x*100) + "%", false
	}
	return decimal(x), false
}

// decimal writes a number with the fifteen digits that spreadsheets count with.
func decimal(x float64) string {
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 15, 64), 64)
	if a := math.Abs(x); a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// moment writes a serial date or time of day as RFC 3339 does; empty where x is
// none.
func (b *workbook) moment(f format, x float64) string {
	const (
		lastDay = 2_958_466 // 31 December 9999 has the one before
		daySecs = 86_400
		// Day 60 is 29 February 1900, which never was; so days count from 30 December.
		zero1900, zero1904 = 1899, 1904
	)
	if f < date || x < 0 || x >= lastDay {
		return ""
	}
	start := time.Date(zero1900, 12, 30, 0, 0, 0, 0, time.UTC)
	if b.from1904 {
		start = time.Date(zero1904, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	day := math.Floor(x)
	at := start.AddDate(0, 0, int(day)).Add(time.Duration(math.Round((x-day)*daySecs)) * time.Second)
	switch f {
	case date:
		return at.Format(time.DateOnly)
	case clock:
		if x >= 1 { // a duration: hours above a day
			return strconv.Itoa(int(day)*24+at.Hour()) + at.Format(":04:05")
		}
		return at.Format(time.TimeOnly)
	}
	return at.Format(time.DateTime)
}
