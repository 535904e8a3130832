// Wordnet writes the table of common words that package answer embeds, out of
// the files of WordNet 3.0 (Debian's wordnet-base):
//
//	go run ./tools/wordnet /usr/share/wordnet > internal/worker/index/answer/words.txt
//
// A line is a stemmed word and how common it is in running text: 1 to 9, the
// logarithm of WordNet's tag counts. Words that were never tagged are left out.
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
	counts, err := readCounts(filepath.Join(dir, "cntlist.rev"))
	if err != nil {
		return err
	}
	f := fold.New()
	common := map[string]int{}
	for _, p := range parts {
		if err := readIndex(filepath.Join(dir, "index."+p.name), func(lemma string, senses int) {
			if !usable(lemma) {
				return
			}
			key := f.Stem(f.String(lemma), "en")
			for i := range senses {
				common[key] += counts[lemma+p.letter+strconv.Itoa(i+1)]
			}
		}); err != nil {
			return err
		}
	}
	var keys []string
	for k, n := range common {
		if n > 0 {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	out := bufio.NewWriter(os.Stdout)
	for _, k := range keys {
		fmt.Fprintf(out, "%s %d\n", k, min(9, bits.Len(uint(common[k]))))
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

// readIndex reads an index file.
func readIndex(path string, fn func(lemma string, senses int)) error {
	return lines(path, func(line string) error {
		f := strings.Fields(line)
		n, err := strconv.Atoi(f[2])
		if err != nil {
			return err
		}
		fn(f[0], n)
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
