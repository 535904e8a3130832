package layout

import (
	"runtime"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/worker/pdf/pdfium"
)

// ln is a line of 11 points in a column from 72 to 520.
func ln(x, y float64, text string) pdfium.Line {
	return pdfium.Line{Text: text, Left: x, Right: min(520, x+5.5*float64(len(text))), Base: y, Size: 11}
}

const full = "A line that is so long that it reaches from one edge of the column to the other one, or"

func texts(lines ...pdfium.Line) []string {
	var out []string
	for _, p := range Paragraphs(lines) {
		s := p.Text
		if p.Heading {
			s = "# " + s
		}
		out = append(out, s)
	}
	return out
}

func TestParagraphs(t *testing.T) {
	head := pdfium.Line{Text: "A heading", Left: 72, Right: 150, Base: 760, Size: 16}
	for name, c := range map[string]struct {
		lines []pdfium.Line
		want  string
	}{
		"nothing":       {nil, ""},
		"blank lines":   {[]pdfium.Line{ln(72, 700, " \t\u00a0")}, ""},
		"one":           {[]pdfium.Line{ln(72, 700, full), ln(72, 686, full), ln(72, 672, "the end.")}, full + " " + full + " the end."},
		"a gap":         {[]pdfium.Line{ln(72, 700, full), ln(72, 686, full), ln(72, 658, full), ln(72, 644, full)}, full + " " + full + "|" + full + " " + full},
		"an indent":     {[]pdfium.Line{ln(72, 700, full), ln(72, 686, full+" end."), ln(84, 672, full), ln(72, 658, full)}, full + " " + full + " end.|" + full + " " + full},
		"a short end":   {[]pdfium.Line{ln(72, 700, full), ln(72, 686, "ends here."), ln(72, 672, full), ln(72, 658, full)}, full + " ends here.|" + full + " " + full},
		"a heading":     {[]pdfium.Line{head, ln(72, 740, full), ln(72, 726, full)}, "# A heading|" + full + " " + full},
		"items":         {[]pdfium.Line{ln(72, 700, "• one"), ln(72, 686, "• two"), ln(84, 672, "and more"), ln(72, 658, "– three")}, "• one|• two and more|– three"},
		"a broken word": {[]pdfium.Line{ln(72, 700, full+" ket-"), ln(72, 686, "tle boils")}, full + " kettle boils"},
		"a hyphen":      {[]pdfium.Line{ln(72, 700, full+" Anglo-"), ln(72, 686, "Saxon")}, full + " Anglo-Saxon"},
		"pdfium's mark": {[]pdfium.Line{ln(72, 700, "ket\ufffetle and ket\ufffe"), ln(72, 686, "tle")}, "kettle and kettle"},
		"a column":      {[]pdfium.Line{ln(72, 700, full), ln(72, 686, "which goes"), ln(320, 700, "on in the next"), ln(320, 686, "column.")}, full + " which goes on in the next column."},
		"next column":   {[]pdfium.Line{ln(72, 700, full), ln(72, 686, "It ends."), ln(320, 700, "Another one"), ln(320, 686, "begins.")}, full + " It ends.|Another one begins."},
		"cells":         {[]pdfium.Line{ln(72, 700, "left"), ln(300, 700, "right")}, "left|right"},
		"controls":      {[]pdfium.Line{ln(72, 700, "a\u0007b \xff c\ufeff")}, "a b c"},
		"no places":     {[]pdfium.Line{{Text: "one"}, {Text: "two"}}, "one two"},
	} {
		if got := strings.Join(texts(c.lines...), "|"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// FuzzParagraphs: whatever the places, no word is lost or made up.
func FuzzParagraphs(f *testing.F) {
	f.Add("a b\nc d", 1.0, 2.0, 3.0)
	f.Add("x", 1e308, -1e308, 0.0)
	f.Fuzz(func(t *testing.T, s string, x, y, size float64) {
		var lines []pdfium.Line
		want := 0
		for i, l := range strings.Split(s, "\n") {
			lines = append(lines, pdfium.Line{Text: l, Left: x * float64(i%3), Right: x + y, Base: y * float64(i), Size: size})
			for _, r := range clean(l) {
				if letter(r) {
					want++
				}
			}
		}
		got := 0
		for _, p := range Paragraphs(lines) {
			for _, r := range p.Text {
				if letter(r) {
					got++
				}
			}
		}
		if got != want {
			t.Errorf("%d letters of %d", got, want)
		}
	})
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// The lines of a paragraph are put together in memory that grows with the page: no
// line has all those before it copied.
func TestBrokenWordsTakeLinearMemory(t *testing.T) {
	taken := func(n int) uint64 {
		lines := make([]pdfium.Line, n)
		for i := range lines {
			lines[i].Text = []string{"ab-", "ab\u0002"}[i%2]
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if p := Paragraphs(lines); len(p) != 1 || len(p[0].Text) < 2*n {
			t.Fatalf("%d paragraphs", len(p))
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	const n = 2000
	if small, large := taken(n), taken(8*n); large > 16*small {
		t.Errorf("%d bytes for %d lines, %d for eight times as many", small, n, large)
	}
}
