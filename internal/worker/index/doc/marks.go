package doc

import (
	"unicode"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
)

// Marked widens source[start:end] by the Markdown marks of emphasis and code
// that stand right beside it, where that makes both ends of each stand in it:
// the sentence of "**Water** boils." is cited with its first two asterisks. A
// mark whose other end is further away stays out.
func Marked(source string, start, end int) (int, int) {
	from, to := Beside(source, start, end)
	for _, r := range [...][2]int{{start, end}, {from, end}, {start, to}, {from, to}} {
		if balanced(source[r[0]:r[1]]) {
			return r[0], r[1]
		}
	}
	return start, end
}

// Beside widens source[start:end] by all marks that stand right beside it.
func Beside(source string, start, end int) (from, to int) {
	from, to = start, end
	for from > max(0, start-limits.MarksBeside) && mark(source[from-1]) {
		from--
	}
	for to < min(len(source), end+limits.MarksBeside) && mark(source[to]) {
		to++
	}
	return from, to
}

func mark(c byte) bool { return c == '*' || c == '_' || c == '~' || c == '`' }

// balanced reports whether each mark in s has both its ends there, by the
// flanking of CommonMark 0.31, 6.2.
func balanced(s string) bool {
	open := map[byte]int{}
	code := 0 // length of the run that a code span began with
	for i := 0; i < len(s); {
		c := s[i]
		if c == '\\' && code == 0 {
			i += 2
			continue
		}
		if !mark(c) {
			i++
			continue
		}
		n := 1
		for i+n < len(s) && s[i+n] == c {
			n++
		}
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		after, _ := utf8.DecodeRuneInString(s[i+n:])
		first, last := i == 0, i+n == len(s)
		i += n
		switch {
		case c == '`' && code == 0:
			code = n
		case c == '`' && code == n:
			code = 0
		case c == '`' || code > 0 || c == '~' && n == 1:
		default:
			spaced, ended := first || unicode.IsSpace(before), last || unicode.IsSpace(after)
			opens := !ended && (spaced || sign(before) || !sign(after))
			closes := !spaced && (ended || sign(after) || !sign(before))
			within := opens && closes && !sign(before) && !sign(after)
			switch {
			case within && (c == '_' || open[c] < n): // of a name, a product
			case closes && (!opens || open[c] >= n):
				if open[c] -= n; open[c] < 0 {
					return false
				}
			case opens:
				open[c] += n
			}
		}
	}
	for _, n := range open {
		if n != 0 {
			return false
		}
	}
	return code == 0
}

func sign(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }
