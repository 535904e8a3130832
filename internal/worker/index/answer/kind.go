package answer

import (
	"strings"
	"unicode"
)

// kind is what an answer to a question looks like.
type kind uint8

const (
	anything kind = iota
	number        // how many, how long, which port
	moment        // when, since when
	place         // where
	reason        // why
	manner        // how do I
	person        // who
	truth         // can I, does it
	name          // which option, what command
	meaning       // what is
)

// kindOf reads the question words of a question.
func kindOf(question string) kind {
	w := plainWords(question)
	has := func(phrases ...string) bool {
		for _, p := range phrases {
			if strings.Contains(w, " "+p+" ") {
				return true
			}
		}
		return false
	}
	switch {
	case howMuch(w), has(
		"what port", "which port", "what version", "which version", "what number", "what size", "maximum", "minimum", "what percentage",
		"welche version", "welchen port", "combien", "quelle version", "quel port",
		"cuantos", "cuantas", "cuanto", "cuanta", "que version", "que puerto", "quanti", "quante", "quanto", "quantos", "quantas", "hoeveel"):
		return number
	case has("when", "what date", "what year", "which year", "since when", "wann", "quand", "cuando", "quando", "wanneer"):
		return moment
	case has("where", "which file", "what file", "which directory", "what directory", "which folder", "what folder", "what path", "which path", "wo", "wohin", "ou se", "donde", "dove", "onde", "waar"):
		return place
	case has("why", "what reason", "how come", "warum", "weshalb", "wieso", "pourquoi", "por que", "perche", "waarom"):
		return reason
	case has("who", "whose", "whom", "wer", "qui est", "qui a", "quien", "quienes", "chi", "quem", "wie heeft"):
		return person
	case has("which option", "what option", "which flag", "what flag", "which command", "what command", "which setting", "what setting", "which keyword", "what keyword",
		"which variable", "what variable", "which function", "what function", "which parameter", "what parameter", "which key", "what key", "which switch", "which tool",
		"which field", "which directive", "which signal", "which method", "which statement", "which pragma", "welche option", "welcher befehl", "welchen befehl", "quelle option", "quelle commande", "que opcion", "que comando"):
		return name
	case has("how", "wie", "comment", "como", "come", "hoe"):
		return manner
	case opens(w, "can", "does", "do", "is", "are", "may", "will", "should", "must", "could", "would", "has", "have", "did", "was", "kann", "ist", "darf", "muss", "sind", "peut", "est", "puede", "es"):
		return truth
	case has("what is", "what are", "what does", "what s", "was ist", "was sind", "was bedeutet", "qu est", "que es", "cos e", "o que e"):
		return meaning
	}
	if strings.ContainsAny(question, "多几幾") || strings.Contains(question, "何件") || strings.Contains(question, "いくつ") || strings.Contains(question, "何個") {
		return number
	}
	return anything
}

// howMuch reports whether plain words ask how high, how many and the like.
func howMuch(w string) bool {
	prev := ""
	for x := range strings.FieldsSeq(w) {
		if degree(prev, x) {
			return true
		}
		prev = x
	}
	return false
}

// degree reports whether a folded word directly behind a question word asks with
// it for a number, an age, a distance.
func degree(question, form string) bool {
	switch question {
	case "how":
		switch form {
		case "high", "low", "long", "short", "big", "large", "small", "wide", "old", "far", "often", "many", "much", "tall", "deep", "heavy", "fast", "slow", "late", "early", "soon":
			return true
		}
	case "wie":
		switch form {
		case "hoch", "lang", "lange", "gross", "klein", "breit", "alt", "weit", "oft", "viel", "viele", "vielen", "schwer", "schnell", "spat", "tief":
			return true
		}
	}
	return false
}

// plainWords returns the words of s in lower case without accents of the common
// kind, one space around each.
func plainWords(s string) string {
	var b strings.Builder
	b.WriteByte(' ')
	space := true
	for _, r := range strings.ToLower(s) {
		switch r {
		case 'á', 'à', 'â', 'ã', 'ä':
			r = 'a'
		case 'é', 'è', 'ê', 'ë':
			r = 'e'
		case 'í', 'î', 'ï', 'ì':
			r = 'i'
		case 'ó', 'ô', 'õ', 'ö', 'ò':
			r = 'o'
		case 'ú', 'û', 'ü', 'ù':
			r = 'u'
		case 'ß':
			b.WriteByte('s')
			r = 's'
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(r)
			space = false
		} else if !space {
			b.WriteByte(' ')
			space = true
		}
	}
	if !space {
		b.WriteByte(' ')
	}
	return b.String()
}

func opens(w string, list ...string) bool {
	for _, x := range list {
		if strings.HasPrefix(w, " "+x+" ") {
			return true
		}
	}
	return false
}

// frame reports whether a word frames questions without saying what about.
func frame(lang, form string) bool {
	switch lang {
	case "en":
		switch form {
		case "many", "much", "long", "often", "happen", "happens", "mean", "means", "tell", "please", "want", "need", "know", "possible", "kind", "sort", "way",
			"thing", "things", "something", "anything", "somebody", "someone", "explain", "give", "get", "make", "makes", "let", "lets", "take", "takes", "far", "soon", "like", "able", "able_to":
			return true
		}
	}
	return false
}

// fits says from 0 to 1 how much text looks like an answer of the kind.
func (k kind) fits(text string) float64 {
	switch k {
	case number:
		if digits(text) {
			return 1
		}
		return says(text, " one ", " two ", " three ", " four ", " five ", " ten ", "unlimited", " zwei ", " drei ", " deux ", " trois ", " dos ", " tres ") * 0.7
	case moment:
		return max(0.6*says(text, " when ", " after ", " before ", " once ", " until ", " since ", " during ", " whenever ", " nach ", " bevor ", " sobald ", " wenn ", " lorsque ", " apres ", " cuando "), b2f(digits(text))*0.6)
	case place:
		return max(b2f(pathLike(text)), 0.5*says(text, " directory", " folder", " file", " under ", " located", " stored", " in the ", "verzeichnis", "datei", "dossier", "carpeta"))
	case reason:
		return says(text, "because", " since ", "so that", " due to ", "reason", "to avoid", "to prevent", " otherwise", "in order to", "therefore", " as a result", " would ", " weil ", " damit ", "parce que", "porque", "perché")
	case manner:
		return max(b2f(flagLike(text)), 0.6*says(text, " use ", "use ", " using ", " run ", " set ", " by ", " must ", " can be ", " with the ", " to "))
	case person:
		return max(0.6*b2f(names(text)), says(text, " by ", "author", "written by", "maintain", "responsible"))
	case truth:
		return 0.6 * says(text, " not ", " only ", " can ", "cannot", "support", " must ", " never ", " always ", " may ", "n't ", " will ", " allow", "unless")
	case name:
		return b2f(flagLike(text))
	case meaning:
		return 0.5 * says(text, " is a", " is the", " are ", " means", " refers", " called", " specif", " defin")
	}
	return 0
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func says(text string, list ...string) float64 {
	low := " " + strings.ToLower(text) + " "
	for _, x := range list {
		if strings.Contains(low, x) {
			return 1
		}
	}
	return 0
}

func digits(s string) bool { return strings.ContainsAny(s, "0123456789０１２３４５６７８９") }

// pathLike reports whether s names a file: /etc/x, ~/x, x.conf.
func pathLike(s string) bool {
	for w := range strings.FieldsSeq(s) {
		w = strings.Trim(w, "\"'`()[]<>.,;:")
		if len(w) > 2 && (w[0] == '/' || strings.HasPrefix(w, "~/") || strings.HasPrefix(w, "./") || strings.Contains(w, "/") && !strings.Contains(w, "://")) {
			return true
		}
		if i := strings.LastIndexByte(w, '.'); i > 0 && len(w)-i <= 6 && len(w)-i > 2 && !digits(w[i:]) {
			return true
		}
	}
	return false
}

// flagLike reports whether s names something one types: -x, --long, a_b, aB.
func flagLike(s string) bool {
	for w := range strings.FieldsSeq(s) {
		w = strings.Trim(w, "\"'`()[]<>.,;:")
		if len(w) >= 2 && w[0] == '-' && (w[1] == '-' || unicode.IsLetter(rune(w[1]))) {
			return true
		}
		for i := 1; i+1 < len(w); i++ {
			if w[i] == '_' || unicode.IsLower(rune(w[i-1])) && unicode.IsUpper(rune(w[i])) {
				return true
			}
		}
	}
	return strings.Contains(s, "`") || strings.Contains(s, "=")
}

// names reports whether s holds two words with capitals in a row.
func names(s string) bool {
	prev := false
	for i, w := range strings.Fields(s) {
		cap := unicode.IsUpper([]rune(w)[0]) && len(w) > 1
		if cap && prev && i > 1 {
			return true
		}
		prev = cap
	}
	return false
}
