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
	// numerals are its numbers as they are written; see fold.Numerals.
	numerals map[string]bool
	// measures are its numbers with the words near them; see fold.Measures.
	measures map[string]bool
	// sentences are its sentences, word for word.
	sentences map[string]bool
}

func newChecker(f *fold.Folder, ps []Passage) *checker {
	c := &checker{fold: f}
	for _, p := range ps {
		t := told{Passage: p, affirmed: map[string]bool{}, denied: map[string]bool{},
			numerals: map[string]bool{}, measures: map[string]bool{}, sentences: map[string]bool{}}
		for _, n := range fold.Numerals(p.Text) {
			t.numerals[n] = true
		}
		for rest := p.Text; rest != ""; {
			n := sentence.Next(rest, p.Language)
			if n <= 0 {
				n = len(rest)
			}
			t.sentences[clean(rest[:n])] = true
			for _, m := range fold.Measures(f.Tokens(fold.Apart(rest[:n]), p.Language), p.Language, limits.WriteNear) {
				t.measures[m.Pair()] = true
			}
			for _, w := range wordsOf(f, rest[:n], p.Language) {
				if w.Kind == fold.Number && w.Form != w.Text { // a number word
					t.numerals[w.Text] = true
				}
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
// the sentence stand, a number beside the word that it stands beside there, and limits.WriteSupport of its other words, or which have it
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
	for _, w := range said {
		has, other := p.affirmed[w.Text], p.denied[w.Text]
		if w.denied {
			has, other = other, has
		}
		// A sentence may begin with a name.
		name := w.Capital && !(w.first && c.opens(w.Form)) || w.Kind == fold.Whole
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
	for _, n := range fold.Numerals(text) {
		if !p.numerals[n] {
			return false
		}
	}
	// "3 May 2023" has no support in "3 May 2024 … March 2023", nor 5 hours in 5 minutes.
	for _, m := range fold.Measures(c.fold.Tokens(fold.Apart(text), p.Language), p.Language, 1) {
		if !p.measures[m.Pair()] && (m.Unit || p.affirmed[m.Word] || p.denied[m.Word]) {
			return false
		}
	}
	return true
}

// opens reports a word of the languages whose common words are known, for the
// passages whose language is not.
func (c *checker) opens(form string) bool {
	for _, lang := range []string{"en", "de", "fr", "es"} {
		if t := c.fold.Tokens(form, lang); len(t) == 1 && t[0].Stop {
			return true
		}
	}
	return false
}

// word is one that says something.
type word struct {
	fold.Token
	// denied is set when a word that denies stands before it.
	denied bool
	// first is set when no word does.
	first bool
}

// wordsOf returns the words of a sentence that say something. What denies makes
// the next of them its contrary, or the last when none follows. Number words are
// their digits. A common word with a capital letter may be a name, as May and US
// are, unless it comes first.
func wordsOf(f *fold.Folder, text, lang string) []word {
	var out []word
	denying, neither := false, false
	for i, t := range f.Tokens(fold.Apart(text), lang) {
		if t.Kind == fold.Word {
			if n := fold.Numeral(t.Form, lang); n != "" && !(denying && t.Form == "one") { // "no one"
				t = fold.Token{Text: n, Form: t.Form, Kind: fold.Number}
			}
		}
		switch {
		case t.Kind != fold.Part && fold.Denies(t.Form), t.Form == "noch" && neither: // else it says "still"
			denying = true
			neither = neither || t.Form == "weder"
		case denying && (t.Form == "only" || t.Form == "nur"): // "not only … but"
			denying = false
		case denying && t.Form == "t": // of an apostrophe that is none
		case t.Kind == fold.Part, t.Stop && !(t.Capital && i > 0):
		default:
			out = append(out, word{t, denying, i == 0})
			denying = false
		}
	}
	if denying && len(out) > 0 {
		out[len(out)-1].denied = true
	}
	return out
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
