package serve

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// shown is a source put together from its messages.
type shown struct {
	line, total    uint32
	lines          []string
	changed        bool
	messages, most int
}

func (w *worker) source(t *testing.T, path string, from, n uint32) (shown, error) {
	t.Helper()
	s, err := w.client.Source(t.Context(), &indexv1.SourceRequest{Grant: grant, Path: []byte(path), From: from, Lines: n})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out shown
	last := false
	for {
		m, err := s.Recv()
		if err == io.EOF {
			if !last {
				t.Error("no message is the last")
			}
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if out.messages == 0 {
			out.line = m.GetLine()
		} else if m.GetLine() != out.line+uint32(len(out.lines)) {
			t.Errorf("message %d begins at line %d", out.messages, m.GetLine())
		}
		if last {
			t.Error("a message behind the last")
		}
		out.messages++
		out.most = max(out.most, len(m.GetText()))
		out.total, out.changed, last = m.GetTotal(), m.GetChanged(), m.GetLast()
		if m.GetText() != "" || !last {
			out.lines = append(out.lines, strings.Split(m.GetText(), "\n")...)
		}
	}
}

func put(t *testing.T, root, name string, b []byte) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func packed(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	z.Close()
	return b.Bytes()
}

func wide(text string) []byte {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

const harbours = "# Lights\r\n\r\nThe lamp of the north pier burns green.\r\nIt was lit in 1904.\r\n\r\nNobody keeps it.\r\n"

// Whatever the file's encoding, a citation's line is the source's line, and its
// quote stands there.
func TestSourceHasTheLinesOfCitations(t *testing.T) {
	for name, b := range map[string][]byte{
		"plain.txt": []byte(harbours), "packed.txt.gz": packed(harbours), "wide.txt": wide(harbours), "sub/dir/deep.md": []byte(harbours), "odd\xff\nname.txt": []byte(harbours),
		"mark.txt": []byte("\xef\xbb\xbf" + harbours),
	} {
		root := t.TempDir()
		put(t, root, name, b)
		w := connect(t, root)
		a, err := w.ask(t, "Which lamp of the north pier burns green?")
		if err != nil || len(a.sentences) == 0 {
			t.Errorf("%q: %v %v", name, a, err)
			continue
		}
		c := a.sentences[0].GetCitations()[0]
		got, err := w.source(t, string(c.GetPath()), c.GetLine(), c.GetEndLine()-c.GetLine()+1)
		if err != nil || got.line != 3 || got.total != 6 || got.changed || !strings.Contains(strings.Join(got.lines, "\n"), c.GetQuote()) {
			t.Errorf("%q: %v: %+v, %v", name, c, got, err)
		}
		all, err := w.source(t, name, 1, 0)
		if err != nil || strings.Join(all.lines, "\n")+"\n" != harbours {
			t.Errorf("%q: %q, %v", name, all.lines, err)
		}
	}
}

// Long files come in pieces of whole lines, from where they were asked for.
func TestSourcePages(t *testing.T) {
	root := t.TempDir()
	var b strings.Builder
	for i := 1; i <= 3000; i++ {
		fmt.Fprintf(&b, "This is line %d of the book of boats, which is a long book about harbours and tides.\n", i)
	}
	b.WriteString(strings.Repeat("ü", limits.SourceLine))
	put(t, root, "book.txt", []byte(b.String()))
	w := connect(t, root)
	if _, err := w.ask(t, "boats?"); err != nil {
		t.Fatal(err)
	}
	got, err := w.source(t, "book.txt", 1, 5000)
	if err != nil || len(got.lines) != 3001 || got.total != 3001 || got.messages < 2 || got.most > limits.SourcePage {
		t.Fatalf("%d lines of %d in %d messages, %v", len(got.lines), got.total, got.messages, err)
	}
	for i, l := range got.lines[:3000] {
		if !strings.HasPrefix(l, fmt.Sprintf("This is line %d of", i+1)) {
			t.Fatalf("line %d is %q", i+1, l)
		}
	}
	if l := got.lines[3000]; len(l) != limits.SourceLine || strings.Trim(l, "ü") != "" {
		t.Errorf("the long line has %d bytes", len(l))
	}
	if got, err := w.source(t, "book.txt", 2990, 0); err != nil || len(got.lines) != 12 || got.line != 2990 {
		t.Errorf("%d lines from %d, %v", len(got.lines), got.line, err)
	}
	if got, err := w.source(t, "book.txt", 1, 0); err != nil || len(got.lines) != limits.SourceLines {
		t.Errorf("%d lines, %v", len(got.lines), err)
	}
	if got, err := w.source(t, "book.txt", 4000, 3); err != nil || len(got.lines) != 0 || got.total != 3001 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A file that was changed since is shown as it is, and that is said.
func TestSourceChanged(t *testing.T) {
	root := t.TempDir()
	put(t, root, "a.txt", []byte(harbours))
	w := connect(t, root)
	if _, err := w.ask(t, "lamp?"); err != nil {
		t.Fatal(err)
	}
	put(t, root, "a.txt", []byte("A new first line about boats.\n"+harbours))
	if got, err := w.source(t, "a.txt", 1, 1); err != nil || !got.changed || got.lines[0] != "A new first line about boats." {
		t.Errorf("%+v, %v", got, err)
	}
	put(t, root, "a.txt", []byte(harbours))
	if got, err := w.source(t, "a.txt", 1, 1); err != nil || got.changed {
		t.Errorf("only its times are new: %+v, %v", got, err)
	}
}

// What was not read is not shown, and what was read is not shown any more when
// something else stands in its place. The control is the same name before.
func TestSourceRefuses(t *testing.T) {
	outside := t.TempDir()
	put(t, outside, "secret.txt", []byte("The password is swordfish, and nobody knows it.\n"))
	root := t.TempDir()
	for _, name := range []string{"link.txt", "pipe.txt", "dir.txt", "binary.txt", "huge.txt", "gone.txt", "empty.txt", "zero.txt", "sub/file.txt"} {
		put(t, root, name, []byte(harbours))
	}
	put(t, root, "picture.png", []byte("\x89PNG\r\n"))
	put(t, root, "id_rsa", []byte("not even a key\n"))
	put(t, root, ".hidden.txt", []byte(harbours))
	put(t, root, ".gitignore", []byte("ignored.txt\n"))
	put(t, root, "ignored.txt", []byte(harbours))
	must(t, os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(root, "out.txt")))
	must(t, unix.Mkfifo(filepath.Join(root, "fifo.txt"), 0o644))
	w := connect(t, root)
	if _, err := w.source(t, "link.txt", 1, 1); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("before anything was read: %v", err)
	}
	if _, err := w.ask(t, "lamp?"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link.txt", "pipe.txt", "dir.txt", "binary.txt", "huge.txt", "gone.txt", "empty.txt", "zero.txt", "sub/file.txt"} {
		if got, err := w.source(t, name, 1, 1); err != nil || got.lines[0] != "# Lights\r" {
			t.Fatalf("the control %s: %+v, %v", name, got, err)
		}
	}
	in := func(name string) string { return filepath.Join(root, name) }
	replace := func(name string, by func(path string) error) {
		t.Helper()
		must(t, os.Remove(in(name)))
		must(t, by(in(name)))
	}
	replace("link.txt", func(p string) error { return os.Symlink(filepath.Join(outside, "secret.txt"), p) })
	replace("pipe.txt", func(p string) error { return unix.Mkfifo(p, 0o644) })
	replace("dir.txt", func(p string) error { return os.Mkdir(p, 0o755) })
	replace("zero.txt", func(p string) error { return os.Symlink("/dev/zero", p) })
	replace("sub/file.txt", func(string) error {
		must(t, os.Remove(in("sub")))
		put(t, outside, "file.txt", []byte("The password is swordfish.\n"))
		return os.Symlink(outside, in("sub"))
	})
	put(t, root, "binary.txt", []byte("\x7fELF\x00\x00"))
	put(t, root, "empty.txt", nil)
	must(t, os.Truncate(in("huge.txt"), limits.TextFile+1))
	must(t, os.Remove(in("gone.txt")))
	for _, path := range []string{
		"link.txt", "pipe.txt", "dir.txt", "zero.txt", "binary.txt", "huge.txt", "gone.txt", "empty.txt", "sub/file.txt",
		"picture.png", "id_rsa", ".hidden.txt", "ignored.txt", ".gitignore", "out.txt", "fifo.txt", "sub", ".", "..", "/", "./a", "../secret.txt",
		filepath.Join(outside, "secret.txt"), "/etc/passwd", "../" + filepath.Base(outside) + "/secret.txt", "sub/../link.txt", "link.txt/", "//link.txt",
		"link.txt\x00", strings.Repeat("a/", 300) + "b", strings.Repeat("x", 4096), "\xff",
	} {
		began := time.Now()
		got, err := w.source(t, path, 1, 10)
		if errs.CodeOf(err) != errs.NotFound || got.messages != 0 {
			t.Errorf("%q: %+v, %v", path, got, err)
		}
		if time.Since(began) > 10*time.Second {
			t.Errorf("%q took %v", path, time.Since(began))
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
