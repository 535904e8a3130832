package main

import (
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// farShare is the largest share of a far question's content words that its
// answer's sentence may hold.
const farShare = 0.2

func sets() []string { return []string{tuningSet, "second.json"} }

// loaded is the questions of all sets, and every collection's files.
func loaded(t *testing.T) ([]question, map[string]map[string]*source) {
	t.Helper()
	var qs []question
	for _, set := range sets() {
		more, err := loadQuestions(set)
		if err != nil {
			t.Fatal(err)
		}
		qs = append(qs, more...)
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

// No question is asked twice, in one set or in both.
func TestQuestionsDiffer(t *testing.T) {
	qs, _ := loaded(t)
	seen := map[string]bool{}
	for _, q := range qs {
		if seen[q.ID] || seen[q.Text] || strings.TrimSpace(q.Text) == "" {
			t.Errorf("%s: twice, or empty", q.ID)
		}
		seen[q.ID], seen[q.Text] = true, true
	}
}

// There are enough questions of each kind, and the held third is the third by
// the hash of the id within its collection and kind.
func TestQuestionSet(t *testing.T) {
	qs, err := loadQuestions(tuningSet)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	strata := map[string][]question{}
	for _, q := range qs {
		kinds[q.Kind]++
		strata[q.Collection+"/"+q.Kind] = append(strata[q.Collection+"/"+q.Kind], q)
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

// The second set is held as a whole, has enough of each kind, answers nothing
// at a place that answers a question of the first, and resembles none of those:
// of the content words of two questions at most a third are in both.
func TestSecondSet(t *testing.T) {
	qs, err := loadQuestions("second.json")
	if err != nil {
		t.Fatal(err)
	}
	first, err := loadQuestions(tuningSet)
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		collection, file string
		line             int
	}
	known := map[place]string{}
	for _, q := range first {
		for _, k := range q.Keys {
			for l := k.Lines[0]; l <= k.Lines[1]; l++ {
				known[place{q.Collection, k.File, l}] = q.ID
			}
		}
	}
	stop := stopWords()
	kinds := map[string]int{}
	strata := map[string]int{}
	for _, q := range qs {
		kinds[q.Kind]++
		strata[q.Collection+"/"+q.Kind]++
		mine := stems(q.Text, stop)
		for _, x := range first {
			if x.Collection != q.Collection {
				continue
			}
			theirs, both := stems(x.Text, stop), 0
			for w := range theirs {
				if mine[w] {
					both++
				}
			}
			if 3*both > len(mine)+len(theirs)-both {
				t.Errorf("%s resembles %s: %d content words are in both", q.ID, x.ID, both)
			}
		}
		if !q.Held {
			t.Errorf("%s: not held", q.ID)
		}
		for _, k := range q.Keys {
			for l := k.Lines[0]; l <= k.Lines[1]; l++ {
				if id := known[place{q.Collection, k.File, l}]; id != "" {
					t.Errorf("%s: %s:%d answers %s too", q.ID, k.File, l, id)
				}
			}
		}
	}
	if len(qs) < 60 || kinds[plain] < 30 || kinds[far] < 12 || kinds[none] < 18 || kinds[plain]+kinds[far]+kinds[none] != len(qs) {
		t.Errorf("%d questions, %v: too few", len(qs), kinds)
	}
	for _, c := range collections() {
		for _, kind := range []string{plain, far, none} {
			if strata[c+"/"+kind] < 4 {
				t.Errorf("%s/%s: %d questions", c, kind, strata[c+"/"+kind])
			}
		}
	}
}

// Another set than the first comes with the tuning thirds and without the held
// third, is asked only with -held, and must be held as a whole.
func TestChosenQuestions(t *testing.T) {
	first, err := options{dir: ".", set: tuningSet, held: true}.questions()
	if err != nil {
		t.Fatal(err)
	}
	tuning := map[string]bool{}
	for _, q := range first {
		if !q.Held {
			tuning[q.ID] = true
		}
	}
	second, err := loadQuestions("second.json")
	if err != nil {
		t.Fatal(err)
	}
	both, err := options{dir: ".", set: "second.json", held: true}.questions()
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, q := range both {
		if q.Held {
			held++
		} else if !tuning[q.ID] {
			t.Errorf("%s is of no tuning third", q.ID)
		}
	}
	if held != len(second) || len(both) != len(tuning)+len(second) {
		t.Errorf("%d questions, %d of them held", len(both), held)
	}
	if _, err := (options{dir: ".", set: "second.json"}).questions(); err == nil {
		t.Error("a held set without -held")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{tuningSet: `[]`, "x.json": `[{"id":"x","held":true},{"id":"y"}]`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (options{dir: dir, set: "x.json", held: true}).questions(); err == nil || !strings.Contains(err.Error(), "y is not held") {
		t.Errorf("a set that is held in part: %v", err)
	}
}

// Of another set than the first only its own results are shown, and the
// thresholds are those of the tuning thirds.
func TestASetIsShownAlone(t *testing.T) {
	tuned, asked := rec(plain, 2, true), rec(plain, 2, true)
	tuned.q.ID, asked.q.ID, asked.q.Held = "tuned", "asked", true
	tuned.wrong, asked.wrong = []string{"tuned: x"}, []string{"asked: x"}
	for _, c := range []struct {
		set            string
		tuned, heading bool
	}{{tuningSet, true, false}, {"second.json", false, true}} {
		r := &report{systems: []string{"s"}, records: map[string][]record{"s": {tuned, asked}},
			tuned: map[string]choice{"s": {Way: "w", Scale: "s", Threshold: 1}}, open: map[string]choice{"s": {Way: "w"}},
			held: true, set: c.set}
		var b strings.Builder
		r.print(&b, options{verbose: true})
		out := b.String()
		if strings.Contains(out, "two tuning thirds.") != c.tuned || strings.Contains(out, "tuned: x") != c.tuned || strings.Contains(out, "tuned plain") != c.tuned {
			t.Errorf("%s, tuning thirds:\n%s", c.set, out)
		}
		if strings.Contains(out, "THE HELD SET second.json") != c.heading || !strings.Contains(out, "asked: x") || !strings.Contains(out, "asked plain") || !strings.Contains(out, "≤ 1.000") {
			t.Errorf("%s, held:\n%s", c.set, out)
		}
		for _, row := range r.rows() {
			if c.heading != strings.HasPrefix(row.Name, "answers/second.json/") {
				t.Errorf("%s: row %s", c.set, row.Name)
			}
		}
		file := filepath.Join(t.TempDir(), "out.json")
		if err := r.write(file); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), `"question":"tuned"`) != c.tuned || !strings.Contains(string(raw), `"question":"asked"`) {
			t.Errorf("%s, raw results: %s", c.set, raw)
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
