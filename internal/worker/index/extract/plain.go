package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// line returns the line of s that begins at at, without its end, and where the
// next begins.
func line(s string, at int) (end, next int) {
	i := strings.IndexByte(s[at:], '\n')
	if i < 0 {
		return len(s), len(s)
	}
	end, next = at+i, at+i+1
	if i > 0 && s[end-1] == '\r' {
		end--
	}
	return end, next
}

func blank(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] > ' ' {
			return false
		}
	}
	return true
}

func scanPlain(b *builder, _ string) {
	for at := 0; at < len(b.src); {
		end, next := line(b.src, at)
		if blank(b.src[at:end]) {
			b.close(doc.Prose, 0)
		} else {
			b.words(at, end)
			b.space(end)
		}
		at = next
	}
	b.close(doc.Prose, 0)
}
