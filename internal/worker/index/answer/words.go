package answer

import (
	_ "embed"
	"strings"
)

// words is the table that tools/wordnet wrote: a line a stemmed word, sorted,
// and how common it is.
//
//go:embed words.txt
var words string

// lookup finds a stemmed English word in the table: common is the logarithm of
// how often it is used, 1 to 9.
func lookup(stem string) (common int, known bool) {
	lo, hi := 0, len(words)
	for lo < hi {
		mid := (lo + hi) / 2
		start := strings.LastIndexByte(words[:mid], '\n') + 1
		end := start + strings.IndexByte(words[start:], '\n') // each line has its end
		key, rest, _ := strings.Cut(words[start:end], " ")
		switch {
		case key == stem:
			return int(rest[0] - '0'), true
		case key < stem:
			lo = end + 1
		default:
			hi = start
		}
	}
	return 0, false
}
