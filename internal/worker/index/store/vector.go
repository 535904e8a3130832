package store

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"math"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
)

// A vector is kept as eight bit numbers with one scale: of length 1 and 384
// numbers, its cosines are then off by less than 0.002, and it is a quarter as
// much to read. The form is a CRC-32 of the rest, the scale (32 bit IEEE 754,
// little-endian), and a signed byte for each number. No bytes at all say that a
// passage is not to have a vector.

// encodeVector writes v; nil stays none.
func encodeVector(v []float32) []byte {
	if len(v) == 0 {
		return []byte{}
	}
	top := 0.0
	for _, x := range v {
		top = math.Max(top, math.Abs(float64(x)))
	}
	if top == 0 {
		top = 1
	}
	scale := float32(top / 127)
	out := make([]byte, 8+len(v))
	binary.LittleEndian.PutUint32(out[4:], math.Float32bits(scale))
	for i, x := range v {
		out[8+i] = byte(int8(math.RoundToEven(max(-127, min(127, float64(x)/float64(scale))))))
	}
	binary.LittleEndian.PutUint32(out, crc32.ChecksumIEEE(out[4:]))
	return out
}

// openVector checks what encodeVector wrote for a model of the dimension, and
// returns its parts; no bytes are a nil vector.
func openVector(data []byte, dimension int) (scale float32, v []byte, err error) {
	if len(data) == 0 {
		return 0, nil, nil
	}
	if len(data) != 8+dimension || crc32.ChecksumIEEE(data[4:]) != binary.LittleEndian.Uint32(data) {
		return 0, nil, ErrDamaged
	}
	scale = math.Float32frombits(binary.LittleEndian.Uint32(data[4:]))
	if !(scale > 0 && scale <= 1) { // of a vector of length 1; not a number is neither
		return 0, nil, ErrDamaged
	}
	return scale, data[8:], nil
}

// dot is the product of a question's vector and a stored one. Four sums at a
// time, so that none waits for the one before it.
func dot(q []float32, scale float32, b []byte) float32 {
	var s0, s1, s2, s3 float32
	n := len(q) &^ 3
	b = b[:len(q)]
	for i := 0; i < n; i += 4 {
		s0 += q[i] * float32(int8(b[i]))
		s1 += q[i+1] * float32(int8(b[i+1]))
		s2 += q[i+2] * float32(int8(b[i+2]))
		s3 += q[i+3] * float32(int8(b[i+3]))
	}
	for i := n; i < len(q); i++ {
		s0 += q[i] * float32(int8(b[i]))
	}
	return (s0 + s1 + s2 + s3) * scale
}

// Meaning is what of a passage is turned into a vector; empty when it is not to
// have one, which is so for licence texts: nobody asks for their meaning, and
// many folders hold them by the dozen.
func (c *Chunk) Meaning() string {
	if c.Role == Licence {
		return ""
	}
	var b strings.Builder
	if c.Head != "" {
		b.WriteString(c.Head)
		b.WriteString("\n")
	}
	for i, s := range c.Sentences {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.Text)
	}
	return b.String()
}

// meaningHash names a passage by what is turned into a vector.
func (c *Chunk) meaningHash() []byte {
	h := sha256.Sum256([]byte(c.Meaning()))
	return h[:limits.MeaningHash]
}

// Model is a model's place in the database. Vectors of another file, or of the
// same one with another dimension, are other rows.
type Model struct {
	id        int64
	Dimension int
	// Floor is the cosine of texts that have nothing to do with each other, if
	// Measured.
	Floor    float64
	Measured bool
}

// Model returns the place of the model of that digest and dimension, and makes
// it if need be; then the oldest beyond limits.MeaningModels lose their vectors.
func (s *Store) Model(ctx context.Context, digest [sha256.Size]byte, dimension int) (Model, error) {
	if dimension < 1 || dimension > limits.MeaningDimension {
		panic("BUG: store.Model: a dimension that no vector has")
	}
	m := Model{Dimension: dimension}
	find := func() (bool, error) {
		rows, err := s.conn.QueryContext(ctx, "SELECT id, coalesce(floor,0), floor IS NOT NULL FROM models WHERE sha256=? AND dimension=?", digest[:], dimension)
		if err != nil {
			return false, err
		}
		defer rows.Close()
		found := rows.Next()
		if found {
			err = rows.Scan(&m.id, &m.Floor, &m.Measured)
		}
		if e := rows.Err(); err == nil {
			err = e
		}
		return found, err
	}
	found, err := find()
	if err == nil && !found {
		if _, err = s.conn.ExecContext(ctx, "INSERT INTO models(sha256,dimension) VALUES(?,?)", digest[:], dimension); err == nil {
			_, err = find()
		}
		if err == nil {
			_, err = s.conn.ExecContext(ctx, `DELETE FROM vectors WHERE model NOT IN (SELECT id FROM models ORDER BY id DESC LIMIT ?1);
				DELETE FROM models WHERE id NOT IN (SELECT id FROM models ORDER BY id DESC LIMIT ?1)`, limits.MeaningModels)
		}
	}
	if err != nil {
		return Model{}, s.fail("store.model", err)
	}
	return m, nil
}

// SetFloor keeps what was measured of m.
func (s *Store) SetFloor(ctx context.Context, m *Model, floor float64) error {
	if _, err := s.conn.ExecContext(ctx, "UPDATE models SET floor=? WHERE id=?", floor, m.id); err != nil {
		return s.fail("store.model", err)
	}
	m.Floor, m.Measured = floor, true
	return nil
}

// Lacking calls fn with at most limit passages above the id after that have no
// entry for m, in the order of their ids.
func (s *Store) Lacking(ctx context.Context, m Model, after int64, limit int, fn func(id int64, c *Chunk) error) error {
	rows, err := s.conn.QueryContext(ctx, "SELECT id, data FROM chunks c WHERE id>? AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.model=? AND v.chunk=c.id) ORDER BY id LIMIT ?", after, m.id, limit)
	if err != nil {
		return s.fail("store.lacking", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var data []byte
		if err := rows.Scan(&id, &data); err != nil {
			return s.fail("store.lacking", err)
		}
		c, err := decode(data)
		if err != nil {
			return err
		}
		if err := fn(id, c); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.fail("store.lacking", err)
	}
	return nil
}

// IDs returns the passages of the database, at most limit.
func (s *Store) IDs(ctx context.Context, limit int) ([]int64, error) {
	const op = "store.ids"
	rows, err := s.conn.QueryContext(ctx, "SELECT id FROM chunks ORDER BY id LIMIT ?", limit)
	if err != nil {
		return nil, s.fail(op, err)
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, s.fail(op, err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail(op, err)
	}
	return ids, nil
}

// Embedded is a passage with the vector that was made of it; a nil one says that
// it is not to have any.
type Embedded struct {
	ID     int64
	Chunk  *Chunk
	Vector []float32
}

// PutVectors stores vectors in one transaction. A passage that is gone is left
// out.
func (s *Store) PutVectors(m Model, list []Embedded) error {
	const op = "store.vectors"
	if len(list) == 0 {
		return nil
	}
	tx, err := s.conn.BeginTx(context.Background(), nil)
	if err != nil {
		return s.fail(op, err)
	}
	defer tx.Rollback()
	put, err := tx.Prepare("INSERT OR REPLACE INTO vectors(model,chunk,hash,data) SELECT ?,id,?,? FROM chunks WHERE id=?")
	if err != nil {
		return s.fail(op, err)
	}
	defer put.Close()
	for _, e := range list {
		if e.Vector != nil && len(e.Vector) != m.Dimension {
			panic("BUG: store.PutVectors: a vector of another dimension")
		}
		if _, err := put.Exec(m.id, e.Chunk.meaningHash(), encodeVector(e.Vector), e.ID); err != nil {
			return s.fail(op, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return s.fail(op, err)
	}
	s.vectors = true
	return nil
}

// Covered returns how many of the passages have an entry for m, and how many
// there are.
func (s *Store) Covered(ctx context.Context, m Model) (have, of int, err error) {
	if err := s.conn.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM vectors WHERE model=?), (SELECT count(*) FROM chunks)", m.id).Scan(&have, &of); err != nil {
		return 0, 0, s.fail("store.covered", err)
	}
	return have, of, nil
}

// Near is a passage with the cosine of its vector and a question's.
type Near struct {
	Chunk  int64
	Cosine float32
}

// nearest is a heap with the farthest on top.
type nearest []Near

func (h nearest) Len() int           { return len(h) }
func (h nearest) Less(i, j int) bool { return h[i].Cosine < h[j].Cosine }
func (h nearest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *nearest) Push(x any)        { *h = append(*h, x.(Near)) }
func (h *nearest) Pop() any {
	n := len(*h) - 1
	x := (*h)[n]
	*h = (*h)[:n]
	return x
}

// Nearest returns the n passages nearest to a question's vector, the nearest
// first. All vectors of m are read, one after the other: a hundred thousand are
// 40 MB, of which none stays in memory.
func (s *Store) Nearest(ctx context.Context, m Model, q []float32, n int) ([]Near, error) {
	const op = "store.nearest"
	if len(q) != m.Dimension {
		panic("BUG: store.Nearest: a question of another dimension")
	}
	rows, err := s.conn.QueryContext(ctx, "SELECT chunk, data FROM vectors WHERE model=?", m.id)
	if err != nil {
		return nil, s.fail(op, err)
	}
	defer rows.Close()
	var h nearest
	for rows.Next() {
		var id int64
		var data []byte
		if err := rows.Scan(&id, &data); err != nil {
			return nil, s.fail(op, err)
		}
		scale, v, err := openVector(data, m.Dimension)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		if c := dot(q, scale, v); len(h) < n {
			heap.Push(&h, Near{id, c})
		} else if c > h[0].Cosine {
			h[0] = Near{id, c}
			heap.Fix(&h, 0)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail(op, err)
	}
	out := make([]Near, len(h))
	for i := len(h) - 1; i >= 0; i-- {
		out[i] = heap.Pop(&h).(Near)
	}
	return out, nil
}

// Cosines returns the cosines of a question and those of the passages that have
// a vector.
func (s *Store) Cosines(ctx context.Context, m Model, q []float32, ids []int64) (map[int64]float32, error) {
	const op = "store.cosines"
	get, err := s.conn.PrepareContext(ctx, "SELECT data FROM vectors WHERE model=? AND chunk=?")
	if err != nil {
		return nil, s.fail(op, err)
	}
	defer get.Close()
	out := map[int64]float32{}
	for _, id := range ids {
		rows, err := get.QueryContext(ctx, m.id, id)
		if err != nil {
			return nil, s.fail(op, err)
		}
		var data []byte
		if rows.Next() {
			err = rows.Scan(&data)
		}
		if e := rows.Err(); err == nil {
			err = e
		}
		rows.Close()
		if err != nil {
			return nil, s.fail(op, err)
		}
		scale, v, err := openVector(data, m.Dimension)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out[id] = dot(q, scale, v)
		}
	}
	return out, nil
}
