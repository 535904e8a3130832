package llama

import (
	"context"
	"fmt"
	"testing"

	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// BenchmarkToken is what a token costs where the model costs next to nothing.
func BenchmarkToken(b *testing.B) {
	m := loaded(b, gguf.Llama(gguf.Small(1)), engine.Options{Threads: 1})
	p, err := m.Tokenize(asked, true)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for left := b.N; left > 0; {
		n := min(left, 1000)
		r, err := m.Generate(context.Background(), engine.Request{Prompt: p, Sampling: engine.Sampling{Greedy: true}, MaxTokens: n}, func(engine.Event) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		left -= r.Out + 1
	}
}

// BenchmarkDecode is the same without all but the library's own work: the loop
// as a C program has it.
func BenchmarkDecode(b *testing.B) {
	m := loaded(b, gguf.Llama(gguf.Small(1)), engine.Options{Threads: 1}).(*model)
	w := m.writer
	at := 0
	for b.Loop() {
		if at == 1000 {
			w.c.seqRemove(w.s.memory, 0, -1, -1)
			at = 0
		}
		w.b.reset()
		w.b.add(300, at, 0, true)
		if w.c.decode(w.s.h, w.b.b) != 0 {
			b.Fatal("it failed")
		}
		w.c.logits(w.s.h, 0)
		at++
	}
	w.c.seqRemove(w.s.memory, 0, -1, -1)
}

// BenchmarkLook is the look for what is no number, beside the two passes that a
// token costs anyway.
func BenchmarkLook(b *testing.B) {
	c := opened(b).c
	for _, n := range []int{49152, 151936} {
		logits := make([]float32, n)
		for i := range logits {
			logits[i] = float32(i*7919%n) / 1000
		}
		k := newChoices(c, n)
		defer k.free()
		for _, p := range []struct {
			what string
			pass func()
		}{{"tame", func() { tame(logits) }}, {"fill", func() { k.fill(logits) }}, {"likeliest", func() { likeliest(logits) }}} {
			b.Run(fmt.Sprint(p.what, "-", n), func(b *testing.B) {
				for b.Loop() {
					p.pass()
				}
			})
		}
	}
}
