package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hands is a clock that tests move.
type hands struct {
	mu   sync.Mutex
	wall time.Time
	boot time.Duration
}

func (c *hands) Wall() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.wall }

func (c *hands) Boot() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.boot += time.Millisecond
	return c.boot
}

// later is a clock an hour on, so that no file of a test is racy.
func later() *hands { return &hands{wall: time.Now().Add(time.Hour)} }

func config(root, db string, keep bool) Config {
	return Config{Root: func() (*dirfd.Dir, error) { return dirfd.Open(root) }, DB: db, Remembered: keep, Clock: later(),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func openIndex(t *testing.T, root, db string, keep bool) *Index {
	t.Helper()
	x, err := Open(t.Context(), config(root, db, keep))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func update(t *testing.T, x *Index) (Usage, []doc.Skipped) {
	t.Helper()
	var skipped []doc.Skipped
	u, err := x.Update(t.Context(), func(Progress) {}, func(s []doc.Skipped) { skipped = append(skipped, s...) })
	if err != nil {
		t.Fatal(err)
	}
	return u, skipped
}

func ask(t *testing.T, x *Index, q string) string {
	t.Helper()
	a, err := x.Ask(t.Context(), q, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Sentences) == 0 {
		return ""
	}
	s := a.Sentences[0]
	return fmt.Sprintf("%s:%d %s", s.Citations[0].Path, s.Citations[0].Line, s.Text)
}

const gardens = "# Gardens\n\nTomatoes need a sunny place and much water.\n\nPotatoes are planted in April.\n"

func TestUpdateFollowsTheFolder(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a.md", gardens)
	write(t, root, "sub/b.md", "# Ships\n\nThe harbour opens at six o'clock.\n")
	write(t, root, "c.bin", "\x00\x01\x02")
	x := openIndex(t, root, t.TempDir(), true)
	u, skipped := update(t, x)
	if u.Files != 2 || u.Unchanged != 0 || len(skipped) != 1 || skipped[0].Reason != doc.Binary {
		t.Fatalf("first: %+v %v", u, skipped)
	}
	if got := ask(t, x, "When are potatoes planted?"); got != "a.md:5 Potatoes are planted in April." {
		t.Errorf("got %q", got)
	}
	u, skipped = update(t, x)
	if u.Files != 2 || u.Unchanged != 2+int64(len(skipped)) && u.Unchanged != 2 {
		t.Errorf("nothing changed: %+v %v", u, skipped)
	}
	// New words, more lines above.
	write(t, root, "a.md", "# Gardens\n\n\n\nPotatoes are planted in May this year.\n")
	if err := os.Remove(filepath.Join(root, "sub/b.md")); err != nil {
		t.Fatal(err)
	}
	u, _ = update(t, x)
	if u.Files != 1 {
		t.Errorf("after changes: %+v", u)
	}
	if got := ask(t, x, "When are potatoes planted?"); got != "a.md:5 Potatoes are planted in May this year." {
		t.Errorf("got %q", got)
	}
	if got := ask(t, x, "When does the harbour open?"); got != "" {
		t.Errorf("a file that is gone answers: %q", got)
	}
}

// A passage goes on within an item of a list, and is cited with both ends of its
// emphasis; code and tables keep their lines.
func TestPassagesKeepTheirForm(t *testing.T) {
	root := t.TempDir()
	write(t, root, "boot.md", "# Boot\n\n- **The kernels.** Where they come from is apt.\n\n# Then\n\nA **loader** boots *them*.\n")
	write(t, root, "page.html", "<h1>Ferries</h1><p>Ferries are slow.</p><ul><li>Ferries sail at noon. They are white.</li><li>Ferries carry no cars.</li></ul><p>They are old.</p>")
	write(t, root, "start.md", "# Start\n\n```sh\n# fetch the sources of linux\napt source linux\n```\n")
	write(t, root, "prices.csv", "fruit,price\nmango,7 crowns\npapaya,9 crowns\n")
	x := openIndex(t, root, t.TempDir(), false)
	update(t, x)
	for _, c := range []struct{ q, text, quote string }{
		{"Where do the kernels come from?", "The kernels. Where they come from is apt.", "**The kernels.** Where they come from is apt."},
		{"What boots with a loader?", "A loader boots them.", "A **loader** boots *them*."},
		{"When do ferries sail?", "Ferries sail at noon. They are white.", "Ferries sail at noon. They are white."},
		{"How do I fetch the sources of linux?", "# fetch the sources of linux\napt source linux", "# fetch the sources of linux\napt source linux"},
		{"What is the price of a papaya?", "fruit,price\nmango,7 crowns\npapaya,9 crowns", "fruit,price\nmango,7 crowns\npapaya,9 crowns"},
	} {
		a, err := x.Ask(t.Context(), c.q, 1)
		if err != nil || len(a.Sentences) != 1 {
			t.Errorf("%s: %+v, %v", c.q, a, err)
			continue
		}
		if s := a.Sentences[0]; s.Text != c.text || len(s.Citations) != 1 || s.Citations[0].Quote != c.quote {
			t.Errorf("%s: got %q, cited as %q", c.q, s.Text, s.Citations[0].Quote)
		}
	}
	sum, err := x.Summarize(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sum.Sentences {
		if strings.Count(s.Quote, "**")%2 != 0 {
			t.Errorf("cited as %q", s.Quote)
		}
	}
}

// A file of other times and the same bytes is not read into passages again.
func TestNotesAreSummarisedWhenThereIsNothingElse(t *testing.T) {
	root := t.TempDir()
	write(t, root, "note.md", "# Note\n\nBuy milk. Call Anna.\n")
	x := openIndex(t, root, t.TempDir(), true)
	said := func() string {
		update(t, x)
		s, err := x.Summarize(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, c := range s.Sentences {
			fmt.Fprintf(&b, "%s:%d %s|", c.Path, c.Line, c.Quote)
		}
		return b.String()
	}
	if got, want := said(), "note.md:3 Buy milk.|note.md:3 Call Anna.|"; got != want {
		t.Errorf("notes alone: %q, want %q", got, want)
	}
	write(t, root, "ships.md", "# Ships\n\nThe harbour opens to all ships at six o'clock.\n")
	if got := said(); strings.Contains(got, "milk") || !strings.Contains(got, "harbour") {
		t.Errorf("with a text beside them: %q", got)
	}
}

func TestTouchedFileIsNotReadAgain(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a.md", gardens)
	x := openIndex(t, root, t.TempDir(), true)
	update(t, x)
	first := rows(t, x)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(root, "a.md"), old, old); err != nil {
		t.Fatal(err)
	}
	if u, _ := update(t, x); u.Unchanged != 0 {
		t.Errorf("times were not looked at: %+v", u)
	}
	if got := rows(t, x); got != first {
		t.Errorf("passages were made again: %v, then %v", first, got)
	}
	if u, _ := update(t, x); u.Unchanged != 1 {
		t.Errorf("the new times were not noted: %+v", u)
	}
}

func rows(t *testing.T, x *Index) string {
	t.Helper()
	var out []string
	var hits []string
	h, err := x.store.Search(t.Context(), []string{"potato", "tomato", "garden"}, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range h {
		hits = append(hits, fmt.Sprint(k.Chunk))
	}
	return strings.Join(append(out, hits...), " ")
}

// A change within the clock's grain of the last look must not be missed.
func TestRacyChangeIsSeen(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a.md", "# One\n\nThe bridge is painted blue today.\n")
	cfg := config(root, t.TempDir(), true)
	cfg.Clock = &hands{wall: time.Now()}
	x, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	update(t, x)
	if u, _ := update(t, x); u.Unchanged != 0 {
		t.Errorf("a file changed this second was believed: %+v", u)
	}
}

func TestKeptOnlyWhenRemembered(t *testing.T) {
	root, db := t.TempDir(), t.TempDir()
	write(t, root, "a.md", gardens)
	x := openIndex(t, root, db, true)
	update(t, x)
	x.Close()
	if u, _ := update(t, openAgain(t, root, db, true)); u.Unchanged != 1 {
		t.Errorf("remembered: %+v", u)
	}
}

func openAgain(t *testing.T, root, db string, keep bool) *Index { return openIndex(t, root, db, keep) }

func TestNotRememberedLeavesNothing(t *testing.T) {
	root, db := t.TempDir(), t.TempDir()
	write(t, root, "a.md", gardens)
	x := openIndex(t, root, db, false)
	update(t, x)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal("second Close:", err)
	}
	if left, _ := os.ReadDir(db); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := x.Ask(t.Context(), "potatoes", 1); err == nil {
		t.Error("a closed index answered")
	}
}

// A cancelled update keeps what was whole, and the next one finishes.
func TestCancelledUpdateGoesOn(t *testing.T) {
	root, db := t.TempDir(), t.TempDir()
	for i := range 400 {
		write(t, root, fmt.Sprintf("f%03d.md", i), fmt.Sprintf("# Part %d\n\nThe number of this part is %d and it has words.\n", i, i))
	}
	x := openIndex(t, root, db, true)
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	_, err := x.Update(ctx, func(p Progress) {
		if seen++; p.Files > 50 {
			cancel()
		}
	}, func([]doc.Skipped) {})
	cancel()
	if err != nil && errs.CodeOf(err) != errs.Cancelled {
		t.Fatalf("got %v", err)
	}
	u, _ := update(t, x)
	if u.Files != 400 {
		t.Errorf("%+v", u)
	}
	if got := ask(t, x, "What is the number of part 399?"); !strings.HasPrefix(got, "f399.md") {
		t.Errorf("got %q", got)
	}
}

// Whatever happens to the database between two runs, the next run answers.
func TestDamagedDatabaseIsMadeAgain(t *testing.T) {
	root := t.TempDir()
	for i := range 40 {
		write(t, root, fmt.Sprintf("f%d.md", i), fmt.Sprintf("# Part %d\n\nThe colour of part %d is a matter of taste, they say.\n", i, i))
	}
	write(t, root, "a.md", gardens)
	good := t.TempDir()
	x := openIndex(t, root, good, true)
	update(t, x)
	x.Close()
	whole, err := os.ReadFile(filepath.Join(good, "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string][]byte{"empty": {}, "text": []byte("this is no database at all, is it?"), "half": whole[:len(whole)/2], "one page": whole[:4096]}
	for at := 16; at < len(whole); at += 6151 {
		d := append([]byte(nil), whole...)
		for i := at; i < min(at+64, len(d)); i++ {
			d[i] ^= 0x5a
		}
		damage[fmt.Sprint("at ", at)] = d
	}
	for name, data := range damage {
		db := t.TempDir()
		if err := os.WriteFile(filepath.Join(db, "index.db"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := Open(t.Context(), config(root, db, true))
		if err != nil {
			t.Errorf("%s: open: %v", name, err)
			continue
		}
		_, err = x.Update(t.Context(), func(Progress) {}, func([]doc.Skipped) {})
		if err != nil {
			t.Errorf("%s: update: %v", name, err)
		}
		a, err := x.Ask(t.Context(), "When are potatoes planted?", 3)
		if err != nil {
			t.Errorf("%s: ask: %v", name, err)
		}
		for _, s := range a.Sentences {
			exact(t, root, s.Citations[0].Path, s.Citations[0].Line, s.Citations[0].End, s.Citations[0].Quote)
		}
		x.Close()
	}
}

func exact(t *testing.T, root, path string, line, end int, quote string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	if line < 1 || end < line || end > len(lines) {
		t.Fatalf("%s: lines %d to %d of %d", path, line, end, len(lines))
	}
	if cited := strings.Join(lines[line-1:end], ""); !strings.Contains(cited, quote) {
		t.Errorf("%s:%d-%d holds %q, not %q", path, line, end, cited, quote)
	}
}

// Two at a time take turns; a second process is told that the folder is in use.
func TestConcurrentCalls(t *testing.T) {
	root, db := t.TempDir(), t.TempDir()
	for i := range 60 {
		write(t, root, fmt.Sprintf("f%d.md", i), gardens)
	}
	x := openIndex(t, root, db, true)
	update(t, x)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if i%4 == 0 {
				if _, err := x.Update(context.Background(), func(Progress) {}, func([]doc.Skipped) {}); err != nil {
					t.Error(err)
				}
				return
			}
			if _, err := x.Ask(context.Background(), "Where do tomatoes grow?", 3); err != nil {
				t.Error(err)
			}
			if _, err := x.Summarize(context.Background(), 5); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	_, err := Open(t.Context(), config(root, db, true))
	if errs.CodeOf(err) != errs.CoreBusy {
		t.Errorf("second open: %v", err)
	}
}

func TestFolderProblems(t *testing.T) {
	x := openIndex(t, filepath.Join(t.TempDir(), "gone"), t.TempDir(), false)
	_, err := x.Update(t.Context(), func(Progress) {}, func([]doc.Skipped) {})
	if errs.CodeOf(err) != errs.FolderMissing {
		t.Errorf("missing folder: %v", err)
	}
	empty := openIndex(t, t.TempDir(), t.TempDir(), false)
	if u, _ := update(t, empty); u.Files != 0 {
		t.Errorf("empty folder: %+v", u)
	}
	if a, err := empty.Ask(t.Context(), "Is anything here?", 3); err != nil || len(a.Sentences) != 0 {
		t.Errorf("empty folder: %+v, %v", a, err)
	}
	if s, err := empty.Summarize(t.Context(), 3); err != nil || len(s.Sentences) != 0 {
		t.Errorf("empty folder: %+v, %v", s, err)
	}
	_, err = Open(t.Context(), config(t.TempDir(), filepath.Join(t.TempDir(), "no", "such"), true))
	var e *errs.Error
	if !errors.As(err, &e) {
		t.Errorf("no directory for the database: %v", err)
	}
}

// Every citation of every collection of the benchmark is checked there; here
// the hard cases for lines: long lines, CRLF, no last line end, pieces.
func TestCitationsAreExact(t *testing.T) {
	root := t.TempDir()
	write(t, root, "crlf.md", "# Head\r\n\r\nThe quick zebra jumps over\r\nthe lazy walrus. It was late.\r\n")
	write(t, root, "end.txt", "first\n\nThe last zebra sentence has no line end.")
	var b strings.Builder
	for i := range 240_000 { // more than may be in flight: written piece by piece
		fmt.Fprintf(&b, "Line number %d tells of item%d and nothing else at all.\n\n", i, i)
	}
	write(t, root, "long.txt", b.String())
	write(t, root, "one.txt", strings.Repeat("word and more of the zebra stuff ", 30_000))
	x := openIndex(t, root, t.TempDir(), false)
	update(t, x)
	for _, q := range []string{"quick zebra walrus", "last zebra line end", "item0", "item45000", "item239999", "zebra stuff", "item60001 item60002"} {
		a, err := x.Ask(t.Context(), q, 5)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Sentences) == 0 {
			t.Errorf("%s: nothing found", q)
		}
		for _, s := range a.Sentences {
			for _, c := range s.Citations {
				exact(t, root, c.Path, c.Line, c.End, c.Quote)
			}
		}
	}
}
