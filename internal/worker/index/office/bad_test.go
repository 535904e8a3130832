package office

import (
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/testkit/baddocuments"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// TestBadDocuments reads the table in this process; test/baddocuments brings it
// to a sandboxed worker.
func TestBadDocuments(t *testing.T) {
	for _, c := range baddocuments.All() {
		t.Run(c.Name, func(t *testing.T) {
			if c.Long && testing.Short() {
				t.Skip("takes seconds; make test-full")
			}
			raw := string(c.Bytes())
			if !Archive(raw) {
				return // package text tells
			}
			d, r := Read(c.Name, raw, idle)
			if string(r) != c.Want {
				t.Fatalf("%s: %q, want %q", c.What, r, c.Want)
			}
			// What reading it cost at most, counted and not timed.
			if a, err := openArchive(raw); err == nil {
				p := &paper{}
				a.beat = idle
				_, _ = readArchive(p, a)
				if unpacked := limits.OfficeUnpacked - a.left; unpacked > limits.OfficeUnpacked+limits.TextRead || a.tokens < -1 {
					t.Errorf("%s: %d bytes were unpacked, %d tokens are left", c.What, unpacked, a.tokens)
				}
				if r != doc.Read && c.Want == string(damaged) && limits.OfficeUnpacked-a.left > limits.OfficeUnpackFree {
					t.Errorf("%s: %d bytes were unpacked before it was refused", c.What, limits.OfficeUnpacked-a.left)
				}
			}
			told(t, d)
			if strings.Contains(d.Source, baddocuments.Gone) {
				t.Errorf("%s: it says what nobody sees", c.What)
			}
			if c.Want == baddocuments.Read && !strings.Contains(d.Source, baddocuments.Word) {
				t.Errorf("%s: its good part is not read: %.200q", c.What, d.Source)
			}
			if len(d.Source) > limits.OfficeText || len(d.Paragraphs) > limits.OfficeParagraphs || d.Title == "" && r != doc.Read && len(d.Source) > 0 {
				t.Errorf("%s: %d bytes in %d paragraphs", c.What, len(d.Source), len(d.Paragraphs))
			}
		})
	}
}
