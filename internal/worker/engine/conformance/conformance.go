// Package conformance is the suite that every [engine.Library] passes: what the
// interface promises, tried. Tests of the engines call [Run]; nothing else does.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// Subject is a library with models to try it on. Each file is a new descriptor.
type Subject struct {
	Library func(*testing.T) engine.Library
	// Chat is a model that generates: it goes on for 40 tokens at least when asked
	// for something, and what it says hangs on all of the prompt.
	Chat func(*testing.T) *os.File
	// Embedding is a model that makes vectors.
	Embedding func(*testing.T) *os.File
	// Damaged is a file that no model is; nil when the library takes any.
	Damaged func(*testing.T) *os.File
	// Draws says that other seeds give other texts.
	Draws bool
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	for _, c := range []struct {
		name string
		try  func(*testing.T, Subject)
	}{
		{"load", load}, {"tokens", tokens}, {"generate", generate}, {"repeat", repeat}, {"reuse", reuse}, {"owners", owners},
		{"stop", stop}, {"cancel", cancel}, {"overflow", overflow}, {"parallel", parallel}, {"slow", slow},
		{"logprobs", logprobs}, {"embed", embed}, {"role", role}, {"close", closing},
	} {
		t.Run(c.name, func(t *testing.T) { c.try(t, s) })
	}
}

// slack is how much longer than promised something may take in a test: what is
// promised is measured in bench/.
const slack = 10

const (
	// repeats make a text that is cut up more than once.
	repeats = 2000
	// roomy is the context for a long prompt, longPrompt what is used of it.
	roomy      = 2000
	longPrompt = 1900
	// noToken is the number of none.
	noToken = math.MaxInt32
)

func (s Subject) chat(t *testing.T, o engine.Options) engine.Model {
	t.Helper()
	return s.model(t, s.Chat(t), o)
}

func (s Subject) model(t *testing.T, f *os.File, o engine.Options) engine.Model {
	t.Helper()
	m, err := s.Library(t).Load(context.Background(), f, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func code(t *testing.T, what string, err error, want errs.Code) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func encode(t *testing.T, m engine.Model, text string) []engine.Token {
	t.Helper()
	p, err := m.Tokenize(text, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func question(i int) string {
	return fmt.Sprintf("The river runs to the sea. The stone lies in the river. Light falls on stone number %d.\n\nWhere does the river run, and what is number %d?", i, i)
}

var greedy = engine.Sampling{Greedy: true}

// run generates and gives the text.
func run(t *testing.T, m engine.Model, r engine.Request) (string, engine.Result) {
	t.Helper()
	var b strings.Builder
	res, err := m.Generate(context.Background(), r, func(e engine.Event) error {
		if e.Out != nil {
			b.Write(e.Out.Bytes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), res
}

func load(t *testing.T, s Subject) {
	l := s.Library(t)
	if l.Name() == "" || l.Variant() == "" {
		t.Errorf("name %q, variant %q", l.Name(), l.Variant())
	}
	last := float32(-1)
	m, err := l.Load(context.Background(), s.Chat(t), engine.Options{Context: 300, Parallel: 2, Threads: 1}, func(f float32) {
		if f < last || f > 1 {
			t.Errorf("progress %v behind %v", f, last)
		}
		last = f
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if last != 1 {
		t.Errorf("the progress ends at %v", last)
	}
	if i := m.Info(); i.Context != 300 || i.Parallel != 2 || i.Threads != 1 || i.Vocabulary <= 0 || i.TrainedContext <= 0 {
		t.Errorf("%+v", i)
	}
	d := s.chat(t, engine.Options{}).Info()
	if d.Parallel != 1 || d.Threads < 1 || d.Context != min(limits.EngineContext, d.TrainedContext) {
		t.Errorf("defaults %+v", d)
	}
	if most := s.chat(t, engine.Options{Context: d.TrainedContext + 1}).Info(); most.Context != d.TrainedContext {
		t.Errorf("a context of %d, trained for %d", most.Context, d.TrainedContext)
	}
	ctx, end := context.WithCancel(context.Background())
	end()
	_, err = l.Load(ctx, s.Chat(t), engine.Options{}, nil)
	code(t, "a load that was cancelled", err, errs.Cancelled)
	if s.Damaged != nil {
		_, err = l.Load(context.Background(), s.Damaged(t), engine.Options{}, nil)
		code(t, "a damaged file", err, errs.ModelRefused)
	}
}

func tokens(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{})
	join := func(ts []engine.Token) string {
		b := []byte{}
		for _, t := range ts {
			b = append(b, m.Bytes(t)...)
		}
		return string(b)
	}
	for _, text := range []string{"", "x", "the sea", "naïve 漢字 🙂\n\tend", "a\x00b", "<s></s>", strings.Repeat("long ", repeats)} {
		ts, err := m.Tokenize(text, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := join(ts); got != text {
			t.Errorf("%.20q came back as %.40q", text, got)
		}
	}
	// Not UTF-8: no promise but that it comes back, as UTF-8.
	if ts, err := m.Tokenize("a\xff\xfeb\xe6", false); err != nil || join(ts) != "a\uFFFDb\uFFFD" {
		t.Errorf("%q %v", join(ts), err)
	}
	split := false
	for _, id := range encode(t, m, "漢") {
		if b := m.Bytes(id); len(b) > 0 && len(b) < 3 {
			split = true
		}
	}
	if !split {
		t.Error("no token is a part of a character: nothing was tried")
	}
	eos := m.Info().EOS
	with, text := encode(t, m, eos), must(m.Tokenize(eos, false))
	if len(with) != 1 || len(m.Bytes(with[0])) != 0 {
		t.Errorf("%q as a control token: %v", eos, with)
	}
	if len(text) < 2 || join(text) != eos {
		t.Errorf("%q as text: %v", eos, text)
	}
	for _, id := range []engine.Token{-1, noToken, math.MinInt32} {
		if b := m.Bytes(id); len(b) != 0 {
			t.Errorf("token %d: %q", id, b)
		}
		_, err := m.Generate(context.Background(), engine.Request{Prompt: []engine.Token{id}}, func(engine.Event) error { return nil })
		code(t, fmt.Sprint("token ", id), err, errs.Malformed)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return v
}

func generate(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{})
	prompt := encode(t, m, question(1))
	read, out := engine.Read{}, 0
	res, err := m.Generate(context.Background(), engine.Request{Prompt: prompt, Sampling: greedy, MaxTokens: 12}, func(e engine.Event) error {
		switch {
		case e.Read != nil && e.Out == nil:
			if e.Read.Tokens < read.Tokens || e.Read.Total != len(prompt) || out > 0 {
				t.Errorf("%+v after %+v", *e.Read, read)
			}
			read = *e.Read
		case e.Out != nil && e.Read == nil:
			out++
			if string(m.Bytes(e.Out.Token)) != string(e.Out.Bytes) || len(e.Out.Candidates) != 0 {
				t.Errorf("%+v", *e.Out)
			}
		default:
			t.Errorf("an event with none or both: %+v", e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read.Tokens != len(prompt) || out != 12 || res.Out != 12 || res.Prompt != len(prompt) || res.Reused != 0 || res.Finish != engine.Length {
		t.Errorf("read %+v, %d tokens, %+v", read, out, res)
	}
	if st := m.Stats(); st.OutputTokens != 12 || st.PromptTokens != uint64(len(prompt)) || st.Running != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
	if _, res := run(t, m, engine.Request{Sampling: greedy, MaxTokens: 1}); res.Prompt != 1 {
		t.Errorf("an empty prompt, where the model has a token to begin with: %+v", res)
	}
}

func repeat(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{})
	p := encode(t, m, question(2))
	for _, o := range []engine.Sampling{greedy, {Temperature: 1, Seed: 7}, {Temperature: 0.8, TopK: 20, TopP: 0.9, MinP: 0.01, Repeat: 1.1, Frequency: 0.1, Presence: 0.1, Seed: 7}} {
		a, _ := run(t, m, engine.Request{Prompt: p, Sampling: o, MaxTokens: 30})
		b, _ := run(t, m, engine.Request{Prompt: p, Sampling: o, MaxTokens: 30})
		if a != b || a == "" {
			t.Errorf("%+v: %q and %q", o, a, b)
		}
	}
	if !s.Draws {
		return
	}
	seen := map[string]bool{}
	for seed := range uint32(5) {
		text, _ := run(t, m, engine.Request{Prompt: p, Sampling: engine.Sampling{Temperature: 1, Seed: seed}, MaxTokens: 30})
		seen[text] = true
	}
	if len(seen) < 4 {
		t.Errorf("five seeds gave %d texts", len(seen))
	}
	other, _ := run(t, m, engine.Request{Prompt: encode(t, m, question(3)), Sampling: greedy, MaxTokens: 30})
	if same, _ := run(t, m, engine.Request{Prompt: p, Sampling: greedy, MaxTokens: 30}); same == other {
		t.Error("two prompts, one answer")
	}
}

func reuse(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{Parallel: 2})
	first := encode(t, m, question(4))
	answer := []engine.Token{}
	_, err := m.Generate(context.Background(), engine.Request{Owner: 1, Prompt: first, Sampling: greedy, MaxTokens: 20}, func(e engine.Event) error {
		if e.Out != nil {
			answer = append(answer, e.Out.Token)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	second := append(append(append([]engine.Token(nil), first...), answer...), encode(t, m, "\n\n"+question(5))...)
	got, res := run(t, m, engine.Request{Owner: 1, Prompt: second, Sampling: greedy, MaxTokens: 20})
	if res.Reused < len(first)+len(answer)-1 {
		t.Errorf("%d tokens were kept of %d", res.Reused, len(first)+len(answer))
	}
	want, res := run(t, s.chat(t, engine.Options{}), engine.Request{Owner: 1, Prompt: second, Sampling: greedy, MaxTokens: 20})
	if res.Reused != 0 || got != want {
		t.Errorf("with the prefix kept %q, else %q (%d kept)", got, want, res.Reused)
	}
	// The same again needs one token to be read.
	again, res := run(t, m, engine.Request{Owner: 1, Prompt: second, Sampling: greedy, MaxTokens: 20})
	if res.Reused != len(second)-1 || again != want {
		t.Errorf("again: %d of %d kept, %q", res.Reused, len(second), again)
	}
	// A prompt with another beginning goes into the other sequence, and leaves this
	// one as it is.
	run(t, m, engine.Request{Owner: 1, Prompt: encode(t, m, "Seven doors. "+question(6)), Sampling: greedy, MaxTokens: 5})
	if _, res = run(t, m, engine.Request{Owner: 1, Prompt: second, Sampling: greedy, MaxTokens: 5}); res.Reused != len(second)-1 {
		t.Errorf("behind another conversation: %d of %d kept", res.Reused, len(second))
	}
}

func stop(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{})
	p := encode(t, m, question(7))
	out := 0
	res, err := m.Generate(context.Background(), engine.Request{Prompt: p, Sampling: greedy}, func(e engine.Event) error {
		if e.Out == nil {
			return nil
		}
		if out++; out == 5 {
			return engine.ErrStop
		}
		return nil
	})
	if err != nil || res.Finish != engine.Stopped || res.Out != 5 || out != 5 {
		t.Errorf("%+v %v, %d tokens came", res, err, out)
	}
	other := errors.New("the client is gone")
	if _, err := m.Generate(context.Background(), engine.Request{Prompt: p, Sampling: greedy}, func(e engine.Event) error { return other }); !errors.Is(err, other) {
		t.Errorf("an error of emit came back as %v", err)
	}
	// It goes on as if nothing had been.
	a, _ := run(t, m, engine.Request{Prompt: p, Sampling: greedy, MaxTokens: 20})
	if b, _ := run(t, s.chat(t, engine.Options{}), engine.Request{Prompt: p, Sampling: greedy, MaxTokens: 20}); a != b {
		t.Errorf("behind a stop %q, else %q", a, b)
	}
}

func cancel(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{Context: roomy})
	long := encode(t, m, strings.Repeat(question(8)+"\n", 60))
	long = long[:min(len(long), longPrompt)]
	for _, c := range []struct {
		name   string
		prompt []engine.Token
		at     func(engine.Event) bool
	}{
		{"in the prompt", long, func(e engine.Event) bool { return e.Read != nil }},
		{"in the text", encode(t, m, question(9)), func(e engine.Event) bool { return e.Out != nil }},
	} {
		ctx, end := context.WithCancel(context.Background())
		var asked time.Time
		n := 0
		_, err := m.Generate(ctx, engine.Request{Prompt: c.prompt, Sampling: greedy}, func(e engine.Event) error {
			if c.at(e) {
				n++
				if asked.IsZero() {
					asked = time.Now()
					end()
				}
			}
			return nil
		})
		code(t, c.name, err, errs.Cancelled)
		if took := time.Since(asked); took > slack*limits.EngineCancel {
			t.Errorf("%s: it ended after %v", c.name, took)
		}
		end()
	}
	ctx, end := context.WithCancel(context.Background())
	end()
	_, err := m.Generate(ctx, engine.Request{Prompt: long}, func(engine.Event) error { t.Error("an event behind the end"); return nil })
	code(t, "before it began", err, errs.Cancelled)
	p := encode(t, m, question(10))
	a, _ := run(t, m, engine.Request{Prompt: p, Sampling: greedy, MaxTokens: 20})
	if b, _ := run(t, s.chat(t, engine.Options{}), engine.Request{Prompt: p, Sampling: greedy, MaxTokens: 20}); a != b {
		t.Errorf("behind a cancelled call %q, else %q", a, b)
	}
}

func overflow(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{Context: 256})
	n := m.Info().Context
	long := encode(t, m, strings.Repeat(question(11), 20))
	if len(long) <= n {
		t.Fatalf("the prompt has %d tokens, the context %d", len(long), n)
	}
	for _, k := range []int{n, n + 1, len(long)} {
		_, err := m.Generate(context.Background(), engine.Request{Prompt: long[:k]}, func(engine.Event) error { return nil })
		code(t, fmt.Sprint(k, " tokens"), err, errs.ContextOverflow)
	}
	if _, res := run(t, m, engine.Request{Prompt: long[:n-1], Sampling: greedy}); res.Finish != engine.Full || res.Out < 1 || res.Out > 2 {
		t.Errorf("one token short of the context: %+v", res)
	}
	if _, res := run(t, m, engine.Request{Prompt: long[:n-10], Sampling: greedy, MaxTokens: 5}); res.Finish != engine.Length {
		t.Errorf("ten tokens short of the context: %+v", res)
	}
}

func parallel(t *testing.T, s Subject) {
	const calls, both = 6, 2
	alone := s.chat(t, engine.Options{})
	m := s.chat(t, engine.Options{Parallel: both})
	want := make([]string, calls)
	request := func(m engine.Model, i int) engine.Request {
		// Drawn texts are not compared: sums are rounded otherwise in another batch, by
		// up to a hundredth of a probability, and a draw at the edge of two tokens
		// falls otherwise then.
		return engine.Request{Prompt: encode(t, m, question(100+i)), Sampling: greedy, MaxTokens: 25}
	}
	for i := range want {
		want[i], _ = run(t, alone, request(alone, i))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	most := 0
	for i := range calls {
		wg.Go(func() {
			var b strings.Builder
			_, err := m.Generate(context.Background(), request(m, i), func(e engine.Event) error {
				if e.Out != nil {
					b.Write(e.Out.Bytes)
				}
				mu.Lock()
				most = max(most, m.Stats().Running)
				mu.Unlock()
				return nil
			})
			if err != nil || b.String() != want[i] {
				t.Errorf("call %d: %q %v, alone %q", i, b.String(), err, want[i])
			}
		})
	}
	wg.Wait()
	if most > both {
		t.Errorf("%d ran at once", most)
	}
	if st := m.Stats(); st.Running != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

// slow: who does not take his tokens keeps nobody waiting, and one that waits
// can be cancelled.
func slow(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{Parallel: 2})
	p := encode(t, m, question(12))
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		n := 0
		_, err := m.Generate(context.Background(), engine.Request{Prompt: p, Sampling: greedy, MaxTokens: 200}, func(e engine.Event) error {
			if n++; n == 1 {
				close(held)
				<-release
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	run(t, m, engine.Request{Prompt: encode(t, m, question(13)), Sampling: greedy, MaxTokens: 30})
	full := s.chat(t, engine.Options{Parallel: 1})
	busy, free := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		once := sync.Once{}
		full.Generate(context.Background(), engine.Request{Prompt: p, Sampling: greedy, MaxTokens: 3}, func(engine.Event) error {
			once.Do(func() { close(busy); <-free })
			return nil
		})
	})
	<-busy
	ctx, end := context.WithTimeout(context.Background(), limits.EngineCancel)
	defer end()
	began := time.Now()
	res, err := full.Generate(ctx, engine.Request{Prompt: p, Sampling: greedy}, func(engine.Event) error { return nil })
	// A library may have gone on with its one sequence while its client waited.
	if res.Prompt == 0 {
		code(t, "a call that waits", err, errs.Cancelled)
	}
	if took := time.Since(began); took > 2*slack*limits.EngineCancel {
		t.Errorf("it ended after %v", took)
	}
	close(free)
	close(release)
	wg.Wait()
}

func logprobs(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{})
	for _, o := range []engine.Sampling{greedy, {Temperature: 2, Seed: 3}} {
		_, err := m.Generate(context.Background(), engine.Request{Prompt: encode(t, m, question(14)), Sampling: o, MaxTokens: 8, Logprobs: 4}, func(e engine.Event) error {
			if e.Out == nil {
				return nil
			}
			c := e.Out.Candidates
			if len(c) < 4 || len(c) > 5 || c[0].Token != e.Out.Token {
				t.Errorf("%+v", c)
				return nil
			}
			sum := 0.0
			for i, k := range c {
				sum += math.Exp(float64(k.Logprob))
				if k.Logprob > 0 || i > 1 && k.Logprob > c[i-1].Logprob || string(k.Bytes) != string(m.Bytes(k.Token)) {
					t.Errorf("%d of %+v", i, c)
				}
			}
			if sum > 1.001 {
				t.Errorf("probabilities of %v in all", sum)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func closing(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{Parallel: 2})
	p := encode(t, m, question(20))
	began := make(chan struct{})
	out := make(chan error, 1)
	go func() {
		once := sync.Once{}
		_, err := m.Generate(context.Background(), engine.Request{Prompt: p, Sampling: greedy}, func(engine.Event) error {
			once.Do(func() { close(began) })
			m.Bytes(p[0])
			return nil
		})
		out <- err
	}()
	<-began
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	// It may have been done just before.
	if err := <-out; err != nil {
		code(t, "a call while the model is closed", err, errs.Cancelled)
	}
	_, err := m.Generate(context.Background(), engine.Request{Prompt: p}, func(engine.Event) error { return nil })
	code(t, "a call behind that", err, errs.Cancelled)
	m.Tokenize("x", false)
	m.Bytes(p[0])
	m.Stats()
}
