package llama

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

func loaded(t testing.TB, g *gguf.File, o engine.Options) engine.Model {
	t.Helper()
	m, err := opened(t).Load(context.Background(), written(t, g), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func said(t testing.TB, m engine.Model, prompt string, s engine.Sampling, most int) (string, engine.Result) {
	t.Helper()
	p, err := m.Tokenize(prompt, true)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r, err := m.Generate(context.Background(), engine.Request{Prompt: p, Sampling: s, MaxTokens: most}, func(e engine.Event) error {
		if e.Out != nil {
			b.Write(e.Out.Bytes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), r
}

const asked = gguf.TurnStart + "user\nWhat is it?" + gguf.TurnEnd + "\n" + gguf.TurnStart + "assistant\n"

func TestScript(t *testing.T) {
	m := loaded(t, gguf.Script("It", "is", "a", "script."), engine.Options{})
	if got, r := said(t, m, asked, engine.Sampling{Greedy: true}, 0); got != " It is a script." || r.Finish != engine.End || r.Out != 4 {
		t.Errorf("%q %+v", got, r)
	}
	if i := m.Info(); !strings.Contains(i.Template, "assistant") || i.EOS != gguf.TurnEnd || i.BOS != "<s>" || !i.AddBOS {
		t.Errorf("%+v", i)
	}
}

func TestGrammar(t *testing.T) {
	m := loaded(t, gguf.Llama(gguf.Small(1)), engine.Options{})
	g := `root ::= "{\"n\":" [1-9] [0-9] ",\"w\":\"" [a-z] [a-z] [a-z] "\"}"`
	seen := map[string]bool{}
	for seed := range uint32(4) {
		s := engine.Sampling{Grammar: g, Temperature: 5, Seed: seed, Greedy: seed == 0}
		text, r := said(t, m, asked, s, 60)
		var v struct {
			N int
			W string
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil || len(v.W) != 3 || r.Finish != engine.End {
			t.Errorf("%q %v %+v", text, err, r)
		}
		seen[text] = true
	}
	if len(seen) < 3 {
		t.Errorf("%d different texts: nothing was drawn", len(seen))
	}
	for _, bad := range []string{"root ::= \"a", "other ::= \"a\"", "root ::= missing"} {
		_, err := m.Generate(context.Background(), engine.Request{Prompt: []engine.Token{1}, Sampling: engine.Sampling{Grammar: bad}}, func(engine.Event) error { return nil })
		if !errors.Is(err, errs.New(errs.SchemaRefused, "")) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A grammar that refuses every token of a vocabulary ends the answer; the chain
// alone draws one of them, and what it makes is taken for JSON.
func TestGrammarWithoutAWayOn(t *testing.T) {
	only := func(texts ...string) *gguf.File {
		g := gguf.Llama(gguf.Small(1))
		all := g.Get("tokenizer.ggml.tokens").([]string)
		kinds := slices.Clone(g.Get("tokenizer.ggml.token_type").([]int32))
		for i, s := range all {
			if kinds[i] = 3; slices.Contains(texts, s) {
				kinds[i] = 1
			}
		}
		return g.Set("tokenizer.ggml.token_type", kinds)
	}
	// In this vocabulary's spelling Ā is the byte 0, where C's texts end.
	nul := only("{Ā").Set("tokenizer.ggml.model", "gpt2").Set("tokenizer.ggml.merges", []string{"a b"})
	spelt := slices.Clone(nul.Get("tokenizer.ggml.tokens").([]string))
	at := slices.Index(spelt, "{")
	spelt[at] = "{Ā"
	nul.Set("tokenizer.ggml.tokens", spelt).Get("tokenizer.ggml.token_type").([]int32)[at] = 1
	for _, c := range []struct {
		what string
		file *gguf.File
		said string
	}{
		{"control tokens alone", only(), ""}, {"a brace", only("{"), "{"}, {"a brace and a NUL", nul, ""}, {"braces and a letter", only("{", "}", "a"), "{"},
		{"enough", only("{", "}", "a", `"`, ":"), `{"a":{}}`},
	} {
		m := loaded(t, c.file, engine.Options{})
		for _, greedy := range []bool{true, false} {
			text := ""
			r, err := m.Generate(context.Background(), engine.Request{Prompt: []engine.Token{1}, MaxTokens: 40, Sampling: engine.Sampling{
				Grammar: `root ::= "{\"a\":{}}"`, Greedy: greedy, Temperature: 0.7, TopK: 40, TopP: 0.95, MinP: 0.05, Seed: 1,
			}}, func(e engine.Event) error {
				if e.Out != nil {
					text += string(e.Out.Bytes)
				}
				return nil
			})
			ok := err == nil && r.Finish == engine.End
			if c.what != "enough" {
				ok = errors.Is(err, errs.New(errs.SchemaStuck, ""))
			}
			if !ok || text != c.said {
				t.Errorf("%s: %q, %+v, %v", c.what, text, r, err)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		v    float32
		tame bool
		// one says what numbers does of one such among others, all of nothing else.
		one, all bool
	}{
		{0, true, true, true}, {-1e29, true, true, true}, {1e29, true, true, true},
		{nan, false, false, false}, {-nan, false, false, false}, {inf, false, false, false}, {2e30, false, false, false},
		{-inf, false, true, false}, {-2e30, false, true, false},
	} {
		for _, n := range []int{1, 15, 16, 17, 49, 64} {
			for at := range n {
				l := make([]float32, n)
				l[at] = c.v
				if tame(l) != c.tame || n > 1 && numbers(l) != c.one {
					t.Fatalf("%v at %d of %d: tame %v, numbers %v", c.v, at, n, tame(l), numbers(l))
				}
			}
			l := slices.Repeat([]float32{c.v}, n)
			if tame(l) != c.tame || numbers(l) != c.all {
				t.Fatalf("%d times %v: tame %v, numbers %v", n, c.v, tame(l), numbers(l))
			}
		}
	}
}

// Weights that are no numbers make no answer, however it is drawn.
func TestNoNumbers(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), 3e38} {
		g := gguf.Llama(gguf.Small(1))
		for i, w := range g.Tensors {
			if w.Name == "output.weight" {
				g.Tensors[i] = gguf.Same(w, float32(v))
			}
		}
		m := loaded(t, g, engine.Options{})
		for _, s := range []engine.Sampling{
			{Greedy: true}, {Temperature: 0.7, TopK: 40, TopP: 0.95, MinP: 0.05, Repeat: 1.1, Seed: 1}, {Temperature: 0.7, Seed: 1},
			{Temperature: 0.7, TopK: 40, Seed: 1, Grammar: `root ::= "{}"`}, {Greedy: true, Grammar: `root ::= "{}"`},
		} {
			_, err := m.Generate(context.Background(), engine.Request{Prompt: []engine.Token{1}, Sampling: s, MaxTokens: 8}, func(engine.Event) error { return nil })
			if !errors.Is(err, errs.New(errs.ModelRefused, "")) {
				t.Errorf("weights of %v, %+v: %v", v, s, err)
			}
		}
	}
}

// A call that is cancelled ends the library's work on the batch that it shares
// with others; they must not be able to tell.
func TestCancelledBesideOthers(t *testing.T) {
	m := loaded(t, gguf.Llama(gguf.Small(3)), engine.Options{Parallel: 3})
	want, _ := said(t, m, asked, engine.Sampling{Greedy: true}, 150)
	long, err := m.Tokenize(strings.Repeat("sea and river ", 600), false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	defer end()
	var wg sync.WaitGroup
	var cancelled atomic.Int32
	for i := range 2 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				// Another beginning each time, so that nothing is kept.
				p := append([]engine.Token{long[(2*n+i)%len(long)]}, long[:1500]...)
				one, stop := context.WithCancel(ctx)
				_, err := m.Generate(one, engine.Request{Prompt: p, Sampling: engine.Sampling{Greedy: true}}, func(engine.Event) error {
					stop()
					return nil
				})
				if errors.Is(err, errs.New(errs.Cancelled, "")) {
					cancelled.Add(1)
				}
				stop()
			}
		})
	}
	for range 2 {
		if got, _ := said(t, m, asked, engine.Sampling{Greedy: true}, 150); got != want {
			t.Errorf("beside cancelled calls:\n%q\nalone:\n%q", got, want)
		}
	}
	end()
	wg.Wait()
	if cancelled.Load() < 4 {
		t.Errorf("%d calls were cancelled: nothing was tried", cancelled.Load())
	}
}

// What the process may not have is told as such: the limit of an engine's data,
// set in a process of its own, since it cannot be raised again by everybody.
func TestMemory(t *testing.T) {
	const child, room, enough = "BAILEY_TEST_LIMITED", 64 << 20, 1 << 16
	limited := os.Getenv(child)
	if limited == "" {
		libraries(t)
		for _, how := range []string{"limited", "free"} {
			c := exec.Command(os.Args[0], "-test.run=^TestMemory$", "-test.v")
			c.Env = append(os.Environ(), child+"="+how)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", how, err, out)
			}
		}
		return
	}
	l := opened(t)
	if limited == "limited" {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		data := uint64(0)
		for line := range strings.Lines(string(status)) {
			if v, ok := strings.CutPrefix(line, "VmData:"); ok {
				fmt.Sscan(v, &data)
			}
		}
		most := data<<10 + room
		if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			t.Fatal(err)
		}
	}
	// 128 MB of keys and values.
	shape := gguf.Small(1)
	shape.Context = enough
	m, err := l.Load(context.Background(), written(t, gguf.Llama(shape)), engine.Options{Context: enough, Parallel: 8}, nil)
	if limited == "limited" {
		if !errors.Is(err, errs.New(errs.MemoryUsedUp, "")) {
			t.Errorf("without the memory for it: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}

// A library of another release is refused (S20), by its version and, where its
// functions are other ones, by those.
func TestOtherRelease(t *testing.T) {
	dir := libraries(t)
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := read(llamaName)
	other := bytes.Replace(good, []byte("\x000.5.0-dev\x00"), []byte("\x000.5.1-dev\x00"), 1)
	if bytes.Equal(other, good) {
		t.Fatal("the version is not in the file as it was thought")
	}
	for _, c := range []struct {
		what string
		file []byte
		ok   bool
	}{
		{"an unchanged copy", good, true},
		{"another version", other, false},
		{"another library", read(baseName), false},
		{"no library", []byte("x"), false},
		{"nothing", nil, false},
	} {
		// Each in a directory of its own: the loader remembers names.
		copied := t.TempDir()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() == llamaName {
				continue
			}
			if err := os.WriteFile(filepath.Join(copied, e.Name()), read(e.Name()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if c.file != nil {
			if err := os.WriteFile(filepath.Join(copied, llamaName), c.file, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(copied); c.ok != (err == nil) || !c.ok && !errors.Is(err, errs.New(errs.EngineMissing, "")) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "nowhere")); !errors.Is(err, errs.New(errs.EngineMissing, "")) {
		t.Errorf("no directory: %v", err)
	}
}

// Work in the background has the lowest priority, on a thread that ends with it,
// and waits for those in front.
func TestBackground(t *testing.T) {
	m := loaded(t, gguf.Embedding(1), engine.Options{Embedding: true})
	nice := func() int {
		p, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if err != nil {
			t.Fatal(err)
		}
		return 20 - p
	}
	before := nice()
	var mu sync.Mutex
	order := []string{}
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, s)
	}
	texts := []string{strings.Repeat("sea ", 200), strings.Repeat("river ", 200)}
	out := make(chan error, 1)
	first := true
	err := m.Embed(context.Background(), texts, false, func([]float32, int, int) error {
		if first {
			first = false
			go func() {
				out <- m.Embed(context.Background(), texts[:1], true, func([]float32, int, int) error {
					if n := nice(); n != limits.EngineNice {
						t.Errorf("nice %d in the background", n)
					}
					note("back")
					return nil
				})
			}()
			for m.Stats().Waiting == 0 {
				runtime.Gosched()
			}
		}
		note("front")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-out; err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, " "); got != "front front back" {
		t.Errorf("order %s", got)
	}
	for range 8 {
		if n := nice(); n != before {
			t.Errorf("nice %d afterwards, %d before", n, before)
		}
	}
}

// A model has a table of so many places; what asks for more would end the
// process at the first text that has them.
func TestContextBeyondTraining(t *testing.T) {
	m := loaded(t, gguf.Embedding(1), engine.Options{Embedding: true, Context: 4096})
	if n := m.Info().Context; n != m.Info().TrainedContext {
		t.Errorf("a context of %d, trained for %d", n, m.Info().TrainedContext)
	}
	err := m.Embed(context.Background(), []string{strings.Repeat("sea ", 3000)}, false, func(_ []float32, tokens, cut int) error {
		if tokens-cut != m.Info().TrainedContext {
			t.Errorf("%d tokens, %d cut", tokens, cut)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// Without a word on pooling a BERT's vectors are the mean, and a chat model
	// makes none.
	g := gguf.Embedding(1)
	g.KV = slices.DeleteFunc(g.KV, func(kv gguf.KV) bool { return kv.Key == "bert.pooling_type" })
	bare := loaded(t, g, engine.Options{Embedding: true})
	if err := bare.Embed(context.Background(), []string{"sea"}, false, func(v []float32, _, _ int) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := opened(t).Load(context.Background(), written(t, gguf.Llama(gguf.Small(1))), engine.Options{Embedding: true}, nil); !errors.Is(err, errs.New(errs.ModelRole, "")) {
		t.Errorf("a chat model that is to make vectors: %v", err)
	}
	if _, err := opened(t).Load(context.Background(), written(t, gguf.Embedding(1)), engine.Options{}, nil); !errors.Is(err, errs.New(errs.ModelRole, "")) {
		t.Errorf("an embedding model that is to write: %v", err)
	}
}

func TestThreads(t *testing.T) {
	if m := loaded(t, gguf.Llama(gguf.Small(1)), engine.Options{}); m.Info().Threads < 1 || m.Info().Threads > max(1, runtime.NumCPU()-1) {
		t.Errorf("%d threads of %d processors", m.Info().Threads, runtime.NumCPU())
	}
}
