package extract

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// reference is the text of a document as goldmark, a full parser of
// CommonMark, reads it: letters, digits and emphasis signs in their order.
func reference(source string) string {
	src := []byte(source)
	var b strings.Builder
	tree := goldmark.New().Parser().Parse(text.NewReader(src))
	_ = ast.Walk(tree, func(n ast.Node, in bool) (ast.WalkStatus, error) {
		if !in {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Segment.Value(src))
		case *ast.String:
			b.Write(n.Value)
		case *ast.AutoLink:
			b.Write(n.Label(src))
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			for i := range n.Lines().Len() {
				s := n.Lines().At(i)
				b.Write(s.Value(src))
			}
		}
		return ast.WalkContinue, nil
	})
	return plainLetters(b.String())
}

func plainLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if word(byte(r)) && r < 0x80 || r >= 0x80 {
			return r
		}
		return -1
	}, s)
}

func ours(source string) string {
	var b strings.Builder
	d := Extract("x.md", source)
	for i := range d.Blocks {
		if d.Blocks[i].Role != doc.FrontMatter {
			b.WriteString(d.Blocks[i].Text)
		}
	}
	return plainLetters(b.String())
}

// TestTextIsCommonMarks makes documents at random and compares the text with
// goldmark's.
func TestTextIsCommonMarks(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	pick := func(s ...string) string { return s[r.Intn(len(s))] }
	n := 0
	w := func() string { n++; return pick("wa", "xb", "yc", "zd") + string(rune('a'+n%26)) }
	inline := func() string {
		var parts []string
		for range 1 + r.Intn(6) {
			parts = append(parts, pick(w(), w(), "*"+w()+"*", "**"+w()+" "+w()+"**", "`"+w()+" "+w()+"`", "["+w()+"](http://e.org/a_b)", "["+w()+" *"+w()+"*](<u> \"t\")",
				"!["+w()+"](p.png)", "["+w()+"]["+"ref]", "[ref]", "<http://"+w()+".org>", `\*`+w()+`\*`, w()+"_"+w()+"_"+w(), "_"+w()+"_", "2 * 3", "["+w()+"]", "("+w()+")", "``"+w()+"`"+w()+"``", "***"+w()+"***", "a*"+w(), "*"+w()+" _"+w()+"_*"))
		}
		return strings.Join(parts, pick(" ", " ", "\n"))
	}
	indented := func(s, by string) string { return strings.ReplaceAll(s, "\n", "\n"+by) }
	block := func() string {
		switch r.Intn(9) {
		case 0:
			return strings.Repeat("#", 1+r.Intn(6)) + " " + strings.ReplaceAll(inline(), "\n", " ")
		case 1:
			return "- " + indented(inline(), "  ") + "\n- " + indented(inline(), "  ")
		case 2:
			return "1. " + indented(inline(), "   ") + "\n2. " + indented(inline(), "   ")
		case 3:
			return "> " + indented(inline(), "> ")
		case 4:
			return "```go\n" + w() + " *" + w() + "*\n```"
		case 5:
			return w() + " " + w() + "\n" + pick("===", "---")
		case 6:
			return "- " + w() + "\n\n  " + indented(inline(), "  ")
		case 7:
			return "***"
		}
		return inline()
	}
	for i := range 3000 {
		var parts []string
		for range 1 + r.Intn(5) {
			parts = append(parts, block())
		}
		s := strings.Join(parts, "\n\n") + "\n\n[ref]: http://example.org\n"
		check(t, Extract("x.md", s))
		if got, want := ours(s), reference(s); got != want {
			t.Fatalf("document %d:\n%s\n\ngot\n%s\nwant\n%s", i, s, got, want)
		}
	}
}

func BenchmarkGoldmark(b *testing.B) {
	s := corpus(b, "markdown/*.md")
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		reference(s)
	}
}
