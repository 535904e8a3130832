package store

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// sqlOn changes the database of a closed store.
func sqlOn(t *testing.T, dir, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A database that cannot be read is set aside whole, said so once, and a new one
// begun.
func TestDamage(t *testing.T) {
	const text = "an albatross flies"
	change := func(t *testing.T, dir string, f func([]byte) []byte) {
		t.Helper()
		path := filepath.Join(dir, fileName)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, damage := range map[string]func(t *testing.T, dir string){
		"not a database": func(t *testing.T, dir string) {
			change(t, dir, func(b []byte) []byte { return []byte("this is no database, " + text) })
		},
		"zeros": func(t *testing.T, dir string) {
			change(t, dir, func(b []byte) []byte { copy(b, make([]byte, 4096)); return b })
		},
		"cut off": func(t *testing.T, dir string) {
			change(t, dir, func(b []byte) []byte { return b[:len(b)/2] })
		},
		"a letter of a turn": func(t *testing.T, dir string) {
			change(t, dir, func(b []byte) []byte {
				return bytes.ReplaceAll(b, []byte("albatross"), []byte("albatrost"))
			})
		},
		"a page of noise": func(t *testing.T, dir string) {
			change(t, dir, func(b []byte) []byte {
				copy(b[2*limits.StorePage:], bytes.Repeat([]byte{0xa5, 0x3c}, limits.StorePage/2))
				return b
			})
		},
		"another program's":       func(t *testing.T, dir string) { sqlOn(t, dir, "PRAGMA application_id=7") },
		"a table is missing":      func(t *testing.T, dir string) { sqlOn(t, dir, "DROP TABLE pending") },
		"a column is missing":     func(t *testing.T, dir string) { sqlOn(t, dir, "ALTER TABLE turns RENAME COLUMN sum TO crc") },
		"a value of another type": func(t *testing.T, dir string) { sqlOn(t, dir, "UPDATE turns SET at='noon'") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := at(t, dir)
			id := talk(t, s, text, "yes")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			damage(t, dir)
			before, err := os.ReadFile(filepath.Join(dir, fileName))
			if err != nil {
				t.Fatal(err)
			}
			s = at(t, dir)
			if _, _, err := read(t, s, id); !is(err, errs.StoreDamaged) || !strings.Contains(errs.From(err).Message(), asideName(1)) {
				t.Fatalf("%v", err)
			}
			aside, err := os.ReadFile(filepath.Join(dir, asideName(1)))
			if err != nil || len(aside) != len(before) || !bytes.Equal(aside[limits.StorePage*min(1, len(aside)/limits.StorePage):], before[limits.StorePage*min(1, len(before)/limits.StorePage):]) {
				t.Errorf("what was set aside is not what was there: %d and %d bytes, %v", len(aside), len(before), err)
			}
			// Once.
			next := talk(t, s, "anew")
			if got := texts(t, s, next); got != "anew" {
				t.Errorf("%q", got)
			}
			r, err := s.Erase(t.Context(), &storev1.EraseRequest{Id: next})
			if err != nil || r.GetSetAside() != 1 {
				t.Errorf("%v %v", r, err)
			}
			if _, err := s.Erase(t.Context(), &storev1.EraseRequest{All: true}); err != nil {
				t.Error(err)
			}
			if left, _ := filepath.Glob(dir + "/*damaged*"); len(left) > 0 {
				t.Errorf("erasing all left %v", left)
			}
		})
	}
}

// Many times damaged, nothing that was set aside is overwritten; in the end
// nothing more is begun.
func TestSetAsideIsNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	for n := range limits.StoreSetAside {
		if err := os.WriteFile(filepath.Join(dir, fileName), fmt.Appendf(nil, "broken %d", n), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := at(t, dir).Begin(t.Context(), &storev1.BeginRequest{}); !is(err, errs.StoreDamaged) {
			t.Fatal(err)
		}
	}
	for n := range limits.StoreSetAside {
		if b, err := os.ReadFile(filepath.Join(dir, asideName(n+1))); err != nil || string(b) != fmt.Sprintf("broken %d", n) {
			t.Errorf("%q %v", b, err)
		}
	}
	last := []byte("one too many")
	if err := os.WriteFile(filepath.Join(dir, fileName), last, 0o600); err != nil {
		t.Fatal(err)
	}
	s := at(t, dir)
	for range 2 {
		if _, err := s.Begin(t.Context(), &storev1.BeginRequest{}); !is(err, errs.StoreDamaged) {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, fileName)); err != nil || !bytes.Equal(b, last) {
		t.Errorf("%q %v", b, err)
	}
}

// A full-text index that is damaged is made again from the turns, and nobody
// hears of it.
func TestIndexHeals(t *testing.T) {
	dir := t.TempDir()
	s := at(t, dir)
	id := talk(t, s, "the heron waits", "yes")
	// One that cannot be read, one that has lost its words, and one that says
	// what is not so.
	for n, damage := range []string{
		"UPDATE words_data SET block=x'00112233445566778899'",
		"DELETE FROM words_data WHERE id>10",
		"INSERT INTO words(rowid,text) VALUES(77,'a ghost')",
	} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		sqlOn(t, dir, damage)
		s = at(t, dir)
		if got := search(t, s, "ghost"); got != "" {
			t.Errorf("%s: found %q", damage, got)
		}
		if got := search(t, s, "heron"); got != "the heron waits#1" {
			t.Errorf("%s: found %q", damage, got)
		}
		put(t, s, id, turn(n+3, user, "and a stork"))
		if got := search(t, s, "stork"); !strings.Contains(got, fmt.Sprintf("the heron waits#%d", n+3)) {
			t.Errorf("%s: found %q", damage, got)
		}
	}
	if left, _ := filepath.Glob(dir + "/*damaged*"); len(left) > 0 {
		t.Errorf("set aside: %v", left)
	}
}

func TestVersions(t *testing.T) {
	dir := t.TempDir()
	s := at(t, dir)
	id := talk(t, s, "old words")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next := current()
	next.version = 2
	next.steps = []string{"ALTER TABLE turns ADD COLUMN kept INTEGER NOT NULL DEFAULT 0"}
	// A step that fails leaves all as it was.
	bad := next
	bad.steps = []string{"ALTER TABLE turns ADD COLUMN kept INTEGER NOT NULL DEFAULT 0; DELETE FROM turns; SELECT * FROM nowhere"}
	s = at(t, dir)
	s.layout = bad
	if _, _, err := read(t, s, id); !is(err, errs.Internal) {
		t.Errorf("a bad step: %v", err)
	}
	if got := texts(t, at(t, dir), id); got != "old words" {
		t.Errorf("after a bad step: %q", got)
	}
}

func TestForward(t *testing.T) {
	dir := t.TempDir()
	s := at(t, dir)
	id := talk(t, s, "old words")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next := current()
	next.version = 3
	next.steps = []string{"ALTER TABLE turns ADD COLUMN kept INTEGER NOT NULL DEFAULT 0", "UPDATE turns SET kept=5"}
	s = at(t, dir)
	s.layout = next
	if got := texts(t, s, id); got != "old words" {
		t.Errorf("%q", got)
	}
	if err := s.with(t.Context(), func(d *database) error {
		var kept int
		if err := d.row("SELECT kept FROM turns").Scan(&kept); err != nil || kept != 5 {
			t.Errorf("%d %v", kept, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// What a newer release wrote is refused, and left alone.
	before := files(t, dir)
	s = at(t, dir)
	for range 2 {
		if _, _, err := read(t, s, id); !is(err, errs.NotSupported) {
			t.Errorf("a newer database: %v", err)
		}
	}
	if !bytes.Contains(files(t, dir), []byte("old words")) || len(files(t, dir)) < len(before) {
		t.Error("it was changed")
	}
}

// The database does not grow beyond its cap, and what was there stays.
func TestFull(t *testing.T) {
	s := at(t, t.TempDir())
	id := talk(t, s, "kept")
	if err := s.with(t.Context(), func(d *database) error {
		_, err := d.exec("PRAGMA max_page_count=40")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	fills(t, s, id, func() {
		if err := s.with(t.Context(), func(d *database) error { _, err := d.exec("PRAGMA max_page_count=400"); return err }); err != nil {
			t.Fatal(err)
		}
	})
}

// fills appends until the disk is full, and looks that all is as it was, and
// that it goes on when there is more space.
func fills(t *testing.T, s *Store, id string, more func()) {
	t.Helper()
	big := strings.Repeat("all the words of a long answer ", 1000)
	var err error
	n := 1
	for err == nil && n < 1000 {
		n++
		_, err = s.Append(t.Context(), &storev1.AppendRequest{Id: id, Turn: turn(n, model, big)})
	}
	if !is(err, errs.NoSpace) {
		t.Fatalf("after %d turns: %v", n, err)
	}
	_, turns, err := read(t, s, id)
	if err != nil || len(turns) != n-1 || turns[0].GetText() != "kept" {
		t.Fatalf("%d turns of %d, %v", len(turns), n-1, err)
	}
	more()
	if _, err := s.Cut(t.Context(), &storev1.CutRequest{Id: id, From: 2}); err != nil {
		t.Errorf("cut: %v", err)
	}
	put(t, s, id, turn(2, model, "short"))
	if got := texts(t, s, id); got != "kept|short" {
		t.Errorf("%.80q", got)
	}
}

// Another process's lock is waited for, then named.
func TestHeldByAnother(t *testing.T) {
	dir := t.TempDir()
	s := at(t, dir)
	talk(t, s, "mine")
	if _, err := at(t, dir).Begin(t.Context(), &storev1.BeginRequest{}); !is(err, errs.CoreBusy) {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, at(t, dir), 0); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
