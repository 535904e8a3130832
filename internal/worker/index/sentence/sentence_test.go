package sentence

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/extract"
)

func split(s, language string) []string {
	var out []string
	for s != "" {
		n := Next(s, language)
		out = append(out, strings.TrimSpace(s[:n]))
		s = strings.TrimLeft(s[n:], " ")
	}
	return out
}

// TestRules: a bar stands where a sentence ends.
func TestRules(t *testing.T) {
	for _, c := range []struct{ language, text string }{
		{"en", "It boils. | It cools! | Does it? | Yes."},
		{"en", "Mr. Smith met Dr. Jones at St. Mary's. | They spoke."},
		{"en", "See e.g. The Times, i.e. a newspaper. | It is old, cf. Fig. 3 and No. 5."},
		{"en", "J. R. R. Tolkien wrote it. | So did C. S. Lewis."},
		{"en", "It costs 3.50 pounds. | Version 1.2.3 is out. | Read foo.bar and www.example.org/a.html first."},
		{"en", "He lives in the U.S. Army base. | He left the U.S. | The next day he died."},
		{"en", "Bring pens, paper, etc. and wait. | Bring pens, etc. | They help."},
		{"en", "\"Stop!\" | She stopped. | \"Why?\" he asked. | (It was late.) | Then she left."},
		{"en", "Wait... | Then go. | Wait... and see … now. | He said “no.” | She left."},
		{"en", "It works (see foo. Bar does too) well. | Done."},
		{"en", "Set x. | The value is used. | Part I. | The beginning."},
		{"en", "It ended in 1999. | The next year was better. | There were 12. | That is all."},
		{"en", "1. Open it. | Close it."},
		{"en", "Run apt-get. | apt-get asks. | Call read_all(). | printf() prints."},
		{"en", "Is it? yes. | Yahoo! is a name."},
		{"en", "Vol. 3, pp. 5 and Sec. 2.1 say so. | The max. is 5. | I said No. | The end."},
		{"de", "Am 3. Oktober kam er. | Das war z. B. gut, d.h. schön. | Dr. Müller sagte bzw. schrieb es. | Im 19. Jahrhundert war es usw. | Dann ging er."},
		{"de", "Er zahlte ca. 5,50 Euro. | Siehe Abb. 3 und Nr. 7. | »Nein.« | Er ging."},
		{"fr", "M. Dupont est là. | Cf. p. 12, art. 3. | « Bonjour ! » | Il part, p.ex. demain. | Mme. Curie reste."},
		{"es", "¿Qué hora es? | ¡Vamos! | El Sr. García y la Sra. López vienen, p. ej. mañana. | Fin."},
		{"it", "Il Sig. Rossi è qui, ecc. Vedi pag. 3. | Che bello!"},
		{"ru", "Он пришёл. | Она ушла, т.е. уехала. | См. рис. 3. | А. С. Пушкин писал. | Конец?"},
		{"zh", "今天天气很好。|我们去公园吧！|好吗？|他说：“不去。”|然后走了。"},
		{"ja", "これはペンです。|「行きます。」と言った。|本当？|はい（多分。）|終わり。"},
		{"ar", "هل هذا صحيح؟ | نعم. | شكرا"},
		{"hi", "यह अच्छा है। | वह गया।"},
		{"", "One sentence without a stop"},
		{"", ". A stop alone."},
	} {
		want := strings.Split(strings.ReplaceAll(c.text, " | ", "|"), "|")
		joined := strings.ReplaceAll(c.text, " | ", " ")
		joined = strings.ReplaceAll(joined, "|", "")
		if got := split(joined, c.language); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%q\nwant\n%q", c.language, got, want)
		}
	}
}

func TestThaiIsCutAtSpaces(t *testing.T) {
	s := strings.Repeat("ภาษาไทยเขียนติดกันโดยไม่เว้นวรรคระหว่างคำ ", 10)
	if got := split(s, "th"); len(got) < 5 {
		t.Errorf("%d parts", len(got))
	}
}

func TestLongSentencesEndAtClauses(t *testing.T) {
	clauses := strings.TrimSpace(strings.Repeat("this clause has some words; ", 40))
	for _, p := range split(clauses, "en") {
		if utf8.RuneCountInString(p) > limits.SentenceText || !strings.HasSuffix(p, ";") {
			t.Errorf("%d characters: %+v", utf8.RuneCountInString(p), p)
		}
	}
	for name, s := range map[string]string{"no space": strings.Repeat("x", 5000), "no space, wide": strings.Repeat("語", 5000), "words": strings.Repeat("word ", 1000), "commas": strings.Repeat("語語語、", 1000)} {
		total := 0
		for _, p := range split(s, "") {
			n := utf8.RuneCountInString(p)
			total += len(strings.ReplaceAll(p, " ", ""))
			if n > limits.SentenceText || n == 0 {
				t.Errorf("%s: a part of %d characters", name, n)
			}
		}
		if total != len(strings.ReplaceAll(s, " ", "")) {
			t.Errorf("%s: %d of %d bytes are left", name, total, len(s))
		}
	}
	exact := strings.Repeat("a ", limits.SentenceText/2-1) + "bc"
	if got := split(exact, ""); len(got) != 1 {
		t.Errorf("a sentence of the longest length was cut: %d", len(exact))
	}
}

// TestCitations: what is cited is the sentence, at its lines.
func TestCitations(t *testing.T) {
	const source = "# Kettle\n\nThe *kettle* boils. It is\nhot &amp; loud.\n\n> Do not\n> touch it. Ever.\n\n- An item\n  goes on.\n\n```\nNot. This.\n```\n"
	d := extract.Extract("a.md", source)
	type cite struct {
		text, quote string
		line, last  int
	}
	var got []cite
	for _, s := range Split(d) {
		got = append(got, cite{s.Text, d.Source[s.Start:s.End], s.Line, s.Last})
	}
	want := []cite{
		{"The kettle boils.", "The *kettle* boils.", 3, 3},
		{"It is hot & loud.", "It is\nhot &amp; loud.", 3, 4},
		{"Do not touch it.", "Do not\n> touch it.", 6, 7},
		{"Ever.", "Ever.", 7, 7},
		{"An item goes on.", "An item\n  goes on.", 9, 10},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	n := 0
	Each(d, func(doc.Sentence) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("Each went on after false: %d", n)
	}
}

func TestJunk(t *testing.T) {
	for text, want := range map[string]bool{
		"The kettle boils the water in about four minutes.":           false,
		"Fill it with water and close the lid.":                       false,
		"Der Kessel kocht das Wasser in vier Minuten.":                false,
		"La bouilloire chauffe l'eau en quatre minutes.":              false,
		"Чайник кипятит воду за четыре минуты.":                       false,
		"このやかんは四分でお湯を沸かします。":                                          false,
		"这个水壶四分钟就能把水烧开。":                                              false,
		"Copyright (C) 2023 The Kettle Authors and others.":           true,
		"This program comes with ABSOLUTELY NO WARRANTY of any kind.": true,
		"kettle [-qv] [-f file] name ...":                             true,
		"-q, --quiet Be quiet.":                                       true,
		"Anna Berg, Carl Dahl, Eva Falk, Gustav Holm, Ida Juhl":       true,
		"The options are:": true,
		"For more information see the following list:":                    true,
		"https://example.org/kettle/index.html":                           true,
		"See also":                                                        true,
		"x = y + z; if (a) { b(); }":                                      true,
		"1.2 3.4 5.6 7.8 9.0 1.2":                                         true,
		"Table of Contents of the whole manual and its parts":             true,
		"foo_bar baz_qux quux_corge grault_garply waldo_fred plugh_xyzzy": true,
		"": true,
	} {
		if Junk(text) != want {
			t.Errorf("Junk(%q) = %v", text, !want)
		}
	}
}

func TestComplete(t *testing.T) {
	for text, want := range map[string]bool{
		"It boils.": true, "“It boils.”": true, "Really?": true, "終わり。": true, "Конец.": true,
		"it boils.": false, "It boils": false, "It boils...": false, "It boils:": false, "": false, "…": false,
	} {
		if Complete(text) != want {
			t.Errorf("Complete(%q) = %v", text, !want)
		}
	}
}

// letters are what must be left of a quoted source, in its order.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// FuzzCitations: every sentence's range lies in the source, holds its letters
// in order, and its lines are those of the range.
func FuzzCitations(f *testing.F) {
	for _, s := range []string{"A b. C d.", "# H\n\nA *b*. C\nd.", "<p>A &amp; b. C&eacute;.</p>", ".TH A 1\n.SH N\nA \\fBb\\fR. C.", "// A b. C d.\nx()", "a\n===\n\nB c. D", "- a. B\n- c", "日本語。です。", "> A\n> b. C", strings.Repeat("word ", 300)} {
		for i := range 6 {
			f.Add(uint(i), s)
		}
	}
	names := []string{"a.md", "a.txt", "a.html", "a.1", "a.go", "a.rst"}
	f.Fuzz(func(t *testing.T, n uint, source string) {
		source = strings.ToValidUTF8(source, "\uFFFD")
		d := extract.Extract(names[n%uint(len(names))], source)
		lines := doc.NewLines(d.Source)
		for _, s := range Split(d) {
			if s.Start < 0 || s.End > len(d.Source) || s.Start >= s.End {
				t.Fatalf("%q at %d:%d of %d", s.Text, s.Start, s.End, len(d.Source))
			}
			quote := d.Source[s.Start:s.End]
			if !utf8.ValidString(quote) || strings.TrimSpace(s.Text) == "" {
				t.Fatalf("%q is cited as %q", s.Text, quote)
			}
			if utf8.RuneCountInString(s.Text) > limits.SentenceText {
				t.Fatalf("%d characters", utf8.RuneCountInString(s.Text))
			}
			if s.Line != lines.At(s.Start) || s.Last != lines.At(s.End-1) {
				t.Fatalf("%q at lines %d-%d, not %d-%d", s.Text, lines.At(s.Start), lines.At(s.End-1), s.Line, s.Last)
			}
			if d.Format != doc.Plain && d.Format != doc.Source {
				continue
			}
			if rest := letters(quote); letters(s.Text) != rest {
				t.Fatalf("%q is cited as %q", s.Text, quote)
			}
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	d := extract.Extract("a.txt", strings.Repeat("The kettle boils, e.g. in v1.2, for Dr. Jones. It is hot\nand loud (see fig. 3). Do not touch it!\n\n", 10000))
	b.SetBytes(int64(len(d.Source)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		Each(d, func(doc.Sentence) bool { n++; return true })
		if n != 30000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkJunk(b *testing.B) {
	const s = "The kettle boils the water in about four minutes, and nobody in the house can sleep."
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Junk(s)
	}
}
