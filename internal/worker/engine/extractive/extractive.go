// Package extractive is an [engine.Library] without weights: it answers with
// sentences of its prompt, those that have most of the question's rarer words,
// in the order in which they stand there. It needs no model file, an empty
// descriptor will do, and it never says a word that the prompt does not have.
// Its vectors are of words, hashed.
//
// It is the second engine behind the interface: what only llama.cpp could do
// would show here. It understands nothing.
package extractive

import (
	"context"
	"math"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/bytewise"
)

// Library is the engine.
type Library struct{}

// New makes the library.
func New() *Library { return &Library{} }

// Name is the library's.
func (*Library) Name() string { return "extractive v1" }

// Variant is none.
func (*Library) Variant() string { return "any" }

// Load takes any file, and reads none of it.
func (*Library) Load(ctx context.Context, f *os.File, o engine.Options, progress func(float32)) (engine.Model, error) {
	defer f.Close()
	if ctx.Err() != nil {
		return nil, errs.Wrap(errs.Cancelled, "extractive.load", ctx.Err())
	}
	if progress != nil {
		progress(0)
		progress(1)
	}
	return bytewise.New(bytewise.Voice{
		Say:       func(_ context.Context, prompt string, _ engine.Sampling) (string, error) { return Answer(prompt), nil },
		Vector:    func(text string) []float32 { return bytewise.Words(text, limits.ExtractiveDimension) },
		Dimension: limits.ExtractiveDimension,
		Trained:   limits.EngineContext,
	}, o), nil
}

// Answer answers the last paragraph of a prompt with sentences of what stands
// before it; without any that fit it says nothing.
func Answer(prompt string) string {
	text, question := split(prompt)
	asked := words(question)
	list := sentences(text)
	// In how many sentences each word of the question stands.
	in := map[string]int{}
	has := make([]map[string]bool, len(list))
	for i, s := range list {
		has[i] = map[string]bool{}
		for _, w := range words(s) {
			has[i][w] = true
		}
		for _, w := range asked {
			if has[i][w] {
				in[w]++
			}
		}
	}
	type scored struct {
		at    int
		score float64
	}
	best := []scored{}
	for i := range list {
		score := 0.0
		for _, w := range asked {
			if has[i][w] {
				score += math.Log(1 + float64(len(list))/float64(in[w]))
			}
		}
		if score > 0 {
			best = append(best, scored{i, score})
		}
	}
	slices.SortStableFunc(best, func(a, b scored) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	// One that has only the words that many have is no answer beside a better one.
	for i, s := range best {
		if s.score < best[0].score/2 {
			best = best[:i]
			break
		}
	}
	best = best[:min(len(best), limits.ExtractiveSentences)]
	slices.SortFunc(best, func(a, b scored) int { return a.at - b.at })
	said := []string{}
	for _, s := range best {
		said = append(said, list[s.at])
	}
	return strings.Join(said, " ")
}

// split takes the marks of turns away and the last paragraph that says something.
func split(prompt string) (text, question string) {
	for _, mark := range []string{"<s>", "<|im_start|>system\n", "<|im_start|>user\n", "<|im_start|>assistant\n", "<|im_start|>", "<|im_end|>"} {
		prompt = strings.ReplaceAll(prompt, mark, "\n\n")
	}
	parts := strings.Split(strings.TrimSpace(prompt), "\n\n")
	return strings.Join(parts[:len(parts)-1], "\n\n"), parts[len(parts)-1]
}

// sentences of a text; a line that ends without a mark is one too.
func sentences(text string) []string {
	out := []string{}
	for line := range strings.Lines(text) {
		for line != "" {
			var s string
			s, line, _ = uniseg.FirstSentenceInString(line, -1)
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// words of a text in small letters; those of one or two letters say little.
func words(s string) []string {
	out := []string{}
	for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if len([]rune(w)) > 2 && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}
