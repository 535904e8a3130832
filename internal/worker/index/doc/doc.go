// Package doc is what the parts of the index worker say to each other: a file
// becomes a [Document] of blocks, each of which knows where in the source its
// every character stands, so that a citation is exact.
//
// "Source" is always the decoded and unpacked text: UTF-8, whatever the file's
// encoding was, and what a gzip file holds. Offsets are bytes of the source;
// lines count from 1.
package doc

import "sort"

// Role says what a block is, so that a summary takes prose for sentences and
// nothing else.
type Role uint8

// The roles.
const (
	Prose Role = iota
	Heading
	ListItem
	Comment // prose out of a comment or doc string of source code
	Code
	Table
	FrontMatter // title, description and the like of a document's head
	Boilerplate // navigation, badges, generated notices
	LicenceText // licence headers and licence texts
)

// Span says that the text from byte Text on is the source from byte Source on,
// byte by byte, until the next span (white space and dropped markup apart).
type Span struct{ Text, Source int }

// Block is one run of text in one role.
type Block struct {
	Role Role
	// Level is the level of a heading, 1 the highest; else 0.
	Level int
	// Text is clean: markup removed, entities decoded, lines joined by single
	// spaces. Code and tables keep their line ends.
	Text string
	// Spans map Text to the source, in rising order of both fields; the first
	// has Text 0.
	Spans []Span
	// End is the source offset behind the block's last character.
	End int
	// Path holds the headings above the block, the highest first.
	Path []string
	// Page and Paragraph are those of a [Paragraph]; else 0.
	Page, Paragraph int
}

// SourceRange returns the part of the source that Text[from:to] came from.
// It needs 0 ≤ from < to ≤ len(Text).
func (b *Block) SourceRange(from, to int) (start, end int) {
	start = b.sourceAt(from)
	end = b.sourceAt(to-1) + 1
	if end > b.End {
		end = b.End
	}
	if end < start {
		end = start
	}
	return start, end
}

func (b *Block) sourceAt(at int) int {
	i := sort.Search(len(b.Spans), func(i int) bool { return b.Spans[i].Text > at }) - 1
	if i < 0 {
		return 0
	}
	return b.Spans[i].Source + at - b.Spans[i].Text
}

// Format is how the file was read.
type Format string

// The formats.
const (
	Plain    Format = "text"
	Markdown Format = "markdown"
	HTML     Format = "html"
	Man      Format = "man"
	Source   Format = "source"
	Markup   Format = "markup" // reStructuredText, AsciiDoc
	PDF      Format = "pdf"
	Data     Format = "data" // JSON, CSV, XML, YAML and the like
)

// Text is what a file says: its source and, of a file that is no text itself (an
// office file, a PDF), what its paragraphs are.
type Text struct {
	// Name is the file's, without .gz when it was unpacked.
	Name   string
	Source string
	// Format, Title and Paragraphs are set by who made Source out of a file that
	// is no text. Paragraphs stand in the order of Source and do not overlap; what
	// lies between them is for people who read the source, and is not indexed.
	// Without any, Source is read as its name says.
	Format     Format
	Title      string
	Paragraphs []Paragraph
}

// Weight is about what t takes in memory, in bytes.
func (t *Text) Weight() int64 {
	return int64(len(t.Source) + len(t.Paragraphs)*ParagraphSize)
}

// ParagraphSize is what a Paragraph takes in memory, in bytes.
const ParagraphSize = 20

// Paragraph is a part of a Source, Source[Start:End], in clean text: of one
// paragraph, table row, heading or list item.
type Paragraph struct {
	Start, End int32
	// Page is the page, slide, sheet or chapter, from 1; 0 where there are none.
	Page int32
	// Number counts paragraphs, or rows of a sheet, from 1 on each page; 0 where
	// they are not counted.
	Number int32
	Role   Role
	// Level is that of a heading, 1 the highest; else 0.
	Level uint8
}

// Document is one file, read.
type Document struct {
	Format Format
	// Title is the document's own, from front matter, the first heading, the
	// <title> or .TH; may be empty.
	Title string
	// Language is an ISO 639-1 code by guess, or "" when unknown.
	Language string
	// Licence is set when the whole file is a licence text: an SPDX id, or
	// "other".
	Licence string
	Blocks  []Block
	// Source is the decoded, unpacked text.
	Source string
}

// Lines finds lines by offset.
type Lines struct{ starts []int }

// NewLines indexes the line starts of source. A line ends at "\n", as grep, sed
// and editors on this system count; a carriage return belongs to its line.
func NewLines(source string) *Lines {
	l := &Lines{starts: []int{0}}
	for i := 0; i < len(source); i++ {
		if source[i] == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// At returns the line, from 1, that holds the byte at offset.
func (l *Lines) At(offset int) int {
	return sort.Search(len(l.starts), func(i int) bool { return l.starts[i] > offset })
}

// Sentence is one sentence of a block. Text is clean; Source[Start:End] is its
// own text verbatim, which is what a citation quotes.
type Sentence struct {
	Text       string
	Block      int
	Start, End int
	Line, Last int
}
