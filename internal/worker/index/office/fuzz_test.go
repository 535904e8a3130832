package office

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/testkit/baddocuments"
	testoffice "github.com/bailey-run/bailey/internal/testkit/office"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// hold checks what holds of every text, whatever it was read from.
func hold(t *testing.T, d doc.Text, r doc.Reason, size int) {
	t.Helper()
	switch r {
	case doc.Read:
	case doc.Empty, doc.LargeDoc, doc.BadDoc, doc.Locked:
		if d.Source != "" || d.Paragraphs != nil {
			t.Fatalf("refused as %q, and still %d bytes", r, len(d.Source))
		}
		return
	default:
		t.Fatalf("reason %q", r)
	}
	if !utf8.ValidString(d.Source) || !utf8.ValidString(d.Title) || len(d.Source) > limits.OfficeText {
		t.Fatalf("%d bytes out of %d", len(d.Source), size)
	}
	at, page, number := int32(0), int32(0), int32(0)
	for _, p := range d.Paragraphs {
		if p.Start < at || p.End <= p.Start || int(p.End) > len(d.Source) || p.Page < page || p.Page == page && p.Number < number {
			t.Fatalf("%+v behind %d, page %d, number %d", p, at, page, number)
		}
		if p.Role != doc.Code && p.Role != doc.Table && strings.ContainsAny(d.Source[p.Start:p.End], "\n\r\t") {
			t.Fatalf("%+v is no line: %q", p, d.Source[p.Start:p.End])
		}
		at, page, number = p.End, p.Page, p.Number
	}
}

// FuzzArchive reads any bytes as an archive.
func FuzzArchive(f *testing.F) {
	for _, files := range [][]testoffice.File{
		testoffice.Word(testoffice.P("H1", "A") + testoffice.P("", "Text.")), testoffice.Sheets("<si><t>a</t></si>", [2]string{"S", `<row><c t="s"><v>0</v></c></row>`}),
		testoffice.Slides(testoffice.Shape("title", "A")), testoffice.Open("text", "", "<text:p>a</text:p>"), testoffice.Book("B", "<p>a</p>"),
	} {
		f.Add(string(testoffice.Zip(files...)))
	}
	for _, c := range baddocuments.All() {
		switch c.Name {
		case "shared-data.docx", "entry-in-entry.docx", "one-name-twice.docx", "two-names.docx", "dot-dot.docx", "link.docx", "wrong-sum.docx", "wrong-size.docx", "no-deflate.docx",
			"password.docx", "zip64-size.docx", "zip64-cut.docx", "count-lies.docx", "start-beyond.docx", "cut-off.docx", "no-files.docx", "relations-in-a-ring.docx", "repeated.ods", "seller.epub":
			f.Add(string(c.Bytes()))
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		d, r := Read("x", raw, idle)
		hold(t, d, r, len(raw))
	})
}

// fuzzPart reads any text as the main part of an archive made by f.
func fuzzPart(f *testing.F, name string, seeds []string, files func() []testoffice.File) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		all := files()
		for i := range all {
			if all[i].Name == name {
				all[i] = testoffice.File{Name: name, Content: content, Stored: true}
			}
		}
		d, r := Read("x", string(testoffice.Zip(all...)), idle)
		hold(t, d, r, len(content))
	})
}

// contents are the contents of one file of many archives.
func contents(name string, archives ...[]testoffice.File) []string {
	var out []string
	for _, files := range archives {
		for _, f := range files {
			if f.Name == name && f.Packed == nil {
				out = append(out, f.Content)
			}
		}
	}
	return out
}

func FuzzWord(f *testing.F) {
	word := func() []testoffice.File { return testoffice.Word("") }
	fuzzPart(f, "word/document.xml", contents("word/document.xml", word(),
		testoffice.Word(testoffice.P("T", "A")+`<w:p><w:r><w:footnoteReference w:id="2"/><w:rPr><w:vanish/></w:rPr><w:t>a</w:t><w:tab/></w:r></w:p><w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl>`),
		testoffice.Word(`<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr><w:sdtContent/></w:sdt><w:txbxContent><w:p/></w:txbxContent><w:del/>`)), word)
}

func FuzzSheet(f *testing.F) {
	sheet := func() []testoffice.File { return testoffice.Sheets("<si><t>a</t></si>", [2]string{"S", ""}) }
	const row = `<cols><col min="1" max="3" hidden="1"/></cols><sheetData><row r="3"><c r="B3" s="1"><v>46112.5</v></c><c t="s"><v>0</v></c><c t="inlineStr"><is><t>x</t></is></c></row></sheetData>`
	fuzzPart(f, "xl/worksheets/sheet1.xml", contents("xl/worksheets/sheet1.xml", sheet(), testoffice.Sheets("", [2]string{"S", row})), sheet)
}

func FuzzSlide(f *testing.F) {
	slide := func() []testoffice.File { return testoffice.Slides("") }
	fuzzPart(f, "ppt/slides/slide1.xml", contents("ppt/slides/slide1.xml", slide(), testoffice.Slides(testoffice.Shape("title", "A")+testoffice.Shape("body", "b")+
		`<p:sp><p:nvSpPr><p:cNvPr hidden="1"/></p:nvSpPr></p:sp><a:tr><a:tc><a:p><a:r><a:t>x</a:t></a:r><a:fld/></a:p></a:tc></a:tr>`)), slide)
}

func FuzzOpenDocument(f *testing.F) {
	open := func() []testoffice.File { return testoffice.Open("text", "", "") }
	fuzzPart(f, "content.xml", contents("content.xml", open(),
		testoffice.Open("text", `<style:style style:name="G" style:family="text"><style:text-properties text:display="none"/></style:style>`, `<text:h>a</text:h><text:p>b<text:span text:style-name="G">c</text:span><text:note><text:p>d</text:p></text:note></text:p><text:list/>`),
		testoffice.Open("spreadsheet", "", `<table:table table:name="T"><table:table-column/><table:table-row table:number-rows-repeated="9"><table:table-cell table:number-columns-repeated="9"><text:p>a</text:p></table:table-cell></table:table-row></table:table>`),
		testoffice.Open("presentation", "", `<draw:page><draw:frame presentation:class="title"><text:p>a</text:p></draw:frame><presentation:notes><text:p>b</text:p></presentation:notes></draw:page>`)), open)
}

func FuzzBook(f *testing.F) {
	book := func() []testoffice.File { return testoffice.Book("B", "<p>a</p>", "<h1>b</h1>") }
	fuzzPart(f, "OEBPS/book.opf", contents("OEBPS/book.opf", book()), book)
}
