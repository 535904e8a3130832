package main

import (
	"strings"
	"unicode"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
)

// stopWords are left out of every peer's query and of the overlap: articles,
// pronouns, auxiliaries, prepositions and question words.
func stopWords() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`a an the and or of in on at to for from with without by as is are was were be been being it its this that these those there here
i me my mine we our us you your he she they them their who whom which what when where why how do does did done can could may might must shall should will would
not no nor if so than then too very just only also into onto out off over under up down about again all any some each every own same such
have has had having get gets got go goes going one two am`) {
		m[w] = true
	}
	return m
}

func stem(w string) string {
	env := snowballstem.NewEnv(w)
	english.Stem(env)
	return env.Current()
}

// tokens are runs of ASCII letters and digits, in lower case; a possessive 's
// goes.
func tokens(s string) []string {
	s = strings.ReplaceAll(strings.ToLower(s), "'s", "")
	return strings.FieldsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// contentWords are the distinct words of s that are not stop words, in order.
func contentWords(s string, stop map[string]bool) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range tokens(s) {
		if len(w) > 1 && !stop[w] && !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// stems is the set of stemmed content words of s.
func stems(s string, stop map[string]bool) map[string]bool {
	m := map[string]bool{}
	for _, w := range contentWords(s, stop) {
		m[stem(w)] = true
	}
	return m
}

// sentences cuts text into sentences: byte ranges that end at . ! or ? before
// a space and something that is not a small letter.
func sentences(text string) [][2]int {
	var out [][2]int
	start := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '.' && c != '!' && c != '?' {
			continue
		}
		j := i + 1
		for j < len(text) && strings.IndexByte(`)"'`, text[j]) >= 0 {
			j++
		}
		if j < len(text) && (text[j] != ' ' || j+1 < len(text) && text[j+1] >= 'a' && text[j+1] <= 'z') {
			continue
		}
		if strings.HasSuffix(text[:i+1], "e.g.") || strings.HasSuffix(text[:i+1], "i.e.") || strings.HasSuffix(text[:i+1], "etc.") && j < len(text) {
			continue
		}
		out = append(out, [2]int{start, j})
		for j < len(text) && text[j] == ' ' {
			j++
		}
		start, i = j, j-1
	}
	if start < len(text) {
		out = append(out, [2]int{start, len(text)})
	}
	return out
}
