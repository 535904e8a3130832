// Package pdf makes PDF files for tests: documents of text as programs write them,
// and files that are crafted to harm whoever reads them. Only tests use it; it reads
// none.
package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
)

// Options say how a document is written.
type Options struct {
	// Packed compresses the pages' descriptions.
	Packed bool
	// XrefStream writes the table of objects as a stream, as PDF 1.5 has it.
	XrefStream bool
	// Head and Foot, if set, stand at the top and the bottom of each page; %d is the
	// page's number.
	Head, Foot string
	// Title is the document's own.
	Title string
}

// The page, in points: A4, with one column.
const (
	width, height = 595, 842
	left, top     = 72, 760
	leading       = 14
	size          = 11
	columns       = 80 // characters of a line
)

// Text returns a document with a page for each list of paragraphs. A paragraph that
// begins with "# " is set as a heading. Text is what Latin-1 can say.
func Text(o Options, pages ...[]string) []byte {
	f := &File{}
	font := f.Add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	tree := f.Reserve()
	var kids []string
	for n, paragraphs := range pages {
		content := f.Stream("", page(o, n+1, paragraphs), o.Packed)
		kids = append(kids, ref(f.Add(fmt.Sprintf("<< /Type /Page /Parent %s /MediaBox [0 0 %d %d] /Contents %s /Resources << /Font << /F1 %s >> >> >>",
			ref(tree), width, height, ref(content), ref(font)))))
	}
	f.Set(tree, fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", len(kids), strings.Join(kids, " ")))
	root := f.Add("<< /Type /Catalog /Pages " + ref(tree) + " >>")
	info := 0
	if o.Title != "" {
		info = f.Add("<< /Title (" + escape(o.Title) + ") >>")
	}
	if o.XrefStream {
		return f.BytesWithStream(root, info)
	}
	return f.Bytes(root, info)
}

func ref(n int) string { return fmt.Sprintf("%d 0 R", n) }

// page is the description of one page.
func page(o Options, n int, paragraphs []string) []byte {
	var b bytes.Buffer
	at := func(x, y, size int, s string) {
		fmt.Fprintf(&b, "BT /F1 %d Tf 1 0 0 1 %d %d Tm (%s) Tj ET\n", size, x, y, escape(s))
	}
	if o.Head != "" {
		at(left, 810, 9, number(o.Head, n))
	}
	y := top
	for _, p := range paragraphs {
		h, heading := strings.CutPrefix(p, "# ")
		if heading {
			at(left, y, size+5, h)
			y -= 2 * leading
			continue
		}
		for _, line := range wrap(p) {
			at(left, y, size, line)
			y -= leading
		}
		y -= leading
	}
	if o.Foot != "" {
		at(left, 30, 9, number(o.Foot, n))
	}
	return b.Bytes()
}

func number(s string, n int) string { return strings.ReplaceAll(s, "%d", fmt.Sprint(n)) }

func wrap(s string) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && len(line)+1+len(w) > columns {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}

// escape writes a string as a PDF has it, in Latin-1.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '(' || r == ')' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(byte(r))
		case r < 0x20 || r > 0x7e:
			fmt.Fprintf(&b, "\\%03o", byte(r))
		default:
			b.WriteByte(byte(r))
		}
	}
	return b.String()
}

// File is a file that is put together of objects, in whatever form.
type File struct {
	objects []string // by number less one
}

// Add adds an object and returns its number.
func (f *File) Add(body string) int {
	f.objects = append(f.objects, body)
	return len(f.objects)
}

// Reserve returns a number for an object that is Set later.
func (f *File) Reserve() int { return f.Add("null") }

// Set says what a reserved object is.
func (f *File) Set(n int, body string) { f.objects[n-1] = body }

// Stream adds a stream; entries are further ones of its dictionary.
func (f *File) Stream(entries string, data []byte, packed bool) int {
	if packed {
		data = Deflate(data)
		entries += " /Filter /FlateDecode"
	}
	return f.Add(fmt.Sprintf("<< /Length %d %s >>\nstream\n%s\nendstream", len(data), entries, data))
}

// Deflate compresses as FlateDecode has it.
func Deflate(data []byte) []byte {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write(data)
	_ = w.Close()
	return z.Bytes()
}

const header = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"

// write writes all objects, and returns where they stand.
func (f *File) write(b *bytes.Buffer) []int {
	b.WriteString(header)
	at := make([]int, len(f.objects))
	for i, o := range f.objects {
		at[i] = b.Len()
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	return at
}

// Bytes returns the file with a plain table of objects. info may be 0.
func (f *File) Bytes(root, info int) []byte { return f.BytesWith(root, trailerInfo(info)) }

func trailerInfo(info int) string {
	if info == 0 {
		return ""
	}
	return "/Info " + ref(info)
}

// BytesWith is Bytes with further entries of the trailer.
func (f *File) BytesWith(root int, entries string) []byte {
	var b bytes.Buffer
	at := f.write(&b)
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root %s %s >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, ref(root), entries, start)
	return b.Bytes()
}

// BytesWithStream returns the file with its table of objects in a stream.
func (f *File) BytesWithStream(root, info int) []byte {
	var b bytes.Buffer
	at := f.write(&b)
	start := b.Len()
	rows := []byte{0, 0, 0, 0, 0, 255}
	for _, n := range append(at, start) {
		rows = append(rows, 1, byte(n>>24), byte(n>>16), byte(n>>8), byte(n), 0)
	}
	rows = Deflate(rows)
	fmt.Fprintf(&b, "%d 0 obj\n<< /Type /XRef /Size %d /W [1 4 1] /Root %s %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n",
		len(at)+1, len(at)+2, ref(root), trailerInfo(info), len(rows), rows, start)
	return b.Bytes()
}
