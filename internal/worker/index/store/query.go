package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
)

// Each calls fn with every file; fields below Reason are not filled, Lead is
// not either.
func (s *Store) Each(ctx context.Context, fn func(File) error) error {
	rows, err := s.conn.QueryContext(ctx, "SELECT id,path,size,mtime,ctime,inode,hash,reason,hint,bytes,first,chunks FROM files")
	if err != nil {
		return s.fail("store.files", err)
	}
	defer rows.Close()
	for rows.Next() {
		var f File
		var path []byte
		var inode int64
		if err := rows.Scan(&f.ID, &path, &f.Size, &f.ModTime, &f.ChangeTime, &inode, &f.Hash, &f.Reason, &f.Hint, &f.Bytes, &f.First, &f.Chunks); err != nil {
			return s.fail("store.files", err)
		}
		f.Path, f.Inode = string(path), uint64(inode)
		if err := fn(f); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.fail("store.files", err)
	}
	return nil
}

// ByPath returns the row of a file, filled as by Each.
func (s *Store) ByPath(ctx context.Context, path string) (f File, ok bool, err error) {
	var inode int64
	row := s.conn.QueryRowContext(ctx, "SELECT id,size,mtime,ctime,inode,hash,reason,hint,bytes,first,chunks FROM files WHERE path=?", []byte(path))
	err = row.Scan(&f.ID, &f.Size, &f.ModTime, &f.ChangeTime, &inode, &f.Hash, &f.Reason, &f.Hint, &f.Bytes, &f.First, &f.Chunks)
	if errors.Is(err, sql.ErrNoRows) {
		return File{}, false, nil
	}
	if err != nil {
		return File{}, false, s.fail("store.path", err)
	}
	f.Path, f.Inode = path, uint64(inode)
	return f, true, nil
}

// Leads calls fn with every file that was read, with all but its
// stamp, in the order of id. A nil Lead says that there is nothing to quote.
func (s *Store) Leads(ctx context.Context, fn func(File) error) error {
	rows, err := s.conn.QueryContext(ctx, "SELECT id,path,size,hash,lang,title,format,licence,bytes,first,chunks,lead FROM files WHERE reason='' ORDER BY id")
	if err != nil {
		return s.fail("store.leads", err)
	}
	defer rows.Close()
	for rows.Next() {
		var f File
		var path []byte
		if err := rows.Scan(&f.ID, &path, &f.Size, &f.Hash, &f.Lang, &f.Title, &f.Format, &f.Licence, &f.Bytes, &f.First, &f.Chunks, &f.Lead); err != nil {
			return s.fail("store.leads", err)
		}
		f.Path = string(path)
		if err := fn(f); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.fail("store.leads", err)
	}
	return nil
}

// Hit is a passage that holds some of the tokens asked for.
type Hit struct {
	Chunk int64
	// Score is BM25 with the columns' weights, higher is better.
	Score float64
}

// Match writes an FTS5 expression that finds any of the tokens. Tokens of
// package fold hold no quotes; one that does is left out, so that nothing asked
// can be an operator of the expression.
func Match(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		if t == "" || strings.ContainsAny(t, "\"\x00") {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(" OR ")
		}
		b.WriteByte('"')
		b.WriteString(t)
		b.WriteByte('"')
	}
	return b.String()
}

// Search returns the best passages for any of the tokens, the best first.
func (s *Store) Search(ctx context.Context, tokens []string, limit int) ([]Hit, error) {
	match := Match(tokens)
	if match == "" {
		return nil, nil
	}
	rows, err := s.conn.QueryContext(ctx, "SELECT rowid, bm25(fts, 1.5, 1.5, 1.0) AS score FROM fts WHERE fts MATCH ? ORDER BY score LIMIT ?", match, limit)
	if err != nil {
		return nil, s.fail("store.search", err)
	}
	defer rows.Close()
	var hits []Hit
	for rows.Next() {
		var h Hit
		if err := rows.Scan(&h.Chunk, &h.Score); err != nil {
			return nil, s.fail("store.search", err)
		}
		h.Score = -h.Score
		hits = append(hits, h)
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail("store.search", err)
	}
	return hits, nil
}

// Frequencies returns in how many passages each token occurs.
func (s *Store) Frequencies(ctx context.Context, tokens []string) (map[string]int, error) {
	out := map[string]int{}
	for _, t := range tokens {
		if _, ok := out[t]; ok {
			continue
		}
		var n int
		if err := s.conn.QueryRowContext(ctx, "SELECT coalesce((SELECT doc FROM vocab WHERE term=?),0)", t).Scan(&n); err != nil {
			return nil, s.fail("store.frequency", err)
		}
		out[t] = n
	}
	return out, nil
}

// Counts returns how many files were read and how many passages there are.
func (s *Store) Counts(ctx context.Context) (files, chunks int, err error) {
	if err := s.conn.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(chunks),0) FROM files WHERE reason=''").Scan(&files, &chunks); err != nil {
		return 0, 0, s.fail("store.count", err)
	}
	return files, chunks, nil
}

// Languages returns the languages of the files that were read, with how many
// files are in each; "" for those not known.
func (s *Store) Languages(ctx context.Context) (map[string]int, error) {
	rows, err := s.conn.QueryContext(ctx, "SELECT lang, count(*) FROM files WHERE reason='' GROUP BY lang")
	if err != nil {
		return nil, s.fail("store.languages", err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var lang string
		var n int
		if err := rows.Scan(&lang, &n); err != nil {
			return nil, s.fail("store.languages", err)
		}
		out[lang] = n
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail("store.languages", err)
	}
	return out, nil
}

// Passage is a chunk with its file.
type Passage struct {
	ID   int64
	File *File
	*Chunk
}

// Passages returns the chunks by id, in the order of the ids; an id that is not
// there is left out. Files are shared between their chunks.
func (s *Store) Passages(ctx context.Context, ids []int64) ([]Passage, error) {
	chunk, err := s.conn.PrepareContext(ctx, "SELECT file, data FROM chunks WHERE id=?")
	if err != nil {
		return nil, s.fail("store.passages", err)
	}
	defer chunk.Close()
	files := map[int64]*File{}
	out := make([]Passage, 0, min(len(ids), limits.IndexCandidates))
	for _, id := range ids {
		rows, err := chunk.QueryContext(ctx, id)
		if err != nil {
			return nil, s.fail("store.passages", err)
		}
		var file int64
		var data []byte
		found := rows.Next()
		if found {
			err = rows.Scan(&file, &data)
		}
		if e := rows.Err(); err == nil {
			err = e
		}
		rows.Close()
		if err != nil {
			return nil, s.fail("store.passages", err)
		}
		if !found {
			continue
		}
		c, err := decode(data)
		if err != nil {
			return nil, err
		}
		f := files[file]
		if f == nil {
			if f, err = s.byID(ctx, file); err != nil {
				return nil, err
			}
			files[file] = f
		}
		out = append(out, Passage{ID: id, File: f, Chunk: c})
	}
	return out, nil
}

func (s *Store) byID(ctx context.Context, id int64) (*File, error) {
	f := &File{ID: id}
	var path []byte
	err := s.conn.QueryRowContext(ctx, "SELECT path,lang,title,format,licence,bytes,first,chunks FROM files WHERE id=?", id).
		Scan(&path, &f.Lang, &f.Title, &f.Format, &f.Licence, &f.Bytes, &f.First, &f.Chunks)
	if err != nil {
		return nil, s.fail("store.file", err)
	}
	f.Path = string(path)
	return f, nil
}
