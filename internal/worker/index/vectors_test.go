package index

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/fold"
)

// hashed is a model that knows words and a few that mean the same: a vector is
// the sum of its words' directions. It counts what it was asked.
type hashed struct {
	name  string
	fold  *fold.Folder
	texts int
	fail  error
	after int // so many texts are embedded before it fails
	seen  []bool
}

func newHashed(name string) *hashed { return &hashed{name: name, fold: fold.New(), after: math.MaxInt} }

const dimension = 256

func (h *hashed) Digest() [sha256.Size]byte { return sha256.Sum256([]byte(h.name)) }
func (h *hashed) Dimension() int            { return dimension }

// same are the words that mean the same to it.
func same(word string) string {
	switch word {
	case "vessel", "boat", "ferri":
		return "ship"
	case "depart", "leav", "sail":
		return "go"
	}
	return word
}

func (h *hashed) Embed(_ context.Context, texts []string, background bool, emit func([]float32) error) error {
	h.seen = append(h.seen, background)
	for _, text := range texts {
		if h.texts++; h.texts > h.after {
			return h.fail
		}
		v := make([]float32, dimension)
		h.fold.Each(text, "en", func(tok string, _ fold.Kind, stop bool) {
			if stop {
				return
			}
			f := fnv.New64a()
			f.Write([]byte(same(tok)))
			for i := range 4 {
				v[(f.Sum64()>>(8*i))%dimension] += 1
			}
		})
		sum := 1e-9
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		for i := range v {
			v[i] = float32(float64(v[i]) / math.Sqrt(sum))
		}
		if err := emit(v); err != nil {
			return err
		}
	}
	return nil
}

func askBy(t *testing.T, x *Index, q string, e Embedder) (string, errs.Code) {
	t.Helper()
	a, err := x.AskBy(t.Context(), q, 1, e)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Sentences) == 0 {
		return "", a.Without
	}
	s := a.Sentences[0]
	return fmt.Sprintf("%s:%d", s.Citations[0].Path, s.Citations[0].Line), a.Without
}

func harbour(t *testing.T) string {
	root := t.TempDir()
	write(t, root, "a.md", gardens)
	write(t, root, "sea/harbour.md", "# Sea\n\nFerries leave at noon.\n")
	write(t, root, "sea/storm.md", "# Weather\n\nStorms come in November and stay for days.\n")
	return root
}

func makeVectors(t *testing.T, x *Index, e Embedder) (done, total int) {
	t.Helper()
	if err := x.Vectors(t.Context(), e, func(d, of int) { done, total = d, of }); err != nil {
		t.Fatal(err)
	}
	return done, total
}

// What shares no word with a question is found by meaning, with vectors that are
// kept, with the same quote at the same line.
func TestAskByMeaning(t *testing.T) {
	x := openIndex(t, harbour(t), t.TempDir(), true)
	update(t, x)
	const q = "When do vessels depart?"
	if got := ask(t, x, q); got != "" {
		t.Fatalf("control: by words alone it is %q", got)
	}
	e := newHashed("one")
	// The folder is so small that all of it is embedded for the question.
	if got, without := askBy(t, x, q, e); got != "sea/harbour.md:3" || without != "" {
		t.Errorf("without vectors: %q, %q", got, without)
	}
	if done, total := makeVectors(t, x, e); done != total || total != 3 {
		t.Errorf("made %d of %d", done, total)
	}
	if got, without := askBy(t, x, q, e); got != "sea/harbour.md:3" || without != "" {
		t.Errorf("with vectors: %q, %q", got, without)
	}
	// Without a model nothing changed.
	if got := ask(t, x, q); got != "" {
		t.Errorf("by words: %q", got)
	}
}

// Only what is new is embedded, in the background, and what goes takes its
// vectors along.
func TestVectorsOfWhatIsNew(t *testing.T) {
	root := harbour(t)
	x := openIndex(t, root, t.TempDir(), true)
	update(t, x)
	e := newHashed("one")
	makeVectors(t, x, e)
	if e.texts != 3 || slices.Contains(e.seen, false) {
		t.Errorf("%d texts, in the background: %v", e.texts, e.seen)
	}
	makeVectors(t, x, e)
	if e.texts != 3 {
		t.Errorf("the same again: %d texts", e.texts)
	}
	write(t, root, "sea/new.md", "# New\n\nThe pier was built in 1920.\n")
	if err := os.Rename(root+"/sea/storm.md", root+"/sea/weather.md"); err != nil {
		t.Fatal(err)
	}
	update(t, x)
	if done, total := makeVectors(t, x, e); done != 4 || total != 4 || e.texts != 4 {
		t.Errorf("after a new file and a new name: %d of %d, %d texts", done, total, e.texts)
	}
}

// A model that fails leaves the answer by words, and says why.
func TestModelThatFails(t *testing.T) {
	x := openIndex(t, harbour(t), t.TempDir(), true)
	update(t, x)
	const q = "When are potatoes planted?"
	want := ask(t, x, q)
	if want == "" {
		t.Fatal("control: nothing is found by words")
	}
	for after := range 12 {
		e := newHashed(fmt.Sprint("fails after ", after))
		e.after, e.fail = after, errs.New(errs.EngineCrashed, "test")
		a, err := x.AskBy(t.Context(), q, 1, e)
		if err != nil || len(a.Sentences) == 0 {
			t.Fatalf("after %d texts: %v, %v", after, a, err)
		}
		// Six are the measure of the model, one is the question, three the passages.
		if failed := after < 10; failed != (a.Without == errs.EngineCrashed) {
			t.Errorf("after %d texts: without %q", after, a.Without)
		}
		if s := a.Sentences[0]; !strings.HasPrefix(want, fmt.Sprintf("%s:%d ", s.Citations[0].Path, s.Citations[0].Line)) {
			t.Errorf("after %d texts: %v, want %s", after, s, want)
		}
	}
}

// Vectors that were made before an engine failed are kept.
func TestVectorsAreKeptWhenTheEngineFails(t *testing.T) {
	root := t.TempDir()
	for i := range 5 * limits.MeaningBatch {
		write(t, root, fmt.Sprintf("f%02d.md", i), fmt.Sprintf("# Part %d\n\nThe number of this part is %d.\n", i, i))
	}
	x := openIndex(t, root, t.TempDir(), true)
	update(t, x)
	e := newHashed("one")
	e.after, e.fail = 3*limits.MeaningBatch+2, errs.New(errs.EngineCrashed, "test")
	if err := x.Vectors(t.Context(), e, func(int, int) {}); errs.CodeOf(err) != errs.EngineCrashed {
		t.Fatalf("got %v", err)
	}
	again := newHashed("one")
	makeVectors(t, x, again)
	if again.texts != 2*limits.MeaningBatch {
		t.Errorf("made %d again", again.texts)
	}
}

func TestVectorsEndWithTheirCaller(t *testing.T) {
	x := openIndex(t, harbour(t), t.TempDir(), true)
	update(t, x)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Vectors(ctx, newHashed("one"), func(int, int) {}); err == nil {
		t.Error("a caller who is gone was served")
	}
	x.Close()
	if err := x.Vectors(t.Context(), newHashed("one"), func(int, int) {}); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("after Close: %v", err)
	}
}

// vectorVictim is the process that TestKilledVectorsGoOn kills.
const vectorVictim = "INDEX_TEST_VECTOR_VICTIM"

func TestVectorVictim(t *testing.T) {
	root, db, ok := strings.Cut(os.Getenv(vectorVictim), "\n")
	if !ok {
		return
	}
	x := openIndex(t, root, db, true)
	if _, err := x.Update(t.Context(), func(Progress) {}, func([]doc.Skipped) {}); err != nil {
		t.Fatal(err)
	}
	fmt.Println("updated")
	e := &telling{newHashed("one")}
	for {
		if err := x.Vectors(t.Context(), e, func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("done")
	}
}

// telling prints a line for each call, so that the test knows when to kill.
type telling struct{ *hashed }

func (e *telling) Embed(ctx context.Context, texts []string, background bool, emit func([]float32) error) error {
	fmt.Println("embed", len(texts))
	return e.hashed.Embed(ctx, texts, background, emit)
}

// Killed at many moments, the vectors that are there are right, and the next run
// makes the others.
func TestKilledVectorsGoOn(t *testing.T) {
	root, db := t.TempDir(), t.TempDir()
	const files = 400
	for i := range files {
		write(t, root, fmt.Sprintf("f%04d.md", i), fmt.Sprintf("# Part %d\n\nThe name of this part is word%d.\n", i, i))
	}
	for kill := range 10 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestVectorVictim$", "-test.v")
		cmd.Env = append(os.Environ(), vectorVictim+"="+root+"\n"+db)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for seen := 0; seen < kill*7 && lines.Scan(); {
			if text := lines.Text(); strings.HasPrefix(text, "embed ") || text == "done" {
				seen++
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
	}
	x := openIndex(t, root, db, true)
	update(t, x)
	e := newHashed("one")
	if done, total := makeVectors(t, x, e); done != files || total != files {
		t.Errorf("%d of %d", done, total)
	}
	for _, n := range []int{0, 123, files - 1} {
		if got, _ := askBy(t, x, fmt.Sprintf("word%d", n), e); !strings.HasPrefix(got, fmt.Sprintf("f%04d.md:", n)) {
			t.Errorf("part %d: %q", n, got)
		}
	}
}

// A question that comes while vectors are made does not wait for all of them.
func TestVectorsMakeWay(t *testing.T) {
	root := t.TempDir()
	for i := range 20 * limits.MeaningBatch {
		write(t, root, fmt.Sprintf("f%03d.md", i), fmt.Sprintf("# Part %d\n\nThe name of this part is word%d.\n", i, i))
	}
	x := openIndex(t, root, t.TempDir(), true)
	update(t, x)
	e := &gated{hashed: newHashed("one"), at: make(chan struct{}), on: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- x.Vectors(t.Context(), e, func(int, int) {}) }()
	<-e.at
	answered := make(chan string, 1)
	go func() {
		a, err := x.Ask(t.Context(), "word7", 1)
		if err != nil || len(a.Sentences) == 0 {
			answered <- fmt.Sprint(a, err)
			return
		}
		answered <- a.Sentences[0].Citations[0].Path
	}()
	for x.wanted.Load() == 0 {
		runtime.Gosched()
	}
	e.on <- struct{}{}
	// The next batch is not begun before the question is answered.
	select {
	case got := <-answered:
		if got != "f007.md" {
			t.Errorf("got %q", got)
		}
	case <-e.at:
		// The question may have had its turn, and its answer be on the way.
		if x.wanted.Load() != 0 {
			t.Error("another batch came before the question that waited")
		} else if got := <-answered; got != "f007.md" {
			t.Errorf("got %q", got)
		}
	}
	close(e.on)
	for {
		select {
		case <-e.at:
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
}

// That somebody waits is no end of the work.
func TestVectorsGoOnAfterOthers(t *testing.T) {
	x := openIndex(t, harbour(t), t.TempDir(), true)
	update(t, x)
	x.wanted.Add(1)
	done := make(chan error, 1)
	e := newHashed("one")
	go func() { done <- x.Vectors(t.Context(), e, func(int, int) {}) }()
	for range 20 {
		if _, err := x.Ask(t.Context(), "potatoes?", 1); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-done:
		t.Errorf("ended before its turn: %v", err)
	default:
	}
	x.wanted.Add(-1)
	if err := <-done; err != nil || e.texts != 3 {
		t.Errorf("%v, %d texts", err, e.texts)
	}
}

// gated is a model that waits before each answer until the test lets it go on.
type gated struct {
	*hashed
	at, on chan struct{}
}

func (e *gated) Embed(ctx context.Context, texts []string, background bool, emit func([]float32) error) error {
	e.at <- struct{}{}
	<-e.on
	return e.hashed.Embed(ctx, texts, background, emit)
}
