package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"text/tabwriter"
)

// A topic is something that a reader of the folder would name.
type topic struct {
	name string
	re   *regexp.Regexp
}

func loadTopics(path string) (map[string][]topic, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var raw map[string][][2]string
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := map[string][]topic{}
	for c, ts := range raw {
		for _, t := range ts {
			re, err := regexp.Compile("(?is)" + t[1])
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c, t[0], err)
			}
			out[c] = append(out[c], topic{t[0], re})
		}
	}
	return out, nil
}

type summaryResult struct {
	Collection string   `json:"collection"`
	System     string   `json:"system"`
	Topics     int      `json:"topics"`
	Covered    int      `json:"covered"`
	Well       int      `json:"covered_without_junk"` // counting sentences that are not junk
	Missed     []string `json:"missed"`
	Sentences  int      `json:"sentences"`
	Junk       []string `json:"junk"` // reason: sentence
	Text       []string `json:"text"`
	Wrong      []string `json:"wrong_citations,omitempty"`
}

// summarise lets every system summarise one collection in at most o.sentences
// sentences.
func summarise(ctx context.Context, o options, name, dir string, files []*source) ([]summaryResult, error) {
	topics, err := loadTopics(filepath.Join(o.dir, "topics.json"))
	if err != nil {
		return nil, err
	}
	j, err := openJunk(filepath.Join(o.dir, "labels.json"))
	if err != nil {
		return nil, err
	}
	byName := map[string]*source{}
	for _, s := range files {
		byName[s.file] = s
	}
	type summariser struct {
		name string
		run  func() ([]passage, error)
	}
	all := []summariser{
		{"first sentences", func() ([]passage, error) { return firstSentences(files, o.sentences), nil }},
		{"TextRank", func() ([]passage, error) { return textRank(files, o.sentences), nil }},
	}
	if !o.peersOnly {
		all = append(all, summariser{"bailey", func() ([]passage, error) { return ourSummary(ctx, dir, name, o.sentences) }})
	}
	var out []summaryResult
	for _, s := range all {
		ps, err := s.run()
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", s.name, name, err)
		}
		r := summaryResult{Collection: name, System: s.name, Topics: len(topics[name]), Sentences: len(ps), Missed: []string{}, Junk: []string{}}
		bad := make([]bool, len(ps))
		for i, p := range ps {
			r.Text = append(r.Text, fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text))
			line := ""
			if f := byName[p.File]; f != nil && p.Line >= 1 && p.Line <= len(f.lines) {
				line = f.lines[p.Line-1]
			}
			if why := j.why(p.Text, p.File, line); why != "" {
				bad[i] = true
				r.Junk = append(r.Junk, why+": "+p.Text)
			}
			if p.Quote != "" {
				if why := exact(byName[p.File], p); why != "" {
					r.Wrong = append(r.Wrong, fmt.Sprintf("%s:%d-%d: %s", p.File, p.Line, p.End, why))
				}
			}
		}
		for _, t := range topics[name] {
			covered, well := false, false
			for i, p := range ps {
				if t.re.MatchString(p.Text) {
					covered = true
					well = well || !bad[i]
				}
			}
			if covered {
				r.Covered++
			} else {
				r.Missed = append(r.Missed, t.name)
			}
			if well {
				r.Well++
			}
		}
		out = append(out, r)
	}
	return out, nil
}

func printSummaries(w io.Writer, all []summaryResult, verbose bool) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, "\nSummaries. Per cent of the topics covered; in sentences that are no junk; per cent of the sentences that are junk.")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "collection\tsystem\ttopics\twithout junk\tjunk\tsentences\t")
	sum := map[string]*summaryResult{}
	var order []string
	for _, s := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t\n", s.Collection, s.System, percent(s.Covered, s.Topics), percent(s.Well, s.Topics), percent(len(s.Junk), s.Sentences), s.Sentences)
		x := sum[s.System]
		if x == nil {
			x = &summaryResult{System: s.System}
			sum[s.System] = x
			order = append(order, s.System)
		}
		x.Covered += s.Covered
		x.Well += s.Well
		x.Topics += s.Topics
		x.Sentences += s.Sentences
		x.Junk = append(x.Junk, s.Junk...)
	}
	for _, name := range order {
		x := sum[name]
		fmt.Fprintf(t, "all\t%s\t%s\t%s\t%s\t%d\t\n", name, percent(x.Covered, x.Topics), percent(x.Well, x.Topics), percent(len(x.Junk), x.Sentences), x.Sentences)
	}
	t.Flush()
	for _, s := range all {
		for _, e := range s.Wrong {
			fmt.Fprintf(w, "wrong citation, %s, summary of %s: %s\n", s.System, s.Collection, e)
		}
	}
	if !verbose {
		return
	}
	for _, s := range all {
		fmt.Fprintf(w, "\n%s, %s; missed %q\n", s.Collection, s.System, s.Missed)
		for _, l := range s.Text {
			fmt.Fprintln(w, "  ", l)
		}
		for _, l := range s.Junk {
			fmt.Fprintln(w, "   JUNK", l)
		}
	}
}

// titleWords is as many words as a title or the entry of a menu may have: a
// first sentence has more and ends with a full stop.
const titleWords = 5

// firstSentences is the first sentence of each of the largest files, in the
// order of their names.
func firstSentences(files []*source, max int) []passage {
	big := append([]*source(nil), files...)
	sort.SliceStable(big, func(i, j int) bool { return len(big[i].text) > len(big[j].text) })
	if len(big) > max {
		big = big[:max]
	}
	sort.Slice(big, func(i, j int) bool { return big[i].file < big[j].file })
	var out []passage
	for _, s := range big {
	paragraphs:
		for i := range s.paras {
			p := &s.paras[i]
			for _, r := range sentences(p.text) {
				text := p.text[r[0]:r[1]]
				if len(tokens(text)) <= titleWords || !strings.HasSuffix(text, ".") {
					continue
				}
				a, b := p.span(r[0], r[1])
				out = append(out, passage{File: s.file, Line: a, End: b, Text: text})
				break paragraphs
			}
		}
	}
	return out
}

// The constants of TextRank as its authors give them, and a bound on the graph:
// words in more than one of commonIn sentences are left out, with which it covers
// more topics here than with the frequent ones.
const (
	damping  = 0.85
	rounds   = 30
	minWords = 5
	commonIn = 50
)

// textRank is Mihalcea and Tarau's (EMNLP 2004): sentences are nodes, shared
// words over the logarithms of the lengths the weights of the edges; the
// highest max come in the order of the text. Without it the same sentence
// would be taken many times over, so a text that was taken is not taken again.
func textRank(files []*source, max int) []passage {
	stop := stopWords()
	var all []passage
	var words [][]string
	posting := map[string][]int32{}
	for _, s := range files {
		for i := range s.paras {
			p := &s.paras[i]
			for _, r := range sentences(p.text) {
				text := p.text[r[0]:r[1]]
				set := stems(text, stop)
				if len(set) < minWords {
					continue
				}
				a, b := p.span(r[0], r[1])
				ws := sorted(set)
				for _, w := range ws {
					posting[w] = append(posting[w], int32(len(all)))
				}
				all = append(all, passage{File: s.file, Line: a, End: b, Text: text})
				words = append(words, ws)
			}
		}
	}
	type edge struct {
		to int32
		w  float32
	}
	edges := make([][]edge, len(all))
	out := make([]float64, len(all))
	shared := make([]int32, len(all))
	for i := range all {
		var touched []int32
		for _, w := range words[i] {
			if len(posting[w])*commonIn > len(all) {
				continue
			}
			for _, j := range posting[w] {
				if int(j) != i {
					if shared[j] == 0 {
						touched = append(touched, j)
					}
					shared[j]++
				}
			}
		}
		for _, j := range touched {
			w := float64(shared[j]) / (math.Log(float64(len(words[i]))) + math.Log(float64(len(words[j]))))
			edges[i] = append(edges[i], edge{j, float32(w)})
			out[i] += w
			shared[j] = 0
		}
	}
	rank := make([]float64, len(all))
	for i := range rank {
		rank[i] = 1
	}
	for range rounds {
		next := make([]float64, len(all))
		for i := range next {
			next[i] = 1 - damping
		}
		for i, es := range edges {
			for _, e := range es {
				next[e.to] += damping * rank[i] * float64(e.w) / out[i]
			}
		}
		rank = next
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return rank[order[a]] > rank[order[b]] })
	taken := map[string]bool{}
	var pick []int
	for _, i := range order {
		if len(pick) == max {
			break
		}
		if !taken[all[i].Text] {
			taken[all[i].Text] = true
			pick = append(pick, i)
		}
	}
	sort.Ints(pick)
	var ps []passage
	for _, i := range pick {
		ps = append(ps, all[i])
	}
	return ps
}
