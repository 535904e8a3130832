package store

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
)

// direction is a vector of length 1 that hangs on seed alone.
func direction(seed uint64, dimension int) []float32 {
	r := rand.New(rand.NewPCG(seed, 7))
	v := make([]float32, dimension)
	sum := 0.0
	for i := range v {
		x := r.NormFloat64()
		v[i] = float32(x)
		sum += x * x
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

func model(t *testing.T, s *Store, digest byte, dimension int) Model {
	t.Helper()
	m, err := s.Model(t.Context(), [32]byte{digest}, dimension)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// embed gives every passage that lacks one a vector by its own words.
func embed(t *testing.T, s *Store, m Model) (made int) {
	t.Helper()
	var list []Embedded
	err := s.Lacking(t.Context(), m, 0, 10000, func(id int64, c *Chunk) error {
		e := Embedded{ID: id, Chunk: c}
		if text := c.Meaning(); text != "" {
			e.Vector = direction(uint64(len(text))*1000+uint64(text[len(text)-2]), m.Dimension)
		}
		list = append(list, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutVectors(m, list); err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func covered(t *testing.T, s *Store, m Model) string {
	t.Helper()
	have, of, err := s.Covered(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d of %d", have, of)
}

func TestVectorsKeepTheirCosines(t *testing.T) {
	for seed := range uint64(50) {
		v, q := direction(seed, 384), direction(seed+1000, 384)
		scale, b, err := openVector(encodeVector(v), 384)
		if err != nil {
			t.Fatal(err)
		}
		exact := 0.0
		for i := range v {
			exact += float64(v[i]) * float64(q[i])
		}
		if got := float64(dot(q, scale, b)); math.Abs(got-exact) > 0.002 {
			t.Errorf("seed %d: %v became %v", seed, exact, got)
		}
		if got := dot(v, scale, b); math.Abs(float64(got)-1) > 0.002 {
			t.Errorf("seed %d: itself at %v", seed, got)
		}
	}
}

// Nearest is what sorting all would give.
func TestNearestIsSorting(t *testing.T) {
	s := open(t, t.TempDir(), true)
	var bodies []string
	for i := range 300 {
		bodies = append(bodies, fmt.Sprintf("sentence number %d", i))
	}
	put(t, s, entry("a", bodies...), File{})
	m := model(t, s, 1, 16)
	var list []Embedded
	byID := map[int64][]float32{}
	err := s.Lacking(t.Context(), m, 0, 1000, func(id int64, c *Chunk) error {
		v := direction(uint64(id), 16)
		byID[id] = v
		list = append(list, Embedded{id, c, v})
		return nil
	})
	if err != nil || len(list) != 300 {
		t.Fatal(len(list), err)
	}
	if err := s.PutVectors(m, list); err != nil {
		t.Fatal(err)
	}
	q := direction(9999, 16)
	got, err := s.Nearest(t.Context(), m, q, 20)
	if err != nil || len(got) != 20 {
		t.Fatal(len(got), err)
	}
	var want []Near
	for id, v := range byID {
		scale, b, _ := openVector(encodeVector(v), 16)
		want = append(want, Near{id, dot(q, scale, b)})
	}
	sort.Slice(want, func(i, j int) bool { return want[i].Cosine > want[j].Cosine })
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%d: %v, want %v", i, got[i], want[i])
		}
	}
	cos, err := s.Cosines(t.Context(), m, q, []int64{got[3].Chunk, 987654})
	if err != nil || len(cos) != 1 || cos[got[3].Chunk] != got[3].Cosine {
		t.Errorf("%v, %v", cos, err)
	}
}

// Vectors of another model, and of the same file with another dimension, are
// never used, and each model has its own gaps.
func TestModelsAreNotMixed(t *testing.T) {
	s := open(t, t.TempDir(), true)
	put(t, s, entry("a", "one two", "three four"), File{})
	m := model(t, s, 1, 8)
	embed(t, s, m)
	for name, other := range map[string]Model{"another model": model(t, s, 2, 8), "another dimension": model(t, s, 1, 16)} {
		if got := covered(t, s, other); got != "0 of 2" {
			t.Errorf("%s: %s", name, got)
		}
		near, err := s.Nearest(t.Context(), other, direction(1, other.Dimension), 5)
		if err != nil || len(near) != 0 {
			t.Errorf("%s found %v, %v", name, near, err)
		}
		cos, err := s.Cosines(t.Context(), other, direction(1, other.Dimension), []int64{1, 2})
		if err != nil || len(cos) != 0 {
			t.Errorf("%s has cosines %v, %v", name, cos, err)
		}
	}
}

func TestOldModelsGo(t *testing.T) {
	s := open(t, t.TempDir(), true)
	put(t, s, entry("a", "one two"), File{})
	for i := range byte(limits.MeaningModels + 2) {
		embed(t, s, model(t, s, i, 8))
	}
	var models, vectors int
	if err := s.conn.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM models), (SELECT count(*) FROM vectors)").Scan(&models, &vectors); err != nil {
		t.Fatal(err)
	}
	if models != limits.MeaningModels || vectors != limits.MeaningModels {
		t.Errorf("%d models with %d vectors", models, vectors)
	}
}

// A vector lives as long as a passage with its words: it goes with the file, is
// there at once for a copy, and stays when another part of the file changes.
func TestVectorsGoWithTheirPassages(t *testing.T) {
	s := open(t, t.TempDir(), true)
	put(t, s, entry("a", "one two", "three four"), File{})
	put(t, s, entry("b", "five six"), File{})
	m := model(t, s, 1, 8)
	if n := embed(t, s, m); n != 3 {
		t.Fatalf("made %d", n)
	}
	put(t, s, entry("copy", "five six"), File{})
	if got := covered(t, s, m); got != "4 of 4" {
		t.Errorf("after a copy: %s", got)
	}
	var files []File
	if err := s.Each(t.Context(), func(f File) error { files = append(files, f); return nil }); err != nil {
		t.Fatal(err)
	}
	e := entry("a", "new words", "three four")
	e.ID = files[0].ID
	put(t, s, e, files[0])
	if got := covered(t, s, m); got != "3 of 4" {
		t.Errorf("after a change: %s", got)
	}
	if n := embed(t, s, m); n != 1 {
		t.Errorf("made %d for one new passage", n)
	}
	b, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files[1:] {
		if err := b.Delete(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.conn.QueryRowContext(t.Context(), "SELECT count(*) FROM vectors").Scan(&left); err != nil || left != 2 {
		t.Errorf("%d vectors are left, %v", left, err)
	}
}

func TestLicencesHaveNoVector(t *testing.T) {
	s := open(t, t.TempDir(), true)
	e := &Entry{File: File{Path: "LICENSE", Hash: []byte{1}}}
	e.Add(&Chunk{Line: 1, Role: Licence, Source: "Permission is granted.", Sentences: []Sentence{{"Permission is granted.", 0, 22, true, false, 0}}}, Tokens{Body: []byte("permission ")})
	put(t, s, e, File{})
	m := model(t, s, 1, 8)
	embed(t, s, m)
	near, err := s.Nearest(t.Context(), m, direction(1, 8), 5)
	if err != nil || len(near) != 0 || covered(t, s, m) != "1 of 1" {
		t.Errorf("%v, %v, %s", near, err, covered(t, s, m))
	}
}

// A passage that went while its vector was made leaves none.
func TestVectorOfAPassageThatIsGone(t *testing.T) {
	s := open(t, t.TempDir(), true)
	put(t, s, entry("a", "one two"), File{})
	m := model(t, s, 1, 8)
	c := &Chunk{Line: 1, Source: "x", Sentences: []Sentence{{"x", 0, 1, true, false, 0}}}
	if err := s.PutVectors(m, []Embedded{{ID: 77, Chunk: c, Vector: direction(1, 8)}}); err != nil {
		t.Fatal(err)
	}
	if got := covered(t, s, m); got != "0 of 1" {
		t.Errorf("got %s", got)
	}
}

func TestDamagedVectorIsFound(t *testing.T) {
	s := open(t, t.TempDir(), true)
	put(t, s, entry("a", "one two"), File{})
	m := model(t, s, 1, 8)
	embed(t, s, m)
	if _, err := s.conn.ExecContext(t.Context(), "UPDATE vectors SET data=substr(data,1,length(data)-1)||x'00'"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Nearest(t.Context(), m, direction(1, 8), 5); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestTold(t *testing.T) {
	s := open(t, t.TempDir(), true)
	e := entry("a", "one two")
	e.Hash = []byte{1, 2}
	put(t, s, e, File{})
	if err := s.Tell(t.Context(), []byte{1, 2}, [32]byte{5}, 1, "About numbers."); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		hash   []byte
		model  byte
		prompt int
		want   string
	}{{[]byte{1, 2}, 5, 1, "About numbers."}, {[]byte{1, 3}, 5, 1, ""}, {[]byte{1, 2}, 6, 1, ""}, {[]byte{1, 2}, 5, 2, ""}} {
		got, err := s.Told(t.Context(), c.hash, [32]byte{c.model}, c.prompt)
		if err != nil || got != c.want {
			t.Errorf("%v: %q, %v", c, got, err)
		}
	}
	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Told(t.Context(), []byte{1, 2}, [32]byte{5}, 1); got == "" {
		t.Error("forgot what was said of a file that is there")
	}
	if _, err := s.conn.ExecContext(t.Context(), "DELETE FROM files"); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Tell(t.Context(), []byte{1, 2}, [32]byte{5}, 1, "About numbers."); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Told(t.Context(), []byte{1, 2}, [32]byte{5}, 1); got != "" {
		t.Errorf("still %q", got)
	}
}

// Whatever the bytes, a vector is one of the dimension, none, or damage.
func FuzzVector(f *testing.F) {
	f.Add(encodeVector(direction(1, 8)), 8)
	f.Add(encodeVector(nil), 8)
	f.Add(encodeVector(make([]float32, 3)), 3)
	f.Add([]byte{1, 2, 3}, 2)
	f.Fuzz(func(t *testing.T, data []byte, dimension int) {
		if dimension < 1 || dimension > 64 {
			return
		}
		scale, v, err := openVector(data, dimension)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if v != nil {
			if c := float64(dot(direction(1, dimension), scale, v)); math.IsNaN(c) || math.IsInf(c, 0) {
				t.Fatalf("a cosine of %v", c)
			}
		}
	})
}

// BenchmarkNearest is a question to 20,000 passages, 384 numbers each.
func BenchmarkNearest(b *testing.B) {
	s, err := Open(b.Context(), b.TempDir(), true)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const passages, batch = 20_000, 1000
	m, err := s.Model(b.Context(), [32]byte{1}, 384)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.conn.ExecContext(b.Context(), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<?) INSERT INTO chunks SELECT i, 1, x'' FROM n", passages); err != nil {
		b.Fatal(err)
	}
	c := &Chunk{Line: 1, Source: "x", Sentences: []Sentence{{"x", 0, 1, true, false, 0}}}
	for from := 0; from < passages; from += batch {
		var list []Embedded
		for i := range batch {
			list = append(list, Embedded{int64(from + i + 1), c, direction(uint64(from+i), 384)})
		}
		if err := s.PutVectors(m, list); err != nil {
			b.Fatal(err)
		}
	}
	q := direction(1<<40, 384)
	b.ReportAllocs()
	for b.Loop() {
		if near, err := s.Nearest(b.Context(), m, q, limits.MeaningNear); err != nil || len(near) != limits.MeaningNear {
			b.Fatal(len(near), err)
		}
	}
}
