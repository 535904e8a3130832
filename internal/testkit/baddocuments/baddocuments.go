// Package baddocuments is a table of office files and books that are no good:
// archives that unpack without end or lie about themselves, XML that asks for
// what lies outside, that nests or never ends, parts that name themselves, and
// words that nobody sees. Each row says what has to become of it. Only tests use
// it; it makes every file itself and reads none.
package baddocuments

import (
	"fmt"
	"strings"

	"github.com/bailey-run/bailey/internal/testkit/office"
)

// Read is what has to become of a file whose good part is read; the others are
// reasons of docs/skipped.md.
const Read = ""

// The reasons that the table knows.
const (
	tooLarge = "document-too-large"
	damaged  = "document-damaged"
	password = "password"
	old      = "old-format"
	noText   = "binary"
	empty    = "empty"
)

// Word stands in each file that is read, and Gone never in what is read of one.
const (
	Word = "harmless"
	Gone = "smuggled"
)

// Case is one file.
type Case struct {
	// Name is the file's.
	Name string
	// What is wrong with it, for people.
	What string
	// Want is why it is skipped, or Read.
	Want string
	// Long says that reading it takes a second, since it stays below a limit or
	// comes to one late.
	Long bool
	make func() []byte
}

// Bytes makes the file.
func (c Case) Bytes() []byte { return c.make() }

// All is the table.
func All() []Case {
	var out []Case
	long := map[string]bool{"million-tags.docx": true, "million-paragraphs.docx": true, "million-empty-paragraphs.docx": true, "one-row.docx": true, "million-sheets.xlsx": true, "many-shapes.pptx": true, "long-chapter.epub": true}
	for _, group := range [][]Case{archives(), headers(), xmls(), words(), sheets(), slides(), opens(), books(), others()} {
		for _, c := range group {
			c.Long = long[c.Name]
			out = append(out, c)
		}
	}
	return out
}

func zip(name, what, want string, f func() []office.File) Case {
	return Case{Name: name, What: what, Want: want, make: func() []byte { return office.Zip(f()...) }}
}

func raw(name, what, want string, f func() []byte) Case {
	return Case{Name: name, What: what, Want: want, make: f}
}

// good is a DOCX, with some of its files in another form, and more of them.
func good(more ...office.File) []office.File {
	return office.Word(office.P("", "This paragraph is "+Word+"."), more...)
}

// body is a DOCX whose whole main part is this.
func body(content string) func() []office.File {
	return func() []office.File { return good(office.File{Name: "word/document.xml", Content: content}) }
}

const wordHead = `<?xml version="1.0"?><w:document xmlns:w="w"><w:body>`
const wordTail = `</w:body></w:document>`

// within is a DOCX with this in its body, beside a paragraph that is good.
func within(content func() string) func() []office.File {
	return func() []office.File {
		return good(office.File{Name: "word/document.xml", Content: wordHead + office.P("", "This is "+Word+".") + content() + wordTail})
	}
}

// counted repeats a piece, each with another number, so that it does not pack.
func counted(n int, piece string) string {
	var b strings.Builder
	b.Grow(n * (len(piece) + 6))
	for i := range n {
		fmt.Fprintf(&b, piece, i*2654435761%1_000_003)
	}
	return b.String()
}

func ptr[T any](v T) *T { return &v }
