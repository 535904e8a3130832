package store

import (
	"context"
	"crypto/sha256"
)

// Told returns what a model of that digest once said of a file of that hash,
// asked in the way that prompt numbers; empty when it was not asked.
func (s *Store) Told(ctx context.Context, hash []byte, model [sha256.Size]byte, prompt int) (string, error) {
	var text string
	err := s.conn.QueryRowContext(ctx, "SELECT coalesce((SELECT text FROM told WHERE hash=? AND model=? AND prompt=?),'')", hash, model[:], prompt).Scan(&text)
	if err != nil {
		return "", s.fail("store.told", err)
	}
	return text, nil
}

// Tell keeps what a model said of a file.
func (s *Store) Tell(ctx context.Context, hash []byte, model [sha256.Size]byte, prompt int, text string) error {
	if _, err := s.conn.ExecContext(ctx, "INSERT OR REPLACE INTO told VALUES(?,?,?,?)", hash, model[:], prompt, text); err != nil {
		return s.fail("store.tell", err)
	}
	return nil
}

// Forget drops what was said of files that are not there any more.
func (s *Store) Forget(ctx context.Context) error {
	if _, err := s.conn.ExecContext(ctx, "DELETE FROM told WHERE EXISTS (SELECT 1 FROM told) AND hash NOT IN (SELECT hash FROM files)"); err != nil {
		return s.fail("store.forget", err)
	}
	return nil
}

// HashOf returns the hash of a file that was read; nil when it is not there.
func (s *Store) HashOf(ctx context.Context, id int64) ([]byte, error) {
	var hash []byte
	if err := s.conn.QueryRowContext(ctx, "SELECT (SELECT hash FROM files WHERE id=?)", id).Scan(&hash); err != nil {
		return nil, s.fail("store.hash", err)
	}
	return hash, nil
}
