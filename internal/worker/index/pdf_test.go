package index

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// scripted reads PDFs as a file's words say.
type scripted struct{ calls int }

func (s *scripted) Read(_ context.Context, f *dirfd.File, beat func()) (doc.Text, doc.Reason) {
	s.calls++
	beat()
	h, err := f.Handover()
	if err != nil {
		return doc.Text{}, doc.IOError
	}
	defer h.Close()
	b, err := io.ReadAll(io.NewSectionReader(h, 0, 1<<20)) // by place: the index has read it to its end
	words := string(b)
	switch {
	case err != nil:
		return doc.Text{}, doc.IOError
	case words == "none":
		return doc.Text{}, doc.NoReader
	case words == "bad":
		return doc.Text{}, doc.PDFDamaged
	}
	return doc.Text{Format: doc.PDF, Source: words, Paragraphs: []doc.Paragraph{{End: int32(len(words)), Page: 7, Number: 3}}}, doc.Read
}

// TestPDFs: a PDF is read by who reads PDFs and cited by page; one whose bytes are the
// same is not read again, and one for which there was no reader is.
func TestPDFs(t *testing.T) {
	p := &scripted{}
	dir := t.TempDir()
	write(t, dir, "a.pdf", "The spare key hangs behind the blue door of the boiler room.")
	write(t, dir, "b.PDF", "bad")
	write(t, dir, "c.pdf", "none")
	cfg := config(dir, t.TempDir(), true)
	cfg.PDF = p
	x, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	update := func() map[string]doc.Skipped {
		t.Helper()
		skipped := map[string]doc.Skipped{}
		if _, err := x.Update(t.Context(), func(Progress) {}, func(list []doc.Skipped) {
			for _, s := range list {
				skipped[string(s.Path)] = s
			}
		}); err != nil {
			t.Fatal(err)
		}
		return skipped
	}
	s := update()
	if len(s) != 2 || s["b.PDF"].Reason != doc.PDFDamaged || s["c.pdf"].Reason != doc.NoReader || p.calls != 3 {
		t.Fatalf("%+v after %d", s, p.calls)
	}
	a, err := x.Ask(t.Context(), "where does the spare key hang?", 3)
	if err != nil || len(a.Sentences) == 0 {
		t.Fatal(a, err)
	}
	if c := a.Sentences[0].Citations[0]; c.Path != "a.pdf" || c.Page != 7 || c.Paragraph != 3 {
		t.Errorf("%+v", c)
	}
	// Other times, the same bytes.
	for _, n := range []string{"a.pdf", "b.PDF"} {
		then := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(dir, n), then, then); err != nil {
			t.Fatal(err)
		}
	}
	p.calls = 0
	if s := update(); len(s) != 2 || p.calls != 1 {
		t.Errorf("%+v after %d", s, p.calls)
	}
	write(t, dir, "c.pdf", "Now there is one.")
	if s := update(); len(s) != 1 || s["b.PDF"].Hint == "" {
		t.Errorf("%+v", s)
	}
	if source, changed, err := x.Source(t.Context(), "a.pdf"); err != nil || changed || !strings.Contains(source, "blue door") {
		t.Errorf("%q, %v, %v", source, changed, err)
	}
	if _, _, err := x.Source(t.Context(), "b.PDF"); err == nil {
		t.Error("a source of what was not read")
	}
}
