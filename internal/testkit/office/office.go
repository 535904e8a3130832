// Package office makes office files and books for tests: the smallest archives
// that office programs open, of XML that the test gives, and archives whose
// headers say what the test wants them to. Only tests use it; it reads nothing.
package office

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// File is a file in an archive. The zero values of all but the first two are
// what an honest archive has.
type File struct {
	Name, Content string

	Stored bool
	// Local is the name in the local header, where it is another.
	Local string
	Flags uint16
	// Extra is the extra field in the directory.
	Extra string
	// Mode is the Unix mode in the directory.
	Mode uint32
	// Packed are the deflated bytes themselves, of Size bytes unpacked.
	Packed []byte
	// Size, Sum and Offset are said instead of the true ones, where they are set.
	Size   uint32
	Sum    uint32
	Offset *uint32
	Method uint16
}

// Zip makes an archive.
func Zip(files ...File) []byte { return ZipEnd(End{}, files...) }

// End is what the end record says instead of the truth, where it is set.
type End struct {
	Count       *uint16
	Start, Size *uint32
}

// ZipEnd makes an archive with an end record that lies.
func ZipEnd(e End, files ...File) []byte {
	var b, dir bytes.Buffer
	le := binary.LittleEndian
	for _, f := range files {
		method, data := uint16(8), f.Packed
		switch {
		case f.Stored:
			method, data = 0, []byte(f.Content)
		case data == nil:
			data = deflate(f.Content)
		}
		if f.Method != 0 {
			method = f.Method
		}
		size, sum, offset := uint32(len(f.Content)), crc32.ChecksumIEEE([]byte(f.Content)), uint32(b.Len())
		if f.Size != 0 {
			size = f.Size
		}
		if f.Sum != 0 {
			sum = f.Sum
		}
		if f.Offset != nil {
			offset = *f.Offset
		}
		local := f.Name
		if f.Local != "" {
			local = f.Local
		}
		head := le.AppendUint32(nil, 0x04034b50)
		for _, v := range []uint16{20, f.Flags, method, 0, 0x21} {
			head = le.AppendUint16(head, v)
		}
		for _, v := range []uint32{sum, uint32(len(data)), size} {
			head = le.AppendUint32(head, v)
		}
		head = le.AppendUint16(head, uint16(len(local)))
		head = le.AppendUint16(head, 0)
		b.Write(head)
		b.WriteString(local)
		b.Write(data)

		rec := le.AppendUint32(nil, 0x02014b50)
		for _, v := range []uint16{3<<8 | 20, 20, f.Flags, method, 0, 0x21} {
			rec = le.AppendUint16(rec, v)
		}
		for _, v := range []uint32{sum, uint32(len(data)), size} {
			rec = le.AppendUint32(rec, v)
		}
		for _, v := range []uint16{uint16(len(f.Name)), uint16(len(f.Extra)), 0, 0, 0} {
			rec = le.AppendUint16(rec, v)
		}
		rec = le.AppendUint32(rec, f.Mode<<16)
		rec = le.AppendUint32(rec, offset)
		dir.Write(rec)
		dir.WriteString(f.Name)
		dir.WriteString(f.Extra)
	}
	count, start, size := uint16(len(files)), uint32(b.Len()), uint32(dir.Len())
	if e.Count != nil {
		count = *e.Count
	}
	if e.Start != nil {
		start = *e.Start
	}
	if e.Size != nil {
		size = *e.Size
	}
	b.Write(dir.Bytes())
	end := le.AppendUint32(nil, 0x06054b50)
	for _, v := range []uint16{0, 0, count, count} {
		end = le.AppendUint16(end, v)
	}
	end = le.AppendUint32(end, size)
	end = le.AppendUint32(end, start)
	b.Write(le.AppendUint16(end, 0))
	return b.Bytes()
}

func deflate(s string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		_, err = w.Write([]byte(s))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("BUG: deflate into memory: " + err.Error())
	}
	return b.Bytes()
}

const (
	head    = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	wordNS  = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	sheetNS = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	slideNS = `xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	relType = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
)

// Relations is a part of relations: each is an id, the end of a type, and a
// target.
func Relations(part string, rels ...[3]string) File {
	var b strings.Builder
	b.WriteString(head + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`)
	for _, r := range rels {
		fmt.Fprintf(&b, `<Relationship Id="%s" Type="%s%s" Target="%s"/>`, r[0], relType, r[1], r[2])
	}
	b.WriteString(`</Relationships>`)
	return File{Name: part, Content: b.String()}
}

// opc makes a package whose main part is main.
func opc(main string, files ...File) []File {
	return append([]File{
		{Name: "[Content_Types].xml", Content: head + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>`},
		Relations("_rels/.rels", [3]string{"rId1", "officeDocument", main}),
	}, files...)
}

// Word is the files of a DOCX with that XML in its body; more are in it besides,
// or instead of those of the same name.
func Word(body string, more ...File) []File {
	return with(opc("word/document.xml",
		File{Name: "word/document.xml", Content: head + `<w:document ` + wordNS + `><w:body>` + body + `</w:body></w:document>`},
		Relations("word/_rels/document.xml.rels", [3]string{"s", "styles", "styles.xml"}, [3]string{"f", "footnotes", "footnotes.xml"}),
		File{Name: "word/styles.xml", Content: head + `<w:styles ` + wordNS + `><w:style w:styleId="T"><w:name w:val="Title"/></w:style>` +
			`<w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style><w:style w:styleId="H1b"><w:name w:val="Mine"/><w:basedOn w:val="H1"/></w:style>` +
			`<w:style w:styleId="Gone"><w:name w:val="Gone"/><w:rPr><w:vanish/></w:rPr></w:style>` +
			`<w:style w:styleId="Was"><w:name w:val="Was"/><w:pPr><w:pPrChange><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:pPrChange></w:pPr><w:rPr><w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange></w:rPr></w:style></w:styles>`},
		File{Name: "word/footnotes.xml", Content: head + `<w:footnotes ` + wordNS + `><w:footnote w:type="separator" w:id="0"><w:p><w:r><w:t>LINE</w:t></w:r></w:p></w:footnote>` +
			`<w:footnote w:id="2"><w:p><w:r><w:t>A note below.</w:t></w:r></w:p></w:footnote></w:footnotes>`},
	), more)
}

// with puts files in, in the place of those of the same name.
func with(files, more []File) []File {
	for _, m := range more {
		found := false
		for i := range files {
			if files[i].Name == m.Name {
				files[i], found = m, true
			}
		}
		if !found {
			files = append(files, m)
		}
	}
	return files
}

// P is a paragraph of a DOCX, in a style where one is named.
func P(style, text string) string {
	if style != "" {
		style = `<w:pPr><w:pStyle w:val="` + style + `"/></w:pPr>`
	}
	return `<w:p>` + style + `<w:r><w:t xml:space="preserve">` + text + `</w:t></w:r></w:p>`
}

// Sheets is the files of an XLSX: each sheet has a name and its XML. Shared
// strings are the XML in its table.
func Sheets(shared string, sheets ...[2]string) []File {
	var list strings.Builder
	rels := [][3]string{{"st", "styles", "styles.xml"}, {"ss", "sharedStrings", "sharedStrings.xml"}}
	files := []File{
		{Name: "xl/sharedStrings.xml", Content: head + `<sst ` + sheetNS + `>` + shared + `</sst>`},
		{Name: "xl/styles.xml", Content: head + `<styleSheet ` + sheetNS + `><numFmts><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="165" formatCode="0.0%"/></numFmts>` +
			`<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="22"/></cellXfs></styleSheet>`},
	}
	for i, s := range sheets {
		fmt.Fprintf(&list, `<sheet name="%s" sheetId="%d" r:id="r%d"/>`, s[0], i+1, i)
		rels = append(rels, [3]string{fmt.Sprintf("r%d", i), "worksheet", fmt.Sprintf("worksheets/sheet%d.xml", i+1)})
		files = append(files, File{Name: fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), Content: head + `<worksheet ` + sheetNS + `>` + s[1] + `</worksheet>`})
	}
	files = append(files, File{Name: "xl/workbook.xml", Content: head + `<workbook ` + sheetNS + `><sheets>` + list.String() + `</sheets></workbook>`},
		Relations("xl/_rels/workbook.xml.rels", rels...))
	return opc("xl/workbook.xml", files...)
}

// Slides is the files of a PPTX: the XML in each slide's tree of shapes.
func Slides(slides ...string) []File {
	var list strings.Builder
	var rels [][3]string
	var files []File
	for i, s := range slides {
		fmt.Fprintf(&list, `<p:sldId id="%d" r:id="r%d"/>`, 256+i, i)
		// The files' own names say another order than the list.
		name := fmt.Sprintf("slides/slide%d.xml", len(slides)-i)
		rels = append(rels, [3]string{fmt.Sprintf("r%d", i), "slide", name})
		files = append(files, File{Name: "ppt/" + name, Content: head + `<p:sld ` + slideNS + `><p:cSld><p:spTree>` + s + `</p:spTree></p:cSld></p:sld>`})
	}
	files = append(files, File{Name: "ppt/presentation.xml", Content: head + `<p:presentation ` + slideNS + `><p:sldIdLst>` + list.String() + `</p:sldIdLst></p:presentation>`},
		Relations("ppt/_rels/presentation.xml.rels", rels...))
	return opc("ppt/presentation.xml", files...)
}

// Shape is a shape of a slide, in a placeholder where one is named.
func Shape(place, text string) string {
	if place != "" {
		place = `<p:nvPr><p:ph type="` + place + `"/></p:nvPr>`
	}
	return `<p:sp><p:nvSpPr><p:cNvPr id="2" name="x"/>` + place + `</p:nvSpPr><p:txBody><a:p><a:r><a:t>` + text + `</a:t></a:r></a:p></p:txBody></p:sp>`
}

// Notes has a slide of a PPTX speak on.
func Notes(slide int, text string) []File {
	return []File{
		Relations(fmt.Sprintf("ppt/slides/_rels/slide%d.xml.rels", slide), [3]string{"n", "notesSlide", "../notesSlides/n.xml"}),
		{Name: "ppt/notesSlides/n.xml", Content: head + `<p:notes ` + slideNS + `><p:cSld><p:spTree>` + Shape("sldNum", "7") + Shape("body", text) + `</p:spTree></p:cSld></p:notes>`},
	}
}

// Open is the files of an ODT, ODS or ODP: kind is text, spreadsheet or
// presentation; styles and body are XML.
func Open(kind, styles, body string) []File {
	const ns = `xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" ` +
		`xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0"`
	return []File{
		{Name: "mimetype", Content: "application/vnd.oasis.opendocument." + kind, Stored: true},
		{Name: "META-INF/manifest.xml", Content: head + `<manifest/>`},
		{Name: "content.xml", Content: head + `<office:document-content ` + ns + `><office:automatic-styles>` + styles + `</office:automatic-styles><office:body><office:` + kind + `>` + body + `</office:` + kind + `></office:body></office:document-content>`},
	}
}

// Book is the files of an EPUB: the body of each chapter.
func Book(title string, chapters ...string) []File {
	var items, spine strings.Builder
	files := []File{
		{Name: "mimetype", Content: "application/epub+zip", Stored: true},
		{Name: "META-INF/container.xml", Content: head + `<container><rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`},
	}
	for i, c := range chapters {
		fmt.Fprintf(&items, `<item id="c%d" href="text/c%%20%d.xhtml" media-type="application/xhtml+xml"/>`, i, i)
		fmt.Fprintf(&spine, `<itemref idref="c%d"/>`, i)
		files = append(files, File{Name: fmt.Sprintf("OEBPS/text/c %d.xhtml", i), Content: `<?xml version="1.0"?><!DOCTYPE html><html><head><title>x</title></head><body>` + c + `</body></html>`})
	}
	return append(files, File{Name: "OEBPS/book.opf", Content: head + `<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>` + title + `</dc:title></metadata><manifest>` + items.String() + `</manifest><spine>` + spine.String() + `</spine></package>`})
}
