package answer

import (
	"math"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/fold"
	"github.com/bailey-run/bailey/internal/worker/index/store"
)

// params weigh what speaks for a window. They were set by measurement on two
// thirds of bench/answers.
type params struct {
	cover    float64 // the question's words in the window itself
	head     float64 // how much a word counts that only the headings have
	name     float64 // … that only the file's name or title has
	rest     float64 // … that only the rest of the passage has
	near     float64 // words close together
	bm25     float64 // the passage's own score
	kind     float64 // looks like an answer of the kind
	code     float64 // factor for code and tables
	licence  float64 // factor for licence texts
	everyday float64 // what a word of the thesaurus counts
	longer   float64 // lost for each further sentence
	across   float64 // lost for each further paragraph
	asked    float64 // factor for the kind of thing asked for
	page     float64 // for what a manual page says it is
	bent     float64 // what another form of a word counts
	lesser   float64 // factor for tests, examples and change logs
	source   float64 // factor for source code, whose comments speak to programmers
	named    float64 // what a name counts for evidence
	common   float64 // what a common word counts for evidence
	// silence is the evidence below which nothing is said; foreign the same for
	// questions in other languages than English, whose common words no table
	// tells from names, and of which pairs of characters are half chance.
	silence, foreign float64
}

func standard() params {
	return params{cover: 1, head: 0.9, name: 0.4, rest: 0.5, near: 0.1, bm25: 0.5, kind: 0.1, code: 0.85, licence: 0.5, everyday: 0.8, longer: 0.02, across: 0.03, asked: 0.5, lesser: 0.93, source: 0.85, bent: 0.95, page: 0.1, named: 1.6, common: 0.6, silence: 0.67, foreign: 0.35}
}

type candidate struct {
	store.Passage
	bm25 float64
}

// window is some sentences of one passage, scored.
type window struct {
	passage     *store.Passage
	first, last int
	score       float64
	cover       float64 // weight of the words in the window, of the question's
	all         float64 // the same with headings, name and the rest
	terms       []float64
	// reach is how well each term is met, in the window, its headings, its
	// file's name and its passage.
	reach []float64
}

type ranker struct {
	q    *query
	p    params
	fold *fold.Folder
}

// seen holds for one text how strongly each term is there, and where.
type seen struct {
	terms []float64
	at    []int // token positions of matches, with which below
	which []int
	n     int     // tokens in all
	fits  float64 // looks like an answer of the kind
}

func (r *ranker) look(text, lang string) seen {
	s := seen{terms: make([]float64, len(r.q.terms))}
	r.fold.EachForm(text, lang, func(token string, form []byte) {
		for _, m := range r.q.byToken[token] {
			w := m.weight
			if w >= 1 && r.q.terms[m.term].form != string(form) {
				w = r.p.bent // "locale" is not quite "local"
			}
			if w > s.terms[m.term] {
				s.terms[m.term] = w
			}
			s.at = append(s.at, s.n)
			s.which = append(s.which, m.term)
		}
		s.n++
	})
	return s
}

// rank scores every window of the candidates, best first.
func (r *ranker) rank(cs []candidate) []window {
	top := 0.0
	for _, c := range cs {
		top = math.Max(top, c.bm25)
	}
	var out []window
	for i := range cs {
		out = append(out, r.windows(&cs[i], top)...)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].score > out[j].score })
	return out
}

// windows scores the windows of one passage and keeps those that no better one
// of the same passage overlaps.
func (r *ranker) windows(c *candidate, top float64) []window { return r.windowsOf(c, top, false) }

// windowsOf does so; with any set also windows without a word of the question.
func (r *ranker) windowsOf(c *candidate, top float64, any bool) []window {
	lang := c.File.Lang
	head := r.look(c.Head, lang)
	file := r.look(c.File.Path+" "+c.File.Title, "")
	sentences := make([]seen, len(c.Sentences))
	whole := seen{terms: make([]float64, len(r.q.terms))}
	for i, s := range c.Sentences {
		sentences[i] = r.look(s.Text, lang)
		sentences[i].fits = r.q.kind.fits(s.Text)
		merge(whole.terms, sentences[i].terms)
	}
	var ws []window
	for first := range c.Sentences {
		size := 0
		terms := make([]float64, len(r.q.terms))
		for last := first; last < len(c.Sentences) && last-first < limits.AnswerWindow; last++ {
			size += utf8.RuneCountInString(c.Sentences[last].Text)
			if last > first {
				size++
			}
			if size > limits.AnswerText && last > first {
				break
			}
			merge(terms, sentences[last].terms)
			w := window{passage: &c.Passage, first: first, last: last, terms: append([]float64(nil), terms...), reach: make([]float64, len(terms))}
			r.score(&w, c, sentences[first:last+1], head, file, whole, top)
			// Below a heading that says it all, the first sentences answer.
			if any || w.cover > 0 || first == 0 && w.all > 0.5 {
				ws = append(ws, w)
			}
		}
	}
	sort.SliceStable(ws, func(i, j int) bool { return ws[i].score > ws[j].score })
	var out []window
	for _, w := range ws {
		free := true
		for _, o := range out {
			if w.first <= o.last && o.first <= w.last {
				free = false
				break
			}
		}
		if free {
			out = append(out, w)
		}
	}
	return out
}

func (r *ranker) score(w *window, c *candidate, sentences []seen, head, file, whole seen, top float64) {
	own, all := 0.0, 0.0
	for i, t := range r.q.terms {
		in := w.terms[i]
		out := math.Max(in, math.Max(r.p.head*head.terms[i], math.Max(r.p.name*file.terms[i], r.p.rest*whole.terms[i])))
		w.reach[i] = out
		own += t.weight * in
		all += t.weight * out
	}
	if r.q.total > 0 { // else the question has no word to be found by
		w.cover = math.Min(1, own/r.q.total)
		w.all = math.Min(1, all/r.q.total)
	}
	s := r.p.cover*w.all + r.p.near*r.near(sentences)
	if top > 0 {
		s += r.p.bm25 * c.bm25 / top
	}
	fits := 0.0
	for _, x := range sentences {
		fits = math.Max(fits, x.fits)
	}
	s += r.p.kind * fits
	// A longer window holds more by chance, one over several paragraphs
	// belongs together less.
	s -= r.p.longer * float64(w.last-w.first)
	for i := w.first + 1; i <= w.last; i++ {
		if c.Sentences[i].Begins {
			s -= r.p.across
		}
	}
	switch c.Role {
	case store.Code:
		s *= r.p.code
	case store.Licence:
		s *= r.p.licence
	}
	if c.File.Licence != "" {
		s *= r.p.licence
	}
	// What a manual page says it is answers which command does something.
	if c.File.Format == "man" && c.ID == c.File.First {
		s += r.p.page
		if r.q.kind == name {
			s += r.p.page
		}
	}
	if c.File.Format == string(doc.Source) {
		s *= r.p.source
	}
	if lesser(c.File.Path) {
		s *= r.p.lesser
	}
	w.score = s
}

// lesser reports a file that speaks of a subject by the way: a test, an example,
// a list of changes.
func lesser(path string) bool {
	for part := range strings.SplitSeq(strings.ToLower(path), "/") {
		switch part {
		case "test", "tests", "testdata", "fixtures", "vendor", "third_party", "examples":
			return true
		}
		if strings.HasPrefix(part, "changelog") || strings.HasPrefix(part, "news.") || strings.HasPrefix(part, "changes") || strings.HasSuffix(part, "_test.go") || strings.HasSuffix(part, ".txtar") {
			return true
		}
	}
	return false
}

// near says from 0 to 1 how close together different words of the question
// stand: pairs of neighbours within eight tokens.
func (r *ranker) near(sentences []seen) float64 {
	got, pairs := 0.0, float64(len(r.q.terms)-1)
	if pairs < 1 {
		return 0
	}
	for _, s := range sentences {
		for i := 1; i < len(s.at); i++ {
			if s.which[i] != s.which[i-1] && s.at[i]-s.at[i-1] <= 8 {
				got += 1 / float64(1+s.at[i]-s.at[i-1])
			}
		}
	}
	return math.Min(1, 2*got/pairs)
}

// evidence is what is held against the threshold of silence: how much of the
// question the best windows cover. A word that English does not know, or a name,
// must be there; a common word may well be said in other words.
func (r *ranker) evidence(ws []window) float64 {
	best := 0.0
	for i := range ws {
		if i >= 3 {
			break
		}
		got, of := 0.0, 0.0
		for j, t := range r.q.terms {
			if t.whole || t.degree {
				continue
			}
			w := t.weight
			switch {
			case t.capital && !t.first || !t.known:
				w *= r.p.named
			case t.common >= 5:
				w *= r.p.common
			}
			of += w
			got += w * ws[i].reach[j]
		}
		if of > 0 {
			best = math.Max(best, got/of)
		}
	}
	return best
}

func merge(into, from []float64) {
	for i, v := range from {
		if v > into[i] {
			into[i] = v
		}
	}
}

// join puts sentences of a passage together as they stand there: lines of code
// and rows of tables as lines.
func join(role store.Role, ss []store.Sentence) string {
	between := " "
	if role == store.Code {
		between = "\n"
	}
	texts := make([]string, len(ss))
	for i, s := range ss {
		texts[i] = s.Text
	}
	return strings.Join(texts, between)
}

// shown is a text that was picked.
type shown struct {
	text, lang string
	pairs      map[string]bool
	claims     *fold.Claims // once they are needed
}

// pick takes the best windows that say different things. The same words with
// another number or another name are no repetition: whoever writes a document
// could hide another with it.
func (r *ranker) pick(ws []window, max int) []Sentence {
	var out []Sentence
	var taken []shown
	var used []*window
	for i := range ws {
		if len(out) >= max {
			break
		}
		w := &ws[i]
		w.extend()
		text := join(w.passage.Role, w.passage.Sentences[w.first:w.last+1])
		this := shown{text: text, lang: w.passage.File.Lang, pairs: shingles(text)}
		repeat := false
		for j := range taken {
			if t := &taken[j]; overlap(this.pairs, t.pairs) > limits.AnswerSame && !r.claims(&this).Differs(*r.claims(t)) {
				repeat = true
				break
			}
		}
		for _, o := range used {
			repeat = repeat || o.passage.ID == w.passage.ID && w.first <= o.last && o.first <= w.last
		}
		if repeat {
			continue
		}
		used = append(used, w)
		taken = append(taken, this)
		out = append(out, w.sentence(text))
	}
	return out
}

func (r *ranker) claims(s *shown) *fold.Claims {
	if s.claims == nil {
		claims := r.fold.Claims(s.text, s.lang)
		s.claims = &claims
	}
	return s.claims
}

// extend widens a window within its passage while it stays short enough to
// read: what follows first, since that is where explanations stand, and across
// paragraphs, since an option and its text, or a rule and its exceptions, are
// several, but not from one item of a list to the next. What precedes is of use
// within the paragraph only.
func (w *window) extend() {
	ss := w.passage.Sentences
	if w.passage.Role == store.Code && ss[w.first].Paragraph > 0 {
		return // a row of a table says nothing of the row below
	}
	size := 0
	for _, s := range ss[w.first : w.last+1] {
		size += utf8.RuneCountInString(s.Text) + 1
	}
	for w.last+1 < len(ss) {
		if ss[w.last+1].Begins && ss[w.last].Item {
			break
		}
		if size += utf8.RuneCountInString(ss[w.last+1].Text) + 1; size > limits.AnswerText+1 {
			return
		}
		w.last++
	}
	for w.first > 0 && !ss[w.first].Begins {
		if size += utf8.RuneCountInString(ss[w.first-1].Text) + 1; size > limits.AnswerText+1 {
			return
		}
		w.first--
	}
}

func (w *window) sentence(text string) Sentence {
	s := Sentence{Text: clip(text), Language: w.passage.File.Lang, Score: w.score}
	cite := func(first, last int) {
		quote, line, end := w.passage.Quote(first, last)
		s.Citations = append(s.Citations, Citation{Path: w.passage.File.Path, Line: line, End: end, Quote: quote,
			Page: w.passage.Page, Paragraph: w.passage.Sentences[first].Paragraph})
	}
	if a, b := w.passage.Sentences[w.first].Start, w.passage.Sentences[w.last].End; b-a <= limits.IndexQuote {
		cite(w.first, w.last)
		return s
	}
	for i := w.first; i <= w.last; i++ { // too long as one
		if s := w.passage.Sentences[i]; s.End-s.Start <= limits.IndexQuote {
			cite(i, i)
		}
	}
	return s
}

// clip cuts text to limits.AnswerText characters at white space.
func clip(text string) string {
	if utf8.RuneCountInString(text) <= limits.AnswerText {
		return text
	}
	n, cut := 0, 0
	for i, r := range text {
		if n >= limits.AnswerText-1 {
			if cut == 0 {
				cut = i
			}
			break
		}
		if r == ' ' || r == '\n' {
			cut = i
		}
		n++
	}
	return text[:cut] + "…"
}

// shingles returns the pairs of neighbouring words of text.
func shingles(text string) map[string]bool {
	out := map[string]bool{}
	prev := ""
	for w := range strings.FieldsSeq(strings.ToLower(text)) {
		out[prev+" "+w] = true
		prev = w
	}
	return out
}

// overlap is the part of the smaller set that is in the larger.
func overlap(a, b map[string]bool) float64 {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) == 0 {
		return 0
	}
	n := 0
	for s := range a {
		if b[s] {
			n++
		}
	}
	return float64(n) / float64(len(a))
}
