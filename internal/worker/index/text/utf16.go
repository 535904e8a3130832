package text

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

const (
	littleEndian = 1
	bigEndian    = 2
)

// utf16Order tells the byte order when head is UTF-16, else 0. Without a byte
// order mark a text counts as UTF-16 when nearly all bytes of one parity are
// NUL and none of the other are: Latin letters and digits in two bytes.
func utf16Order(head string) int {
	switch {
	case len(head) < 2:
		return 0
	case strings.HasPrefix(head, "\xff\xfe") && !strings.HasPrefix(head, "\xff\xfe\x00\x00"):
		return littleEndian
	case strings.HasPrefix(head, "\xfe\xff"):
		return bigEndian
	}
	if len(head) < 8 || strings.IndexByte(head, 0) < 0 {
		return 0
	}
	var nul [2]int
	for i := 0; i < len(head)&^1; i++ {
		if head[i] == 0 {
			nul[i&1]++
		}
	}
	pairs := len(head) / 2
	switch {
	case nul[0] == 0 && nul[1]*10 >= pairs*7:
		return littleEndian
	case nul[1] == 0 && nul[0]*10 >= pairs*7:
		return bigEndian
	}
	return 0
}

func decode16(raw string, order int) (string, doc.Reason) {
	var b strings.Builder
	b.Grow(len(raw)/2 + len(raw)/16)
	hi := 1
	if order == bigEndian {
		hi = 0
	}
	bad, units := 0, 0
	for i := 0; i+1 < len(raw); i += 2 {
		u := rune(raw[i+hi])<<8 | rune(raw[i+1-hi])
		units++
		switch {
		case u == 0xfeff && i == 0:
			continue
		case u == 0:
			return "", doc.Binary
		case utf16.IsSurrogate(u):
			r := utf8.RuneError
			if i+3 < len(raw) {
				r = utf16.DecodeRune(u, rune(raw[i+2+hi])<<8|rune(raw[i+3-hi]))
			}
			if r == utf8.RuneError {
				bad++
			} else {
				i += 2
			}
			u = r
		case u < 0x20 && u != '\t' && u != '\n' && u != '\r' && u != '\f' && u != 0x1b:
			bad++
		}
		b.WriteRune(u)
		if b.Len() > limits.TextFile {
			return "", doc.TooLarge
		}
	}
	if bad*50 > units {
		return "", doc.Binary
	}
	source := b.String()
	if strings.TrimSpace(source) == "" {
		return "", doc.Empty
	}
	if privateKey(source[:min(len(source), limits.TextSniff)]) {
		return "", doc.Secret
	}
	return source, doc.Read
}
