package extract

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// check holds a document against what every document promises.
func check(t testing.TB, d *doc.Document) {
	t.Helper()
	total := 0
	for i := range d.Blocks {
		b := &d.Blocks[i]
		total += len(b.Text)
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("block %d (%d, %.60q): %s", i, b.Role, b.Text, fmt.Sprintf(format, args...))
		}
		if b.Text == "" || len(b.Spans) == 0 {
			fail("empty")
			continue
		}
		if len(b.Text) > limits.BlockText {
			fail("%d bytes long", len(b.Text))
		}
		if utf8.ValidString(d.Source) && !utf8.ValidString(b.Text) {
			fail("not UTF-8")
		}
		if b.Spans[0].Text != 0 {
			fail("first span at %d", b.Spans[0].Text)
		}
		for k := 1; k < len(b.Spans); k++ {
			if b.Spans[k].Text <= b.Spans[k-1].Text || b.Spans[k].Source < b.Spans[k-1].Source {
				fail("spans fall: %v", b.Spans[k-1:k+1])
			}
		}
		if b.End > len(d.Source) || b.End < b.Spans[len(b.Spans)-1].Source {
			fail("end %d of %d", b.End, len(d.Source))
		}
		for k := range len(b.Text) {
			from, to := b.SourceRange(k, k+1)
			if from < 0 || to > len(d.Source) || from > to {
				fail("byte %d stands at %d:%d of %d", k, from, to, len(d.Source))
				break
			}
			if c := b.Text[k]; c > ' ' && d.Source[from] != c && !replaced(d, from) {
				fail("byte %d is %q, at %d stands %.20q", k, c, from, d.Source[from:])
				break
			}
		}
		if b.Role == doc.Prose || b.Role == doc.Heading || b.Role == doc.ListItem {
			if strings.ContainsAny(b.Text, "\n\t") || strings.Contains(b.Text, "  ") || strings.Trim(b.Text, " ") != b.Text {
				fail("white space is not clean")
			}
		}
	}
	if total > 2*len(d.Source)+4096 {
		t.Errorf("%d bytes of text out of %d", total, len(d.Source))
	}
	if len(d.Title) > limits.DocTitle {
		t.Errorf("title of %d bytes", len(d.Title))
	}
}

// replaced reports whether what stands at the offset may read differently: a
// character reference, a roff escape, or a macro that stands for words.
func replaced(d *doc.Document, at int) bool {
	switch d.Format {
	case doc.HTML, doc.Markdown, doc.Data:
		return strings.Contains(d.Source[max(0, at-32):at+1], "&")
	case doc.Man:
		from := strings.LastIndexByte(d.Source[:at], '\n') + 1
		return strings.ContainsAny(d.Source[from:min(at+2, len(d.Source))], ".'\\")
	}
	return false
}

var roleNames = []string{"prose", "heading", "list", "comment", "code", "table", "front", "boilerplate", "licence"}

// dump prints a document for people and golden files.
func dump(d *doc.Document) string {
	var s strings.Builder
	fmt.Fprintf(&s, "format %s, title %q, language %q, licence %q\n", d.Format, d.Title, d.Language, d.Licence)
	lines := doc.NewLines(d.Source)
	for i := range d.Blocks {
		b := &d.Blocks[i]
		from, to := b.SourceRange(0, len(b.Text))
		role := roleNames[b.Role]
		if b.Level > 0 {
			role += fmt.Sprint(b.Level)
		}
		fmt.Fprintf(&s, "%s %d-%d", role, lines.At(from), lines.At(max(from, to-1)))
		if len(b.Path) > 0 {
			fmt.Fprintf(&s, " [%s]", strings.Join(b.Path, " > "))
		}
		fmt.Fprintf(&s, "\n  %s\n", strings.ReplaceAll(b.Text, "\n", "\n  "))
	}
	return s.String()
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds each document of testdata against what a person found right.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no documents", err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, ".golden") {
			continue
		}
		t.Run(f[len("testdata/golden/"):], func(t *testing.T) {
			source, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			d := Extract(f, string(source))
			check(t, d)
			got := dump(d)
			if *update {
				if err := os.WriteFile(f+".golden", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(f + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
