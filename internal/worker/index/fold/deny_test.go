package fold

import (
	"strings"
	"testing"
)

func TestNumeral(t *testing.T) {
	for _, x := range []struct{ form, lang, want string }{
		{"twelve", "en", "12"}, {"twelve", "", "12"}, {"zwolf", "de", "12"}, {"zweiundvierzig", "de", "42"}, {"einundzwanzig", "de", "21"}, {"quinze", "fr", "15"},
		{"once", "es", "11"}, {"once", "en", ""}, {"ein", "de", ""}, {"hundert", "de", "100"}, {"hund", "de", ""}, {"und", "de", ""}, {"zweiundelf", "de", ""}, {"twelve", "ja", ""},
	} {
		if got := Numeral(x.form, x.lang); got != x.want {
			t.Errorf("%s in %q: %q, want %q", x.form, x.lang, got, x.want)
		}
	}
}

func TestNumerals(t *testing.T) {
	for text, want := range map[string]string{
		"1,5 and 1.5":                     "1.5 1.5",
		"1,500 and 1500 and 1.500":        "1500 1500 1.500",
		"5.000,25 and 5,000.25":           "5000.25 5000.25",
		"12,500,000 and 12.500.000":       "12500000 12500000",
		"3.14.2, 3.5.2024.":               "3.14.2 3.5.2024",
		"-5 −5 –5 ﹣5 －5 minus 5 Minus  5": "-5 -5 -5 -5 -5 -5 -5",
		"3-5, 3–5, v-2, a -5":             "3 5 3 5 2 -5",
		"port9090x ½ 2½ 10² Ⅷ ٥٥":         "9090 ½ 2½ 10² Ⅷ ٥٥",
		"$5 5 €":                          "$ 5 5 €",
		"- - no,. 1, 2. ":                 "1 2",
		"":                                "",
	} {
		if got := strings.Join(Numerals(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestClaims(t *testing.T) {
	f := New()
	for _, x := range []struct {
		one, other string
		differ     bool
	}{
		{"Open the valve of pump 3.", "Open the valve of pump 4.", true},
		{"Open the valve of pump 3.", "open the Valve of a pump three", false},
		{"Open the valve of pump 3.", "Open the valve of the pump.", true},
		{"Open the valve of the pump.", "Don\u00b4t open the valve of the pump.", true},
		{"Open the valve of the pump.", "You can't open the valve of the pump.", true},
		{"Anna-Lena opens the valve.", "Anna Lena opens the valve.", false},
		{"Anna opens the valve.", "Bob opens the valve.", true},
		{"Use version v2.", "Use version v3.", true},
		{"", "", false},
	} {
		a, b := f.Claims(x.one, "en"), f.Claims(x.other, "en")
		if a.Differs(b) != x.differ || b.Differs(a) != x.differ {
			t.Errorf("%q and %q: %v", x.one, x.other, a.Differs(b))
		}
	}
}
