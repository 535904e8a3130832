// Package store is the index worker's database: which files were read, the
// passages ("chunks") of each with their source for exact citations, and a
// full-text index over tokens that package fold made.
//
// The database can always be made again from the folder, so nothing in it is
// worth repairing: one of another version, damaged or cut off gives
// [ErrDamaged], and its owner calls [Remove] and opens a new one. Every passage
// carries a checksum. A batch is one transaction: after a crash a file is there
// whole or not at all.
//
// A Store holds its database alone (exclusive lock) and may be used by one
// goroutine at a time. Only package index calls it.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// ErrDamaged says that the database cannot be used and has to be made again.
var ErrDamaged = errors.New("store: database damaged")

// ErrBusy says that another process holds the database.
var ErrBusy = errors.New("store: database in use")

const (
	// applicationID marks the file as ours ("bail"), PRAGMA application_id.
	applicationID = 0x6261696c
	// version changes with the schema, the tokens and the extraction, so that
	// what an older release wrote is made again.
	version = 6
	// fileName is the database in its directory.
	fileName = "index.db"
)

const schema = `
CREATE TABLE files(id INTEGER PRIMARY KEY, path BLOB NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, inode INTEGER NOT NULL,
	hash BLOB NOT NULL, reason TEXT NOT NULL, hint TEXT NOT NULL, lang TEXT NOT NULL, title TEXT NOT NULL, format TEXT NOT NULL,
	licence TEXT NOT NULL, bytes INTEGER NOT NULL, first INTEGER NOT NULL, chunks INTEGER NOT NULL, lead BLOB NOT NULL);
CREATE TABLE chunks(id INTEGER PRIMARY KEY, file INTEGER NOT NULL, data BLOB NOT NULL);
CREATE VIRTUAL TABLE fts USING fts5(name, head, body, content='', contentless_delete=1, tokenize="ascii tokenchars '.'");
INSERT INTO fts(fts, rank) VALUES('hashsize', 8388608), ('automerge', 8);
CREATE VIRTUAL TABLE vocab USING fts5vocab(fts, row);
CREATE TABLE models(id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 BLOB NOT NULL, dimension INTEGER NOT NULL, floor REAL, UNIQUE(sha256, dimension));
CREATE TABLE vectors(model INTEGER NOT NULL, chunk INTEGER NOT NULL, hash BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY(model, chunk)) WITHOUT ROWID;
CREATE INDEX vectors_hash ON vectors(hash, model);
CREATE TABLE told(hash BLOB NOT NULL, model BLOB NOT NULL, prompt INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY(hash, model, prompt)) WITHOUT ROWID;
`

// Store is an open database.
type Store struct {
	db   *sql.DB
	conn *sql.Conn
	path string
	keep bool
	next int64 // the next chunk's id
	file int64 // the next file's id
	// vectors is set when there may be some: what is stored then looks for its
	// own, and what goes takes them along.
	vectors bool
}

// Open opens or makes the database in directory dir. With keep unset the
// database is new and is deleted by Close. It returns ErrDamaged, ErrBusy or an
// *errs.Error.
func Open(ctx context.Context, dir string, keep bool) (*Store, error) {
	s := &Store{path: filepath.Join(dir, fileName), keep: keep}
	if !keep {
		if err := Remove(dir); err != nil {
			return nil, err
		}
	}
	// One connection: the database is exclusive, and settings are its own.
	dsn := (&url.URL{Scheme: "file", Path: s.path, OmitHost: true}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, s.fail("store.open", err)
	}
	db.SetMaxOpenConns(1)
	s.db = db
	if s.conn, err = db.Conn(ctx); err != nil {
		db.Close()
		return nil, s.fail("store.open", err)
	}
	if err := s.prepare(ctx); err != nil {
		s.conn.Close()
		db.Close()
		if !keep && !errors.Is(err, ErrBusy) {
			Remove(dir)
		}
		return nil, err
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	journal := "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=0"
	if !s.keep {
		journal = "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF"
	}
	settings := fmt.Sprintf(`PRAGMA locking_mode=EXCLUSIVE; PRAGMA page_size=%d; %s; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;
		PRAGMA cache_size=-%d; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON`, limits.IndexPage, journal, limits.IndexCache>>10)
	if _, err := s.conn.ExecContext(ctx, settings); err != nil {
		return s.fail("store.open", err)
	}
	var app, ver, tables int
	row := s.conn.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)")
	if err := row.Scan(&app, &ver, &tables); err != nil {
		return s.fail("store.open", err)
	}
	if tables == 0 {
		_, err := s.conn.ExecContext(ctx, fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", schema, applicationID, version))
		if err != nil {
			return s.fail("store.open", err)
		}
	} else if app != applicationID || ver != version {
		return ErrDamaged
	}
	row = s.conn.QueryRowContext(ctx, "SELECT (SELECT coalesce(max(id),0)+1 FROM chunks), (SELECT coalesce(max(id),0)+1 FROM files), EXISTS (SELECT 1 FROM vectors)")
	if err := row.Scan(&s.next, &s.file, &s.vectors); err != nil {
		return s.fail("store.open", err)
	}
	return nil
}

// Remove deletes the database in dir, and what a crash left beside it.
func Remove(dir string) error {
	for _, end := range [...]string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, fileName+end)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return errs.Wrap(errs.HomeUnusable, "store.remove", err)
		}
	}
	return nil
}

// Settle moves what the journal holds into the database once that is more than
// limits.IndexJournal. The worker ends by a kill as a rule, and who opens the
// database next reads all of the journal first, and again each time that
// nothing was written.
func (s *Store) Settle(ctx context.Context) error {
	if !s.keep {
		return nil
	}
	size, err := fileSize(s.path + "-wal")
	if err != nil {
		return errs.Wrap(errs.HomeUnusable, "store.settle", err)
	}
	if size <= limits.IndexJournal {
		return nil
	}
	if _, err := s.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		if err = s.fail("store.settle", err); errs.CodeOf(err) != errs.NoSpace {
			return err
		}
		// All is in the journal still.
	}
	return nil
}

func fileSize(path string) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Close ends the store; one that is not kept is deleted. Idempotent.
func (s *Store) Close() error {
	if s.db == nil {
		return nil
	}
	err := s.conn.Close()
	if e := s.db.Close(); err == nil {
		err = e
	}
	s.db = nil
	if !s.keep {
		if e := Remove(filepath.Dir(s.path)); err == nil {
			err = e
		}
	}
	return err
}

// Size is the database's size on disk in bytes.
func (s *Store) Size(ctx context.Context) (int64, error) {
	var pages int64
	if err := s.conn.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		return 0, s.fail("store.size", err)
	}
	return pages * limits.IndexPage, nil
}

// fail gives a database error its meaning.
func (s *Store) fail(op string, err error) error {
	if errors.Is(err, context.Canceled) {
		return errs.Wrap(errs.Cancelled, op, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errs.Wrap(errs.Deadline, op, err)
	}
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, driver.ErrBadConn) {
		return errs.Wrap(errs.Internal, op, err)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		// A value of another type than was written, a row that is not there.
		return fmt.Errorf("%w: %s: %w", ErrDamaged, op, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_SCHEMA:
		return fmt.Errorf("%w: %s: %w", ErrDamaged, op, err)
	case sqlite3.SQLITE_ERROR: // a table that is not there, an unknown FTS5 format
		return fmt.Errorf("%w: %s: %w", ErrDamaged, op, err)
	case sqlite3.SQLITE_FULL:
		return errs.Wrap(errs.NoSpace, op, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return ErrBusy
	case sqlite3.SQLITE_INTERRUPT:
		return errs.Wrap(errs.Cancelled, op, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return errs.Wrap(errs.HomeUnusable, op, err)
	}
	return errs.Wrap(errs.Internal, op, err)
}
