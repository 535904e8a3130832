package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// A key is one place that holds a question's answer: lines of the decoded,
// unpacked source and an expression that the answer's text matches.
type key struct {
	File  string `json:"file"`
	Lines [2]int `json:"lines"`
	Match string `json:"match"`
	re    *regexp.Regexp
}

// The kinds of question.
const (
	plain = "plain" // words of the question stand near the answer
	far   = "far"   // at most a fifth of the content words are in the answer's sentence
	none  = "none"  // on topic, but the collection has no answer
)

type question struct {
	ID         string  `json:"id"`
	Collection string  `json:"collection"`
	Kind       string  `json:"kind"`
	Text       string  `json:"text"`
	Held       bool    `json:"held"`
	Overlap    float64 `json:"overlap"`
	Keys       []key   `json:"keys"`
}

func loadQuestions(path string) ([]question, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var qs []question
	if err := json.Unmarshal(b, &qs); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range qs {
		for j := range qs[i].Keys {
			k := &qs[i].Keys[j]
			if k.re, err = regexp.Compile("(?is)" + k.Match); err != nil {
				return nil, fmt.Errorf("%s: %w", qs[i].ID, err)
			}
		}
	}
	return qs, nil
}

// A passage is a piece of a file that a system shows.
type passage struct {
	File      string
	Line, End int
	Text      string
	Quote     string // the source's own text, where the system gives one
	also      []passage
}

// holds says whether the passage is of the right file, overlaps a key's lines
// and has the answer in its text.
func (q *question) holds(p passage) bool {
	for _, x := range p.also {
		if q.holds(x) {
			return true
		}
	}
	text := collapse(p.Text)
	var quote string
	for i := range q.Keys {
		k := &q.Keys[i]
		if k.File != p.File || p.End < k.Lines[0] || p.Line > k.Lines[1] {
			continue
		}
		if k.re.MatchString(text) {
			return true
		}
		if p.Quote != "" && quote == "" {
			var b strings.Builder
			for _, x := range extract(p.File, p.Quote) {
				b.WriteString(x.text)
				b.WriteByte(' ')
			}
			quote = b.String()
		}
		if k.re.MatchString(quote) {
			return true
		}
	}
	return false
}

func collapse(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("`", "", "**", "").Replace(s)), " ")
}
