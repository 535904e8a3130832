package answer

import (
	_ "embed"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/fold"
)

// everyday says which words of manuals answer which words of people.
//
//go:embed thesaurus.txt
var everyday string

// thesaurus is everyday, stemmed.
type thesaurus struct {
	words map[string][]string
	// phrases are keyed by their words, stemmed, with single spaces.
	phrases map[string][]string
}

func newThesaurus(f *fold.Folder) *thesaurus {
	t := &thesaurus{words: map[string][]string{}, phrases: map[string][]string{}}
	stems := func(s string) []string {
		out := strings.Fields(s)
		for i, w := range out {
			out[i] = f.Stem(w, "en")
		}
		return out
	}
	for line := range strings.SplitSeq(everyday, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		from, to, oneWay := strings.Cut(line, ">")
		if rest, ok := strings.CutPrefix(line, `"`); ok {
			phrase, _, _ := strings.Cut(rest, `"`)
			key := strings.Join(stems(phrase), " ")
			t.phrases[key] = append(t.phrases[key], stems(to)...)
			continue
		}
		a := stems(from)
		b := a
		if oneWay {
			b = stems(to)
			a = a[:len(a):len(a)]
			for i, w := range a { // words that share a line are related too
				for j, v := range a {
					if i != j {
						t.words[w] = append(t.words[w], v)
					}
				}
			}
		}
		for _, w := range a {
			for _, v := range b {
				if v != w {
					t.words[w] = append(t.words[w], v)
				}
			}
		}
	}
	return t
}

// said finds the phrases in a question: for the place of each one's last word,
// the words that stand for it.
func (t *thesaurus) said(tokens []fold.Token, f *fold.Folder) map[int][]string {
	stems := make([]string, len(tokens))
	for i, tok := range tokens {
		stems[i] = f.Stem(tok.Form, "en")
	}
	out := map[int][]string{}
	for i := range stems {
		for n := 2; n <= limits.AnswerPhrase && i+n <= len(stems); n++ {
			if to := t.phrases[strings.Join(stems[i:i+n], " ")]; to != nil {
				out[i+n-1] = append(out[i+n-1], to...)
			}
		}
	}
	// A phrase may have one word between its two: "throw it away".
	for i := 0; i+2 < len(stems); i++ {
		if to := t.phrases[stems[i]+" "+stems[i+2]]; to != nil {
			out[i+2] = append(out[i+2], to...)
		}
	}
	return out
}
