package fold

import "strings"

// Denies reports a word, folded, that makes what follows its contrary, in the
// languages whose common words this package knows.
func Denies(form string) bool {
	switch form {
	case "not", "no", "never", "none", "neither", "nor", "cannot", "without", "nothing", "nobody", "nowhere", "hardly", "scarcely", "barely",
		"rarely", "seldom", "except", "unless", "forbidden", "prohibited",
		"nicht", "nichts", "niemand", "niemandem", "niemanden", "niemandes", "kein", "keine", "keinen", "keiner", "keinem", "keines", "keins",
		"keinerlei", "keinesfalls", "keineswegs", "nie", "niemals", "nirgends", "nirgendwo", "nimmer", "weder", "kaum", "selten", "ohne",
		"ausser", "ausgenommen", "verboten", "untersagt",
		"ne", "pas", "rien", "personne", "jamais", "aucun", "aucune", "nul", "nulle", "guere", "sans", "sauf", "ni", "interdit", "interdite",
		"non", "nada", "nadie", "nunca", "jamas", "sin", "ningun", "ninguno", "ninguna", "tampoco", "apenas", "excepto", "salvo", "prohibido", "prohibida",
		"senza", "mai", "nessun", "nessuno", "nessuna", "niente", "nulla",
		"nao", "sem", "nem", "ninguem", "nenhum", "nenhuma",
		"niet", "niets", "geen", "nooit", "nergens", "zonder",
		"inte", "icke", "ikke", "ikkje", "aldrig", "aldri", "ingen", "inget", "inga", "intet", "ingenting", "varken", "hverken", "utan", "uten", "uden",
		"не", "нет", "ни", "никто", "ничего", "ничто", "нигде", "никогда", "без":
		return true
	// What is left of "isn't" when its apostrophe is another character, or none.
	case "isn", "aren", "wasn", "weren", "don", "doesn", "didn", "hasn", "haven", "hadn", "couldn", "wouldn", "shouldn", "mustn", "needn",
		"isnt", "arent", "wasnt", "werent", "dont", "doesnt", "didnt", "hasnt", "havent", "hadnt", "couldnt", "wouldnt", "shouldnt", "mustnt", "cant", "wont":
		return true
	}
	return false
}

// Apart writes what an apostrophe shortens in full, whichever character stands for
// it: folding would drop the "n't" of "can't", and the "n'" of "n'est".
func Apart(text string) string {
	text = strings.NewReplacer("’", "'", "‘", "'", "´", "'", "ʼ", "'", "′", "'", "`", "'", "＇", "'", "ʹ", "'").Replace(text)
	return strings.NewReplacer("can't", "can not", "Can't", "Can not", "CAN'T", "CAN NOT", "won't", "will not", "Won't", "Will not", "WON'T", "WILL NOT",
		"n't", " not", "N'T", " NOT", " n'", " ne ").Replace(text)
}

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
hundred=100 thousand=1000 million=1000000`
	case "de":
		return `null=0 eins=1 zwei=2 zwo=2 drei=3 vier=4 funf=5 fuenf=5 sechs=6 sieben=7 acht=8 neun=9 zehn=10 elf=11 zwolf=12 zwoelf=12 dreizehn=13
vierzehn=14 funfzehn=15 fuenfzehn=15 sechzehn=16 siebzehn=17 achtzehn=18 neunzehn=19 zwanzig=20 dreissig=30 vierzig=40 funfzig=50
fuenfzig=50 sechzig=60 siebzig=70 achtzig=80 neunzig=90 hundert=100 einhundert=100 tausend=1000 eintausend=1000 million=1000000`
	case "fr":
		return `zero=0 deux=2 trois=3 quatre=4 cinq=5 six=6 sept=7 huit=8 neuf=9 dix=10 onze=11 douze=12 treize=13 quatorze=14 quinze=15 seize=16
vingt=20 trente=30 quarante=40 cinquante=50 soixante=60 septante=70 nonante=90 cent=100 mille=1000 million=1000000`
	case "es":
		return `cero=0 dos=2 tres=3 cuatro=4 cinco=5 seis=6 siete=7 ocho=8 nueve=9 diez=10 once=11 doce=12 trece=13 catorce=14 quince=15
dieciseis=16 diecisiete=17 dieciocho=18 diecinueve=19 veinte=20 treinta=30 cuarenta=40 cincuenta=50 sesenta=60 setenta=70 ochenta=80
noventa=90 cien=100 ciento=100 mil=1000 millon=1000000`
	}
	return ""
}

// Claims are what two sentences that are otherwise alike differ in: numbers,
// names, and whether something is denied.
type Claims struct {
	words  map[string]bool
	said   []string
	denied bool
}

// Claims returns those of a text. Any word that begins with a capital letter may
// be a name.
func (f *Folder) Claims(text, lang string) Claims {
	c := Claims{words: map[string]bool{}}
	for _, t := range f.Tokens(Apart(text), lang) {
		key, number := t.Text, t.Kind == Number
		if t.Kind != Number && t.Kind != Pair {
			c.denied = c.denied || Denies(t.Form)
			if n := Numeral(t.Form, lang); n != "" && !t.Stop {
				key, number = n, true
			}
		}
		c.words[key] = true
		// The parts of a compound say what it says, written apart too.
		if t.Kind != Whole && (number || t.Capital && !t.Stop || strings.ContainsAny(t.Form, "0123456789")) {
			c.said = append(c.said, key)
		}
	}
	return c
}

// Differs reports whether one of the two has a number or a name that the other
// lacks, or denies something and the other nothing.
func (c Claims) Differs(o Claims) bool { return c.denied != o.denied || c.adds(o) || o.adds(c) }

func (c Claims) adds(o Claims) bool {
	for _, s := range c.said {
		if !o.words[s] {
			return true
		}
	}
	return false
}
