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
// words what the passage does not say passes, unless it denies a word that the
// passage affirms, or the other way round.
type checker struct {
	fold     *fold.Folder
	passages []told
}

// told is a passage with its words.
type told struct {
	Passage
	affirmed, denied map[string]bool
	// numerals are its digits; see numerals.
	numerals map[string]bool
	// sentences are its sentences, word for word.
	sentences map[string]bool
}

func newChecker(f *fold.Folder, ps []Passage) *checker {
	c := &checker{fold: f}
	for _, p := range ps {
		t := told{Passage: p, affirmed: map[string]bool{}, denied: map[string]bool{}, numerals: map[string]bool{}, sentences: map[string]bool{}}
		for _, n := range numerals(p.Text) {
			t.numerals[n] = true
		}
		for rest := p.Text; rest != ""; {
			n := sentence.Next(rest, p.Language)
			if n <= 0 {
				n = len(rest)
			}
			t.sentences[clean(rest[:n])] = true
			for _, w := range wordsOf(f, rest[:n], p.Language) {
				if w.denied {
					t.denied[w.Text] = true
				} else {
					t.affirmed[w.Text] = true
				}
			}
			rest = strings.TrimLeft(rest[n:], " \n")
		}
		c.passages = append(c.passages, t)
	}
	return c
}

// support returns the places of the passages in which all numbers and names of
// the sentence stand, and limits.WriteSupport of its other words, or which have it
// word for word; none when there is no such passage.
// A question, as of a model that says what it was asked again, states nothing.
func (c *checker) support(text string) []answer.Citation {
	if strings.HasSuffix(text, "?") || strings.HasSuffix(text, "？") {
		return nil
	}
	var cited []answer.Citation
	for i := range c.passages {
		if !c.in(&c.passages[i], text) {
			continue
		}
		for _, at := range c.passages[i].Citations {
			if len(cited) < limits.ServeCitations {
				cited = append(cited, at)
			}
		}
	}
	return cited
}

func (c *checker) in(p *told, text string) bool {
	said := wordsOf(c.fold, text, p.Language)
	// However short it is.
	if len(said) > 0 && p.sentences[clean(text)] {
		return true
	}
	words, numbers, found := 0, 0, 0
	for i, w := range said {
		has, other := p.affirmed[w.Text], p.denied[w.Text]
		if w.denied {
			has, other = other, has
		}
		name := w.Capital && i > 0 || w.Kind == fold.Whole
		// What is denied has to be denied there: "not always replaced" has no
		// support in "replaced".
		if !has && (other || name || w.denied || w.Kind == fold.Number) {
			return false
		}
		words++
		if w.Kind == fold.Number {
			numbers++
		}
		if has {
			found++
		}
	}
	// Numbers alone say nothing.
	if words < limits.WriteWords || words-numbers < limits.WriteWords-1 || float64(found) < limits.WriteSupport*float64(words) {
		return false
	}
	for _, n := range numerals(text) {
		if !p.numerals[n] {
			return false
		}
	}
	return true
}

// word is one that says something.
type word struct {
	fold.Token
	// denied is set when a word that denies stands before it.
	denied bool
}

// wordsOf returns the words of a sentence that say something. What denies makes
// the next of them its contrary, or the last when none follows.
func wordsOf(f *fold.Folder, text, lang string) []word {
	var out []word
	denying := false
	for _, t := range f.Tokens(apart(text), lang) {
		switch {
		case denies(t.Form):
			denying = true
		case denying && t.Form == "only": // "not only … but"
			denying = false
		case t.Stop || t.Kind == fold.Part:
		default:
			out = append(out, word{t, denying})
			denying = false
		}
	}
	if denying && len(out) > 0 {
		out[len(out)-1].denied = true
	}
	return out
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

// apart writes what an apostrophe shortens in full: folding would drop the "n't"
// of "can't".
func apart(text string) string {
	return strings.NewReplacer("can't", "can not", "can’t", "can not", "Can't", "Can not", "Can’t", "Can not", "won't", "will not", "won’t", "will not",
		"n't", " not", "n’t", " not").Replace(text)
}

// denies reports a word, folded, that makes what follows its contrary, in the
// languages whose common words package fold knows.
func denies(form string) bool {
	switch form {
	case "not", "no", "never", "none", "neither", "nor", "cannot", "without", "nothing",
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
