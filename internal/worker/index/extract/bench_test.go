package extract

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpus joins the documents of a kind until they are a megabyte.
func corpus(b *testing.B, pattern string) string {
	b.Helper()
	files, err := filepath.Glob("testdata/golden/" + pattern)
	if err != nil || len(files) == 0 {
		b.Fatal("no documents", pattern, err)
	}
	var all strings.Builder
	for all.Len() < 1<<20 {
		for _, f := range files {
			s, err := os.ReadFile(f)
			if err != nil {
				b.Fatal(err)
			}
			all.Write(s)
			all.WriteString("\n\n")
		}
	}
	return all.String()
}

func benchmark(b *testing.B, name, pattern string) {
	s := corpus(b, pattern)
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		Extract(name, s)
	}
}

func BenchmarkMarkdown(b *testing.B) { benchmark(b, "x.md", "markdown/*.md") }
func BenchmarkPlain(b *testing.B)    { benchmark(b, "x.txt", "plain/*.txt") }
func BenchmarkHTML(b *testing.B)     { benchmark(b, "x.html", "html/*.html") }
func BenchmarkMan(b *testing.B)      { benchmark(b, "x.1", "man/*.1") }
func BenchmarkMdoc(b *testing.B)     { benchmark(b, "x.8", "man/*.8") }
func BenchmarkSource(b *testing.B)   { benchmark(b, "x.go", "source/*.go") }
