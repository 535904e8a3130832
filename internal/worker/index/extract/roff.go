package extract

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// roff adds source[from:to] with its escapes read (groff(7)) and white space
// made single.
func (m *manual) roff(from, to int) { m.escaped(from, to, false) }

func (b *builder) escaped(from, to int, literal bool) {
	src := b.src
	for at := from; at < to; {
		i := strings.IndexByte(src[at:to], '\\')
		if i < 0 {
			i = to - at
		}
		if literal {
			b.verbatim(at, at+i)
		} else {
			b.words(at, at+i)
		}
		at += i
		if at >= to {
			return
		}
		n, s := escape(src[at:to])
		switch {
		case n < 0:
			return // a comment
		case s == " ":
			if literal {
				b.put(" ", at, at+n)
			} else {
				b.space(at)
			}
		default:
			b.put(s, at, at+n)
		}
		at += n
	}
}

// escape reads the escape that s begins with: its length and what it stands
// for. A length below 0 says that the rest of the line is a comment.
func escape(s string) (n int, text string) {
	if len(s) < 2 {
		return len(s), ""
	}
	switch c := s[1]; c {
	case '"', '#':
		return -1, ""
	case '-':
		return 2, "-"
	case 'e', '\\':
		return 2, "\\"
	case ' ', '~', '0', 't':
		return 2, " "
	case '\'':
		return 2, "´"
	case '`', '.', '_':
		return 2, s[1:2]
	case '(':
		if len(s) < 4 {
			return len(s), ""
		}
		return 4, glyph(s[2:4])
	case '[':
		i := strings.IndexByte(s[:min(len(s), 64)], ']')
		if i < 0 {
			return 2, ""
		}
		return i + 1, glyph(s[2:i])
	case 'f', 'F', 'm', 'M', 'n', 'g', 'k', 'V', 'Y', '*', '$':
		j := 2
		if j < len(s) && (s[j] == '+' || s[j] == '-') && c == 'n' {
			j++
		}
		name := ""
		switch {
		case j >= len(s):
			return len(s), ""
		case s[j] == '(':
			n = min(j+3, len(s))
			name = s[j+1 : n]
		case s[j] == '[':
			i := strings.IndexByte(s[j:min(len(s), j+64)], ']')
			if i < 0 {
				return j + 1, ""
			}
			n, name = j+i+1, s[j+1:j+i]
		default:
			n, name = j+1, s[j:j+1]
			if s[j] >= utf8.RuneSelf {
				_, w := utf8.DecodeRuneInString(s[j:])
				n, name = j+w, ""
			}
		}
		if c == '*' {
			return n, stringOf(name)
		}
		return n, ""
	case 's':
		j := 2
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && (s[j] == '\'' || s[j] == '[') {
			return delimited(s, j), ""
		}
		if j < len(s) && s[j] == '(' {
			return min(j+3, len(s)), ""
		}
		k := j
		for k < len(s) && k < j+2 && digit(s[k]) && (k == j || s[j] <= '3') {
			k++
		}
		return k, ""
	case 'h', 'v', 'w', 'x', 'l', 'L', 'D', 'b', 'o', 'Z', 'A', 'B', 'C', 'N', 'R', 'S', 'H', 'X':
		if len(s) < 3 {
			return len(s), ""
		}
		n = delimited(s, 2)
		if c == 'N' && n > 4 {
			if v, err := strconv.Atoi(s[3 : n-1]); err == nil && v >= 0x20 && v < 0x7f {
				return n, string(rune(v))
			}
		}
		return n, ""
	default:
		if c >= utf8.RuneSelf {
			return 1, ""
		}
		if letter(c) && c != 'c' && c != 'u' && c != 'd' && c != 'p' && c != 'r' && c != 'z' && c != 'a' {
			return 2, s[1:2]
		}
		if c == '/' || c == ',' || !punct(c) || strings.IndexByte("&%:|^{}!)?", c) >= 0 {
			return 2, ""
		}
		return 2, s[1:2]
	}
}

// delimited returns the length of s up to the delimiter that stands at j.
func delimited(s string, j int) int {
	stop := s[j]
	if stop == '[' {
		stop = ']'
	}
	if i := strings.IndexByte(s[j+1:min(len(s), j+128)], stop); i >= 0 {
		return j + 1 + i + 1
	}
	return min(j+1, len(s))
}

// stringOf is the value of a predefined string.
func stringOf(name string) string {
	switch name {
	case "lq", "Lq", "L\"":
		return "“"
	case "rq", "Rq", "R\"":
		return "”"
	case "R":
		return "®"
	case "Tm":
		return "™"
	case "C+":
		return "C++"
	case "--", "-":
		return "-"
	case "Aq", "aq":
		return "'"
	case "Gt":
		return ">"
	case "Lt":
		return "<"
	case "Am":
		return "&"
	}
	return ""
}

// glyph is the character with that name (groff_char(7)).
func glyph(name string) string {
	switch name {
	case "aq":
		return "'"
	case "dq":
		return "\""
	case "lq", "Lq":
		return "“"
	case "rq", "Rq":
		return "”"
	case "oq":
		return "‘"
	case "cq":
		return "’"
	case "em":
		return "—"
	case "en":
		return "–"
	case "hy", "mi", "-":
		return "-"
	case "bu":
		return "•"
	case "co":
		return "©"
	case "rg":
		return "®"
	case "tm":
		return "™"
	case "rs":
		return "\\"
	case "ti", "ap":
		return "~"
	case "ha", "a^":
		return "^"
	case "ga":
		return "`"
	case "aa":
		return "´"
	case "ul", "ru":
		return "_"
	case "ba", "or", "br":
		return "|"
	case "sl":
		return "/"
	case "at":
		return "@"
	case "sh":
		return "#"
	case "Do":
		return "$"
	case "pl":
		return "+"
	case "mu":
		return "×"
	case "di":
		return "÷"
	case "eq":
		return "="
	case "<=":
		return "≤"
	case ">=":
		return "≥"
	case "!=":
		return "≠"
	case "->":
		return "→"
	case "<-":
		return "←"
	case "+-":
		return "±"
	case "de":
		return "°"
	case "mc":
		return "µ"
	case "*m":
		return "μ"
	case "if":
		return "∞"
	case "12":
		return "½"
	case "14":
		return "¼"
	case "34":
		return "¾"
	case "sc":
		return "§"
	case "ps":
		return "¶"
	case "dg":
		return "†"
	case "lB":
		return "["
	case "rB":
		return "]"
	case "lC":
		return "{"
	case "rC":
		return "}"
	case "la":
		return "⟨"
	case "ra":
		return "⟩"
	case "Fo":
		return "«"
	case "Fc":
		return "»"
	case "fo":
		return "‹"
	case "fc":
		return "›"
	case "Eu", "eu":
		return "€"
	case "Po":
		return "£"
	case "ss":
		return "ß"
	case "ae":
		return "æ"
	case "AE":
		return "Æ"
	case "oe":
		return "œ"
	case "OE":
		return "Œ"
	case "/o":
		return "ø"
	case "/O":
		return "Ø"
	case "/l":
		return "ł"
	case "/L":
		return "Ł"
	case "-D":
		return "Ð"
	case "Sd":
		return "ð"
	case "oa":
		return "å"
	case "oA":
		return "Å"
	case ".i":
		return "ı"
	case "r!":
		return "¡"
	case "r?":
		return "¿"
	case "Bq":
		return "„"
	case "bq":
		return "‚"
	}
	if len(name) > 4 && name[0] == 'u' {
		hex, _, _ := strings.Cut(name[1:], "_")
		if v, err := strconv.ParseUint(hex, 16, 32); err == nil && utf8.ValidRune(rune(v)) && v >= 0x20 {
			return string(rune(v))
		}
		return ""
	}
	if len(name) == 2 {
		return accented(name[0], name[1])
	}
	return ""
}

// accented composes a letter with an accent.
func accented(accent, base byte) string {
	var row string
	switch accent {
	case '\'':
		row = "aáeéiíoóuúyýAÁEÉIÍOÓUÚYÝcćCĆnńsśzź"
	case '`':
		row = "aàeèiìoòuùAÀEÈIÌOÒUÙ"
	case '^':
		row = "aâeêiîoôuûAÂEÊIÎOÔUÛ"
	case ':':
		row = "aäeëiïoöuüyÿAÄEËIÏOÖUÜ"
	case '~':
		row = "aãnñoõAÃNÑOÕ"
	case ',':
		row = "cçCÇ"
	case 'v':
		row = "sšzžcčSŠZŽCČ"
	}
	i := strings.IndexByte(row, base)
	if i < 0 {
		return ""
	}
	_, n := utf8.DecodeRuneInString(row[i+1:])
	return row[i+1 : i+1+n]
}
