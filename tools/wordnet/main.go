// Wordnet writes the table of related words that package answer embeds, out of
// the files of WordNet 3.0 (Debian's wordnet-base):
//
//	go run ./tools/wordnet /usr/share/wordnet > internal/worker/index/answer/words.txt
//
// A line is a stemmed word, how common it is in running text (0 to 9, the
// logarithm of WordNet's tag counts), and up to five related words with a
// weight from 1 to 9: words of its senses, weighted by how often the word has
// that sense, what it is a kind of, and what it is derived from.
package main

import (
	"bufio"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/worker/index/fold"
)

const (
	maxRelated = 5
	synonym    = 0.9
	similar    = 0.6
	kindOf     = 0.45
	derived    = 0.9
	minWeight  = 0.25
	minCount   = 1
)

type synset struct {
	words    []string
	pointers []pointer
}

type pointer struct {
	kind string
	to   string // part of speech and offset
	from int    // the word it is of, from 1; 0 is all
	word int    // the word it points to
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: wordnet DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "wordnet:", err)
		os.Exit(1)
	}
}

var parts = []struct{ name, letter string }{{"noun", "n"}, {"verb", "v"}, {"adj", "a"}, {"adv", "r"}}

func run(dir string) error {
	synsets := map[string]*synset{}
	for _, p := range parts {
		if err := readData(filepath.Join(dir, "data."+p.name), p.letter, synsets); err != nil {
			return err
		}
	}
	counts, err := readCounts(filepath.Join(dir, "cntlist.rev"))
	if err != nil {
		return err
	}
	f := fold.New()
	related := map[string]map[string]float64{}
	common := map[string]int{}
	for _, p := range parts {
		if err := readIndex(filepath.Join(dir, "index."+p.name), func(lemma string, offsets []string) {
			if !usable(lemma) {
				return
			}
			total := 0
			for i := range offsets {
				total += counts[lemma+p.letter+strconv.Itoa(i+1)]
			}
			key := f.Stem(f.String(lemma), "en")
			common[key] += total
			all := 0
			for _, q := range parts {
				for i := 1; i <= 40; i++ {
					all += counts[lemma+q.letter+strconv.Itoa(i)]
				}
			}
			m := related[key]
			if m == nil {
				m = map[string]float64{}
				related[key] = m
			}
			add := func(word string, w float64) {
				if !usable(word) || w < minWeight {
					return
				}
				if s := f.Stem(f.String(word), "en"); s != key && w > m[s] {
					m[s] = w
				}
			}
			for i, off := range offsets {
				// How often the word has this sense, smoothed.
				share := (float64(counts[lemma+p.letter+strconv.Itoa(i+1)]) + 0.5) / (float64(all) + 0.5*float64(len(offsets)))
				ss := synsets[p.letter+off]
				if ss == nil {
					continue
				}
				for _, w := range ss.words {
					add(w, synonym*share)
				}
				for _, ptr := range ss.pointers {
					to := synsets[ptr.to]
					if to == nil {
						continue
					}
					switch ptr.kind {
					case "&", "$": // similar, verb group
						for _, w := range to.words {
							add(w, similar*share)
						}
					case "@": // kind of
						for _, w := range to.words {
							add(w, kindOf*share)
						}
					case "+", "\\", "<": // derived from
						if ptr.from > 0 && ptr.from <= len(ss.words) && ss.words[ptr.from-1] == lemma && ptr.word <= len(to.words) && ptr.word > 0 {
							add(to.words[ptr.word-1], derived*min(1, share*1.5))
						}
					}
				}
			}
		}); err != nil {
			return err
		}
	}
	var keys []string
	for k := range related {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	out := bufio.NewWriter(os.Stdout)
	for _, k := range keys {
		type rel struct {
			word string
			w    float64
		}
		var rs []rel
		for w, v := range related[k] {
			// A word nobody uses finds nothing.
			if common[w] >= minCount {
				rs = append(rs, rel{w, v})
			}
		}
		if common[k] < minCount && len(rs) == 0 {
			continue
		}
		sort.Slice(rs, func(i, j int) bool { return rs[i].w > rs[j].w || rs[i].w == rs[j].w && rs[i].word < rs[j].word })
		if len(rs) > maxRelated {
			rs = rs[:maxRelated]
		}
		fmt.Fprintf(out, "%s %d", k, min(9, bits.Len(uint(common[k]))))
		for _, r := range rs {
			fmt.Fprintf(out, " %s%d", r.word, max(1, min(9, int(r.w*10+0.5))))
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}

func usable(w string) bool {
	if len(w) < 3 || len(w) > 20 {
		return false
	}
	for i := 0; i < len(w); i++ {
		if w[i] < 'a' || w[i] > 'z' {
			return false
		}
	}
	return true
}

func lines(path string, fn func(string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if !strings.HasPrefix(s.Text(), "  ") { // the licence
			if err := fn(s.Text()); err != nil {
				return err
			}
		}
	}
	return s.Err()
}

// readData reads a data file, wndb(5WN).
func readData(path, letter string, out map[string]*synset) error {
	return lines(path, func(line string) error {
		line, _, _ = strings.Cut(line, "|")
		f := strings.Fields(line)
		n, err := strconv.ParseInt(f[3], 16, 32)
		if err != nil {
			return err
		}
		s := &synset{}
		at := 4
		for range n {
			w, _, _ := strings.Cut(f[at], "(")
			s.words = append(s.words, w)
			at += 2
		}
		count, err := strconv.Atoi(f[at])
		if err != nil {
			return err
		}
		at++
		for range count {
			pos := f[at+2]
			if pos == "s" {
				pos = "a"
			}
			src, err := strconv.ParseInt(f[at+3][:2], 16, 32)
			if err != nil {
				return err
			}
			dst, err := strconv.ParseInt(f[at+3][2:], 16, 32)
			if err != nil {
				return err
			}
			s.pointers = append(s.pointers, pointer{f[at], pos + f[at+1], int(src), int(dst)})
			at += 4
		}
		out[letter+f[0]] = s
		return nil
	})
}

// readIndex reads an index file; offsets are in the order of senses.
func readIndex(path string, fn func(lemma string, offsets []string)) error {
	return lines(path, func(line string) error {
		f := strings.Fields(line)
		n, err := strconv.Atoi(f[2])
		if err != nil {
			return err
		}
		fn(f[0], f[len(f)-n:])
		return nil
	})
}

// readCounts reads cntlist.rev: sense_key sense_number tag_cnt.
func readCounts(path string) (map[string]int, error) {
	out := map[string]int{}
	err := lines(path, func(line string) error {
		f := strings.Fields(line)
		lemma, rest, _ := strings.Cut(f[0], "%")
		letter := map[byte]string{'1': "n", '2': "v", '3': "a", '4': "r", '5': "a"}[rest[0]]
		n, err := strconv.Atoi(f[2])
		if err != nil {
			return err
		}
		out[lemma+letter+f[1]] += n
		return nil
	})
	return out, err
}
