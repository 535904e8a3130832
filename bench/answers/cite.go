package main

import (
	"fmt"
	"strings"
)

// exact says why a citation is wrong, or "": its file and lines exist in the
// decoded, unpacked source, and its quote stands there, verbatim.
func exact(s *source, p passage) string {
	switch {
	case s == nil:
		return "no such file"
	case p.Line < 1 || p.End < p.Line || p.End > len(s.lines):
		return fmt.Sprintf("lines of a file that has %d", len(s.lines))
	}
	lines := s.lines[p.Line-1 : p.End]
	at := strings.Index(strings.Join(lines, "\n"), p.Quote)
	if at < 0 {
		return fmt.Sprintf("the lines do not hold %q", p.Quote)
	}
	// No line too many: the quote begins in the first and ends in the last.
	if at > len(lines[0]) || strings.Count(p.Quote, "\n") != len(lines)-1 {
		return "more lines than the quote"
	}
	return ""
}
