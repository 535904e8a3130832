package store

import (
	"context"
	"database/sql"
	"errors"
)

// Stamp is how a file looked when it was read; while it stays, so does the
// file's text.
type Stamp struct {
	Size int64 // bytes
	// ModTime and ChangeTime are in nanoseconds since 1970.
	ModTime, ChangeTime int64
	Inode               uint64
}

// File is what is known of one file.
type File struct {
	ID   int64
	Path string // as the file system has it
	Stamp
	// Hash is the SHA-256 of the file's bytes.
	Hash []byte
	// Reason and Hint are set when the file was not read.
	Reason, Hint string
	Lang         string
	Title        string
	Format       string
	Licence      string
	// Bytes is the size of the decoded, unpacked text.
	Bytes         int64
	First, Chunks int64
	// Lead holds the sentences by which the file may be summarised.
	Lead []byte
}

// Tokens are the three columns of a chunk in the full-text index.
type Tokens struct{ Name, Head, Body []byte }

// Entry is a file to store, with its passages made ready.
type Entry struct {
	File
	data   [][]byte
	tokens []Tokens
	weight int
	begun  bool // passages were stored
}

// Add appends a passage. The tokens are kept, not copied.
func (e *Entry) Add(c *Chunk, t Tokens) {
	data := c.encode(make([]byte, 0, len(c.Source)+len(c.Head)+64))
	e.data = append(e.data, data)
	e.tokens = append(e.tokens, t)
	e.weight += len(data) + len(t.Name) + len(t.Head) + len(t.Body)
}

// Weight is about what the entry takes in memory, in bytes.
func (e *Entry) Weight() int { return e.weight + len(e.Path) + len(e.Lead) + 256 }

// Fail makes e a file that was not read. Passages of it that Part has stored go when
// it is put.
func (e *Entry) Fail(reason, hint string) {
	e.Reason, e.Hint = reason, hint
	e.Lang, e.Title, e.Format, e.Licence, e.Lead = "", "", "", "", nil
	e.data, e.tokens, e.weight = nil, nil, 0
}

// Batch is one transaction.
type Batch struct {
	s                                      *Store
	tx                                     *sql.Tx
	file, chunk, fts, touch, drop, unindex *sql.Stmt
	inherit, unmean                        *sql.Stmt
	next, id                               int64
}

// Begin starts a batch. There is one at a time.
func (s *Store) Begin() (*Batch, error) {
	// No context: a cancelled one would have a goroutine watch every single
	// statement. Batches are short; their owner looks at the context.
	tx, err := s.conn.BeginTx(context.Background(), nil)
	if err != nil {
		return nil, s.fail("store.begin", err)
	}
	b := &Batch{s: s, tx: tx, next: s.next, id: s.file}
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&b.file, "INSERT OR REPLACE INTO files VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
		{&b.chunk, "INSERT INTO chunks VALUES(?,?,?)"},
		{&b.fts, "INSERT INTO fts(rowid,name,head,body) VALUES(?,?,?,?)"},
		{&b.touch, "UPDATE files SET size=?, mtime=?, ctime=?, inode=? WHERE id=?"},
		{&b.drop, "DELETE FROM chunks WHERE id>=? AND id<?"},
		{&b.unindex, "DELETE FROM fts WHERE rowid>=? AND rowid<?"},
		// A passage that is there already, in another file or in this one before
		// it changed, has its vectors: they are only copied.
		{&b.inherit, "INSERT INTO vectors(model,chunk,hash,data) SELECT model, ?, hash, data FROM vectors WHERE hash=? GROUP BY model"},
		{&b.unmean, "DELETE FROM vectors WHERE model IN (SELECT id FROM models) AND chunk>=? AND chunk<?"},
	} {
		if *p.to, err = tx.Prepare(p.sql); err != nil {
			tx.Rollback()
			return nil, s.fail("store.begin", err)
		}
	}
	return b, nil
}

// Put stores a file; with an ID it replaces the file of that ID, whose old
// passages are old.First and old.Chunks.
func (b *Batch) Put(e *Entry, old File) error {
	if err := b.Part(e, e, old); err != nil {
		return err
	}
	if err := b.dropVectors(old); err != nil {
		return err
	}
	if e.Reason != "" && e.Chunks > 0 {
		if err := errors.Join(b.dropChunks(e.File), b.dropVectors(e.File)); err != nil {
			return err
		}
		e.Chunks = 0
	}
	if e.Hash == nil {
		e.Hash = []byte{}
	}
	if e.Lead == nil {
		e.Lead = []byte{}
	}
	if _, err := b.file.Exec(e.ID, []byte(e.Path), e.Size, e.ModTime, e.ChangeTime, int64(e.Inode), e.Hash, e.Reason, e.Hint, e.Lang, e.Title, e.Format,
		e.Licence, e.Bytes, e.First, e.Chunks, e.Lead); err != nil {
		return b.s.fail("store.put", err)
	}
	return nil
}

// Part stores some passages of a large file, whose Put follows in the same batch
// with no other file between: so that they need not all be in memory.
func (b *Batch) Part(e, part *Entry, old File) error {
	if !e.begun {
		e.begun = true
		if e.ID == 0 {
			e.ID = b.id
			b.id++
		} else if err := b.dropChunks(old); err != nil {
			return err
		}
		e.First, e.Chunks = b.next, 0
	}
	for i, data := range part.data {
		if _, err := b.chunk.Exec(b.next, e.ID, data); err != nil {
			return b.s.fail("store.put", err)
		}
		if b.s.vectors {
			c, err := decode(data)
			if err != nil {
				return err
			}
			if _, err := b.inherit.Exec(b.next, c.meaningHash()); err != nil {
				return b.s.fail("store.put", err)
			}
		}
		t := part.tokens[i]
		if _, err := b.fts.Exec(b.next, string(t.Name), string(t.Head), string(t.Body)); err != nil {
			return b.s.fail("store.put", err)
		}
		b.next++
		e.Chunks++
	}
	return nil
}

// Touch notes that a file's stamp changed and its bytes did not.
func (b *Batch) Touch(id int64, s Stamp) error {
	_, err := b.touch.Exec(s.Size, s.ModTime, s.ChangeTime, int64(s.Inode), id)
	if err != nil {
		return b.s.fail("store.touch", err)
	}
	return nil
}

// Delete forgets a file.
func (b *Batch) Delete(f File) error {
	if err := b.dropChunks(f); err != nil {
		return err
	}
	if err := b.dropVectors(f); err != nil {
		return err
	}
	if _, err := b.tx.Exec("DELETE FROM files WHERE id=?", f.ID); err != nil {
		return b.s.fail("store.delete", err)
	}
	return nil
}

func (b *Batch) dropChunks(f File) error {
	if f.Chunks == 0 {
		return nil
	}
	if _, err := b.drop.Exec(f.First, f.First+f.Chunks); err != nil {
		return b.s.fail("store.delete", err)
	}
	if _, err := b.unindex.Exec(f.First, f.First+f.Chunks); err != nil {
		return b.s.fail("store.delete", err)
	}
	return nil
}

// dropVectors is apart from dropChunks: what replaces a file takes over the
// vectors of passages that stayed before they go.
func (b *Batch) dropVectors(f File) error {
	if f.Chunks == 0 || !b.s.vectors {
		return nil
	}
	if _, err := b.unmean.Exec(f.First, f.First+f.Chunks); err != nil {
		return b.s.fail("store.delete", err)
	}
	return nil
}

// Commit makes the batch durable as far as the store is.
func (b *Batch) Commit() error {
	if err := b.tx.Commit(); err != nil {
		b.tx.Rollback()
		return b.s.fail("store.commit", err)
	}
	b.s.next, b.s.file = b.next, b.id
	return nil
}

// Rollback gives the batch up. After Commit it does nothing.
func (b *Batch) Rollback() { b.tx.Rollback() }
