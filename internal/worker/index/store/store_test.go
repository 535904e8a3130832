package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

func open(t *testing.T, dir string, keep bool) *Store {
	t.Helper()
	s, err := Open(context.Background(), dir, keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func entry(path string, texts ...string) *Entry {
	e := &Entry{File: File{Path: path, Stamp: Stamp{Size: 9, ModTime: 7, Inode: 5}}}
	for i, text := range texts {
		c := &Chunk{Head: "Head", Line: i + 1, Source: text, Sentences: []Sentence{{Text: strings.Join(strings.Fields(text), " "), End: len(text)}}}
		e.Add(c, Tokens{Name: []byte(path), Head: []byte("head"), Body: []byte(text)})
	}
	return e
}

func put(t *testing.T, s *Store, e *Entry, old File) {
	t.Helper()
	b, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(e, old); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

func search(t *testing.T, s *Store, tokens ...string) string {
	t.Helper()
	hits, err := s.Search(t.Context(), tokens, 10)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, h := range hits {
		ids = append(ids, h.Chunk)
	}
	ps, err := s.Passages(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range ps {
		out = append(out, p.File.Path+":"+p.Source)
	}
	return strings.Join(out, "|")
}

func TestPutSearchReplaceDelete(t *testing.T) {
	s := open(t, t.TempDir(), true)
	put(t, s, entry("a", "one two", "three"), File{})
	put(t, s, entry("b", "two four"), File{})
	if got := search(t, s, "three"); got != "a:three" {
		t.Errorf("three: %q", got)
	}
	if got := search(t, s, "two", "four"); got != "b:two four|a:one two" {
		t.Errorf("two: %q", got)
	}
	var files []File
	if err := s.Each(t.Context(), func(f File) error { files = append(files, f); return nil }); err != nil {
		t.Fatal(err)
	}
	e := entry("a", "five")
	e.ID = files[0].ID
	put(t, s, e, files[0])
	if got := search(t, s, "three", "one", "five"); got != "a:five" {
		t.Errorf("after replace: %q", got)
	}
	b, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(files[1]); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := search(t, s, "two", "four"); got != "" {
		t.Errorf("after delete: %q", got)
	}
	df, err := s.Frequencies(t.Context(), []string{"five", "head", "nothing"})
	if err != nil || df["five"] != 1 || df["nothing"] != 0 {
		t.Errorf("frequencies %v, %v", df, err)
	}
}

func TestRollbackLeavesNothing(t *testing.T) {
	s := open(t, t.TempDir(), true)
	b, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(entry("a", "one"), File{}); err != nil {
		t.Fatal(err)
	}
	b.Rollback()
	if got := search(t, s, "one"); got != "" {
		t.Errorf("found %q", got)
	}
	put(t, s, entry("b", "one"), File{})
	if got := search(t, s, "one"); got != "b:one" {
		t.Errorf("found %q", got)
	}
}

func TestKeptAndNotKept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	put(t, s, entry("a", "one"), File{})
	s.Close()
	s = open(t, dir, true)
	if got := search(t, s, "one"); got != "a:one" {
		t.Errorf("kept: %q", got)
	}
	if _, err := Open(t.Context(), dir, true); !errors.Is(err, ErrBusy) {
		t.Errorf("second open: %v, want busy", err)
	}
	s.Close()
	s = open(t, dir, false)
	if got := search(t, s, "one"); got != "" {
		t.Errorf("a store that is not kept began with %q", got)
	}
	put(t, s, entry("a", "one"), File{})
	s.Close()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOtherVersionIsDamaged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	if _, err := s.conn.ExecContext(t.Context(), "PRAGMA user_version=99"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(t.Context(), dir, true); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	open(t, dir, true)
}

// A flipped or lost byte anywhere gives an error or the right words, never
// other words and never a crash.
func TestDamageIsFound(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	for i := range 50 {
		put(t, s, entry(fmt.Sprint("f", i), fmt.Sprintf("needle%d hay and more hay in a sentence", i), "other words"), File{})
	}
	s.Close()
	path := filepath.Join(dir, fileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	try := func(name string, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), dir, true)
		if err != nil {
			damaged++
			return
		}
		defer s.Close()
		for i := range 50 {
			hits, err := s.Search(t.Context(), []string{fmt.Sprint("needle", i)}, 10)
			if err != nil {
				damaged++
				return
			}
			var ids []int64
			for _, h := range hits {
				ids = append(ids, h.Chunk)
			}
			ps, err := s.Passages(t.Context(), ids)
			if err != nil {
				damaged++
				return
			}
			for _, p := range ps {
				if !strings.HasPrefix(p.Source, "needle") && p.Source != "other words" {
					t.Fatalf("%s: words nobody wrote: %q", name, p.Source)
				}
			}
		}
	}
	for at := 0; at < len(whole); at += 997 {
		flipped := append([]byte{}, whole...)
		flipped[at] ^= 0x41
		try(fmt.Sprint("flip at ", at), flipped)
	}
	for _, n := range []int{1, 99, 4096, len(whole) / 2, len(whole) - 1} {
		try(fmt.Sprint("cut at ", n), whole[:n])
	}
	if damaged == 0 {
		t.Error("no damage was found at all")
	}
}

func FuzzChunk(f *testing.F) {
	c := &Chunk{Head: "h", Line: 3, Role: Code, Source: "One  line.\nTwo.", Sentences: []Sentence{{"One line.", 0, 10, true, true, 7}, {"2", 11, 15, false, false, 9}}}
	f.Add(c.encode(nil))
	c.Page = 12
	f.Add(c.encode(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decode(data)
		if err != nil {
			return
		}
		again, err := decode(c.encode(nil))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
		if len(c.Sentences) > 0 {
			c.Quote(0, len(c.Sentences)-1)
		}
	})
}

// No question is an operator: whatever the tokens, the search finds passages
// with one of them and never fails.
func FuzzMatch(f *testing.F) {
	dir, err := os.MkdirTemp("", "match")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	s, err := Open(context.Background(), dir, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	b, err := s.Begin()
	if err != nil {
		f.Fatal(err)
	}
	if err := b.Put(entry("a", "one two"), File{}); err != nil {
		f.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		f.Fatal(err)
	}
	for _, q := range []string{"one", "one NOT two", "\"", "a OR b", "head:x", "{head body}: x", "x*", "^x", "NEAR(a b)", "-x", "+", "(", "\x00", "", "'; DROP TABLE files"} {
		f.Add(q, "two")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if _, err := s.Search(context.Background(), []string{a, b}, 5); err != nil {
			t.Fatalf("%q %q: %v", a, b, err)
		}
	})
}

func FuzzDelta(f *testing.F) {
	f.Add("ls - list directory contents", ".Nm ls\n.Nd list directory contents\n")
	f.Add("a b", "a\nb")
	f.Add("inserted words", "")
	f.Add("aaaaaaaa", "aaaabaaaabaaaa")
	f.Fuzz(func(t *testing.T, text, source string) {
		r := reader{data: appendDelta(nil, text, source)}
		if got := r.delta(len(text), source); got != text || r.bad || len(r.data) != 0 {
			t.Fatalf("%q out of %q became %q", text, source, got)
		}
	})
}

func FuzzLeads(f *testing.F) {
	f.Add(EncodeLeads([]Lead{{Text: "One two.", Quote: "One\ntwo.", Line: 3, End: 4, Head: "H", Level: 2}, {Text: "x", Quote: "*x*", Line: 1, End: 1, Page: 3, Paragraph: 40}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		ls, err := DecodeLeads(data)
		if err != nil || ls == nil {
			return
		}
		again, err := DecodeLeads(EncodeLeads(ls))
		if err != nil || !reflect.DeepEqual(ls, again) {
			t.Fatalf("%+v became %+v, %v", ls, again, err)
		}
	})
}

// A full disk is an error of its own; what was committed stays, and the batch
// that did not fit leaves nothing. max_page_count fails as a full disk does.
func TestNoSpace(t *testing.T) {
	s := open(t, t.TempDir(), true)
	put(t, s, entry("a", "alpha"), File{})
	if _, err := s.conn.ExecContext(t.Context(), "PRAGMA max_page_count=30"); err != nil {
		t.Fatal(err)
	}
	var failed error
	for i := 0; i < 200 && failed == nil; i++ {
		b, err := s.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Put(entry(fmt.Sprint("big", i), "beta "+strings.Repeat(fmt.Sprint("filler", i, " "), 2000)), File{}); err != nil {
			failed = err
		} else if err := b.Commit(); err != nil {
			failed = err
		}
		b.Rollback()
	}
	if errs.CodeOf(failed) != errs.NoSpace {
		t.Fatalf("got %v", failed)
	}
	if got := search(t, s, "alpha"); got != "a:alpha" {
		t.Errorf("after a full disk: %q", got)
	}
	if _, err := s.conn.ExecContext(t.Context(), "PRAGMA max_page_count=100000"); err != nil {
		t.Fatal(err)
	}
	put(t, s, entry("c", "gamma"), File{})
	if got := search(t, s, "gamma"); got != "c:gamma" {
		t.Errorf("after space was made: %q", got)
	}
}

// What was settled is in the database itself: a copy of that file alone, as a
// kill leaves it when the journal is lost, has it. A short journal is left.
func TestSettle(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	journal := func() int64 {
		n, err := fileSize(filepath.Join(dir, fileName+"-wal"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	put(t, s, entry("short.md", "zebra"), File{})
	if err := s.Settle(t.Context()); err != nil || journal() == 0 {
		t.Fatalf("a short journal has %d bytes, %v", journal(), err)
	}
	for i := 0; journal() <= limits.IndexJournal; i++ {
		put(t, s, entry(fmt.Sprintf("long%d.md", i), strings.Repeat("giraffe ", 10000)), File{})
	}
	if err := s.Settle(t.Context()); err != nil || journal() != 0 {
		t.Fatalf("a settled journal has %d bytes, %v", journal(), err)
	}
	b, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, fileName), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := search(t, open(t, other, true), "zebra"); !strings.Contains(got, "zebra") {
		t.Errorf("the database alone has %q", got)
	}
}
