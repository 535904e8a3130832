// Package office reads office files and books, DOCX, XLSX, PPTX, ODT, ODS, ODP
// and EPUB, into text with numbered paragraphs (ECMA-376, ISO/IEC 26300, EPUB 3).
//
// What it takes is what a person sees who opens the file: headings, paragraphs,
// lists, tables a row a line, footnotes behind the paragraph that they belong to,
// text that was inserted under tracked changes, notes below slides. It leaves out
// what is not seen, since that is where words for machines are put: text, rows,
// columns, sheets and slides that are hidden, deleted text, comments. It leaves
// out besides headers, footers, tables of contents, pictures, charts and macros.
// Text that is white or tiny is not told from other text.
//
// A file is somebody else's: it may be a bomb, lie about its sizes, or point at
// itself. The archive is held to its own directory, byte by byte; nothing is
// unpacked but the parts that hold text; XML is read as a stream, without
// document types and entities, in bounds of [limits.OfficeUnpacked] and those
// beside it. A file that breaks them is refused as a whole, with a [doc.Reason].
// Names in an archive are keys and never paths. It does no I/O. Package text
// calls it.
package office

import (
	"errors"
	"strings"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// Ours reports a name that office files and books have.
func Ours(name string) bool {
	i := strings.LastIndexByte(name, '.')
	switch strings.ToLower(name[i+1:]) {
	case "docx", "docm", "dotx", "dotm", "xlsx", "xlsm", "xltx", "xltm", "pptx", "pptm", "ppsx", "ppsm", "potx", "potm",
		"odt", "ott", "ods", "ots", "odp", "otp", "epub":
		return i >= 0
	}
	return false
}

// Archive reports the beginning of a zip file with something in it.
func Archive(head string) bool { return strings.HasPrefix(head, "PK\x03\x04") }

// Compound reports the beginning of a file in the format of Office before 2007,
// in which newer versions also put files with a password ([MS-CFB], 2.2).
func Compound(head string) bool { return strings.HasPrefix(head, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") }

// Read reads the archive raw, a file of the given name. It calls beat now and
// then, whose error ends it; what is returned then means nothing.
func Read(name, raw string, beat func() error) (doc.Text, doc.Reason) {
	p := &paper{}
	var format doc.Format
	a, err := openArchive(raw)
	if err == nil {
		a.beat = beat
		format, err = readArchive(p, a)
	}
	if err == nil {
		err = p.err
	}
	if err != nil {
		var r refusal
		if errors.As(err, &r) {
			return doc.Text{}, doc.Reason(r)
		}
		return doc.Text{}, doc.BadDoc
	}
	if len(p.paragraphs) == 0 {
		return doc.Text{}, doc.Empty
	}
	return doc.Text{Name: name, Source: p.source.String(), Format: format, Title: p.title, Paragraphs: p.paragraphs}, doc.Read
}

// refusal is an error with a reason of its own.
type refusal doc.Reason

func (r refusal) Error() string { return string(r) }

const (
	tooLarge  = refusal(doc.LargeDoc)
	damaged   = refusal(doc.BadDoc)
	encrypted = refusal(doc.Locked)
)

// readArchive tells the format by what is in the archive, whatever its name says.
func readArchive(p *paper, a *archive) (doc.Format, error) {
	switch {
	case a.has("[Content_Types].xml"):
		return readOPC(p, a)
	case a.has("META-INF/container.xml"):
		return "epub", readBook(p, a)
	case a.has("content.xml"):
		return readOpenDocument(p, a)
	case a.has("encrypted-package"):
		return "", encrypted
	}
	return "", damaged
}

// readOPC reads Office Open XML: a package whose relations name its parts.
func readOPC(p *paper, a *archive) (doc.Format, error) {
	top, err := relations(a, "")
	if err != nil {
		return "", err
	}
	main := top.kinds["officeDocument"]
	rels, err := relations(a, main)
	if err != nil {
		return "", err
	}
	format := doc.Format("")
	err = a.part(main, func(t *tokens) error {
		root, err := t.root()
		if err != nil {
			return err
		}
		switch root {
		case "document":
			format = "docx"
			return readWord(p, a, t, rels)
		case "workbook":
			format = "xlsx"
			return readWorkbook(p, a, t, rels)
		case "presentation":
			format = "pptx"
			return readPresentation(p, a, t, rels)
		}
		return damaged
	})
	if err == nil {
		err = readTitle(p, a, top.kinds["core-properties"])
	}
	return format, err
}

// readTitle takes the title out of a part with Dublin Core properties, for a
// document without one on its pages.
func readTitle(p *paper, a *archive, part string) error {
	if p.title != "" || !a.has(part) {
		return nil
	}
	return a.part(part, func(t *tokens) error {
		return t.elements(func(name string) error {
			if name != "title" {
				return nil
			}
			s, err := t.text()
			if telling(s) {
				p.named(s)
			}
			return err
		})
	})
}

// telling reports a title that a person gave, and no program.
func telling(title string) bool {
	for _, s := range []string{"Microsoft ", "PowerPoint", "Untitled", "Document", "Word "} {
		if strings.HasPrefix(title, s) {
			return false
		}
	}
	return true
}
