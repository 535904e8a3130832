package answer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/store"
)

// believed is a model that gives each text the cosine that a test says: its
// vectors have two numbers, and the question is along the first.
type believed struct {
	cosine func(text string) float32
	kept   map[int64]float32
	fail   error
	at     int // the call that fails, from 1
	calls  int
	after  int // passages that are embedded before the time is over; 0 = all
}

func (b *believed) Embed(ctx context.Context, texts []string, emit func([]float32) error) error {
	if b.calls++; b.calls == b.at {
		return b.fail
	}
	for i, text := range texts {
		if b.calls > 1 && b.after > 0 && i == b.after {
			<-ctx.Done()
			return ctx.Err()
		}
		c := float32(1)
		if b.calls > 1 {
			c = b.cosine(text)
		}
		if err := emit([]float32{c, 0}); err != nil {
			return err
		}
	}
	return nil
}

func (b *believed) Nearest(_ context.Context, _ []float32, n int) ([]store.Near, error) {
	var out []store.Near
	for id, c := range b.kept {
		at := 0
		for at < len(out) && out[at].Cosine >= c {
			at++
		}
		out = append(out[:at], append([]store.Near{{Chunk: id, Cosine: c}}, out[at:]...)...)
	}
	return out[:min(n, len(out))], nil
}

func (b *believed) Cosines(_ context.Context, _ []float32, ids []int64) (map[int64]float32, error) {
	out := map[int64]float32{}
	for _, id := range ids {
		if c, ok := b.kept[id]; ok {
			out[id] = c
		}
	}
	return out, nil
}

func (b *believed) All(context.Context, int) ([]int64, error) { return nil, nil }
func (b *believed) Floor() float64                            { return 0 }

func sea(t *testing.T) *store.Store {
	return shelf(t,
		page{"harbour.md", "en", []string{"Harbour: The harbour closes at nine in the evening. Boats wait outside."}},
		page{"list.md", "en", []string{"List: Harbour and closing and nine are words of this list of words."}},
		page{"ferry.md", "en", []string{"Ferry: Ferries leave at noon. They are white."}})
}

func firstPath(a Answer) string {
	if len(a.Sentences) == 0 {
		return ""
	}
	return a.Sentences[0].Citations[0].Path
}

// What is found with a model is cited as what is found without.
func TestCitedByMeaning(t *testing.T) {
	s := sea(t)
	const q = "When does the harbour close?"
	b := &believed{cosine: func(text string) float32 {
		if strings.Contains(text, "list of words") {
			return 0.9
		}
		return 0.1
	}}
	byWords, err := Find(t.Context(), s, q, 3)
	if err != nil || firstPath(byWords) != "harbour.md" {
		t.Fatalf("control: %v, %v", byWords, err)
	}
	a, err := FindBy(t.Context(), s, q, 3, b)
	if err != nil || a.Without != "" || len(a.Sentences) == 0 {
		t.Fatalf("%v, %v", a, err)
	}
	for _, sentence := range a.Sentences {
		for _, c := range sentence.Citations {
			if c.Quote == "" || c.Line < 1 {
				t.Errorf("%v", c)
			}
		}
	}
}

// In a folder of a few passages all are among the nearest: what shares no word with
// the question has to be near, not only nearer than nothing.
func TestMeaningLeavesOutWhatIsFar(t *testing.T) {
	for cosine, want := range map[float32]bool{0.1: false, 0.4: false, 0.7: true} {
		a, err := FindBy(t.Context(), sea(t), "When does the harbour close?", 5, &believed{kept: map[int64]float32{1: 0.8, 2: 0.1, 3: cosine}})
		if err != nil || firstPath(a) != "harbour.md" {
			t.Fatalf("%v, %v", a, err)
		}
		if got := slices.ContainsFunc(a.Sentences, func(s Sentence) bool { return s.Citations[0].Path == "ferry.md" }); got != want {
			t.Errorf("at %v: %v", cosine, a.Sentences)
		}
	}
}

func TestMeaningFindsWhatWordsDoNot(t *testing.T) {
	s := sea(t)
	kept := map[int64]float32{1: 0.1, 2: 0.05, 3: 0.8}
	a, err := FindBy(t.Context(), s, "Which vessel sails midday?", 1, &believed{kept: kept})
	if err != nil || firstPath(a) != "ferry.md" {
		t.Errorf("%v, %v", a, err)
	}
	kept[3] = 0.3
	a, err = FindBy(t.Context(), s, "Which vessel sails midday?", 1, &believed{kept: kept})
	if err != nil || firstPath(a) != "" {
		t.Errorf("what is far by words and meaning is said: %v, %v", a, err)
	}
}

// A question of common words alone has meaning too.
func TestQuestionWithoutWords(t *testing.T) {
	a, err := FindBy(t.Context(), sea(t), "What is it?", 1, &believed{kept: map[int64]float32{3: 0.9}})
	if err != nil || firstPath(a) != "ferry.md" {
		t.Errorf("%v, %v", a, err)
	}
}

// The model fails at the question, or at the passages: the answer is the one by
// words, and says so.
func TestModelFails(t *testing.T) {
	s := sea(t)
	const q = "When does the harbour close?"
	want, err := Find(t.Context(), s, q, 3)
	if err != nil || len(want.Sentences) == 0 {
		t.Fatal(want, err)
	}
	for at := 1; at <= 2; at++ {
		b := &believed{cosine: func(string) float32 { return 0.5 }, at: at, fail: errs.New(errs.EngineCrashed, "test")}
		a, err := FindBy(t.Context(), s, q, 3, b)
		if err != nil || a.Without != errs.EngineCrashed || fmt.Sprint(a.Sentences) != fmt.Sprint(want.Sentences) {
			t.Errorf("call %d: %v, %v", at, a, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FindBy(ctx, s, q, 3, &believed{}); err == nil {
		t.Error("a caller who is gone gets an answer")
	}
	if code := Lost(t.Context(), store.ErrDamaged); code != "" {
		t.Errorf("a damaged store is taken for a model that failed: %s", code)
	}
	if code := Lost(t.Context(), fmt.Errorf("x: %w", ModelError{errors.New("odd")})); code == "" {
		t.Error("an odd error of a model has no code")
	}
}

// Fusion keeps to the order of both lists, and what is high in both is before
// what is first in one of them alone.
func TestFused(t *testing.T) {
	g := &meant{}
	for id := range int64(100) {
		p := &store.Passage{ID: id}
		g.windows = append(g.windows, window{passage: p, score: float64(-id)}, window{passage: p, score: float64(-id)})
	}
	for id := int64(99); id >= 50; id-- {
		g.near = append(g.near, store.Near{Chunk: id})
	}
	f := g.fused()
	for id := int64(1); id < 50; id++ {
		if f[id] >= f[id-1] {
			t.Errorf("by words alone, %d is not behind %d", id, id-1)
		}
	}
	for id, v := range f {
		if v <= 0 || v > 1 {
			t.Errorf("%d has %v", id, v)
		}
	}
	if f[50] <= f[0] {
		t.Errorf("in both lists %v, first of one %v", f[50], f[0])
	}
	both := &meant{lexical: lexical{windows: g.windows[:2]}, near: []store.Near{{Chunk: 0}}}
	if got := both.fused()[0]; got != 1 {
		t.Errorf("first of both has %v", got)
	}
}

// When the time is over, what was embedded by then serves.
func TestFreshTimeIsOver(t *testing.T) {
	if limits.MeaningFreshTime > limits.MeaningQuestionTime {
		t.Error("passages may take longer than a question")
	}
	b := &believed{cosine: func(string) float32 { return 0.6 }, after: 1}
	a, err := FindBy(t.Context(), sea(t), "When does the harbour close?", 3, b)
	if err != nil || a.Without != "" || len(a.Sentences) == 0 {
		t.Errorf("%v, %v", a, err)
	}
}
