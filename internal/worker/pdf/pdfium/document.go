package pdfium

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"unicode/utf16"

	"github.com/bailey-run/bailey/internal/limits"
)

// Document is an open document of an instance, which has one at a time.
type Document struct {
	i      *Instance
	handle uint32
	pages  int
}

// FPDF_GetLastError.
const (
	errorPassword = 4
	errorSecurity = 5
)

// Document opens a document of size bytes.
func (i *Instance) Document(ctx context.Context, f io.ReaderAt, size int64) (*Document, error) {
	if size <= 0 || size > math.MaxUint32 {
		return nil, ErrDamaged
	}
	i.ctx = context.WithValue(ctx, instanceKey{}, i)
	i.file = f
	access, err := i.do("FPDF_FILEACCESS_Create", uint64(size), 0)
	if err != nil {
		return nil, err
	}
	h, err := i.do("FPDF_LoadCustomDocument", uint64(access), 0)
	if err != nil {
		return nil, err
	}
	if h == 0 {
		switch e, err := i.do("FPDF_GetLastError"); {
		case err != nil:
			return nil, err
		case e == errorPassword || e == errorSecurity:
			return nil, ErrLocked
		}
		return nil, ErrDamaged
	}
	d := &Document{i: i, handle: h}
	n, err := i.do("FPDF_GetPageCount", uint64(h))
	if err != nil {
		return nil, err
	}
	d.pages = int(int32(n))
	return d, nil
}

// Pages is how many pages the document says that it has.
func (d *Document) Pages() int { return d.pages }

// Close ends the document; the instance can open another one.
func (d *Document) Close() error {
	_, err := d.i.do("FPDF_CloseDocument", uint64(d.handle))
	d.i.file = nil
	return err
}

// Title is the document's own title, or nothing.
func (d *Document) Title() (string, error) {
	const key = "Title"
	i := d.i
	i.mod.Memory().Write(i.data, append([]byte(key), 0))
	n, err := i.do("FPDF_GetMetaText", uint64(d.handle), uint64(i.data), 0, 0)
	if err != nil || n <= 2 || n > limits.PDFTitle {
		return "", err
	}
	p, err := i.alloc(n)
	if err != nil {
		return "", err
	}
	if n, err = i.do("FPDF_GetMetaText", uint64(d.handle), uint64(i.data), uint64(p), uint64(n)); err != nil {
		return "", err
	}
	s := i.text(p, int(n)/2)
	if _, err := i.do("free", uint64(p)); err != nil {
		return "", err
	}
	return string(utf16.Decode(s)), nil
}

// text reads n units of UTF-16, up to a zero.
func (i *Instance) text(p uint32, n int) []uint16 {
	b, ok := i.mod.Memory().Read(p, uint32(2*n))
	if !ok {
		return nil
	}
	out := make([]uint16, 0, n)
	for ; len(b) >= 2; b = b[2:] {
		u := binary.LittleEndian.Uint16(b)
		if u == 0 {
			break
		}
		out = append(out, u)
	}
	return out
}

// Line is a line of a page as PDFium puts characters together: in the order of the
// page's own description, which for most documents is that of reading. Places are
// in points, from the page's lower left corner.
type Line struct {
	Text string
	// Left and Right bound its characters; Base is the line that its first one stands
	// on, and Size how large that is.
	Left, Right, Base, Size float64
}

// Page returns the lines of a page, counted from 0. A page that cannot be read has
// none, and ok is false. At most limits.PDFPageText characters are looked at.
func (d *Document) Page(n int) (lines []Line, ok bool, err error) {
	i := d.i
	page, err := i.do("FPDF_LoadPage", uint64(d.handle), uint64(n))
	if err != nil || page == 0 {
		return nil, false, err
	}
	text, err := i.do("FPDFText_LoadPage", uint64(page))
	if err != nil {
		return nil, false, err
	}
	if text != 0 {
		if lines, err = i.lines(text); err != nil {
			return nil, false, err
		}
		if _, err := i.do("FPDFText_ClosePage", uint64(text)); err != nil {
			return nil, false, err
		}
	}
	_, err = i.do("FPDF_ClosePage", uint64(page))
	return lines, true, err
}

func (i *Instance) lines(text uint32) ([]Line, error) {
	count, err := i.do("FPDFText_CountChars", uint64(text))
	if err != nil || int32(count) <= 0 {
		return nil, err
	}
	count = min(count, limits.PDFPageText)
	buf, err := i.alloc(2 * (count + 1))
	if err != nil {
		return nil, err
	}
	n, err := i.do("FPDFText_GetText", uint64(text), 0, uint64(count), uint64(buf))
	if err != nil {
		return nil, err
	}
	units := i.text(buf, int(min(n, count+1)))
	if _, err := i.do("free", uint64(buf)); err != nil {
		return nil, err
	}
	var lines []Line
	for from := 0; from < len(units); {
		to := from
		for to < len(units) && units[to] != '\n' && units[to] != '\r' {
			to++
		}
		if to > from {
			l := Line{Text: string(utf16.Decode(units[from:to]))}
			if err := i.place(text, from, to-1, &l); err != nil {
				return nil, err
			}
			lines = append(lines, l)
		}
		from = to + 1
	}
	return lines, nil
}

// place finds out where a line's first and last characters stand. What cannot be
// found stays 0.
func (i *Instance) place(text uint32, first, last int, l *Line) error {
	box, ok, err := i.box(text, first)
	if err != nil || !ok {
		return err
	}
	l.Left, l.Right = box.left, box.right
	if box, ok, err = i.box(text, last); ok {
		l.Right = box.right
	}
	if err != nil {
		return err
	}
	return i.origin(text, first, l)
}

type box struct{ left, right float64 }

func (i *Instance) box(text uint32, unit int) (b box, ok bool, err error) {
	char, err := i.do("FPDFText_GetCharIndexFromTextIndex", uint64(text), uint64(unit))
	if err != nil || int32(char) < 0 {
		return box{}, false, err
	}
	p := uint64(i.data)
	done, err := i.do("FPDFText_GetCharBox", uint64(text), uint64(char), p, p+8, p+16, p+24)
	if err != nil || done == 0 {
		return box{}, false, err
	}
	b.left, b.right = i.float(0), i.float(1)
	return b, true, nil
}

// origin finds where a line's first character stands, and how large it is.
func (i *Instance) origin(text uint32, unit int, l *Line) error {
	char, err := i.do("FPDFText_GetCharIndexFromTextIndex", uint64(text), uint64(unit))
	if err != nil || int32(char) < 0 {
		return err
	}
	p := uint64(i.data)
	done, err := i.do("FPDFText_GetCharOrigin", uint64(text), uint64(char), p, p+8)
	if err != nil || done == 0 {
		return err
	}
	l.Base = i.float(1)
	r, err := i.call["FPDFText_GetFontSize"].Call(i.ctx, uint64(text), uint64(char))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	l.Size = math.Float64frombits(r[0])
	return nil
}

// float is the n-th number that a call wrote.
func (i *Instance) float(n uint32) float64 {
	f, _ := i.mod.Memory().ReadFloat64Le(i.data + 8*n)
	return f
}
