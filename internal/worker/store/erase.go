package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

// Erase implements storev1.StoreServiceServer.
func (s *Store) Erase(ctx context.Context, in *storev1.EraseRequest) (*storev1.EraseResponse, error) {
	const op = "store.erase"
	if (in.GetId() == "") != in.GetAll() {
		return nil, errs.New(errs.Usage, op).With("erase names one conversation, or all")
	}
	out := &storev1.EraseResponse{}
	err := s.with(ctx, func(d *database) error {
		before, err := d.size()
		if err != nil {
			return err
		}
		var ids []int64
		if in.GetAll() {
			ids, err = d.every()
		} else {
			ids = make([]int64, 1)
			ids[0], err = d.find(in.GetId())
		}
		if err != nil {
			return err
		}
		// A transaction each: the journal stays as small as one conversation.
		var broken error
		for _, id := range ids {
			if ctx.Err() != nil {
				broken = fail(op, context.Cause(ctx))
			} else {
				broken = d.eraseOne(id)
			}
			if broken != nil {
				break
			}
			out.Conversations++
		}
		// Also of a command that was given up: what is out of the list is out of the file.
		if err := errors.Join(broken, d.scrub()); err != nil {
			return err
		}
		after, err := d.size()
		if err != nil {
			return err
		}
		out.Freed = uint64(max(0, before-after))
		return s.eraseAsides(in.GetAll(), out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// eraseAsides removes what was set aside, or counts it.
func (s *Store) eraseAsides(all bool, out *storev1.EraseResponse) error {
	const op = "store.erase"
	names, err := asides(s.cfg.Dir)
	if err != nil {
		return errs.Wrap(errs.HomeUnusable, op, err)
	}
	for _, name := range names {
		if !all {
			if filepath.Ext(name) == ".db" {
				out.SetAside++
			}
			continue
		}
		freed, err := destroy(filepath.Join(s.cfg.Dir, name))
		if err != nil {
			return errs.Wrap(errs.HomeUnusable, op, err)
		}
		out.Freed += uint64(freed)
	}
	return nil
}

func (d *database) every() ([]int64, error) {
	rows, err := d.conn.QueryContext(context.Background(), "SELECT id FROM conversations ORDER BY id")
	if err != nil {
		return nil, fail("store.erase", err)
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fail("store.erase", err)
		}
		ids = append(ids, id)
	}
	return ids, fail("store.erase", rows.Err())
}

// eraseOne removes a conversation, and notes in the same transaction that what
// it held is still to be overwritten.
func (d *database) eraseOne(id int64) error {
	return d.change(func() error {
		if _, err := d.dropFrom(id, 0); err != nil {
			return err
		}
		if _, err := d.exec("DELETE FROM conversations WHERE id=?", id); err != nil {
			return err
		}
		_, err := d.exec("INSERT OR IGNORE INTO pending(scrub) VALUES(1)")
		return err
	})
}

// scrub overwrites what was deleted, and gives its space back to the disk.
// secure_delete has put zeros into freed cells and pages, and FTS5's own
// secure-delete has removed words instead of marking them; these zeros have to
// reach the file before pages are given back, and the journal, which still
// holds the old pages, is overwritten in place. Killed at any point, it is done
// again by the next Open.
func (d *database) scrub() error {
	const op = "store.scrub"
	if err := d.settle(); err != nil {
		return err
	}
	for {
		var free int64
		if err := d.row("PRAGMA freelist_count").Scan(&free); err != nil {
			return fail(op, err)
		}
		if free == 0 {
			break
		}
		// It gives back one page a row.
		rows, err := d.conn.QueryContext(context.Background(), fmt.Sprintf("PRAGMA incremental_vacuum(%d)", limits.StoreVacuum))
		if err != nil {
			return fail(op, err)
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return fail(op, err)
		}
		var left int64
		if err := d.row("PRAGMA freelist_count").Scan(&left); err != nil {
			return fail(op, err)
		}
		if left >= free {
			// Overwritten they are; SQLite will use them again.
			break
		}
		if err := d.settle(); err != nil {
			return err
		}
	}
	if err := d.change(func() error { _, err := d.exec("DELETE FROM pending"); return err }); err != nil {
		return err
	}
	return d.settle()
}

// settle moves the journal into the database, overwrites it, and empties it.
// The lock on the database is not touched: it lies on the other file.
func (d *database) settle() error {
	const op = "store.settle"
	var busy, log, moved int64
	if err := d.row("PRAGMA wal_checkpoint(RESTART)").Scan(&busy, &log, &moved); err != nil {
		return fail(op, err)
	}
	if busy != 0 || log != moved {
		return errs.New(errs.Internal, op).With("the journal was not moved")
	}
	// All of it is in the database, durably: a journal of zeros is an empty one.
	if err := overwrite(d.path + walEnd); err != nil {
		return errs.Wrap(errs.HomeUnusable, op, err)
	}
	if err := d.row("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved); err != nil {
		return fail(op, err)
	}
	return nil
}

// size is what database and journal take on the disk.
func (d *database) size() (int64, error) {
	var pages int64
	if err := d.row("PRAGMA page_count").Scan(&pages); err != nil {
		return 0, fail("store.size", err)
	}
	journal, err := fileSize(d.path + walEnd)
	if err != nil {
		return 0, errs.Wrap(errs.HomeUnusable, "store.size", err)
	}
	return pages*limits.StorePage + journal, nil
}
