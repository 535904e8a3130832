package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bailey-run/bailey/internal/errs"
)

// failure is an error of SQLite that a test made.
type failure struct{ code int }

func (f failure) Error() string { return fmt.Sprintf("injected: %d", f.code) }
func (f failure) Code() int     { return f.code }

// faulty is a database whose statement number at fails, counted from 1, and whose
// check of its pages says what it is told to. It is its own connector and its only
// connection.
type faulty struct {
	driver.Conn
	path string
	at   int
	with error
	says string
	seen int
}

func (f *faulty) Connect(context.Context) (_ driver.Conn, err error) {
	f.Conn, err = f.Driver().Open(f.path)
	return f, err
}

func (f *faulty) Driver() driver.Driver { return &sqlite.Driver{} }

func (f *faulty) next() error {
	if f.seen++; f.seen == f.at {
		return f.with
	}
	return nil
}

func (f *faulty) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	if f.says != "" && strings.HasPrefix(q, "PRAGMA quick_check") {
		q = "SELECT '" + f.says + "'"
	}
	return f.Conn.(driver.QueryerContext).QueryContext(ctx, q, args)
}

func (f *faulty) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	return f.Conn.(driver.ExecerContext).ExecContext(ctx, q, args)
}

// A disk or a machine that fails while a database is opened says nothing of what
// is in it; so only what SQLite found wrong with it counts as damage.
func TestOpeningFails(t *testing.T) {
	dir := t.TempDir()
	s := at(t, dir)
	talk(t, s, "an albatross flies", "yes")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open := func(at int, with error, says string) (statements int, err error) {
		f := &faulty{path: filepath.Join(dir, fileName), at: at, with: with, says: says}
		db := sql.OpenDB(f)
		defer db.Close()
		d := &database{cfg: s.cfg, path: f.path, db: db}
		if d.conn, err = db.Conn(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer d.conn.Close()
		err = d.prepare(current())
		return f.seen, err
	}
	statements, err := open(0, nil, "")
	if err != nil || statements < 8 {
		t.Fatalf("control: %d statements, %v", statements, err)
	}
	for _, c := range []struct {
		name    string
		with    error
		damaged bool
	}{
		{"a read error", failure{sqlite3.SQLITE_IOERR_READ}, false},
		{"a bad sector", failure{sqlite3.SQLITE_IOERR_CORRUPTFS}, false},
		{"no memory", failure{sqlite3.SQLITE_NOMEM}, false},
		{"no memory for the disk", failure{sqlite3.SQLITE_IOERR_NOMEM}, false},
		{"no memory outside SQLite", errors.New("sqlite: cannot allocate 8 bytes of memory"), false},
		{"a connection that is gone", driver.ErrBadConn, false},
		{"a page that is none", failure{sqlite3.SQLITE_CORRUPT}, true},
		{"no database", failure{sqlite3.SQLITE_NOTADB}, true},
	} {
		for n := 1; n <= statements; n++ {
			_, err := open(n, c.with, "")
			if err == nil || errors.Is(err, errDamaged) != c.damaged {
				t.Errorf("%s at statement %d: %v", c.name, n, err)
			}
			if !c.damaged && errs.CodeOf(err) != errs.Internal {
				t.Errorf("%s at statement %d has the code %s", c.name, n, errs.CodeOf(err))
			}
		}
	}
	// SQLite's check finds a page that the disk does not read.
	const unread = "Tree 2 page 3: unable to get the page. error code=266"
	broken, err := open(0, nil, unread)
	if !errors.Is(err, errDamaged) {
		t.Errorf("control: what the check says: %v", err)
	}
	if _, err := open(broken, failure{sqlite3.SQLITE_IOERR_READ}, unread); errors.Is(err, errDamaged) || errs.CodeOf(err) != errs.Internal {
		t.Errorf("a read error that the check met: %v", err)
	}
	if left, _ := filepath.Glob(dir + "/*damaged*"); len(left) > 0 {
		t.Errorf("set aside: %v", left)
	}
	if got := list(t, at(t, dir), 0); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
