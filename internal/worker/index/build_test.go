package index

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/testkit/office"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// A text with paragraphs is cut between them, and each piece counts its own from
// its beginning.
func TestSplitParagraphs(t *testing.T) {
	var b strings.Builder
	text := doc.Text{Format: "docx"}
	for i := range 60_000 {
		b.WriteString("\n— mark —\n")
		start := b.Len()
		fmt.Fprintf(&b, "Paragraph %d says ä%s.", i, strings.Repeat(" word", i%40))
		text.Paragraphs = append(text.Paragraphs, doc.Paragraph{Start: int32(start), End: int32(b.Len()), Page: int32(i/100 + 1), Number: int32(i%100 + 1)})
	}
	text.Source = b.String()
	want := make([]string, len(text.Paragraphs))
	for i, p := range text.Paragraphs {
		want[i] = text.Source[p.Start:p.End]
	}
	whole, pieces, at, base := "", 0, 0, 0
	for len(text.Source) > 0 {
		var piece doc.Text
		piece, text = split(text, base)
		base += len(piece.Source)
		pieces++
		whole += piece.Source
		if len(piece.Source) > limits.IndexPiece+100 || len(piece.Paragraphs) == 0 {
			t.Fatalf("a piece of %d bytes with %d paragraphs", len(piece.Source), len(piece.Paragraphs))
		}
		for _, p := range piece.Paragraphs {
			if got := piece.Source[p.Start:p.End]; got != want[at] {
				t.Fatalf("paragraph %d is %q, want %q", at, got, want[at])
			}
			at++
		}
	}
	if whole != b.String() || at != len(want) || pieces < 4 {
		t.Errorf("%d bytes and %d paragraphs in %d pieces", len(whole), at, pieces)
	}
}

// A paragraph that is longer than a piece stays whole.
func TestSplitLongParagraph(t *testing.T) {
	source := strings.Repeat("word ", limits.IndexPiece/4) + "\nend"
	n := int32(len(source))
	piece, rest := split(doc.Text{Source: source, Paragraphs: []doc.Paragraph{{Start: 0, End: n - 4}, {Start: n - 3, End: n}}}, 0)
	if len(piece.Paragraphs) != 1 || len(rest.Paragraphs) != 1 || piece.Source+rest.Source != source {
		t.Fatalf("%d and %d paragraphs", len(piece.Paragraphs), len(rest.Paragraphs))
	}
}

// The source of an office file is its extracted text, in which a citation's line
// and quote stand.
func TestSourceOfADocument(t *testing.T) {
	root := t.TempDir()
	write(t, root, "talk.pptx", string(office.Zip(office.Slides(office.Shape("title", "Welcome"), office.Shape("title", "Delay")+office.Shape("body", "The launch slipped because the supplier went bankrupt."))...)))
	x := openIndex(t, root, t.TempDir(), false)
	update(t, x)
	a, err := x.Ask(t.Context(), "Why did the launch slip?", 1)
	if err != nil || len(a.Sentences) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	c := a.Sentences[0].Citations[0]
	source, changed, err := x.Source(t.Context(), c.Path)
	if err != nil || changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	lines := strings.Split(source, "\n")
	if c.Page != 2 || c.Paragraph != 2 || c.Line != c.End || !strings.Contains(lines[c.Line-1], c.Quote) {
		t.Errorf("%+v of %q", c, source)
	}
}
