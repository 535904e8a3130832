package fold

import "testing"

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
