package index

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/testkit/office"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// broken answers with a document of many pieces, one of which has a paragraph that
// is outside of it.
type broken struct{ mend bool }

func (b *broken) Read(context.Context, *dirfd.File, func()) (doc.Text, doc.Reason) {
	var s strings.Builder
	t := doc.Text{Format: doc.PDF}
	for text, role := "The zeppelin lands on the roof at noon.", doc.Prose; s.Len() < limits.IndexInFlight; text, role = strings.Repeat("x", limits.BlockText), doc.Boilerplate {
		start := s.Len()
		s.WriteString(text + "\n\n")
		t.Paragraphs = append(t.Paragraphs, doc.Paragraph{Start: int32(start), End: int32(start + len(text)), Page: 1, Role: role})
	}
	t.Source = s.String()
	if !b.mend {
		t.Paragraphs[len(t.Paragraphs)/2].End += limits.IndexInFlight
	}
	return t, doc.Read
}

// A panic of what parses files costs the file that it met, and no other; the next
// time that file is tried again.
func TestAPanicCostsOneFile(t *testing.T) {
	root := t.TempDir()
	write(t, root, "good.md", gardens)
	write(t, root, "load.txt", "The ferry leaves the northern pier at seven.\n")
	write(t, root, "build.md", "# Museum\n\nThe museum opens its doors at eleven o'clock.\n")
	write(t, root, "a.pdf", "%PDF-")
	if err := os.WriteFile(filepath.Join(root, "office.docx"), office.Zip(office.Word(office.P("", "The bakery sells bread before sunrise."))...), 0o644); err != nil {
		t.Fatal(err)
	}
	pdf := &broken{}
	var log bytes.Buffer
	cfg := config(root, t.TempDir(), true)
	cfg.PDF = pdf
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	x, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	// The first call for a file is for its text, the second for its passages.
	at := map[string]int{"load.txt": 1, "office.docx": 1, "build.md": 2}
	var mu sync.Mutex
	fail := func() {
		calls := map[string]int{}
		x.parses = func(path string) {
			mu.Lock()
			calls[path]++
			n := calls[path]
			mu.Unlock()
			if n == at[path] {
				panic("the words of " + path)
			}
		}
	}
	questions := map[string]string{"load.txt": "When does the ferry leave the northern pier?", "build.md": "When does the museum open?", "office.docx": "What does the bakery sell?", "a.pdf": "Where does the zeppelin land?"}
	for range 2 {
		fail()
		u, skipped := update(t, x)
		if u.Files != 1 || u.Skipped != 4 || len(skipped) != 4 || u.Bytes != int64(len(gardens)) {
			t.Errorf("%+v, %v", u, skipped)
		}
		for _, s := range skipped {
			if s.Reason != doc.Faulty || s.Hint == "" || questions[string(s.Path)] == "" {
				t.Errorf("%+v", s)
			}
			if got := ask(t, x, questions[string(s.Path)]); got != "" {
				t.Errorf("%s was skipped and says %q", s.Path, got)
			}
			if _, _, err := x.Source(t.Context(), string(s.Path)); errs.CodeOf(err) != errs.NotFound {
				t.Errorf("the source of %s: %v", s.Path, err)
			}
		}
		if got := ask(t, x, "When are potatoes planted?"); got != "good.md:5 Potatoes are planted in April." {
			t.Errorf("the file beside them says %q", got)
		}
	}
	if n := strings.Count(log.String(), "panicked"); n != 8 || strings.Contains(log.String(), "the words of") {
		t.Errorf("%d panics in the log %s", n, log.String())
	}
	// The control: mended, all of them are read.
	x.parses, pdf.mend = nil, true
	if u, skipped := update(t, x); u.Files != 5 || len(skipped) != 0 {
		t.Errorf("mended: %+v, %v", u, skipped)
	}
	for path, q := range questions {
		if got := ask(t, x, q); !strings.HasPrefix(got, path+":") {
			t.Errorf("%s, mended: %q", path, got)
		}
	}
	// Of a file that was read, the source is read again.
	at = map[string]int{"load.txt": 1}
	fail()
	if _, _, err := x.Source(t.Context(), "load.txt"); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("a source that panics: %v", err)
	}
}

// seconds is a clock that moves on by one each time that it is asked.
type seconds struct{ hands }

func (c *seconds) Boot() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.boot += time.Second
	return c.boot
}

// While a large file is turned into passages, and the walk waits for it or is over,
// the caller hears that it goes on.
func TestWaitingIsHeard(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a.txt", "b.txt"} { // there is room for one of them
		write(t, root, name, strings.Repeat("The kettle boils the water in about four minutes, and then it whistles.\n\n", limits.IndexInFlight/2/70))
	}
	cfg := config(root, t.TempDir(), true)
	cfg.Clock = &seconds{hands{wall: time.Now().Add(time.Hour)}}
	x, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	heard := map[int64]int{}
	if _, err := x.Update(t.Context(), func(p Progress) { heard[p.Files]++ }, func([]doc.Skipped) {}); err != nil {
		t.Fatal(err)
	}
	if heard[1] < 3 || heard[2] < 3 {
		t.Errorf("heard %v", heard)
	}
}
