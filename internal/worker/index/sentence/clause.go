package sentence

import (
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
)

// clause returns where to end a sentence that is too long: s itself when it is
// not, counted in characters; else behind the best boundary that leaves a
// readable part. The best are semicolons, then colons and dashes, then commas,
// then spaces.
func clause(s string) int {
	limit := offset(s, limits.SentenceText)
	if limit == len(s) {
		return limit
	}
	least := limit / 3
	head := s[:limit]
	for _, marks := range [][]string{{"; ", "；"}, {": ", " – ", " — ", " - ", "：", "—"}, {", ", "，", "、", "، "}, {" "}} {
		best := -1
		for _, m := range marks {
			if i := strings.LastIndex(head, m); i >= least {
				best = max(best, i+len(m))
			}
		}
		if best > 0 {
			return best
		}
	}
	return limit
}

// offset returns where the first n characters of s end.
func offset(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// Complete reports whether text has the outer form of a sentence: it begins
// with a capital, or in a script without, and ends with a stop.
func Complete(text string) bool {
	end := strings.TrimRight(text, ")]}\"'»”’›」』）】*_`")
	r, _ := utf8.DecodeLastRuneInString(end)
	switch r {
	case '.', '!', '?', '…', '。', '！', '？', '｡', '؟', '۔', '।':
		return begins(text) == capital && !strings.HasSuffix(end, "..")
	}
	return false
}
