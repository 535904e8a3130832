package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// token is one token within a tag, or a whole text between tags.
type token struct {
	kind tokenKind
	text string
	line int
}

type tokenKind uint8

const (
	tokText tokenKind = iota + 1
	tokExprBegin
	tokExprEnd
	tokStmtBegin
	tokStmtEnd
	tokName
	tokString
	tokInt
	tokFloat
	tokOp
	tokEnd
)

// lexer cuts a template into tokens.
type lexer struct {
	src  string
	at   int
	line int
	out  []token
}

// bad is an error of syntax.
func bad(line int, format string, args ...any) error {
	return &Error{Kind: Syntax, Text: fmt.Sprintf(format, args...), Line: line}
}

// lex returns the tokens of a template. Newlines are normalised and one at the
// end does not count, as in Jinja.
func lex(src string) ([]token, error) {
	src = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(src)
	x := &lexer{src: strings.TrimSuffix(src, "\n"), line: 1}
	lineStart := true // what came before ended with a newline
	for {
		open := x.opening()
		if open < 0 {
			x.text(x.src[x.at:], "", lineStart)
			x.emit(tokEnd, "")
			return x.out, nil
		}
		tag := x.src[open : open+2]
		inner := open + 2
		sign := ""
		if inner < len(x.src) && (x.src[inner] == '-' || x.src[inner] == '+') {
			sign = x.src[inner : inner+1]
			inner++
		}
		before := x.src[x.at:open]
		lstrip := sign
		if sign == "" && tag != "{{" {
			lstrip = "line"
		}
		x.text(before, lstrip, lineStart)
		x.at = inner
		var end string
		var err error
		switch tag {
		case "{#":
			end, err = x.comment()
		case "{{":
			x.emit(tokExprBegin, "")
			end, err = x.tag("}}")
			x.emit(tokExprEnd, "")
		default:
			if after, ok := x.raw(); ok {
				if err = after; err != nil {
					return nil, err
				}
				lineStart = strings.HasSuffix(x.src[:x.at], "\n")
				continue
			}
			x.emit(tokStmtBegin, "")
			end, err = x.tag("%}")
			x.emit(tokStmtEnd, "")
		}
		if err != nil {
			return nil, err
		}
		lineStart = x.after(end, tag != "{{")
	}
}

// after skips what the end of a tag takes with it, and reports whether that ended
// with a newline.
func (x *lexer) after(sign string, block bool) bool {
	rest := x.src[x.at:]
	skip := 0
	switch {
	case sign == "-":
		skip = len(rest) - len(strings.TrimLeftFunc(rest, space))
	case sign == "" && block && strings.HasPrefix(rest, "\n"):
		skip = 1
	}
	x.line += strings.Count(rest[:skip], "\n")
	x.at += skip
	return skip > 0 && rest[skip-1] == '\n'
}

// opening returns where the next tag begins, or -1.
func (x *lexer) opening() int {
	for i := x.at; ; i++ {
		k := strings.IndexByte(x.src[i:], '{')
		if k < 0 || i+k+1 >= len(x.src) {
			return -1
		}
		i += k
		if c := x.src[i+1]; c == '{' || c == '%' || c == '#' {
			return i
		}
	}
}

func (x *lexer) emit(k tokenKind, s string) { x.out = append(x.out, token{k, s, x.line}) }

// text emits what stands between tags. strip says what the tag behind it takes
// away: "-" all white space, "line" the indentation when the tag begins its line.
func (x *lexer) text(s, strip string, lineStart bool) {
	t := s
	switch strip {
	case "-":
		t = strings.TrimRightFunc(s, space)
	case "line":
		i := strings.LastIndexByte(s, '\n') + 1
		if (i > 0 || lineStart) && strings.TrimLeft(s[i:], " \t\v\f") == "" {
			t = s[:i]
		}
	}
	if t != "" {
		x.emit(tokText, t)
	}
	x.line += strings.Count(s, "\n")
}

func (x *lexer) comment() (string, error) {
	i := strings.Index(x.src[x.at:], "#}")
	if i < 0 {
		return "", bad(x.line, "a comment has no end")
	}
	body := x.src[x.at : x.at+i]
	x.line += strings.Count(body, "\n")
	x.at += i + 2
	if strings.HasSuffix(body, "-") || strings.HasSuffix(body, "+") {
		return body[len(body)-1:], nil
	}
	return "", nil
}

// raw handles {% raw %}, whose text is not looked at; false when the tag is
// another one.
func (x *lexer) raw() (error, bool) {
	rest := x.src[x.at:]
	t := strings.TrimLeftFunc(rest, space)
	if !strings.HasPrefix(t, "raw") {
		return nil, false
	}
	t = strings.TrimLeftFunc(t[len("raw"):], space)
	sign := ""
	if strings.HasPrefix(t, "-") || strings.HasPrefix(t, "+") {
		sign, t = t[:1], t[1:]
	}
	if !strings.HasPrefix(t, "%}") {
		return nil, false
	}
	x.line += strings.Count(rest[:len(rest)-len(t)], "\n")
	x.at = len(x.src) - len(t) + 2
	lineStart := x.after(sign, false)
	for i := x.at; i < len(x.src); i++ {
		if !strings.HasPrefix(x.src[i:], "{%") {
			continue
		}
		inner := strings.TrimLeft(x.src[i+2:], "-+")
		strip := x.src[i+2 : len(x.src)-len(inner)]
		inner = strings.TrimLeftFunc(inner, space)
		if len(strip) > 1 || !strings.HasPrefix(inner, "endraw") {
			continue
		}
		inner = strings.TrimLeftFunc(inner[len("endraw"):], space)
		sign := ""
		if strings.HasPrefix(inner, "-") || strings.HasPrefix(inner, "+") {
			sign, inner = inner[:1], inner[1:]
		}
		if !strings.HasPrefix(inner, "%}") {
			continue
		}
		if strip == "" {
			strip = "line"
		}
		x.text(x.src[x.at:i], strip, lineStart)
		x.at = len(x.src) - len(inner) + 2
		x.after(sign, true)
		return nil, true
	}
	return bad(x.line, "raw has no end"), true
}

// operators, longest first.
func operators() [2][]string {
	return [2][]string{
		{"**", "//", "==", "!=", "<=", ">="},
		{"+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ",", ":", "|", "(", ")", "[", "]", "{", "}"},
	}
}

// tag emits the tokens up to closer, and returns the sign before it.
func (x *lexer) tag(closer string) (string, error) {
	ops := operators()
	var open []byte
next:
	for x.at < len(x.src) {
		c := x.src[x.at]
		rest := x.src[x.at:]
		if len(open) == 0 {
			if strings.HasPrefix(rest, closer) {
				x.at += len(closer)
				return "", nil
			}
			if (c == '-' || c == '+') && strings.HasPrefix(rest[1:], closer) {
				x.at += 1 + len(closer)
				return string(c), nil
			}
		}
		switch {
		case c == '\n':
			x.line++
			x.at++
			continue
		case c == ' ' || c == '\t' || c == '\v' || c == '\f':
			x.at++
			continue
		case c == '\'' || c == '"':
			if err := x.quoted(c); err != nil {
				return "", err
			}
			continue
		case c >= '0' && c <= '9':
			if err := x.number(); err != nil {
				return "", err
			}
			continue
		case letter(c):
			n := 1
			for n < len(rest) && (letter(rest[n]) || rest[n] >= '0' && rest[n] <= '9') {
				n++
			}
			x.emit(tokName, rest[:n])
			x.at += n
			continue
		}
		for _, set := range ops {
			for _, op := range set {
				if !strings.HasPrefix(rest, op) {
					continue
				}
				switch op {
				case "(", "[", "{":
					open = append(open, op[0])
				case ")", "]", "}":
					if len(open) == 0 || open[len(open)-1] != pairOf(op[0]) {
						return "", bad(x.line, "%q without its beginning", op)
					}
					open = open[:len(open)-1]
				}
				x.emit(tokOp, op)
				x.at += len(op)
				continue next
			}
		}
		r, _ := utf8.DecodeRuneInString(rest)
		return "", bad(x.line, "the character %q has no meaning", r)
	}
	return "", bad(x.line, "a tag has no end")
}

func pairOf(c byte) byte {
	switch c {
	case ')':
		return '('
	case ']':
		return '['
	}
	return '{'
}

func letter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// number emits an integer or a fraction.
func (x *lexer) number() error {
	rest := x.src[x.at:]
	digits := func(i int) int {
		for i < len(rest) && (rest[i] >= '0' && rest[i] <= '9' || rest[i] == '_') {
			i++
		}
		return i
	}
	n := digits(0)
	kind := tokInt
	behind := strings.HasSuffix(x.src[:x.at], ".") // l.0.1 has no fraction
	if !behind && n+1 < len(rest) && rest[n] == '.' && rest[n+1] >= '0' && rest[n+1] <= '9' {
		kind, n = tokFloat, digits(n+1)
	}
	if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
		k := n + 1
		if k < len(rest) && (rest[k] == '+' || rest[k] == '-') {
			k++
		}
		if k < len(rest) && rest[k] >= '0' && rest[k] <= '9' {
			kind, n = tokFloat, digits(k)
		}
	}
	if kind == tokInt && n > 1 && rest[0] == '0' {
		return bad(x.line, "a number begins with 0")
	}
	x.emit(kind, strings.ReplaceAll(rest[:n], "_", ""))
	x.at += n
	return nil
}

// quoted emits a string with Python's escapes.
func (x *lexer) quoted(q byte) error {
	var b strings.Builder
	line := x.line
	i := x.at + 1
	for ; i < len(x.src) && x.src[i] != q; i++ {
		c := x.src[i]
		if c == '\n' {
			x.line++
		}
		if c != '\\' || i+1 >= len(x.src) {
			b.WriteByte(c)
			continue
		}
		i++
		const simple, meant = `\'"abfnrtv`, "\\'\"\a\b\f\n\r\t\v"
		if k := strings.IndexByte(simple, x.src[i]); k >= 0 {
			b.WriteByte(meant[k])
			continue
		}
		n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[x.src[i]]
		if n == 0 {
			if x.src[i] == '\n' { // a continued line
				x.line++
				continue
			}
			b.WriteByte('\\')
			b.WriteByte(x.src[i])
			continue
		}
		if i+n >= len(x.src) {
			return bad(line, "an escape is cut off")
		}
		v, err := strconv.ParseUint(x.src[i+1:i+1+n], 16, 32)
		if err != nil || !utf8.ValidRune(rune(v)) {
			return bad(line, "an escape means no character")
		}
		b.WriteRune(rune(v))
		i += n
	}
	if i >= len(x.src) {
		return bad(line, "a string has no end")
	}
	x.out = append(x.out, token{tokString, b.String(), line})
	x.at = i + 1
	return nil
}
