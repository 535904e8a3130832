package answer

import (
	_ "embed"
	"strings"
)

// words is the table that tools/wordnet wrote: a line a stemmed word, sorted.
//
//go:embed words.txt
var words string

// relation is a word that may stand for another, with how well it does.
type relation struct {
	stem   string
	weight float64
}

// lexeme is what the table says of a stemmed English word.
type lexeme struct {
	known bool
	// common is the logarithm of how often the word is used, 0 to 9.
	common  int
	related []relation
}

// lookup finds a stemmed English word in the table.
func lookup(stem string) lexeme {
	lo, hi := 0, len(words)
	for lo < hi {
		mid := (lo + hi) / 2
		start := strings.LastIndexByte(words[:mid], '\n') + 1
		end := start + strings.IndexByte(words[start:], '\n') // each line has its end
		key, rest, _ := strings.Cut(words[start:end], " ")
		switch {
		case key == stem:
			return parse(rest)
		case key < stem:
			lo = end + 1
		default:
			hi = start
		}
	}
	return lexeme{}
}

func parse(rest string) lexeme {
	l := lexeme{known: true}
	for f := range strings.FieldsSeq(rest) {
		if n := len(f) - 1; n == 0 {
			l.common = int(f[0] - '0')
		} else {
			l.related = append(l.related, relation{f[:n], float64(f[n]-'0') / 10})
		}
	}
	return l
}
