package schema

import (
	"fmt"
	"math"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/bailey-run/bailey/internal/limits"
)

// Characters of a JSON text: those that stand for themselves, and escapes; no
// half of a surrogate pair.
const charBody = `[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" ([0-9abcefABCEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))`

// str is a text with characters so often.
func (c *compiler) str(times string) string { return `"\"" ` + c.name(charBody) + times + ` "\""` }

func (c *compiler) text(o *object, at string) (string, error) {
	_, hasLeast := o.get("minLength")
	_, hasMost := o.get("maxLength")
	p, hasPattern := o.get("pattern")
	f, hasFormat := o.get("format")
	if (hasLeast || hasMost) && (hasPattern || hasFormat) || hasPattern && hasFormat {
		return "", refuse(at, "only one of pattern, format, and a length is supported")
	}
	switch {
	case hasFormat:
		s, _ := f.(string)
		e := format(s)
		if e == "" {
			return "", refuse(at, "the word \"format\" is not supported with %q", s)
		}
		return `"\"" ` + c.name(e) + ` "\""`, nil
	case hasPattern:
		s, ok := p.(string)
		if !ok {
			return "", refuse(at, "a pattern is a text")
		}
		e, err := pattern(s, at)
		if err != nil {
			return "", err
		}
		return `"\"" ` + c.name(e) + ` "\""`, nil
	}
	from, to, err := counts(o, "minLength", "maxLength", at)
	if err != nil {
		return "", err
	}
	if to == 0 {
		return `"\"\""`, nil
	}
	return c.str(repeated("", from, to)), nil
}

// format returns the grammar of the formats that are kept to (RFC 3339, 4122,
// 2673); empty for any other. February has 28 days in it.
func format(name string) string {
	const (
		year  = `[0-9]{4} "-" `
		days  = `("0" [1-9] | [12] [0-9] | "3" [01])`
		date  = year + `(("0" [13578] | "1" [02]) "-" ` + days + ` | ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30") | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8]))`
		clock = `([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})?`
		zone  = `("Z" | [+-] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])`
		octet = `("25" [0-5] | "2" [0-4] [0-9] | "1" [0-9] [0-9] | [1-9]? [0-9])`
	)
	switch name {
	case "date":
		return date
	case "time":
		return clock + " " + zone
	case "date-time":
		return date + ` "T" ` + clock + " " + zone
	case "uuid":
		return `[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}`
	case "ipv4":
		return octet + ` "." ` + octet + ` "." ` + octet + ` "." ` + octet
	}
	return ""
}

// pattern turns a regular expression into a grammar. The part that ECMA 262 and
// RE2 have in common is read; it has to hold the whole text, from ^ to $, since a
// grammar that looks for a part of it would let the model write anything around.
func pattern(s, at string) (string, error) {
	if len(s) > limits.SchemaPattern {
		return "", refuse(at, "the pattern has more than %d bytes", limits.SchemaPattern)
	}
	re, err := syntax.Parse(s, syntax.Perl&^syntax.UnicodeGroups)
	if err != nil || strings.Contains(s, "(?") && !strings.Contains(s, "(?:") || strings.Contains(s, `\Q`) || strings.Contains(s, `\C`) {
		return "", refuse(at, "the pattern is not supported")
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	n := len(parts)
	if n < 2 || parts[0].Op != syntax.OpBeginText || parts[n-1].Op != syntax.OpEndText {
		return "", refuse(at, "the word \"pattern\" is supported from ^ to $ only")
	}
	if err := plain(parts[1:n-1], at); err != nil {
		return "", err
	}
	var out []string
	for _, p := range parts[1 : n-1] {
		e, err := expression(p, at)
		if err != nil {
			return "", err
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		return `""`, nil
	}
	return strings.Join(out, " "), nil
}

// expression writes a part of a pattern.
func expression(re *syntax.Regexp, at string) (string, error) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return `""`, nil
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return "", refuse(at, "the pattern is not supported")
		}
		var b strings.Builder
		for _, r := range re.Rune {
			b.WriteString(jsonRune(r))
		}
		return quote(b.String()), nil
	case syntax.OpCharClass:
		return class(re.Rune, at)
	case syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		return class([]rune{0, unicode.MaxRune}, at)
	case syntax.OpCapture:
		e, err := expression(re.Sub[0], at)
		return "(" + e + ")", err
	case syntax.OpConcat, syntax.OpAlternate:
		var out []string
		for _, s := range re.Sub {
			e, err := expression(s, at)
			if err != nil {
				return "", err
			}
			out = append(out, e)
		}
		if re.Op == syntax.OpAlternate {
			return "(" + strings.Join(out, " | ") + ")", nil
		}
		return "(" + strings.Join(out, " ") + ")", nil
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return repetition(re, at)
	}
	return "", refuse(at, "the pattern is not supported")
}

func repetition(re *syntax.Regexp, at string) (string, error) {
	from, to := times(re)
	sub := re.Sub[0]
	if max(from, to) > limits.SchemaRepeat {
		return "", refuse(at, "the pattern repeats more than %d times", limits.SchemaRepeat)
	}
	e, err := expression(sub, at)
	if err != nil {
		return "", err
	}
	if to == 1 && from == 0 {
		return "(" + e + ")?", nil
	}
	return repeated("("+e+")", from, to), nil
}

// class writes a set of characters, as they stand in JSON. Control characters are
// left out, and what ECMA 262 and RE2 read differently: white space beyond ASCII.
func class(ranges []rune, at string) (string, error) {
	var set strings.Builder
	var escaped []string
	add := func(lo, hi rune) {
		if lo > hi {
			return
		}
		set.WriteString(classRune(lo))
		if hi > lo {
			set.WriteString("-" + classRune(hi))
		}
	}
	skip := []rune{'"', '\\', 0x7f, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff}
	for r := rune(0x2000); r <= 0x200a; r++ {
		skip = append(skip, r)
	}
	skip = append(skip, 0xd800) // stands for all surrogates
	slices.Sort(skip)
	for i := 0; i+1 < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		for _, r := range []rune{'"', '\\'} {
			if lo <= r && r <= hi {
				escaped = append(escaped, quote(jsonRune(r)))
			}
		}
		lo = max(lo, ' ')
		for _, r := range skip {
			end := r
			if r == 0xd800 {
				end = 0xdfff
			}
			if end < lo || r > hi {
				continue
			}
			add(lo, min(r-1, hi))
			lo = end + 1
		}
		add(lo, hi)
	}
	if set.Len() > 0 {
		escaped = append([]string{"[" + set.String() + "]"}, escaped...)
	}
	if len(escaped) == 0 {
		return "", refuse(at, "the pattern asks for control characters")
	}
	return alternatives(escaped), nil
}

// classRune writes a character within brackets.
func classRune(r rune) string {
	switch {
	case strings.ContainsRune(`\[]^-"`, r):
		return fmt.Sprintf(`\x%02X`, r)
	case r < 0x7f:
		return string(r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04X`, r)
	}
	return fmt.Sprintf(`\U%08X`, r)
}

func numberBody(fraction, unsigned bool) string {
	e := fmt.Sprintf(`("0" | [1-9] [0-9]{0,%d})`, limits.SchemaDigits-1)
	if !unsigned {
		e = `"-"? ` + e
	}
	if fraction {
		e += fmt.Sprintf(` ("." [0-9]{1,%d})? ([eE] [+-]? [0-9]{1,2})?`, limits.SchemaDigits)
	}
	return e
}

// number is an integer or a number, within bounds that are whole numbers.
func (c *compiler) number(o *object, integer bool, at string) (string, error) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	bounded := false
	for _, word := range []string{"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"} {
		v, ok := o.get(word)
		if !ok {
			continue
		}
		bounded = true
		n, err := strconv.ParseInt(strings.TrimSuffix(literal(v), ".0"), 10, 64)
		if err != nil || kindOf(v) != "number" || n > limits.SchemaBound || n < -limits.SchemaBound {
			return "", refuse(at, "the word %q is supported for whole numbers up to %d", word, limits.SchemaBound)
		}
		exclusive := strings.HasPrefix(word, "exclusive")
		if exclusive && !integer {
			return "", refuse(at, "the word %q is supported for integers only", word)
		}
		switch {
		case strings.HasSuffix(word, "inimum"):
			if exclusive {
				n++
			}
			lo = max(lo, n)
		default:
			if exclusive {
				n--
			}
			hi = min(hi, n)
		}
	}
	switch {
	case !bounded:
		return c.name(numberBody(!integer, false)), nil
	case lo > hi:
		return "", refuse(at, "no number lies between its bounds")
	case integer:
		return c.name(alternatives(integers(lo, hi))), nil
	case hi == math.MaxInt64 && lo == 0:
		return c.name(numberBody(true, true)), nil
	case lo < 0 || hi == math.MaxInt64:
		return "", refuse(at, "bounds of numbers that are no integers are supported from 0 on: minimum 0, or both")
	}
	// The whole part below the upper bound with any fraction, or the bound.
	out := []string{strconv.Quote(strconv.FormatInt(hi, 10)) + ` ("." "0"{1,2})?`}
	if hi > lo {
		out = append(out, fmt.Sprintf(`%s ("." [0-9]{1,%d})?`, alternatives(integers(lo, hi-1)), limits.SchemaDigits))
	}
	return c.name(alternatives(out)), nil
}

// integers returns the decimal forms of the numbers from lo to hi; the ends of
// int64 stand for no bound.
func integers(lo, hi int64) []string {
	var out []string
	if lo < 0 {
		from, to := int64(1), -lo
		if hi < 0 {
			from = -hi
		}
		if lo == math.MinInt64 {
			to = math.MaxInt64
		}
		out = append(out, `"-" `+alternatives(positive(from, to)))
		lo = 0
	}
	if hi >= 0 {
		if lo == 0 {
			out = append(out, `"0"`)
			lo = 1
		}
		if hi >= lo {
			out = append(out, positive(lo, hi)...)
		}
	}
	return out
}

// positive returns the decimal forms of the numbers from lo, at least 1, to hi.
func positive(lo, hi int64) []string {
	var out []string
	if hi == math.MaxInt64 {
		// All of the length of lo, and all longer ones.
		top := int64(1)
		for top <= lo/10 {
			top *= 10
		}
		out = same(strconv.FormatInt(lo, 10), strconv.FormatInt(top*10-1, 10))
		n := len(strconv.FormatInt(lo, 10))
		return append(out, fmt.Sprintf("[1-9] [0-9]{%d,%d}", n, max(n, limits.SchemaDigits-1)))
	}
	// Lengths of which all numbers are within are one alternative.
	least, most := 0, 0
	for lo <= hi {
		top, digits := int64(9), 1
		for top < lo {
			top, digits = top*10+9, digits+1
		}
		if lo == top/10+1 && top <= hi {
			if least == 0 {
				least = digits
			}
			most = digits
		} else {
			top = min(top, hi)
			out = append(out, same(strconv.FormatInt(lo, 10), strconv.FormatInt(top, 10))...)
		}
		lo = top + 1
	}
	if least > 0 {
		out = append(out, "[1-9] "+repeated("[0-9]", least-1, most-1))
	}
	return out
}

// same returns the forms from a to b, which have as many digits.
func same(a, b string) []string {
	digit := func(lo, hi byte) string {
		if lo == hi {
			return fmt.Sprintf("%q", string(lo))
		}
		return fmt.Sprintf("[%c-%c]", lo, hi)
	}
	if len(a) == 1 {
		return []string{digit(a[0], b[0])}
	}
	rest := len(a) - 1
	nines, zeros := strings.Repeat("9", rest), strings.Repeat("0", rest)
	if a[1:] == zeros && b[1:] == nines {
		return []string{fmt.Sprintf("%s [0-9]{%d}", digit(a[0], b[0]), rest)}
	}
	if a[0] == b[0] {
		return []string{digit(a[0], a[0]) + " " + alternatives(same(a[1:], b[1:]))}
	}
	out := []string{digit(a[0], a[0]) + " " + alternatives(same(a[1:], nines))}
	if a[0]+1 < b[0] {
		out = append(out, fmt.Sprintf("%s [0-9]{%d}", digit(a[0]+1, b[0]-1), rest))
	}
	return append(out, digit(b[0], b[0])+" "+alternatives(same(zeros, b[1:])))
}
