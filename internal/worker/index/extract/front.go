package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// frontMatter reads the YAML (---) or TOML (+++) head of a document: title,
// description and the like become blocks, the rest is for programs. It returns
// where the document goes on.
func frontMatter(b *builder) int {
	src := b.src
	end, at := line(src, 0)
	fence := strings.TrimRight(src[:end], " \t")
	if fence != "---" && fence != "+++" {
		return 0
	}
	body := at
	for at < len(src) {
		e, next := line(src, at)
		s := strings.TrimRight(src[at:e], " \t")
		if s == fence || s == "..." && fence == "---" {
			fields(b, body, at, fence)
			return next
		}
		// A rule at the top of a text without front matter.
		if s != "" && fence == "---" && at == body && !strings.Contains(s, ":") && s[0] != '#' {
			return 0
		}
		at = next
	}
	return 0
}

func fields(b *builder, from, to int, fence string) {
	sep := byte(':')
	if fence == "+++" {
		sep = '='
	}
	for at := from; at < to; {
		end, next := line(b.src, at)
		s := b.src[at:end]
		i := strings.IndexByte(s, sep)
		if i <= 0 || s[0] == ' ' || s[0] == '\t' {
			at = next
			continue
		}
		key := strings.ToLower(strings.Trim(s[:i], " \"'"))
		v := at + i + 1
		for v < end && (b.src[v] == ' ' || b.src[v] == '\t') {
			v++
		}
		// What is indented below belongs to the value.
		stop := end
		for next < to {
			e, n := line(b.src, next)
			if c := b.src[next]; c != ' ' && c != '\t' {
				break
			}
			stop, next = e, n
		}
		at = next
		switch key {
		case "title", "subtitle", "description", "summary", "abstract", "excerpt", "sidebar_label", "linktitle", "keywords", "tags":
		default:
			continue
		}
		if h := strings.TrimRight(b.src[v:end], "+-0123456789 "); h == ">" || h == "|" {
			v = end
		}
		v, stop = unquote(b.src, v, stop)
		b.words(v, stop)
		if key == "title" {
			b.doc.Title = b.close(doc.Heading, 1)
		} else {
			b.close(doc.FrontMatter, 0)
		}
	}
}

// unquote leaves the quotes of a value out.
func unquote(src string, from, to int) (int, int) {
	for to > from && src[to-1] <= ' ' {
		to--
	}
	for _, q := range []string{`"""`, `"`, `'`} {
		if to-from >= 2*len(q) && strings.HasPrefix(src[from:to], q) && strings.HasSuffix(src[from:to], q) {
			return from + len(q), to - len(q)
		}
	}
	return from, to
}
