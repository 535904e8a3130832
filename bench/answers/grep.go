package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// grep is the real ripgrep over one file of paragraphs, one a line, ranked by
// how many of the question's words a paragraph holds.
type grep struct {
	dir    string
	paras  []*paragraph
	prefix bool // match words that begin with the stem, else whole words
	idf    func(string) float64
	stop   map[string]bool
}

func openGrep(files []*source, prefix bool) (system, error) {
	dir, err := os.MkdirTemp("", "answers")
	if err != nil {
		return nil, err
	}
	g := &grep{dir: dir, prefix: prefix, stop: stopWords()}
	var b bytes.Buffer
	for _, s := range files {
		for i := range s.paras {
			g.paras = append(g.paras, &s.paras[i])
			b.WriteString(s.paras[i].text)
			b.WriteByte('\n')
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "text"), b.Bytes(), 0o600); err != nil {
		return nil, errors.Join(err, g.close())
	}
	g.idf = idf(g.paras, g.stop)
	return g, nil
}

func (g *grep) ask(ctx context.Context, q string) (answer, error) {
	words := contentWords(q, g.stop)
	if len(words) == 0 {
		return answer{}, nil
	}
	args := []string{"--no-config", "--ignore-case", "--only-matching", "--line-number", "--no-heading", "--no-filename", "--color=never", "--text"}
	for _, w := range words {
		p := `\b` + regexp.QuoteMeta(w) + `\b`
		if g.prefix {
			p = `\b` + regexp.QuoteMeta(root(w)) + `\w*`
		}
		args = append(args, "-e", p)
	}
	cmd := exec.CommandContext(ctx, "rg", append(args, filepath.Join(g.dir, "text"))...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1: nothing found
		return answer{}, fmt.Errorf("rg: %w", err)
	}
	found := map[int]map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		n, word, ok := strings.Cut(lines.Text(), ":")
		i, err := strconv.Atoi(n)
		if !ok || err != nil {
			return answer{}, fmt.Errorf("rg said %q", lines.Text())
		}
		if found[i-1] == nil {
			found[i-1] = map[string]bool{}
		}
		w := strings.ToLower(word)
		if g.prefix {
			w = root(w)
		}
		found[i-1][w] = true
	}
	if err := lines.Err(); err != nil {
		return answer{}, err
	}
	order := make([]int, 0, len(found))
	for i := range found {
		order = append(order, i)
	}
	// The shorter of two paragraphs with as many words comes first.
	sort.Slice(order, func(a, b int) bool {
		x, y := order[a], order[b]
		if n, m := len(found[x]), len(found[y]); n != m {
			return n > m
		}
		if n, m := len(g.paras[x].text), len(g.paras[y].text); n != m {
			return n < m
		}
		return x < y
	})
	if len(order) > 10 {
		order = order[:10]
	}
	w := weights(q, g.idf, g.stop)
	a := answer{scores: map[string]float64{"words": 0}}
	var units []*paragraph
	for _, i := range order {
		units = append(units, g.paras[i])
		a.units = append(a.units, asPassage(g.paras[i]))
	}
	if len(units) > 0 {
		n := float64(len(found[order[0]]))
		a.scores = map[string]float64{"words": n, "share of words": n / float64(len(words)), "coverage": coverage(units[0].text, w, g.stop)}
	}
	a.shown = choose(units, w, g.stop)
	return a, nil
}

// root is a word's stem where the word begins with it, else the word.
func root(w string) string {
	if s := stem(w); strings.HasPrefix(w, s) {
		return s
	}
	return w
}

func (g *grep) close() error { return os.RemoveAll(g.dir) }
