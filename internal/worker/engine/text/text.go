// Package text turns the bytes of a model's tokens into the text that a client
// gets: whole characters of valid UTF-8, ended before the first stop text.
//
// It keeps back what may still become a character or a stop text, and nothing
// else. It refuses nothing: bytes that can never become a character are replaced
// by U+FFFD, and a character that the end of the answer cuts off is left out.
// Package serve uses it.
package text

import (
	"strings"
	"unicode/utf8"
)

// Cutter is the state of one answer. It is not for concurrent use.
type Cutter struct {
	stops []string
	// part is the beginning of a character.
	part []byte
	// held is text that may be the beginning of a stop.
	held    string
	stopped bool
}

// NewCutter returns a Cutter that ends before the first of stops; empty ones, and
// those that are not UTF-8, do not count.
func NewCutter(stops []string) *Cutter {
	c := &Cutter{}
	for _, s := range stops {
		if s != "" && utf8.ValidString(s) {
			c.stops = append(c.stops, s)
		}
	}
	return c
}

// Push adds bytes and returns the text that is certain by now. stopped reports
// that a stop text came; what it returns then is the last.
func (c *Cutter) Push(b []byte) (out string, stopped bool) {
	if c.stopped {
		return "", true
	}
	return c.cut(c.whole(b), false)
}

// End returns the text that was kept back, when no more bytes come. A character
// that has only begun is none.
func (c *Cutter) End() string {
	if c.stopped {
		return ""
	}
	c.part = nil
	s, _ := c.cut("", true)
	return s
}

// Held reports whether something is kept back.
func (c *Cutter) Held() bool { return len(c.part) > 0 || c.held != "" }

// whole returns the characters that are complete.
func (c *Cutter) whole(b []byte) string {
	if len(c.part) == 0 && utf8.Valid(b) {
		return string(b)
	}
	c.part = append(c.part, b...)
	n := len(c.part) - beginning(c.part)
	s := valid(c.part[:n])
	c.part = append(c.part[:0], c.part[n:]...)
	return s
}

// beginning returns how many bytes at the end of b are a character that has
// only begun.
func beginning(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// valid replaces each byte that belongs to no character by U+FFFD.
func valid(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		s.WriteRune(r)
		b = b[n:]
	}
	return s.String()
}

// cut looks for stops in what is held and s.
func (c *Cutter) cut(s string, end bool) (string, bool) {
	if len(c.stops) == 0 {
		return s, false
	}
	s = c.held + s
	c.held = ""
	// The stop that was complete first, so that it does not matter in which
	// pieces the text came.
	first, last := -1, len(s)+1
	for _, stop := range c.stops {
		if i := strings.Index(s, stop); i >= 0 {
			if end := i + len(stop); end < last || end == last && i < first {
				first, last = i, end
			}
		}
	}
	if first >= 0 {
		c.stopped, c.part = true, nil
		return s[:first], true
	}
	if end {
		return s, false
	}
	hold := 0
	for _, stop := range c.stops {
		for n := min(len(stop)-1, len(s)); n > hold; n-- {
			if strings.HasSuffix(s, stop[:n]) {
				hold = n
				break
			}
		}
	}
	c.held = s[len(s)-hold:]
	return s[:len(s)-hold], false
}
