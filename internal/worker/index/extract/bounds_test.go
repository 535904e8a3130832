package extract

import (
	"errors"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// hostile are pieces that make scanners look far ahead or back, or nest, when
// they are repeated.
var hostile = []string{
	"a", "a ", "ä", "\n", "\r\n", "a\n", "a\n\n", "[", "]", "[a](", "[a](b)", "![", "[[a]", "[a]:", "[a]: b\n", "[^a]", "(", "*", "**a", "*a* ", "_a ", "`", "`a", "``a` ", "<", "<a", "<a>", "</a>", "<!--", "<!-- -->", "<!--\n-->", "<?", "<script>", "<pre>", "<pre></pre>", "<h1>",
	"&", "&amp;", "&a", "\\", "\\a", "> ", "> a\n", ">", "- ", "- a\n", "1. ", "1. a\n", "#", "# a\n", "```\n", "~~~a\n", "    a\n", "\t", "|", "|a|b|\n", "|-|-|\n", "a|b\n-|-\n", "===\n", "---\n", "a\n===\n", "---\na: b\n", "a: |\n b\n", ":::\n", "{% a %}\n",
	"<div>", "</div>", "<p>", "<li>", "<ul>", "</ul>", "<table>", "<tr><td>a", "<td>", "</table>", "<nav>", "</nav>", "<a href=b>c", "<title>", "<div class=\"nav\">", "<meta name=description content=\"a\">", "<svg>",
	".SH a\n", ".B a\n", ".B\n", ".TP\n", ".IP a\n", ".PP\n", ".nf\n", ".nf\na\n", ".fi\n", ".TS\n", ".de a\n", ".if n \\{\n", ".if t \\{\n", ".el \\{\n", "\\}\n", ".ie n .ie n ", ".Nm\n", ".Nm a\n", ".Op Fl a\n", ".Op Op ", ".Fl Fl ", ".Dq a .\n", ".Fn a b c\n", ".Bl\n", ".It\n", ".El\n", "\\fB", "\\(em", "\\*(", "\\[a]", ".Xr a 1\n",
	"//", "// a\n", "//\n", "/*", "/* a */\n", "/*\n", "*/", "/* a */ b\n", "\"\"\"", "\"\"\"a\n", "'''\n", "# a\n", "--[[", "--[[\n", "{-", "{-\n", "(*", "(*\n", " /*\n", "-- a\n", "x = \"\"\"\n", "`\n", "@a b\n",
	".. a::\n", ".. a::\n  b\n", "a::\n", "a::\n\n", "a::\n b\n", "`a <b>`_ ", ":a:`b` ", "a_ ", ".. |a| b\n", "----\n", "----- \n", "a:b[c] ", "= a\n", "|===\n", ":a: b\n", "[a]\n", "....\n",
	"\\ref{", "\\ref[", "\\begin{a}\n", "\\begin{verbatim}\n", "\\section{a", "\\a{", "\\item\n", "$",
	"License: a\n", "a b c d e f g h\n", "A. ", "a.\n", "(a ", "A B C\n\n", "1.1 A\n\n", "a   b   c\n", "{\"a\":1}", "a,b\n", "--\n", "-- a <b>\n", "2004-01-02 a <b>\n", "From: a\n", "日本語", "ก",
}

// busy is how long this process has had a processor: what else the machine does
// does not count.
func busy(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// openers begin what another mark ends.
var openers = []string{"<!--", "<!--\n", "/*", "/*\n", " /*\n", "--[[", "--[[\n", "{-", "{-\n", "(*", "(*\n", "\"\"\"\n", "'''\n", "x \"\"\"\n", "`\n", "```\n", "\\begin{a}\n", ".de\n"}

// TestHostileInputTakesLinearTime repeats each piece. What takes longer than most
// is held against an eighth of it: 8 times as long is linear, 64 times is not.
func TestHostileInputTakesLinearTime(t *testing.T) {
	const (
		size = 1 << 17
		part = 8
		most = 3 * part
	)
	for _, c := range []struct {
		name, tail string
		pieces     []string
	}{
		{"x.md", "", hostile}, {"x.txt", "", hostile}, {"x.html", "", hostile}, {"x.1", "", hostile}, {"x.go", "", hostile}, {"x.py", "", hostile}, {"x.lua", "", hostile},
		{"x.rst", "", hostile}, {"x.adoc", "", hostile}, {"x.tex", "", hostile}, {"copyright", "", hostile},
		{"x.hs", "", openers}, {"x.ml", "", openers},
		// An end far behind, and one that is none since code follows.
		{"x.md", "-->", openers}, {"x.html", "-->", openers}, {"x.tex", "\\end{a}", openers}, {"x.1", "\n..", openers}, {"x.py", "\"\"\"", openers},
		{"x.go", "*/", openers}, {"x.go", "*/ x", openers}, {"x.go", "*/" + strings.Repeat(" ", size) + "x", openers},
		{"x.lua", "]] x", openers}, {"x.hs", "-} x", openers}, {"x.ml", "*) x", openers},
	} {
		name := c.name
		for _, piece := range c.pieces {
			text := func(size int) string {
				s := strings.Repeat(piece, size/len(piece)) + c.tail
				if name == "x.1" {
					s = ".TH A 1\n" + s
				}
				return s
			}
			// The least of several, and without the collector, whose work would count.
			took := func(s string) time.Duration {
				defer debug.SetGCPercent(debug.SetGCPercent(-1))
				least := time.Duration(math.MaxInt64)
				for range 5 {
					runtime.GC()
					start := busy(t)
					Extract(name, s)
					least = min(least, busy(t)-start)
				}
				return least
			}
			s := text(size)
			start := busy(t)
			d := Extract(name, s)
			if all := busy(t) - start; all > 100*time.Millisecond {
				if small := max(took(text(size/part)), time.Millisecond); all > most*small && took(s) > most*small {
					t.Errorf("%s of %q before %.10q takes %v, an eighth of it %v", name, piece, c.tail, all, small)
				}
			}
			total := 0
			for i := range d.Blocks {
				total += len(d.Blocks[i].Text) + 100
				if len(d.Blocks[i].Path) > limits.BlockNesting {
					t.Errorf("%s of %q: %d headings above a block", name, piece, len(d.Blocks[i].Path))
				}
			}
			if total > 120*len(s) {
				t.Errorf("%s of %q: %d bytes out of %d", name, piece, total, len(s))
			}
		}
	}
}

// TestNestingTakesLinearTime puts pieces in each other, one more level a line.
func TestNestingTakesLinearTime(t *testing.T) {
	for _, piece := range []string{".. note::\n", ".. code::\n", "a::\n", "- a\n", "> a\n", "a\n"} {
		var s strings.Builder
		for i := 0; i < 1000; i++ {
			s.WriteString(strings.Repeat(" ", i))
			s.WriteString(piece)
		}
		for _, name := range []string{"x.rst", "x.md", "x.txt", "x.py"} {
			start := busy(t)
			Extract(name, s.String())
			if took := busy(t) - start; took > 5*time.Second {
				t.Errorf("%s of %q takes %v", name, piece, took)
			}
		}
	}
}

// TestMemoryOfTheLargestText: what is in memory beside the source leaves room
// in a worker of 300 MB.
func TestMemoryOfTheLargestText(t *testing.T) {
	line := "The kettle boils the water in about four minutes, and\nthen it whistles until someone comes. Nobody sleeps.\n\n"
	for name, piece := range map[string]string{
		"paragraphs.txt": line,
		"paragraphs.md":  line,
		"one line.txt":   "word ",
		"one line.md":    "*word* ",
		"one line.html":  "<b>word</b> &amp; ",
		"one line.1":     "\\fBword\\fR ",
		"one line.rst":   "*word* ",
		"one line.json":  "12345,",
		"one word.txt":   "x",
		"lines.log":      "2024-01-01 12:00:00 a line of a log\n",
		"page.html":      "<p>The <b>kettle</b> boils &amp; whistles.</p>\n",
		"one comment.c":  "* word\n",
		"comments.py":    "# some words\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := strings.Repeat(piece, 60<<20/len(piece))
			if name == "one comment.c" {
				s = "/*\n" + s + "*/\n"
			}
			if name == "one line.1" {
				s = ".TH A 1\n" + s
			}
			var before, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			most, parts, size := int64(0), 0, 0
			err := Each(name, s, func(d *doc.Document) error {
				parts++
				for i := range d.Blocks {
					size += len(d.Blocks[i].Text)
				}
				if parts%8 == 1 {
					runtime.GC()
				}
				runtime.ReadMemStats(&now)
				most = max(most, int64(now.HeapAlloc)-int64(before.HeapAlloc))
				return nil
			})
			if err != nil || parts < 8 || size < 20<<20 {
				t.Errorf("%d parts with %d bytes of text, %v", parts, size, err)
			}
			// The collector lets garbage grow to the size of what lives, the
			// source included, unless the process sets a limit.
			if most > 140<<20 {
				t.Errorf("%d MB beside the source", most>>20)
			}
			t.Logf("%d MB beside the source in %d parts", most>>20, parts)
		})
	}
}

// TestPartsAreTheWhole: what Each hands out is what Extract does.
func TestPartsAreTheWhole(t *testing.T) {
	for _, name := range []string{"x.md", "x.html", "x.1", "x.go"} {
		s := strings.Repeat("# Heading\n\nSome *text* with <b>words</b>.\n\n.SH HEAD\n\n// remarks that are long enough to stand alone as a comment\n\nx\n", 60000)
		whole := Extract(name, s)
		var blocks []doc.Block
		parts := 0
		err := Each(name, s, func(d *doc.Document) error {
			check(t, &doc.Document{Source: d.Source, Format: d.Format, Blocks: d.Blocks[:min(50, len(d.Blocks))]})
			if d.Format != whole.Format || d.Title != whole.Title || d.Licence != whole.Licence || d.Language != whole.Language {
				t.Errorf("%s: part %d is %s %q %q", name, parts, d.Format, d.Title, d.Language)
			}
			parts++
			blocks = append(blocks, d.Blocks...)
			return nil
		})
		if err != nil || parts < 2 || len(blocks) != len(whole.Blocks) {
			t.Fatalf("%s: %d parts, %d blocks of %d, %v", name, parts, len(blocks), len(whole.Blocks), err)
		}
		for i := range blocks {
			if a, b := blocks[i], whole.Blocks[i]; a.Text != b.Text || a.End != b.End || !slices.Equal(a.Spans, b.Spans) || !slices.Equal(a.Path, b.Path) {
				t.Fatalf("%s: block %d is %+v, not %+v", name, i, a, b)
			}
		}
		stop := errors.New("stop")
		calls := 0
		if err := Each(name, s, func(*doc.Document) error { calls++; return stop }); err != stop || calls != 1 {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
}
