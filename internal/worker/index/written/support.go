package written

import (
	"strings"
	"unicode"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/answer"
	"github.com/bailey-run/bailey/internal/worker/index/fold"
	"github.com/bailey-run/bailey/internal/worker/index/sentence"
)

// Passage is what a model may be told: words of a document, with their place.
type Passage struct {
	Text      string
	Language  string
	Citations []answer.Citation
}

// checker tells sentences that stand in the passages from those that do not. It
// compares words, it does not understand: a sentence that says with a passage's
// words what the passage does not say passes, unless it denies what the passage
// affirms, or the other way round.
type checker struct {
	fold     *fold.Folder
	passages []told
}

// told is a passage with its words.
type told struct {
	Passage
	all   map[string]bool
	parts []part
	// numerals are its digits; see numerals.
	numerals map[string]bool
}

// part is one of its sentences.
type part struct {
	words  map[string]bool
	denies bool
}

func newChecker(f *fold.Folder, ps []Passage) *checker {
	c := &checker{fold: f}
	for _, p := range ps {
		t := told{Passage: p, all: map[string]bool{}, numerals: map[string]bool{}}
		for _, n := range numerals(p.Text) {
			t.numerals[n] = true
		}
		for rest := p.Text; rest != ""; {
			n := sentence.Next(rest, p.Language)
			if n <= 0 {
				n = len(rest)
			}
			s := part{words: map[string]bool{}, denies: denies(f, rest[:n])}
			f.Each(rest[:n], p.Language, func(tok string, _ fold.Kind, _ bool) {
				s.words[tok] = true
				t.all[tok] = true
			})
			t.parts = append(t.parts, s)
			rest = strings.TrimLeft(rest[n:], " \n")
		}
		c.passages = append(c.passages, t)
	}
	return c
}

// support returns the places of the passages in which all numbers and names of
// the sentence stand, and limits.WriteSupport of its other words; none when no
// passage has them.
func (c *checker) support(text string) []answer.Citation {
	var cited []answer.Citation
	for i := range c.passages {
		if c.in(&c.passages[i], text) {
			for _, at := range c.passages[i].Citations {
				if len(cited) < limits.ServeCitations {
					cited = append(cited, at)
				}
			}
		}
	}
	return cited
}

func (c *checker) in(p *told, text string) bool {
	words, found := 0, 0
	overlap := make([]int, len(p.parts))
	missing := false
	first := true
	for _, t := range c.fold.Tokens(text, p.Language) {
		opening := first
		first = false
		if t.Stop || t.Kind == fold.Part {
			continue
		}
		has := p.all[t.Text]
		name := t.Capital && !opening || t.Kind == fold.Whole
		if !has && (t.Kind == fold.Number || name) {
			missing = true
			break
		}
		words++
		if has {
			found++
		}
		for i := range p.parts {
			if p.parts[i].words[t.Text] {
				overlap[i]++
			}
		}
	}
	if missing || words < limits.WriteWords || float64(found) < limits.WriteSupport*float64(words) {
		return false
	}
	for _, n := range numerals(text) {
		if !p.numerals[n] {
			return false
		}
	}
	best := 0
	for i := range overlap {
		if overlap[i] > overlap[best] {
			best = i
		}
	}
	return p.parts[best].denies == denies(c.fold, text)
}

// numerals are the runs of digits in text, without the commas of thousands:
// folding may have taken them for a part of a word, as in "port9090".
func numerals(text string) []string {
	digit := func(i int) bool { return i >= 0 && i < len(text) && '0' <= text[i] && text[i] <= '9' }
	var out []string
	var run []byte
	for i := 0; i <= len(text); i++ {
		switch {
		case digit(i):
			run = append(run, text[i])
		case i < len(text) && text[i] == ',' && digit(i-1) && digit(i+1):
		case len(run) > 0:
			out = append(out, string(run))
			run = nil
		}
	}
	return out
}

// denies reports a word that turns a sentence into its contrary, in the
// languages whose common words package fold knows.
func denies(f *fold.Folder, text string) bool {
	odd := false
	prev := ""
	f.EachForm(text, "", func(_ string, form []byte) {
		w := string(form)
		if negative(w) && !(prev == "not" && w == "only") {
			odd = true
		}
		prev = w
	})
	return odd || strings.Contains(strings.ToLower(text), "n't") || strings.Contains(strings.ToLower(text), "n’t")
}

func negative(w string) bool {
	switch w {
	case "not", "no", "never", "none", "neither", "nor", "cannot", "without", "nothing", "unsupported", "impossible",
		"nicht", "kein", "keine", "keinen", "keiner", "keinem", "nie", "niemals", "ohne",
		"pas", "jamais", "aucun", "aucune", "sans", "non", "nunca", "jamas", "sin", "ningun", "ninguna", "senza", "mai", "nao", "sem", "niet", "geen", "nooit", "zonder",
		"inte", "icke", "ikke", "aldrig", "aldri", "utan", "uten", "uden", "не", "нет", "никогда", "без":
		return true
	}
	return false
}

// clean makes a model's text fit to be shown and held against passages: no
// control characters and no invisible ones that change the direction of others,
// one space for each run of white space, no marks of Markdown around it.
func clean(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "") {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
		default:
			b.WriteRune(r)
		}
	}
	s = strings.Join(strings.Fields(b.String()), " ")
	s = strings.ReplaceAll(strings.ReplaceAll(s, "**", ""), "__", "")
	s = strings.TrimLeft(s, "-*#> ")
	return strings.TrimSpace(s)
}

// speaks reports whether text has a letter or a digit at all.
func speaks(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) >= 0
}
