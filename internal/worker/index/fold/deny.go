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

// Claims are what two sentences that are otherwise alike differ in: numbers with
// what they count, names, and whether something is denied.
type Claims struct {
	words  map[string]bool
	said   []string
	denied bool
}

// Claims returns those of a text. Any word that begins with a capital letter may
// be a name.
func (f *Folder) Claims(text, lang string) Claims {
	c := Claims{words: map[string]bool{}}
	say := func(key string) {
		c.words[key] = true
		c.said = append(c.said, key)
	}
	for _, n := range Numerals(text) {
		if !digits(n) { // another is a token
			say(n)
		}
	}
	tokens := f.Tokens(Apart(text), lang)
	for _, t := range tokens {
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
	for _, m := range Measures(tokens, lang, 1) {
		if m.Unit {
			say(m.Pair())
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
