package pdf

import (
	"bytes"
	"fmt"
	"strings"
)

// Case is a file that is crafted to harm its reader, or to be read as another.
type Case struct {
	// Name is the file's, without its ending; What says what is wrong with it.
	Name, What string
	// Make makes it.
	Make func() []byte
}

// Crafted returns all cases. They are made anew by each call of Make: some are large.
func Crafted() []Case {
	return append(append(append(structure(), streams()...), contents()...), acts()...)
}

// one is a document of one page whose parts can be replaced.
type one struct {
	// page, font and resources are entries of their dictionaries.
	page, resources string
	// content is the page's description; stream, if set, is its whole object.
	content, stream string
	// box is the page's MediaBox.
	box string
	// catalog is entries of the document's root, trailer of the trailer.
	catalog, trailer string
	// more adds objects first, and may refer to them.
	more func(f *File, o *one)
}

// hello is what a crafted page says besides, so that a reader that gets as far
// answers.
const hello = "BT /F1 12 Tf 72 700 Td (The crafted page says hello.) Tj ET\n"

func (o one) bytes() []byte {
	f := &File{}
	if o.more != nil {
		o.more(f, &o)
	}
	font := f.Add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	tree := f.Reserve()
	content := 0
	if o.stream != "" {
		content = f.Add(o.stream)
	} else {
		content = f.Stream("", []byte(hello+o.content), false)
	}
	box := o.box
	if box == "" {
		box = "[0 0 595 842]"
	}
	page := f.Add(fmt.Sprintf("<< /Type /Page /Parent %s /MediaBox %s /Contents %s /Resources << /Font << /F1 %s >> %s >> %s >>",
		ref(tree), box, ref(content), ref(font), o.resources, o.page))
	f.Set(tree, fmt.Sprintf("<< /Type /Pages /Count 1 /Kids [%s] >>", ref(page)))
	root := f.Add("<< /Type /Catalog /Pages " + ref(tree) + " " + o.catalog + " >>")
	return f.BytesWith(root, o.trailer)
}

// made is a case whose file is a document of one page.
func made(name, what string, o one) Case { return Case{name, what, o.bytes} }

// structure are files whose objects lead astray.
func structure() []Case {
	tree := func(body func(self string, page int) string) func() []byte {
		return func() []byte {
			f := &File{}
			root := f.Reserve()
			page := f.Add("<< /Type /Page /Parent " + ref(root) + " /MediaBox [0 0 595 842] >>")
			f.Set(root, body(ref(root), page))
			return f.Bytes(f.Add("<< /Type /Catalog /Pages "+ref(root)+" >>"), 0)
		}
	}
	good := func() []byte { return Text(Options{}, []string{"Nothing is wrong with this page."}) }
	patch := func(from, to string) func() []byte {
		return func() []byte { return bytes.ReplaceAll(good(), []byte(from), []byte(to)) }
	}
	return []Case{
		{"million-pages", "says that it has a million pages, and has one", tree(func(_ string, page int) string {
			return "<< /Type /Pages /Count 1000000 /Kids [" + ref(page) + "] >>"
		})},
		{"million-kids", "a list of a million pages that are one", tree(func(_ string, page int) string {
			return "<< /Type /Pages /Count 1000000 /Kids [" + strings.Repeat(ref(page)+" ", 1_000_000) + "] >>"
		})},
		{"many-pages", "15,000 pages that are one and empty", tree(func(_ string, page int) string {
			return "<< /Type /Pages /Count 15000 /Kids [" + strings.Repeat(ref(page)+" ", 15_000) + "] >>"
		})},
		{"negative-count", "fewer than no pages", tree(func(_ string, page int) string {
			return "<< /Type /Pages /Count -5 /Kids [" + ref(page) + "] >>"
		})},
		{"tree-of-itself", "a tree of pages that is its own branch", tree(func(self string, _ int) string {
			return "<< /Type /Pages /Count 2 /Kids [" + self + " " + self + "] /Parent " + self + " >>"
		})},
		{"deep-tree", "pages below 20,000 levels of branches", deepTree},
		{"own-parent", "a page that is its own parent", func() []byte {
			f := &File{}
			page := f.Reserve()
			f.Set(page, "<< /Type /Page /Parent "+ref(page)+" >>")
			return f.Bytes(f.Add("<< /Type /Catalog /Pages "+ref(page)+" >>"), 0)
		}},
		{"nested-arrays", "an array in an array, 200,000 deep", func() []byte {
			f := &File{}
			f.Add(strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000))
			return f.Bytes(1, 0)
		}},
		{"nested-dictionaries", "a dictionary in a dictionary, 100,000 deep", func() []byte {
			f := &File{}
			f.Add(strings.Repeat("<</A ", 100_000) + "1" + strings.Repeat(">>", 100_000))
			return f.Bytes(1, 0)
		}},
		{"table-of-itself", "a table of objects that goes on in itself", func() []byte {
			b := good()
			i := bytes.LastIndex(b, []byte("startxref\n"))
			at := strings.TrimSpace(strings.TrimSuffix(string(b[i+len("startxref\n"):]), "%%EOF\n"))
			return bytes.Replace(b, []byte("trailer\n<<"), []byte("trailer\n<< /Prev "+at), 1)
		}},
		{"table-nowhere", "a table of objects beyond the end", func() []byte {
			b := good()
			i := bytes.LastIndex(b, []byte("startxref\n"))
			return append(b[:i:i], "startxref\n99999999999\n%%EOF\n"...)
		}},
		{"huge-table", "a table of objects with four thousand million rows", patch("xref\n0 ", "xref\n0 4294967295")},
		{"huge-size", "a size that overflows", patch("/Size ", "/Size 2147483647")},
		{"wide-rows", "a stream of objects' places whose rows are gigabytes", wideRows},
		{"objects-in-themselves", "a stream of objects that holds itself", objectsInThemselves},
		{"indirect-of-itself", "a reference that refers to itself", func() []byte {
			f := &File{}
			r := f.Reserve()
			f.Set(r, ref(r))
			return f.Bytes(r, 0)
		}},
		{"truncated", "cut off in its middle", func() []byte { b := good(); return b[:len(b)*6/10] }},
		{"header-only", "nothing but its first line", func() []byte { return []byte(header) }},
		{"zeros", "64 KB of zeros behind its first line", func() []byte { return append([]byte(header), make([]byte, 64<<10)...) }},
		{"archive", "a zip file with the name of a PDF", func() []byte { return append([]byte("PK\x03\x04"), make([]byte, 4096)...) }},
		{"text", "a text with the name of a PDF", func() []byte { return []byte(strings.Repeat("This is no PDF. ", 400)) }},
	}
}

func deepTree() []byte {
	f := &File{}
	page := f.Reserve()
	below := page
	for range 20_000 {
		n := f.Reserve()
		f.Set(n, "<< /Type /Pages /Count 1 /Kids ["+ref(below)+"] >>")
		below = n
	}
	f.Set(page, "<< /Type /Page /Parent "+ref(page+1)+" /MediaBox [0 0 595 842] >>")
	return f.Bytes(f.Add("<< /Type /Catalog /Pages "+ref(below)+" >>"), 0)
}

func wideRows() []byte {
	f := &File{}
	f.Add("<< /Type /Catalog /Pages 2 0 R >>")
	f.Add("<< /Type /Pages /Count 0 /Kids [] >>")
	var b bytes.Buffer
	f.write(&b)
	start := b.Len()
	fmt.Fprintf(&b, "3 0 obj\n<< /Type /XRef /Size 2147483647 /W [2147483647 2147483647 2147483647] /Index [0 2147483647 5 -9] /Root 1 0 R /Length 6 >>\nstream\nabcdef\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n", start)
	return b.Bytes()
}

func objectsInThemselves() []byte {
	var b bytes.Buffer
	b.WriteString(header)
	at := b.Len()
	b.WriteString("1 0 obj\n<< /Type /ObjStm /N 2 /First 10 /Extends 1 0 R /Length 60 >>\nstream\n1 0 2 30  << /Type /Catalog /Pages 2 0 R >><< /Type /Pages >>\nendstream\nendobj\n")
	start := b.Len()
	rows := []byte{0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 1, 1, byte(start >> 24), byte(start >> 16), byte(start >> 8), byte(start), 0}
	_ = at
	fmt.Fprintf(&b, "3 0 obj\n<< /Type /XRef /Size 4 /W [1 4 1] /Root 1 0 R /Length %d >>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n", len(rows), rows, start)
	return b.Bytes()
}

// bomb is how much the largest of the bombs unpack to, bytes.
const bomb = 300 << 20

// streams are files whose streams lie, or unpack to too much.
func streams() []Case {
	stream := func(length, entries string, data []byte) string {
		return fmt.Sprintf("<< /Length %s %s >>\nstream\n%s\nendstream", length, entries, data)
	}
	sized := func(entries string, data []byte) string { return stream(fmt.Sprint(len(data)), entries, data) }
	image := func(filter, more string) func(f *File, o *one) {
		return func(f *File, o *one) {
			n := f.Stream("/Type /XObject /Subtype /Image /Width 64000 /Height 64000 /BitsPerComponent 8 /ColorSpace /DeviceRGB /Filter /"+filter+" "+more, bytes.Repeat([]byte("\x97JB2\r\n\x1a\n\xff\x4f\xff\x51\xff\xd8garbage"), 400), false)
			o.resources += " /XObject << /Im " + ref(n) + " >>"
			o.content += "q 500 0 0 500 0 0 cm /Im Do Q\n"
		}
	}
	return []Case{
		{"packed-bomb", "a page of 300 MB in 300 KB", func() []byte {
			return one{stream: sized("/Filter /FlateDecode", Deflate(bytes.Repeat([]byte(" "), bomb)))}.bytes()
		}},
		{"packed-twice", "a page of 300 MB packed twice, in 2 KB", func() []byte {
			return one{stream: sized("/Filter [/FlateDecode /FlateDecode]", Deflate(Deflate(bytes.Repeat([]byte(" "), bomb))))}.bytes()
		}},
		{"run-lengths", "a page of 4 GB in run lengths of run lengths", func() []byte {
			data := bytes.Repeat([]byte{0x81, ' '}, 128)
			data = bytes.Repeat([]byte{0x81, data[0], 0x81, data[1]}, 64)
			return one{stream: sized("/Filter [/RunLengthDecode /RunLengthDecode /RunLengthDecode /RunLengthDecode]", data)}.bytes()
		}},
		{"filters", "a stream behind 2,000 filters", func() []byte {
			return one{stream: sized("/Filter ["+strings.Repeat("/FlateDecode ", 2000)+"]", Deflate([]byte(hello)))}.bytes()
		}},
		{"predictor", "rows of a picture of 2,147,483,647 columns", func() []byte {
			return one{stream: sized("/Filter /FlateDecode /DecodeParms << /Predictor 15 /Columns 2147483647 /Colors 32 /BitsPerComponent 32 >>", Deflate([]byte(hello)))}.bytes()
		}},
		made("negative-length", "a stream of less than nothing", one{stream: stream("-1", "", []byte(hello))}),
		made("long-length", "a stream that says it is 2 GB", one{stream: stream("2147483647", "", []byte(hello))}),
		made("short-length", "a stream that says it is one byte", one{stream: stream("1", "", []byte(hello))}),
		made("length-of-itself", "a stream whose length is the stream", one{more: func(f *File, o *one) {
			n := len(f.objects) + 3 // font, tree, this
			o.stream = stream(ref(n), "", []byte(hello))
		}}),
		made("no-end", "a stream that never ends", one{stream: "<< /Length 10 >>\nstream\n" + hello}),
		made("jbig2", "a picture of JBIG2 garbage", one{more: image("JBIG2Decode", "")}),
		made("jpx", "a picture of JPEG 2000 garbage", one{more: image("JPXDecode", "")}),
		made("dct", "a picture of JPEG garbage", one{more: image("DCTDecode", "")}),
		made("fax", "a fax of 2,147,483,647 columns", one{more: image("CCITTFaxDecode", "/DecodeParms << /K -1 /Columns 2147483647 /Rows 2147483647 >>")}),
	}
}
