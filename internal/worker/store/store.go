// Package store keeps an app's own data: today its conversations, later what
// else an app keeps. It serves bailey.store.v1 on one SQLite database that lies
// in a directory of the app's alone.
//
// What a person said is never lost silently, and never kept when it was erased:
//
//   - Append of a finished turn returns when the turn is on the disk (WAL,
//     synchronous FULL). One that is still being written is safe against the end
//     of any process, but not of the machine's power.
//   - A database that is damaged is set aside under another name, whole, and a new
//     one is begun. The call that found it ends with errs.StoreDamaged, once. A disk
//     that does not read it, or a machine without memory, is an error, and no damage.
//   - Every turn has a checksum; a damaged full-text index is made again.
//   - A full disk is errs.NoSpace, and leaves what was there.
//   - Erase overwrites: freed cells and pages with zeros (secure_delete, also in
//     the full-text index), then the journal. One that is killed in the middle is
//     finished by the next Open. What the disk itself, a snapshot or a backup
//     keeps is beyond it.
//   - A database of a newer release is refused and left alone; one of an older
//     release is brought forward, in one transaction.
//
// It refuses to overwrite a finished turn: two clients that go on with one
// conversation hear errs.StoreConflict, and neither loses a word. The same turn once
// more is none: whoever did not get the answer may ask again. The text of a search
// is words to look for, never syntax.
//
// The store worker registers it; it may be called by many clients at once.
package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// Config is what a Store needs.
type Config struct {
	// Dir is the app's directory, which is the store's alone.
	Dir   string
	Clock clock.Clock
	Log   *slog.Logger
}

// Store implements storev1.StoreServiceServer. The database is opened by the
// first call, so that the worker has no more open before it is sealed than its
// spec declares.
type Store struct {
	cfg    Config
	layout layout

	// mu is held for one statement or transaction, never while a message is sent.
	mu sync.Mutex
	db *database
}

var _ storev1.StoreServiceServer = (*Store)(nil)

// New returns a Store; it touches nothing yet.
func New(cfg Config) *Store { return &Store{cfg: cfg, layout: current()} }

// Close closes the database, if a call has opened it. Idempotent.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	db := s.db
	s.db = nil
	return db.close()
}

// with runs one piece of work on the database.
func (s *Store) with(ctx context.Context, work func(*database) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		db, err := openDatabase(ctx, s.cfg, s.layout)
		if err != nil {
			return s.broken(err)
		}
		s.db = db
	}
	err := work(s.db)
	if errors.Is(err, errIndex) {
		// The words can be had from the turns.
		s.cfg.Log.Warn("the full-text index is made again", "error", err)
		if err = s.db.rebuildIndex(); err == nil {
			err = work(s.db)
		}
	}
	if err != nil {
		return s.broken(err)
	}
	return nil
}

// broken sets a damaged database aside, and gives the error its code.
func (s *Store) broken(err error) error {
	const op = "store"
	if errors.Is(err, errIndex) {
		err = errors.Join(errDamaged, err)
	}
	if !errors.Is(err, errDamaged) {
		return err
	}
	if s.db != nil {
		_ = s.db.close()
		s.db = nil
	}
	name, moved := setAside(s.cfg.Dir)
	if moved != nil {
		return errs.Wrap(errs.StoreDamaged, op, errors.Join(err, moved)).With("it could not be set aside").
			WithHint("look at the disk and at the mode of Bailey's home; nothing was changed")
	}
	s.cfg.Log.Error("the database is damaged and was set aside", "name", name, "error", err)
	return errs.Wrap(errs.StoreDamaged, op, err).With("it is kept whole as " + name)
}
