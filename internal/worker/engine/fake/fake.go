// Package fake is an [engine.Library] that follows a script, for tests: what it
// answers, when it goes on, and how it fails are the test's. Only tests use it;
// no program links it.
package fake

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/bytewise"
)

// Script is what the library does. The zero Script answers each prompt with
// words of its own, always the same for the same prompt and seed.
type Script struct {
	// Answer of a prompt; nil = words of its own.
	Answer func(prompt string, s engine.Sampling) string
	// Load is called in the middle of a load; an error ends it.
	Load func(ctx context.Context) error
	// Step is called before each part of a prompt, with -1, and before each token
	// or text, with its number. What it does is how the engine is slow (it waits
	// for a channel), hangs (it waits and does not look at ctx), crashes (it ends
	// the process) or runs out of memory (it returns [OutOfMemory]).
	Step func(ctx context.Context, n int) error
	// Grammar is asked about each grammar; nil = all are taken, and no answer
	// keeps to them.
	Grammar func(string) error
	// Dimension of vectors; 0 = 32. Trained context; 0 = limits.EngineContext.
	Dimension, Trained int
}

// OutOfMemory is what Step returns for an engine that ran out of memory.
func OutOfMemory() error { return errs.New(errs.MemoryUsedUp, "fake.step") }

// Library follows a script.
type Library struct{ script Script }

// New makes a library.
func New(s Script) *Library { return &Library{s} }

// Name is the library's.
func (*Library) Name() string { return "fake v1" }

// Variant is none.
func (*Library) Variant() string { return "any" }

// Load makes a model; the file says nothing to it but that it begins with
// "GGUF" or is empty.
func (l *Library) Load(ctx context.Context, f *os.File, o engine.Options, progress func(float32)) (engine.Model, error) {
	defer f.Close()
	head := make([]byte, 4)
	if n, _ := f.ReadAt(head, 0); n > 0 && string(head[:n]) != "GGUF" {
		return nil, errs.New(errs.ModelRefused, "fake.load").With("no model")
	}
	for i := range 3 {
		if progress != nil {
			progress(float32(i) / 2)
		}
		if i == 1 && l.script.Load != nil {
			if err := l.script.Load(ctx); err != nil {
				return nil, err
			}
		}
		if ctx.Err() != nil {
			return nil, errs.Wrap(errs.Cancelled, "fake.load", ctx.Err())
		}
	}
	v := bytewise.Voice{Step: l.script.Step, Dimension: l.script.Dimension, Trained: l.script.Trained}
	if v.Dimension == 0 {
		v.Dimension = 32
	}
	if v.Trained == 0 {
		v.Trained = limits.EngineContext
	}
	v.Vector = func(text string) []float32 { return bytewise.Words(text, v.Dimension) }
	v.Say = func(_ context.Context, prompt string, s engine.Sampling) (string, error) {
		if s.Grammar != "" && l.script.Grammar != nil {
			if err := l.script.Grammar(s.Grammar); err != nil {
				return "", errs.Wrap(errs.SchemaRefused, "fake.generate", err)
			}
		}
		if l.script.Answer != nil {
			return l.script.Answer(prompt, s), nil
		}
		return words(prompt, s), nil
	}
	return bytewise.New(v, o), nil
}

// words are 100 words that hang on the prompt, and on the seed unless greedy.
func words(prompt string, s engine.Sampling) string {
	some := []string{"sea", "Löwe", "漢字", "river", "stone", "🙂", "light", "seven", "door", "été"}
	h := fnv.New64a()
	fmt.Fprint(h, prompt)
	if !s.Greedy && s.Temperature > 0 {
		fmt.Fprint(h, s.Seed)
	}
	var b strings.Builder
	for range 100 {
		h.Write([]byte{1})
		b.WriteString(" " + some[(h.Sum64()>>32)%uint64(len(some))])
	}
	return b.String()
}
