package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// errDamaged says that the database cannot be used as it is; errIndex that its
// full-text index cannot.
var (
	errDamaged = errors.New("store: database damaged")
	errIndex   = errors.New("store: full-text index damaged")
)

// applicationID marks the file as ours ("bais"), PRAGMA application_id.
const applicationID = 0x62616973

// layout is a version of the database.
type layout struct {
	version int
	create  string
	// steps bring a database forward: steps[0] from version 1 to 2, and so on.
	steps []string
}

// current is the layout of this release. A change of it raises the version,
// changes create, and adds the step from the version before; steps are never
// changed once a release had them.
func current() layout {
	return layout{version: 1, create: `
CREATE TABLE conversations(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, model TEXT NOT NULL, title TEXT NOT NULL, began INTEGER NOT NULL,
	used INTEGER NOT NULL, turns INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE turns(id INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, number INTEGER NOT NULL, speaker INTEGER NOT NULL, text TEXT NOT NULL,
	unfinished INTEGER NOT NULL, model TEXT NOT NULL, at INTEGER NOT NULL, tokens INTEGER NOT NULL, sum INTEGER NOT NULL, UNIQUE(conversation, number));
CREATE TABLE pending(scrub INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE words USING fts5(text, content='turns', content_rowid='id', tokenize='unicode61 remove_diacritics 2');
INSERT INTO words(words, rank) VALUES('secure-delete', 1);
`}
}

// database is an open database. One goroutine at a time.
type database struct {
	cfg  Config
	path string
	db   *sql.DB
	conn *sql.Conn
}

// openDatabase opens or makes the database. Its errors are errDamaged or an
// *errs.Error.
func openDatabase(ctx context.Context, cfg Config, l layout) (*database, error) {
	d := &database{cfg: cfg, path: filepath.Join(cfg.Dir, fileName)}
	// One connection: the database is held alone, and settings are its own.
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: d.path, OmitHost: true}).String())
	if err != nil {
		return nil, fail("store.open", err)
	}
	db.SetMaxOpenConns(1)
	d.db = db
	if d.conn, err = db.Conn(ctx); err != nil {
		_ = db.Close()
		return nil, fail("store.open", err)
	}
	if err := d.prepare(l); err != nil {
		_ = d.close()
		return nil, err
	}
	return d, nil
}

func (d *database) close() error {
	if d == nil {
		return nil
	}
	return errors.Join(d.conn.Close(), d.db.Close())
}

func (d *database) prepare(l layout) error {
	const op = "store.open"
	settings := fmt.Sprintf(`PRAGMA locking_mode=EXCLUSIVE; PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA busy_timeout=%d;
		PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=%d; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;
		PRAGMA cache_size=-%d; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA secure_delete=ON; PRAGMA max_page_count=%d`,
		limits.StorePage, limits.StoreBusy.Milliseconds(), limits.StoreJournal, limits.StoreCache>>10, limits.StoreBytes/limits.StorePage)
	if _, err := d.exec(settings); err != nil {
		return fail(op, err)
	}
	var app, version, tables int
	if err := d.row("SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)").
		Scan(&app, &version, &tables); err != nil {
		return fail(op, err)
	}
	switch {
	case tables == 0:
		if err := d.change(func() error {
			_, err := d.exec(l.create + fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d", applicationID, l.version))
			return err
		}); err != nil {
			return err
		}
	case app != applicationID || version < 1:
		return fmt.Errorf("%w: application %#x, version %d", errDamaged, app, version)
	case version > l.version:
		return errs.New(errs.NotSupported, op).With("your conversations were written by a newer release of Bailey").
			WithHint("use that release; nothing was changed")
	case version < l.version:
		if err := d.change(func() error {
			for _, step := range l.steps[version-1 : l.version-1] {
				if _, err := d.exec(step); err != nil {
					return err
				}
			}
			_, err := d.exec(fmt.Sprintf("PRAGMA user_version=%d", l.version))
			return err
		}); err != nil {
			return err
		}
	}
	if err := d.check(); err != nil {
		return err
	}
	return d.tidy()
}

// check looks whether the tables are there and, of a database that is not too
// large, whether its pages are in order.
func (d *database) check() error {
	const op = "store.check"
	for _, q := range []string{
		"SELECT id,name,model,title,began,used,turns,bytes FROM conversations LIMIT 1",
		"SELECT id,conversation,number,speaker,text,unfinished,model,at,tokens,sum FROM turns LIMIT 1",
		"SELECT scrub FROM pending LIMIT 1",
		"SELECT rowid FROM words LIMIT 1",
	} {
		rows, err := d.conn.QueryContext(context.Background(), q)
		if err == nil {
			for rows.Next() {
			}
			err = errors.Join(rows.Err(), rows.Close())
		}
		err = fail(op, err)
		if errors.Is(err, errIndex) {
			err = d.rebuildIndex()
		}
		var e coded
		if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_ERROR {
			// A table or a column that is not there.
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		if err != nil {
			return err
		}
	}
	var pages int64
	if err := d.row("PRAGMA page_count").Scan(&pages); err != nil {
		return fail(op, err)
	}
	if pages*limits.StorePage > limits.StoreChecked {
		return nil
	}
	for again := false; ; again = true {
		var said string
		if err := d.row("PRAGMA quick_check(1)").Scan(&said); err != nil {
			return fail(op, err)
		}
		if said == "ok" {
			return nil
		}
		if again || !strings.Contains(strings.ToLower(said), "fts5") {
			// It says so of a page that the disk does not read, too.
			var read sql.NullInt64
			if err := d.row("SELECT sum(length(data)) FROM sqlite_dbpage").Scan(&read); err != nil {
				return fail(op, err)
			}
			return fmt.Errorf("%w: %s", errDamaged, said)
		}
		if err := d.rebuildIndex(); err != nil {
			return err
		}
	}
}

// tidy finishes an erasure that was cut off, forgets conversations that were
// begun and never used, and shortens a long journal.
func (d *database) tidy() error {
	const op = "store.tidy"
	var pending int
	if err := d.row("SELECT count(*) FROM pending").Scan(&pending); err != nil {
		return fail(op, err)
	}
	if pending > 0 {
		if err := d.scrub(); err != nil && errs.CodeOf(err) != errs.NoSpace {
			return err
		}
	}
	before := d.cfg.Clock.Wall().Add(-limits.StoreEmpty).UnixMilli()
	if _, err := d.exec("DELETE FROM conversations WHERE turns=0 AND used<?", before); err != nil {
		if err = fail(op, err); errs.CodeOf(err) != errs.NoSpace {
			return err
		}
	}
	size, err := fileSize(d.path + walEnd)
	if err != nil {
		return errs.Wrap(errs.HomeUnusable, op, err)
	}
	if size > limits.StoreJournal {
		if _, err := d.exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			if err = fail(op, err); errs.CodeOf(err) != errs.NoSpace {
				return err
			}
		}
	}
	return nil
}

// rebuildIndex makes the full-text index anew.
func (d *database) rebuildIndex() error {
	_, err := d.exec("INSERT INTO words(words) VALUES('rebuild')")
	if err == nil {
		return nil
	}
	if err = fail("store.rebuild", err); errors.Is(err, errIndex) {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return err
}

// exec runs statements. Writes have no context: they are short, and one that is
// given up in the middle would be rolled back behind its caller's back.
func (d *database) exec(q string, args ...any) (sql.Result, error) {
	return d.conn.ExecContext(context.Background(), q, args...)
}

func (d *database) row(q string, args ...any) *sql.Row {
	return d.conn.QueryRowContext(context.Background(), q, args...)
}

// change runs work as one transaction. Its error has its meaning.
func (d *database) change(work func() error) error {
	const op = "store.change"
	if _, err := d.exec("BEGIN IMMEDIATE"); err != nil {
		return fail(op, err)
	}
	err := work()
	if err == nil {
		_, err = d.exec("COMMIT")
	}
	if err != nil {
		// SQLite may have rolled back by itself, as on a full disk.
		_, _ = d.exec("ROLLBACK")
		return fail(op, err)
	}
	return nil
}

// coded is an error with a result code of SQLite: a *sqlite.Error.
type coded interface{ Code() int }

// fail gives an error of the database its meaning. One that has it is left. Only
// what is found wrong in the file counts as damage: a disk that does not read, or a
// machine without memory, says nothing of it.
func fail(op string, err error) error {
	const unusable = fileName + " is no ordinary file, or cannot be opened"
	var known *errs.Error
	var e coded
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), errors.Is(err, errDamaged), errors.Is(err, errIndex):
		return err
	case errors.Is(err, context.Canceled):
		return errs.Wrap(errs.Cancelled, op, err)
	case errors.Is(err, context.DeadlineExceeded):
		return errs.Wrap(errs.Deadline, op, err)
	case errors.Is(err, sql.ErrNoRows):
		return errs.Wrap(errs.NotFound, op, err)
	case strings.Contains(err.Error(), "sql: Scan error"):
		// A value of another type than was written; database/sql has no other name
		// for it.
		return fmt.Errorf("%w: %s: %w", errDamaged, op, err)
	case !errors.As(err, &e):
		return errs.Wrap(errs.Internal, op, err)
	case e.Code() == sqlite3.SQLITE_IOERR:
		// Of the disk it says more; of a pipe, no more than this.
		return errs.Wrap(errs.HomeUnusable, op, err).With(unusable)
	case e.Code() == sqlite3.SQLITE_CORRUPT_VTAB:
		return fmt.Errorf("%w: %s: %w", errIndex, op, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
		return fmt.Errorf("%w: %s: %w", errDamaged, op, err)
	case sqlite3.SQLITE_FULL:
		return errs.Wrap(errs.NoSpace, op, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return errs.Wrap(errs.CoreBusy, op, err).With("another process holds your conversations")
	case sqlite3.SQLITE_INTERRUPT:
		return errs.Wrap(errs.Cancelled, op, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return errs.Wrap(errs.HomeUnusable, op, err).With(unusable)
	}
	return errs.Wrap(errs.Internal, op, err)
}
