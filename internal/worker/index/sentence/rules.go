package sentence

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
)

// Next returns where the first sentence of s ends, white space behind it
// included or not; s is a block's clean text or what is left of it, language
// its ISO 639-1 code or "". A sentence longer than [limits.SentenceText]
// characters ends at a clause boundary before that.
func Next(s, language string) int {
	// A stop further away than the longest sentence, in bytes of any script, is
	// of no use; looking for it again and again would take quadratic time.
	n := stop(s[:min(len(s), limits.SentenceText*(utf8.UTFMax+1))], language)
	if n > limits.SentenceText {
		n = clause(s[:n])
	}
	return n
}

// stop finds the stop that ends the first sentence of s.
func stop(s, language string) int {
	depth := 0
	thai := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch c {
			case '(', '[':
				depth++
			case ')', ']':
				depth--
			case '.', '!', '?':
				if i < len(s) && s[i] > ' ' && s[i] < utf8.RuneSelf && !closer(rune(s[i])) {
					continue // within a word: a name, a number, an address
				}
				end := closers(s, i)
				if end < len(s) && s[end] != ' ' {
					if r, _ := utf8.DecodeRuneInString(s[end:]); !ideograph(r) {
						continue
					}
				}
				if ends(s, i-1, end, language) && !enclosed(s, i, end, depth) {
					return end
				}
				i = max(i, end)
				if end > i {
					depth = 0
				}
			case ' ':
				// Thai has no stops; spaces stand between clauses and sentences.
				if thai > 40 && i < len(s) && s[i] >= utf8.RuneSelf {
					return i
				}
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r >= 0x0e00 && r < 0x0e80:
			thai++
		case r == '。' || r == '！' || r == '？' || r == '｡' || r == '．':
			if end := closers(s, i); !quoteGoesOn(s, i, end) {
				return end
			}
		case r == '؟' || r == '۔' || r == '।' || r == '॥' || r == '։' || r == '።' || r == '။' || r == '។':
			return closers(s, i)
		case r == '…':
			end := closers(s, i)
			if end < len(s) && s[end] == ' ' && begins(s[end+1:]) == capital {
				return end
			}
		}
	}
	return len(s)
}

// closers skips what may stand between a stop and the white space behind it.
func closers(s string, i int) int {
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if rest, ok := strings.CutPrefix(s[i:], " »"); ok && (rest == "" || rest[0] == ' ') {
			i++ // French puts a space before it
			continue
		}
		if !closer(r) && r != '.' && r != '!' && r != '?' && r != '。' && r != '！' && r != '？' {
			break
		}
		i += n
	}
	return i
}

func closer(r rune) bool {
	switch r {
	case ')', ']', '}', '"', '\'', '*', '_', '`', '»', '«', '”', '“', '’', '›', '‹', '」', '』', '）', '】', '》', '〉', '｣':
		return true
	}
	return false
}

// quoteGoesOn reports whether a stop within a quotation is followed by the
// sentence that quotes it: 「…。」と言った。
func quoteGoesOn(s string, i, end int) bool {
	if end == i || end >= len(s) {
		return false
	}
	r, _ := utf8.DecodeRuneInString(s[end:])
	return r == 'と' || r == 'の' || r == 'は' || r == 'を' || r == 'が' || r == '，' || r == '、'
}

func ideograph(r rune) bool {
	return r >= 0x2e80 && r < 0xa000 || r >= 0xac00 && r < 0xd7b0 || r >= 0xff00
}

// enclosed reports whether the stop stands within brackets that close soon: the
// sentence goes on behind them.
func enclosed(s string, i, end, depth int) bool {
	if depth <= 0 || end > i && strings.IndexByte(s[i:end], ')') >= 0 {
		return false
	}
	ahead := s[end:min(len(s), end+160)]
	shut := strings.IndexAny(ahead, ")]")
	if shut < 0 {
		return false
	}
	open := strings.IndexAny(ahead, "([")
	return open < 0 || open > shut
}

type beginning uint8

const (
	capital beginning = iota
	small
	number
	other
)

// begins says how the text behind a stop begins, behind quotes and brackets.
func begins(s string) beginning {
	for i, r := range s {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			return capital
		case unicode.IsLower(r):
			// A name of a program or function may begin a sentence.
			w := s[i:]
			if n := strings.IndexByte(w, ' '); n >= 0 {
				w = w[:n]
			}
			if len(w) < 80 && (strings.Contains(w, "_") || strings.Contains(w, "(") || strings.ContainsAny(w[:max(0, len(w)-1)], ".-") && len(w) > 4) {
				return capital
			}
			return small
		case unicode.IsDigit(r):
			return number
		case unicode.IsLetter(r):
			return capital // a script without case
		case i > 12 || r == ' ':
			return other
		}
	}
	return other
}

// ends decides whether the stop s[at], with closers up to end, ends a sentence.
func ends(s string, at, end int, language string) bool {
	if end >= len(s) {
		return true
	}
	after := s[min(end+1, len(s)):]
	next := begins(after)
	if next == small {
		return false
	}
	if s[at] != '.' {
		return true
	}
	from := strings.LastIndexByte(s[:at], ' ') + 1
	w := strings.TrimLeft(s[from:at], "([{\"'“„«‘‚¿¡*_`")
	switch {
	case w == "":
		return at > 0
	case strings.HasSuffix(w, ".."):
		return next == capital
	case allDigits(w):
		return !ordinal(w, from == 0, after, language)
	case utf8.RuneCountInString(w) == 1 && begins(w) == capital:
		// An initial, or the sign of a list's item. "I" ends sentences.
		return w == "I" && from > 0 && next == capital && starter(after)
	case utf8.RuneCountInString(w) == 1 && abbreviation(w) == none:
		// Not "z. B.", where the second letter has a stop too.
		return from > 0 && next == capital && !(len(after) > 1 && after[1] == '.')
	case dotted(w):
		return starter(after) && !introduces(w)
	}
	switch abbreviation(w) {
	case never:
		return false
	case maybe:
		return next == capital && starter(after)
	case numeral:
		return next != number
	}
	return true
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// dotted reports letters with stops between them: U.S, e.g, z.B, a.m.
func dotted(w string) bool {
	parts := strings.Split(w, ".")
	if len(parts) < 2 || len(parts) > 6 {
		return false
	}
	for _, p := range parts {
		if n := utf8.RuneCountInString(p); n > 2 || n == 0 || allDigits(p) {
			return false
		}
	}
	return true
}

// introduces reports dotted words that always stand before something.
func introduces(w string) bool {
	switch strings.ToLower(w) {
	case "e.g", "i.e", "z.b", "d.h", "u.a", "p.ex", "c.-à-d", "b.v", "m.a.w", "p.es", "t.j", "m.in", "np", "bl.a", "t.ex", "f.eks", "s.o", "s.u", "o.g", "a.k.a", "т.е", "т.к", "v.d", "i.d":
		return true
	}
	return false
}

// ordinal reports whether the stop belongs to the number before it: the sign of
// a list's item, or an ordinal in the languages that write them so.
func ordinal(w string, first bool, after, language string) bool {
	if len(w) > 3 {
		return false
	}
	if first {
		return true
	}
	switch language {
	case "de", "da", "cs", "pl", "no", "nb", "fi", "hu", "tr", "hr", "sk", "sl", "et", "lv":
		r, _ := utf8.DecodeRuneInString(after)
		return len(w) <= 2 && unicode.IsLetter(r) && !starter(after)
	}
	switch month, _, _ := strings.Cut(after, " "); strings.TrimRight(month, ".,;") {
	case "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember":
		return language != "en"
	}
	return false
}

// starter reports whether s begins with a word that begins sentences more often
// than names.
func starter(s string) bool {
	w, _, _ := strings.Cut(s, " ")
	switch strings.Trim(w, ".,;:\"'“„«(*") {
	case "The", "This", "These", "Those", "That", "It", "Its", "In", "A", "An", "If", "For", "He", "She", "They", "We", "You", "There", "When", "While", "But", "And", "However", "As", "At", "On", "To", "Then", "By", "With", "All", "Each", "No", "Not", "Use", "See", "Note", "Some", "Most", "Also", "After", "Before", "Since", "Because", "Where", "What", "Why", "How", "Only", "From",
		"Der", "Die", "Das", "Den", "Dem", "Ein", "Eine", "Es", "Er", "Sie", "Wir", "Ich", "Im", "Wenn", "Dies", "Diese", "Dieser", "Dieses", "Auch", "Aber", "Und", "Mit", "Für", "Bei", "Nach", "Da", "Dann", "Dort", "Hier",
		"Le", "La", "Les", "Il", "Elle", "Ils", "Un", "Une", "Ce", "Cette", "Ces", "Nous", "Vous", "Pour", "Dans", "Si", "Mais", "Et",
		"El", "Los", "Las", "Una", "Se", "Este", "Esta", "Por", "Para", "Con", "Lo", "Gli", "Uno", "Questo", "Questa", "Per", "Non",
		"O", "Os", "Um", "Uma", "Isso", "Não", "Het", "De", "Een", "Dit", "Dat", "Als", "Wanneer", "Ze", "Och", "Det", "Detta", "En", "Ett", "När", "Om", "Jest", "Nie", "Jeśli", "W", "Na", "Это", "Он", "Она", "Они", "Если", "При", "Для", "На", "Как", "Но", "И":
		return true
	}
	return false
}

type abbrev uint8

const (
	none    abbrev = iota
	never          // something always follows
	maybe          // it may end a sentence
	numeral        // a number follows, or it is a word
)

// abbreviation classifies the word before a stop.
func abbreviation(w string) abbrev {
	if len(w) > 12 {
		return none
	}
	switch w {
	case "No", "Art", "Fig", "Figs", "Sec", "Ch", "Vol", "Nr", "nr", "pp", "p", "pg", "Abb", "Tab", "Kap", "Eq", "fig", "sec", "vol", "art", "núm", "Núm", "nº", "Rev", "Ver", "ver", "rev", "стр", "рис", "гл":
		return numeral
	case "Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Sr", "Jr", "Rev.", "Gen", "Col", "Sgt", "Capt", "Lt", "Hon", "Messrs", "Mme", "Mlle", "MM", "Sra", "Srta", "Dra", "Sig", "Dott", "Hr", "Fr", "Frl", "Dipl", "Ing", "Mag", "Univ":
		return never
	}
	switch strings.ToLower(w) {
	case "vs", "cf", "viz", "resp", "ca", "approx", "incl", "excl", "esp", "eg", "ie", "aka", "cca",
		"bzw", "bspw", "vgl", "ggf", "evtl", "inkl", "exkl", "sog", "zzgl", "abzgl", "insb", "bes", "allg", "max", "min", "mind", "geb", "gest", "usf", "zit", "hrsg", "bd", "str",
		"env", "ex", "av", "chap", "éd", "pág", "págs", "cap", "ej", "aprox", "ecc", "pag", "sig.ra", "bijv", "d.w.z", "enz", "blz", "tel", "dvs", "kap", "sid", "osv", "tzn", "tzv", "např", "np", "tj", "itd", "itp", "ul", "им", "см", "напр":
		switch strings.ToLower(w) {
		case "ecc", "enz", "osv", "itd", "itp", "max", "min", "ex", "cap", "str", "tel", "ul":
			return maybe
		}
		return never
	case "etc", "usw", "inc", "ltd", "co", "corp", "bros", "al", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "okt", "nov", "dec", "dez", "ed", "eds", "dept", "est", "vol", "intl", "univ", "т", "др", "г", "руб":
		return maybe
	}
	return none
}
