package visible_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/bailey-run/bailey/internal/visible"
)

// attacks are what other prompts let through: each is
// shown, none acts.
func attacks() []string {
	return []string{
		"\x1b[2K\x1b[1A harmless", "\x1b]8;;http://evil\x07click\x1b]8;;\x07", "\x9b31m", "\u009b31m",
		"a\nb", "a\rb", "a\tb", "a\x00b", "a\x7fb",
		"photo\u202egpj.exe", "a\u2066b\u2069", "a\u200bb", "a\u200db", "a\ufeffb", "a\u00adb", "a\u2060b", "\U000e0041",
		"\u3164", "\u115f", "\uffa0", "\u2800", "\u034f", "a\ufe0f", "\u180e", "a\u2028b", "a\u2029b", "a\u00a0b",
		"\xff\xfe", "a\xc0\xaf", "\xed\xa0\x80", "\ue000",
		"a" + strings.Repeat("\u0301", 40), "\u0301a",
	}
}

// acts reports whether a terminal could do anything with s but draw it.
func acts(s string) bool {
	if !utf8.ValidString(s) {
		return true
	}
	for _, r := range s {
		if r != ' ' && !unicode.IsPrint(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || r == '\u2800' {
			return true
		}
	}
	return false
}

func TestAttacksAreShown(t *testing.T) {
	for _, a := range attacks() {
		if !acts(a) && !strings.Contains(a, "\u0301") && !strings.Contains(a, "\ufe0f") {
			t.Errorf("%+q is no attack: the test would pass without protection", a)
		}
		for what, got := range map[string]string{"Name": visible.Name(a), "Path": visible.Path(a)} {
			if acts(got) || got == a {
				t.Errorf("%s(%+q) = %+q", what, a, got)
			}
		}
	}
}

func TestName(t *testing.T) {
	for _, c := range [][2]string{
		{"/home/u/Grüße – 日本語 (1).md", "/home/u/Grüße – 日本語 (1).md"},
		{"a\x1b[31m", `a\x1b[31m`},
		{`a\x1b[31m`, `a\\x1b[31m`},
		{"a\u202eb", `a\u202eb`},
		{"\U000e0041", `\U000e0041`},
		{"\xff", `\xff`},
		{"a\nb\tc\rd", `a\nb\tc\rd`},
		{"x\u0301", "x\u0301"},
		{"\u0301", `\u0301`},
		{"", ""},
		{"my tax papers", "my tax papers"},
		{"/home/u/My Documents/to do (2)", "/home/u/My Documents/to do (2)"},
		{" a", `\u0020a`},
		{"/home/u/Documents ", `/home/u/Documents\u0020`},
		{"/home/u /Documents", `/home/u\u0020/Documents`},
		{"/home/u/ Documents", `/home/u/\u0020Documents`},
		{"a  b", `a \u0020b`},
		{"a   é", `a \u0020\u0020é`},
		{" ", `\u0020`},
		{`a\u0020`, `a\\u0020`},
	} {
		if got := visible.Name(c[0]); got != c[1] {
			t.Errorf("Name(%+q) = %+q, want %+q", c[0], got, c[1])
		}
	}
}

// Two names that are canonically equal (UAX #15) are drawn alike by a terminal;
// the one that is not in the composed form is shown as what it is.
func TestEqualNamesLookDifferent(t *testing.T) {
	for _, c := range [][2]string{
		{"caf\u00e9", "caf\u00e9"},
		{"cafe\u0301", `cafe\u0301`},
		{"/r\u00e9sum\u00e9/cafe\u0301.md", "/r\u00e9sum\u00e9" + `/cafe\u0301.md`},
		{"\u212b and \u00c5", `\u212b and ` + "\u00c5"},
		{"\ud55c", "\ud55c"},
		{"\u1112\u1161\u11ab", `\u1112\u1161\u11ab`},
		{"a\u0301\u0323", `a\u0301\u0323`},
		{"\u0928\u0940", "\u0928\u0940"}, // Hindi is written with marks and stays
	} {
		if got := visible.Name(c[0]); got != c[1] {
			t.Errorf("Name(%+q) = %+q, want %+q", c[0], got, c[1])
		}
		if got := visible.Path(c[0]); got != c[1] {
			t.Errorf("Path(%+q) = %+q, want %+q", c[0], got, c[1])
		}
	}
	if got := visible.Text("cafe\u0301"); got != "cafe\u0301" {
		t.Errorf("a sentence became %+q", got)
	}
}

func TestText(t *testing.T) {
	for _, c := range [][2]string{
		{"  two\n\n  lines\tand\u00a0more ", "two lines and more"},
		{"می\u200cخواهم", "می\u200cخواهم"},
		{"👩\u200d🔬 ☂\ufe0f", "👩\u200d🔬 ☂\ufe0f"},
		{"red \x1b[31m", `red \x1b[31m`},
		{"a\u202eb", `a\u202eb`},
		{`C:\x`, `C:\x`},
	} {
		if got := visible.Text(c[0]); got != c[1] {
			t.Errorf("Text(%+q) = %+q, want %+q", c[0], got, c[1])
		}
	}
}

// FuzzName: what is shown cannot act, and can be read back to the very bytes.
func FuzzName(f *testing.F) {
	for _, a := range attacks() {
		f.Add(a)
	}
	f.Add(`\\x1b \u202e \`)
	f.Fuzz(func(t *testing.T, s string) {
		shown := visible.Name(s)
		if acts(shown) {
			t.Fatalf("%+q is shown as %+q", s, shown)
		}
		// The form is Go's quoting, so Go's own parser reads it back.
		back, err := strconv.Unquote(`"` + strings.ReplaceAll(shown, `"`, `\"`) + `"`)
		if err != nil || back != s {
			t.Fatalf("%+q is shown as %+q and read back as %+q (%v)", s, shown, back, err)
		}
		if acts(visible.Path(s)) {
			t.Fatalf("Path(%+q) = %+q", s, visible.Path(s))
		}
		if !norm.NFC.IsNormalString(shown) {
			t.Fatalf("Name(%+q) = %+q, which has an equal", s, shown)
		}
		for _, r := range visible.Text(s) {
			if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
				t.Fatalf("Text(%+q) holds %U", s, r)
			}
		}
	})
}

// FuzzJSON: the value stays, and nothing in it acts.
func FuzzJSON(f *testing.F) {
	for _, a := range attacks() {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, s string) {
		in, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		out := visible.JSON(in)
		var was, is map[string]string
		if json.Unmarshal(in, &was) != nil || json.Unmarshal(out, &is) != nil {
			t.Fatalf("%q does not decode", out)
		}
		for k, v := range was {
			if is[k] != v {
				t.Fatalf("%+q became %+q", was, is)
			}
		}
		if acts(string(out)) {
			t.Fatalf("%+q", out)
		}
	})
}
