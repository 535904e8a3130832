// Package summary says in some sentences what a folder holds: an overview, then
// a line for each of the files that matter most, and licence texts by name
// together.
//
// Candidates are the sentences that were kept of each file when it was read:
// its own description, its first ones, the first below each heading, no notices,
// licences, tables or code. They are chosen greedily for how much of what the
// folder speaks of they cover that was not covered yet (a submodular cover of
// weighted words: Lin and Bilmes, ACL 2011), for how important their file is,
// and for standing well alone. Words that title, name or head many files weigh
// most. Sentences that repeat others are left out.
//
// The words are the documents' own. Memory and time are bounded: of a large
// folder the files that matter most by name, place and size are weighed, and an
// even sample of the rest. Package index calls it.
package summary

import (
	"context"
	"math"
	"sort"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/fold"
	"github.com/bailey-run/bailey/internal/worker/index/store"
)

// Source is what the summary needs of package store.
type Source interface {
	Leads(ctx context.Context, fn func(store.File) error) error
}

// Sentence is a sentence of a summary with its citation.
type Sentence struct {
	// Overview is set for sentences about the folder; the others are about
	// the file that they cite.
	Overview  bool
	Text      string
	Path      string
	Line, End int
	Quote     string
	// Page and Paragraph are as in answer.Citation.
	Page, Paragraph int
}

// Licence is a licence text in the folder.
type Licence struct{ Path, Name string }

// Summary is what a folder holds.
type Summary struct {
	Sentences []Sentence
	// Licences holds some licence texts, different ones first; LicencesTotal
	// counts all.
	Licences      []Licence
	LicencesTotal int
	// Files is how many files there are to speak of, Weighed how many were.
	Files, Weighed int
	// Top are the files that matter most, with what may be quoted of them.
	Top []Top
}

// Top is a file that matters.
type Top struct {
	// Hash is that of the bytes that the leads are from.
	Hash                  []byte
	Path, Title, Language string
	Leads                 []store.Lead
}

// file is a file that may be spoken of.
type file struct {
	store.File
	leads  []store.Lead
	spare  []store.Lead
	weight float64
	about  []string // tokens of its title, name and headings
	used   int
}

// candidate is a sentence that may be taken.
type candidate struct {
	file   *file
	lead   store.Lead
	terms  []string
	static float64
	gain   float64
	line   bool // the one line of its file
}

// Make summarises in at most max sentences; 0 means limits.SummarySentences.
// Its errors are the source's.
func Make(ctx context.Context, src Source, max int) (Summary, error) {
	if max <= 0 {
		max = limits.SummarySentences
	}
	m := &maker{fold: fold.New(), weight: map[string]float64{}, langs: map[string]int{}, seen: map[string]bool{}}
	if err := src.Leads(ctx, m.add); err != nil {
		return Summary{}, err
	}
	if err := ctx.Err(); err != nil {
		return Summary{}, err
	}
	m.sum.Weighed = len(m.files)
	if !m.fit { // a folder of notes: what there is
		for _, f := range m.files {
			f.leads = f.spare
		}
	}
	m.weigh()
	m.choose(max)
	m.top()
	return m.sum, nil
}

type maker struct {
	fold   *fold.Folder
	files  []*file
	weight map[string]float64
	// covered says of each word how much of it was said, 0 to 1.
	covered map[string]float64
	langs   map[string]int
	seen    map[string]bool // licences by name
	more    []Licence
	sum     Summary
	picked  []candidate
	fit     bool // a file has a sentence that is fit for a summary
}

// top names the files that matter most, of those that may be quoted.
func (m *maker) top() {
	files := append([]*file(nil), m.files...)
	sort.SliceStable(files, func(i, j int) bool { return files[i].weight > files[j].weight })
	for _, f := range files {
		if len(m.sum.Top) == limits.WriteFiles {
			return
		}
		if len(f.leads) > 0 {
			m.sum.Top = append(m.sum.Top, Top{f.Hash, f.Path, f.Title, f.Lang, f.leads})
		}
	}
}

// add takes one file from the store.
func (m *maker) add(f store.File) error {
	if f.Licence != "" {
		m.sum.LicencesTotal++
		l := Licence{f.Path, f.Licence}
		if !m.seen[f.Licence] {
			m.seen[f.Licence] = true
			m.sum.Licences = append(m.sum.Licences, l)
		} else if len(m.more) < limits.ServeLicences {
			m.more = append(m.more, l)
		}
		return nil
	}
	m.sum.Files++
	m.langs[f.Lang]++
	w := importance(&f)
	if len(m.files) >= limits.SummaryFiles {
		// Keep the better half of those that were seen.
		sort.SliceStable(m.files, func(i, j int) bool { return m.files[i].weight > m.files[j].weight })
		m.files = m.files[:limits.SummaryFiles/2]
	}
	leads, err := store.DecodeLeads(f.Lead)
	if err != nil {
		return err
	}
	f.Lead = nil
	x := &file{File: f, leads: leads, weight: w}
	if len(leads) > 0 && leads[0].Level == store.Spare {
		x.leads, x.spare = nil, leads
	}
	m.fit = m.fit || len(x.leads) > 0
	m.files = append(m.files, x)
	return nil
}

// weigh finds how much each word matters in the folder.
func (m *maker) weigh() {
	sort.Slice(m.sum.Licences, func(i, j int) bool { return m.sum.Licences[i].Path < m.sum.Licences[j].Path })
	m.sum.Licences = append(m.sum.Licences, m.more...)
	for _, f := range m.files {
		// A language that few files are in is not the folder's.
		if n := m.langs[f.Lang]; f.Lang != "" && n*8 < m.sum.Files {
			f.weight *= 0.3
		}
		said := map[string]float64{}
		tell := func(text, lang string, w float64) {
			m.fold.Each(text, lang, func(tok string, kind fold.Kind, stop bool) {
				if !stop && kind != fold.Number && len(tok) > 2 && said[tok] < w {
					said[tok] = w
				}
			})
		}
		tell(f.Title, f.Lang, 1.5)
		tell(base(f.Path), "", 1.5)
		for _, l := range f.leads {
			tell(l.Head, f.Lang, 1)
			tell(l.Text, f.Lang, 0.5)
		}
		for tok, w := range said {
			if w >= 1 {
				f.about = append(f.about, tok)
			}
			if _, ok := m.weight[tok]; !ok && len(m.weight) >= limits.SummaryTerms {
				continue
			}
			m.weight[tok] += w * math.Sqrt(f.weight)
		}
	}
	// Said in one file alone, a word is a detail; said in most, it says
	// nothing that the overview does not.
	n := float64(len(m.files))
	for tok, w := range m.weight {
		m.weight[tok] = math.Log1p(w) * math.Max(0.15, 1-w/(0.7*n+2))
	}
}

// choose picks the sentences: the introduction, then for each of the files that
// matter its best sentence, then details of the large ones.
func (m *maker) choose(max int) {
	var cs []candidate
	first := map[*file]int{}
	for _, f := range m.files {
		for i, l := range f.leads {
			c := candidate{file: f, lead: l, terms: m.terms(l.Text, f.Lang)}
			if len(c.terms) == 0 {
				continue
			}
			c.static = f.weight * quality(l, i, f.Format)
			if at, ok := first[f]; !ok || c.static > cs[at].static {
				first[f] = len(cs)
			}
			cs = append(cs, c)
		}
	}
	m.covered = map[string]float64{}
	overview := min(limits.SummaryOverview, (max+4)/5)
	heads := m.opening(cs, overview)
	for _, i := range heads {
		m.take(&cs[i])
		cs[i].static = 0
	}
	var lines, details []*candidate
	for i := range cs {
		c := &cs[i]
		if first[c.file] == i {
			c.line = true
			lines = append(lines, c)
		} else if c.static > 0 {
			details = append(details, c)
		}
	}
	more := (max - len(heads)) / limits.SummaryDetails
	if len(lines) > limits.SummaryDetails*max {
		more = 0 // so many files that details of one are lost in them
	}
	m.greedy(lines, max-more)
	m.greedy(details, max)
	m.order(len(heads), overview)
}

func (m *maker) terms(text, lang string) []string {
	var out []string
	seen := map[string]bool{}
	m.fold.Each(text, lang, func(tok string, kind fold.Kind, stop bool) {
		if !stop && kind != fold.Number && len(tok) > 2 && !seen[tok] {
			seen[tok] = true
			out = append(out, tok)
		}
	})
	return out
}

// gain is what a reader gets from a sentence now.
func (m *maker) gain(c *candidate) float64 {
	if c.line && c.file.used > 0 {
		return 0
	}
	g := 0.0
	for _, t := range c.terms {
		g += m.weight[t] * (1 - m.covered[t])
	}
	if c.line { // the file's other subjects stand behind its line
		for _, t := range c.file.about {
			g += 0.35 * m.weight[t] * (1 - m.covered[t])
		}
	}
	// Longer sentences cover more; what counts is what a reader gets for
	// reading them.
	return c.static * g / math.Sqrt(float64(len(c.lead.Text)+60)) / math.Pow(1+float64(c.file.used), 0.7)
}

func (m *maker) take(c *candidate) {
	for _, t := range c.terms {
		m.covered[t] += (1 - m.covered[t]) * 0.6
	}
	c.file.used++
	m.picked = append(m.picked, *c)
}

// greedy takes the best until there are max in all. Gains only fall, so the best
// of the stale ones that stays the best when looked at again is the best.
func (m *maker) greedy(cs []*candidate, max int) {
	for _, c := range cs {
		c.gain = m.gain(c)
	}
	h := newHeap(cs)
	for len(m.picked) < max && h.len() > 0 {
		c := h.top()
		if g := m.gain(c); g < c.gain-1e-9 {
			c.gain = g
			h.down()
			continue
		}
		h.pop()
		if c.gain <= 0 {
			break
		}
		if !m.repeats(c) {
			m.take(c)
		}
	}
}

// opening finds the sentences that introduce the folder: those of a readme or
// an index at its top.
func (m *maker) opening(cs []candidate, n int) []int {
	best, rank := -1, 0.0
	for i := range cs {
		c := &cs[i]
		if r := front(c.file.Path) * c.file.weight; r > rank && c.lead.Level <= 1 {
			best, rank = i, r
		}
	}
	if best < 0 {
		return nil
	}
	var out []int
	for i := best; i < len(cs) && cs[i].file == cs[best].file && len(out) < min(n, 2); i++ {
		if cs[i].lead.Level <= 1 {
			out = append(out, i)
		}
	}
	return out
}

func (m *maker) repeats(c *candidate) bool {
	for i := range m.picked {
		p := &m.picked[i]
		same := 0
		for _, t := range c.terms {
			for _, u := range p.terms {
				if t == u {
					same++
					break
				}
			}
		}
		if float64(same) > limits.SummarySame*float64(min(len(c.terms), len(p.terms))) && same > 2 {
			return true
		}
	}
	return false
}

// order puts the introduction first, then what covers most, then the files by
// path.
func (m *maker) order(heads, overview int) {
	rest := m.picked[heads:]
	var first []candidate
	first = append(first, m.picked[:heads]...)
	files := map[*file]bool{}
	for _, c := range first {
		files[c.file] = true
	}
	var second []candidate
	for _, c := range rest {
		if len(first) < overview && !files[c.file] && c.lead.Level <= 1 {
			first = append(first, c)
			files[c.file] = true
			continue
		}
		second = append(second, c)
	}
	sort.SliceStable(second, func(i, j int) bool {
		a, b := second[i], second[j]
		if a.file != b.file {
			return a.file.Path < b.file.Path
		}
		return a.lead.Line < b.lead.Line
	})
	for i, c := range append(first, second...) {
		m.sum.Sentences = append(m.sum.Sentences, Sentence{Overview: i < len(first), Text: c.lead.Text, Path: c.file.Path,
			Line: c.lead.Line, End: c.lead.End, Quote: c.lead.Quote, Page: c.lead.Page, Paragraph: c.lead.Paragraph})
	}
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
