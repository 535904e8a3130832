package fold

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Numeral returns the digits of a number word, folded, in a language; empty when
// it is none. What is an article too ("ein", "un") is none.
func Numeral(form, lang string) string {
	if n := numeral(form, lang); n != "" || lang != "de" {
		return n
	}
	// einundzwanzig
	if unit, ten, ok := strings.Cut(form, "und"); ok {
		u, t := numeral(unit, lang), numeral(ten, lang)
		if unit == "ein" {
			u = "1"
		}
		if len(u) == 1 && len(t) == 2 && t[1] == '0' {
			return t[:1] + u
		}
	}
	return ""
}

func numeral(form, lang string) string {
	for entry := range strings.FieldsSeq(numberWords(lang)) {
		if word, digits, _ := strings.Cut(entry, "="); word == form {
			return digits
		}
	}
	return ""
}

// numberWords lists the number words of a language; of a language that is not
// known, those of English.
func numberWords(lang string) string {
	switch lang {
	case "", "en":
		return `zero=0 one=1 two=2 three=3 four=4 five=5 six=6 seven=7 eight=8 nine=9 ten=10 eleven=11 twelve=12 thirteen=13 fourteen=14
fifteen=15 sixteen=16 seventeen=17 eighteen=18 nineteen=19 twenty=20 thirty=30 forty=40 fifty=50 sixty=60 seventy=70 eighty=80 ninety=90
hundred=100 thousand=1000 million=1000000 billion=1000000000 trillion=1000000000000 dozen=12 half=0.5`
	case "de":
		return `null=0 eins=1 zwei=2 zwo=2 drei=3 vier=4 funf=5 fuenf=5 sechs=6 sieben=7 acht=8 neun=9 zehn=10 elf=11 zwolf=12 zwoelf=12 dreizehn=13
vierzehn=14 funfzehn=15 fuenfzehn=15 sechzehn=16 siebzehn=17 achtzehn=18 neunzehn=19 zwanzig=20 dreissig=30 vierzig=40 funfzig=50
fuenfzig=50 sechzig=60 siebzig=70 achtzig=80 neunzig=90 hundert=100 einhundert=100 tausend=1000 eintausend=1000 million=1000000 millionen=1000000 milliarde=1000000000 milliarden=1000000000 dutzend=12 anderthalb=1.5
halb=0.5 halbe=0.5 halben=0.5 halber=0.5 halbes=0.5`
	case "fr":
		return `zero=0 deux=2 trois=3 quatre=4 cinq=5 six=6 sept=7 huit=8 neuf=9 dix=10 onze=11 douze=12 treize=13 quatorze=14 quinze=15 seize=16
vingt=20 trente=30 quarante=40 cinquante=50 soixante=60 septante=70 nonante=90 cent=100 mille=1000 million=1000000 millions=1000000 milliard=1000000000 milliards=1000000000 douzaine=12 demi=0.5 demie=0.5`
	case "es":
		return `cero=0 dos=2 tres=3 cuatro=4 cinco=5 seis=6 siete=7 ocho=8 nueve=9 diez=10 once=11 doce=12 trece=13 catorce=14 quince=15
dieciseis=16 diecisiete=17 dieciocho=18 diecinueve=19 veinte=20 treinta=30 cuarenta=40 cincuenta=50 sesenta=60 setenta=70 ochenta=80
noventa=90 cien=100 ciento=100 mil=1000 millon=1000000 millones=1000000 docena=12 medio=0.5 media=0.5`
	}
	return ""
}

var (
	// thousands are digits with a mark at each third of them.
	thousands       = regexp.MustCompile(`^\d{1,3}(,\d{3})+(\.\d+)?$`)
	thousandsByDots = regexp.MustCompile(`^\d{1,3}(\.\d{3})+(,\d+|\.\d{3})$`)
)

// Numerals are the numbers of a text that are written in digits, of any script, and
// fractions, each with the minus before it and whatever word it is a part of, as
// in "port9090"; and the signs of currencies. Folding keeps neither a sign nor
// the comma of "1,5", which is "1.5" here, as 1,500 is "1500".
func Numerals(text string) []string {
	var out []string
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case unicode.Is(unicode.Sc, r):
			out = append(out, string(r))
		case unicode.Is(unicode.N, r):
			n = numeralEnd(text[i:])
			v := text[i : i+n]
			switch {
			case thousands.MatchString(v):
				v = strings.ReplaceAll(v, ",", "")
			case thousandsByDots.MatchString(v):
				v = strings.ReplaceAll(v, ".", "")
			}
			v = strings.ReplaceAll(v, ",", ".")
			if negative(text[:i]) {
				v = "-" + v
			}
			out = append(out, v)
		}
		i += n
	}
	return out
}

// numeralEnd is the length of the number that text begins with: a dot or a comma
// goes on with it between digits.
func numeralEnd(text string) int {
	i := 0
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !unicode.Is(unicode.N, r) && !((r == '.' || r == ',') && digit(text[i-1]) && i+1 < len(text) && digit(text[i+1])) {
			break
		}
		i += n
	}
	return i
}

// digits reports a numeral of ASCII digits alone.
func digits(numeral string) bool {
	return strings.Trim(numeral, "0123456789") == ""
}

// negative reports whether before ends with a minus, in a sign that joins no
// words or in the word.
func negative(before string) bool {
	if words := strings.Fields(before); len(words) > 0 && strings.HasSuffix(before, " ") {
		w := strings.ToLower(words[len(words)-1])
		return w == "minus" || w == "moins" || w == "menos"
	}
	r, n := utf8.DecodeLastRuneInString(before)
	if !minus(r) {
		return false
	}
	r, _ = utf8.DecodeLastRuneInString(before[:len(before)-n])
	return len(before) == n || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !minus(r)
}

func minus(r rune) bool {
	switch r {
	case '-', '−', '–', '﹣', '－', '‐', '‑', '⁻', '➖':
		return true
	}
	return false
}

// Measure is a number with a word beside it, or another number: what it counts, the
// month of a day, what has the number.
type Measure struct {
	Number, Word string
	// Unit says that the word stands right behind.
	Unit bool
}

// Pair is what two measures have in common that say the same.
func (m Measure) Pair() string { return m.Number + " " + m.Word }

// Measures are those of a sentence whose two stand at most within words apart.
func Measures(tokens []Token, lang string, within int) []Measure {
	type word struct {
		text               string
		number, name, year bool
	}
	ws := make([]word, len(tokens)) // without a text: none
	for i, t := range tokens {
		if t.Kind == Whole || t.Kind == Pair || t.Stop && !t.Capital {
			continue
		}
		w := word{text: t.Text, number: t.Kind == Number, name: t.Capital}
		if n := Numeral(t.Form, lang); n != "" && t.Kind == Word {
			w.text, w.number = n, true
		}
		w.year = w.number && len(w.text) == 4 && digits(w.text)
		ws[i] = w
	}
	var out []Measure
	for i, a := range ws {
		for j, b := range ws[i+1 : min(len(ws), i+1+within)] {
			switch {
			case a.text == "" || b.text == "" || !a.number && !b.number:
			case within == 1 && a.year && b.name: // In 1987 Ada …
			case a.number && b.number:
				out = append(out, Measure{Number: min(a.text, b.text), Word: max(a.text, b.text)})
			case a.number:
				out = append(out, Measure{Number: a.text, Word: b.text, Unit: j == 0})
			default:
				out = append(out, Measure{Number: b.text, Word: a.text})
			}
		}
	}
	return out
}
