package answer

import (
	"context"
	"math"
	"sort"
	"strings"
	"unicode"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/fold"
)

// query is a question, understood as far as that goes.
type query struct {
	text  string
	lang  string
	terms []term
	kind  kind
	// total is the sum of the terms' weights.
	total float64
	// byToken finds what a token of a text says for which terms.
	byToken map[string][]match
	chunks  int
	// df is in how many passages each token is.
	df map[string]int
}

// term is one informative word of the question.
type term struct {
	form string
	// tokens are the index tokens of the word in the languages of the folder.
	tokens []string
	// weight is how informative the word is: its inverse document frequency,
	// less for words that frame a question.
	weight float64
	// found is set when the folder has the word at all.
	found bool
	// whole is set for the joined form of a compound, whose parts are terms of
	// their own: it adds to a score, but need not be there.
	whole   bool
	capital bool
	first   bool // the question's first word
	// asked is set for what kind of thing the question wants to hear: "which
	// command …". An answer is one; it need not say so.
	asked bool
	// degree is set for the word that makes "how" ask for a number: "how high …".
	// It belongs to the question word: no answer need say it.
	degree bool
	// known and common are what the table of English says of the word.
	known  bool
	common int
}

// match says that a token stands for a term, fully (1) or by meaning (less).
type match struct {
	term   int
	weight float64
}

// tokens returns what to search for: the question's own words or, with related
// set, those that may stand for them too. Words that very many passages have
// are left out while there are rarer ones: on their own they find nothing, and
// the ranker counts them anyhow.
func (q *query) tokens(related bool) []string {
	type word struct {
		token string
		n     int
	}
	var ws []word
	for t, ms := range q.byToken {
		for _, m := range ms {
			if n := q.df[t]; n > 0 && (m.weight >= 1 || related && n*limits.AnswerCommonRelated < q.chunks+limits.AnswerCommonFloor) {
				ws = append(ws, word{t, n})
				break
			}
		}
	}
	sort.Slice(ws, func(i, j int) bool { return ws[i].n < ws[j].n || ws[i].n == ws[j].n && ws[i].token < ws[j].token })
	var out []string
	for i, w := range ws {
		if i >= limits.AnswerRare && w.n*limits.AnswerCommon > q.chunks+limits.AnswerCommonFloor {
			break
		}
		out = append(out, w.token)
	}
	return out
}

// analyse finds the question's informative words and asks the source how
// common each is.
func analyse(ctx context.Context, src Source, f *fold.Folder, question string, p params) (*query, error) {
	if len(question) > limits.AnswerQuestion {
		question = strings.ToValidUTF8(question[:limits.AnswerQuestion], "")
	}
	langs, err := src.Languages(ctx)
	if err != nil {
		return nil, err
	}
	_, chunks, err := src.Counts(ctx)
	if err != nil {
		return nil, err
	}
	q := &query{text: question, lang: language(f, question), byToken: map[string][]match{}, chunks: chunks}
	q.kind = kindOf(question)
	stems := stemLanguages(q.lang, langs)
	seen := map[string]bool{}
	tokens := f.Tokens(question, q.lang)
	th := newThesaurus(f)
	var phrases map[int][]string
	if q.lang == "en" {
		phrases = th.said(tokens, f)
	}
	extra := map[int][]string{} // what phrases add to terms
	for i, t := range tokens {
		if to := phrases[i]; to != nil && len(q.terms) > 0 {
			// The phrase's informative word stands before its particle.
			at := len(q.terms) - 1
			if !t.Stop && !frame(q.lang, t.Form) && !seen[t.Text] {
				at++
			}
			extra[at] = append(extra[at], to...)
		}
		if t.Stop || seen[t.Text] || frame(q.lang, t.Form) {
			continue
		}
		if len(q.terms) >= limits.AnswerTerms {
			break
		}
		tm := term{form: t.Form, whole: t.Kind == fold.Whole, capital: t.Capital, first: i == 0}
		tm.asked = q.lang == "en" && i > 0 && (tokens[i-1].Form == "which" || tokens[i-1].Form == "what") && t.Kind == fold.Word
		tm.degree = i > 0 && t.Kind == fold.Word && degree(tokens[i-1].Form, t.Form)
		seen[t.Text] = !tm.degree
		for _, l := range stems {
			s := t.Text
			if t.Kind != fold.Number && t.Kind != fold.Pair {
				s = f.Stem(t.Form, l)
			}
			if !contains(tm.tokens, s) {
				tm.tokens = append(tm.tokens, s)
			}
		}
		q.terms = append(q.terms, tm)
	}
	if len(q.terms) == 0 { // nothing but common words: "what is it about?"
		return q, nil
	}
	for i, t := range q.terms {
		for _, tok := range t.tokens {
			q.byToken[tok] = append(q.byToken[tok], match{i, 1})
		}
	}
	for i, t := range q.terms {
		if t.whole {
			continue
		}
		if q.lang == "en" {
			for _, to := range append(th.words[f.Stem(t.form, "en")], extra[i]...) {
				if !q.matches(to, i) {
					q.byToken[to] = append(q.byToken[to], match{i, p.everyday})
				}
			}
		}
		q.terms[i].common, q.terms[i].known = lookup(f.Stem(t.form, "en"))
	}
	var all []string
	for t := range q.byToken {
		all = append(all, t)
	}
	df, err := src.Frequencies(ctx, all)
	if err != nil {
		return nil, err
	}
	q.df = df
	for i := range q.terms {
		t := &q.terms[i]
		n := 0
		for _, tok := range t.tokens {
			n += df[tok]
		}
		t.found = n > 0
		t.weight = idf(n, chunks)
		if t.asked {
			t.weight *= p.asked
		}
		if !t.whole {
			q.total += t.weight
		}
	}
	return q, nil
}

func (q *query) matches(token string, term int) bool {
	for _, m := range q.byToken[token] {
		if m.term == term {
			return true
		}
	}
	return false
}

// idf is the inverse document frequency of BM25 (Robertson, Zaragoza 2009),
// never negative.
func idf(n, of int) float64 {
	return math.Log(1 + (float64(of-min(n, of))+0.5)/(float64(n)+0.5))
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// stemLanguages returns the languages to stem a question's words in: its own
// and those of most files.
func stemLanguages(own string, files map[string]int) []string {
	type count struct {
		lang string
		n    int
	}
	var by []count
	for l, n := range files {
		if l != "" && l != own {
			by = append(by, count{l, n})
		}
	}
	sort.Slice(by, func(i, j int) bool {
		return by[i].n > by[j].n || by[i].n == by[j].n && by[i].lang < by[j].lang
	})
	out := []string{own}
	if files[""] > 0 && own != "" && own != "en" {
		out = append(out, "")
	}
	for _, c := range by {
		if len(out) >= limits.AnswerLanguages {
			break
		}
		out = append(out, c.lang)
	}
	return out
}

// language guesses the language of a question by its script and its common
// words: English when nothing speaks for another, none ("") for letters that are
// no language's of the list.
func language(f *fold.Folder, question string) string {
	han, kana, thai, latin, other := 0, 0, 0, 0, 0
	for _, r := range question {
		switch {
		case unicode.In(r, unicode.Hiragana, unicode.Katakana):
			kana++
		case unicode.Is(unicode.Han, r):
			han++
		case unicode.Is(unicode.Thai, r):
			thai++
		case unicode.Is(unicode.Latin, r):
			latin++
		case unicode.IsLetter(r):
			other++
		}
	}
	switch {
	case kana > 0:
		return "ja"
	case han > 0:
		return "zh"
	case thai > 0:
		return "th"
	}
	best, most := "en", 0
	if other > latin {
		best = ""
	}
	for _, l := range [...]string{"en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "no", "ru"} {
		n := 0
		f.Each(question, l, func(_ string, _ fold.Kind, stop bool) {
			if stop {
				n++
			}
		})
		if n > most {
			best, most = l, n
		}
	}
	return best
}
