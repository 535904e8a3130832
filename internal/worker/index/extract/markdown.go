package extract

import "github.com/bailey-run/bailey/internal/worker/index/doc"

func scanMarkdown(b *builder, _ string) {
	for at := 0; at < len(b.src); {
		end, next := line(b.src, at)
		level := 0
		for at+level < end && b.src[at+level] == '#' {
			level++
		}
		switch {
		case blank(b.src[at:end]):
			b.close(doc.Prose, 0)
		case level > 0 && level < 7 && at+level < end && b.src[at+level] == ' ':
			b.close(doc.Prose, 0)
			b.words(at+level, end)
			b.close(doc.Heading, level)
		default:
			b.words(at, end)
			b.space(end)
		}
		at = next
	}
	b.close(doc.Prose, 0)
}
