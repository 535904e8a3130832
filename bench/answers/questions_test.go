package main

import (
	"crypto/sha256"
	"fmt"
	"math"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// farShare is the largest share of a far question's content words that its
// answer's sentence may hold.
const farShare = 0.2

func loaded(t *testing.T) ([]question, map[string]map[string]*source) {
	t.Helper()
	qs, err := loadQuestions("questions.json")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]map[string]*source{}
	for _, c := range collections() {
		all, err := loadCollection(filepath.Join("collections", c))
		if err != nil {
			t.Fatal(err)
		}
		files[c] = map[string]*source{}
		for _, s := range all {
			files[c][s.file] = s
		}
	}
	return qs, files
}

// Every key's file exists, and the expression matches at exactly its lines.
func TestKeysHoldTheirAnswers(t *testing.T) {
	qs, files := loaded(t)
	for _, q := range qs {
		if (q.Kind == none) != (len(q.Keys) == 0) {
			t.Errorf("%s: kind %s with %d keys", q.ID, q.Kind, len(q.Keys))
		}
		for _, k := range q.Keys {
			s := files[q.Collection][k.File]
			if s == nil {
				t.Errorf("%s: no file %s", q.ID, k.File)
				continue
			}
			found := false
			var at []string
			for _, m := range k.re.FindAllStringIndex(s.whole.text, -1) {
				a, b := s.whole.span(m[0], m[1])
				at = append(at, fmt.Sprintf("%d-%d", a, b))
				found = found || a == k.Lines[0] && b == k.Lines[1]
			}
			if !found {
				t.Errorf("%s: %s %q is at %v, not at %v", q.ID, k.File, k.Match, at, k.Lines)
			}
		}
	}
}

// The recorded overlap is what it is said to be, and far questions are far.
func TestOverlap(t *testing.T) {
	qs, files := loaded(t)
	stop := stopWords()
	for _, q := range qs {
		want := stems(q.Text, stop)
		share := 0.0
		for _, k := range q.Keys {
			s := files[q.Collection][k.File]
			for _, m := range k.re.FindAllStringIndex(s.whole.text, -1) {
				if a, b := s.whole.span(m[0], m[1]); a != k.Lines[0] || b != k.Lines[1] {
					continue
				}
				has := stems(around(s.whole.text, m[0], m[1]), stop)
				n := 0
				for w := range want {
					if has[w] {
						n++
					}
				}
				share = math.Max(share, float64(n)/float64(len(want)))
			}
		}
		if math.Abs(share-q.Overlap) > 0.001 {
			t.Errorf("%s: overlap is %.3f, recorded %.3f", q.ID, share, q.Overlap)
		}
		if q.Kind == far && share > farShare {
			t.Errorf("%s: far, but overlaps by %.2f", q.ID, share)
		}
	}
}

// around is the sentences that text[from:to] is part of.
func around(text string, from, to int) string {
	start, end := -1, to
	for _, s := range sentences(text) {
		if s[1] > from && start < 0 {
			start = s[0]
		}
		if s[1] >= to {
			end = s[1]
			break
		}
	}
	return text[start:end]
}

// There are enough questions of each kind, and the held third is the third by
// the hash of the id within its collection and kind.
func TestQuestionSet(t *testing.T) {
	qs, _ := loaded(t)
	kinds := map[string]int{}
	strata := map[string][]question{}
	seen := map[string]bool{}
	for _, q := range qs {
		kinds[q.Kind]++
		strata[q.Collection+"/"+q.Kind] = append(strata[q.Collection+"/"+q.Kind], q)
		if seen[q.ID] || seen[q.Text] || strings.TrimSpace(q.Text) == "" {
			t.Errorf("%s: twice, or empty", q.ID)
		}
		seen[q.ID], seen[q.Text] = true, true
	}
	if len(qs) < 96 || kinds[far] < 24 || kinds[none] < 32 {
		t.Errorf("%d questions, %v: too few", len(qs), kinds)
	}
	for name, s := range strata {
		sort.Slice(s, func(i, j int) bool { return hash(s[i].ID) < hash(s[j].ID) })
		for i, q := range s {
			if q.Held != (i%3 == 2) {
				t.Errorf("%s: %s held=%v", name, q.ID, q.Held)
			}
		}
	}
}

func hash(id string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(id))) }

// The smoke questions' answers stand in their files.
func TestSmokeQuestions(t *testing.T) {
	all, err := loadSmoke(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		text, err := readSource(filepath.Join("collections", "languages", s.File))
		if err != nil || !strings.Contains(text, s.Match) {
			t.Errorf("%s: %q is not there, %v", s.File, s.Match, err)
		}
	}
}
