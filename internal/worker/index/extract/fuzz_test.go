package extract

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// names are file names, one for each scanner.
var names = []string{"x.md", "x.mdx", "x.txt", "README", "x.html", "x.docbook", "x.1", "x.go", "x.py", "x.c", "x.sql", "x.lua", "x.hs", "x.yaml", "x.json", "x.csv", "x.rst", "x.adoc", "x.xml", "LICENSE", "copyright", "x.tex", "x.lock"}

// seeds are the golden documents and what has hurt scanners like these.
func seeds(f *testing.F) []string {
	files, err := filepath.Glob("testdata/golden/*/*")
	if err != nil || len(files) == 0 {
		f.Fatal("no documents", err)
	}
	var out []string
	for _, name := range files {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, string(b))
	}
	return append(out, "", "\n", "\r\n\r", "\x00", "a", "---\n", "---\ntitle: x", "+++\na=1\n+++\n", "[", "[[[[", "](", "![a](b)[c]", "*a **b* c**", "`", "``a`", "<", "<!--", "<a", "&amp", "&#x110000;", "&nbsp;a&nbsp;",
		"> > a\n> b\n", "- - - a", "1. 2) a", "```", "~~~\n```", "    a\n\tb", "a\n===", "|a|b|\n|-|-|\n|c|", "<p>a<p>b</div>", "<script>", "<pre>\n\n", "<table><tr><td>a<tr>b</table>", "<title>", "<nav><a>b",
		".TH", ".SH\n.SH", ".B \"a", ".if n \\{", ".ie t a\n.el b", "\\", "a\\f", "\\*(", "\\[", ".TP\n", ".nf", ".TS", ".Nm\n.Nm a\n.Nm", ".Fl", ".Op Fl a Ns", ".Fn a \"b\" c", ".Dq a .", "'\\\"", ".de x\n..", ".Xr a 1 ,",
		"/*", "/* a", "/*\n*\n*/", "//", "\"\"\"", "'''a'''", "# a\n#\n# b", "--[[ a ]]", "{- a -}", "..", ".. a::\n\n  b", "a::\n\n b", "`a <b>`_", ":a:`b`", "----\na\n----", "|===\na", "= a\n", "[a]\nb",
		strings.Repeat("a ", 10000), strings.Repeat("ä", 20000), strings.Repeat("x", 40000), strings.Repeat("-", 5000), strings.Repeat(" ", 5000)+"\n.TH X 1\n", "日本語。テキスト", "\u2028a\u2029b", "a\u00a0 \u00a0b", "\ufeffa", "e\u0301", "License: \nLicense: a\n")
}

func FuzzExtract(f *testing.F) {
	for _, s := range seeds(f) {
		for i := range names {
			f.Add(uint(i), s)
		}
	}
	f.Fuzz(func(t *testing.T, n uint, source string) {
		source = strings.ToValidUTF8(source, "\uFFFD")
		check(t, Extract(names[n%uint(len(names))], source))
	})
}

// FuzzSource looks closer at what the languages' comments leave open.
func FuzzSource(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if !utf8.ValidString(source) {
			return
		}
		for _, name := range []string{"x.js", "x.rs", "x.pyi", "x.ml", "x.bat", "x.vim", "x.el", "x.erl"} {
			check(t, Extract(name, source))
		}
	})
}

var corpusDir = flag.String("corpus", "../../../..", "directory whose files the promises are tested on")

// TestCorpus holds real files against what every document promises: the
// repository itself, or another directory by -corpus.
func TestCorpus(t *testing.T) {
	n := 0
	err := filepath.WalkDir(*corpusDir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() && strings.HasPrefix(e.Name(), ".git") {
			return fs.SkipDir
		}
		if info, err := e.Info(); err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil || !utf8.Valid(b) {
			return nil
		}
		n++
		d := Extract(path, string(b))
		check(t, d)
		if t.Failed() {
			t.Fatalf("in %s", path)
		}
		return nil
	})
	if err != nil || n < 20 {
		t.Errorf("%d files read, %v", n, err)
	}
}
