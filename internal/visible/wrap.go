package visible

import (
	"strings"

	"github.com/rivo/uniseg"

	"github.com/bailey-run/bailey/internal/limits"
)

// Width is the number of terminal columns that s takes (UAX #11 and #29, as far
// as a program can know a terminal's font).
func Width(s string) int { return uniseg.StringWidth(s) }

// Wrap breaks s into lines of at most width columns where lines may be broken
// (UAX #14, so that Chinese and Thai text breaks too). A word that is longer
// than a line is left whole: it is a path or an address that somebody wants to
// copy. A width below [limits.LineWidthMin] wraps nothing.
func Wrap(s string, width int) []string {
	if width < limits.LineWidthMin || Width(s) <= width {
		return []string{s}
	}
	var lines []string
	var line, word strings.Builder
	lineWidth, wordWidth := 0, 0
	state := -1
	for rest := s; rest != ""; {
		cluster, tail, boundaries, next := uniseg.StepString(rest, state)
		rest, state = tail, next
		word.WriteString(cluster)
		wordWidth += boundaries >> uniseg.ShiftWidth
		// Where letters are ASCII, words end at blanks and nowhere else: UAX #14
		// would break a path after a slash, and not before one.
		last := cluster[len(cluster)-1]
		ends := last == ' ' && !strings.HasPrefix(rest, " ")
		if last >= 0x80 {
			ends = boundaries&uniseg.MaskLine != uniseg.LineDontBreak
		}
		if rest != "" && !ends {
			continue
		}
		w := word.String()
		if full := strings.TrimRight(line.String(), " "); full != "" && lineWidth+Width(strings.TrimRight(w, " ")) > width {
			lines = append(lines, full)
			line.Reset()
			lineWidth = 0
		}
		line.WriteString(w)
		lineWidth += wordWidth
		word.Reset()
		wordWidth = 0
	}
	return append(lines, strings.TrimRight(line.String(), " "))
}

// Chop breaks s into lines of at most width columns, anywhere between two
// characters, and loses nothing. A width below 1 counts as 1.
func Chop(s string, width int) []string {
	if Width(s) <= width {
		return []string{s}
	}
	var lines []string
	var line strings.Builder
	used, state := 0, -1
	for rest := s; rest != ""; {
		cluster, tail, w, next := uniseg.FirstGraphemeClusterInString(rest, state)
		rest, state = tail, next
		if used > 0 && used+w > width {
			lines = append(lines, line.String())
			line.Reset()
			used = 0
		}
		line.WriteString(cluster)
		used += w
	}
	return append(lines, line.String())
}

// Middle shortens s to at most n grapheme clusters by leaving out its middle, so
// that the end of a file name or host stays to be seen.
func Middle(s string, n int) string {
	count := uniseg.GraphemeClusterCount(s)
	if count <= n {
		return s
	}
	head := (n - 1) / 2
	tail := n - 1 - head
	var b strings.Builder
	i, state := 0, -1
	for rest := s; rest != ""; i++ {
		cluster, next, _, st := uniseg.FirstGraphemeClusterInString(rest, state)
		rest, state = next, st
		switch {
		case i < head || i >= count-tail:
			b.WriteString(cluster)
		case i == head:
			b.WriteString("…")
		}
	}
	return b.String()
}
