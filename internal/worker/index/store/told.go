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

// Tell keeps what a model said of a file of that hash, as long as there is one.
func (s *Store) Tell(ctx context.Context, hash []byte, model [sha256.Size]byte, prompt int, text string) error {
	if _, err := s.conn.ExecContext(ctx, "INSERT OR REPLACE INTO told SELECT ?1,?2,?3,?4 WHERE EXISTS (SELECT 1 FROM files WHERE hash=?1)", hash, model[:], prompt, text); err != nil {
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
