package dbus

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
)

// single returns how many bytes the first complete type of s has, 0 where s does
// not begin with one.
func single(s string, depth int) int {
	if s == "" || depth > limits.BusDepth {
		return 0
	}
	switch s[0] {
	case 'a':
		if len(s) > 1 && s[1] == '{' {
			if len(s) < 3 || !basic(s[2]) {
				return 0
			}
			n := single(s[3:], depth+2)
			if n == 0 || len(s) < 4+n || s[3+n] != '}' {
				return 0
			}
			return 4 + n
		}
		if n := single(s[1:], depth+1); n > 0 {
			return 1 + n
		}
		return 0
	case '(':
		at := 1
		for at < len(s) && s[at] != ')' {
			n := single(s[at:], depth+1)
			if n == 0 {
				return 0
			}
			at += n
		}
		if at == 1 || at >= len(s) {
			return 0
		}
		return at + 1
	case 'v':
		return 1
	}
	if basic(s[0]) {
		return 1
	}
	return 0
}

// basic reports whether a type may be the key of a dictionary. Descriptors (h)
// are none: no message may bring any here.
func basic(c byte) bool { return strings.IndexByte("ybnqiuxtdsog", c) >= 0 }

func (s Signature) valid() bool {
	if len(s) > limits.BusSignature {
		return false
	}
	for rest := string(s); rest != ""; {
		n := single(rest, 0)
		if n == 0 {
			return false
		}
		rest = rest[n:]
	}
	return true
}

// alignment of a type, by its first letter.
func alignment(c byte) int {
	switch c {
	case 'n', 'q':
		return 2
	case 'b', 'i', 'u', 's', 'o', 'a':
		return 4
	case 'x', 't', 'd', '(', '{':
		return 8
	}
	return 1
}

func wordByte(c byte, digits bool) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || digits && c >= '0' && c <= '9'
}

// Valid reports whether the path is one by the specification, and not too long.
func (p ObjectPath) Valid() bool {
	if p == "/" {
		return true
	}
	if len(p) == 0 || len(p) > limits.BusPath || p[0] != '/' {
		return false
	}
	for part := range strings.SplitSeq(string(p[1:]), "/") {
		if !word(part, true) {
			return false
		}
	}
	return true
}

func word(s string, digitFirst bool) bool {
	for i := range len(s) {
		if !wordByte(s[i], digitFirst || i > 0) {
			return false
		}
	}
	return s != ""
}

// memberName: one word.
func memberName(s string) bool { return len(s) <= limits.BusName && word(s, false) }

// interfaceName: two words or more; names of errors are the same.
func interfaceName(s string) bool {
	if len(s) > limits.BusName || !strings.Contains(s, ".") {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if !word(part, false) {
			return false
		}
	}
	return true
}

// busName: the unique name of a connection, or one that a service took.
func busName(s string) bool {
	if len(s) > limits.BusName {
		return false
	}
	rest, unique := strings.CutPrefix(s, ":")
	if !strings.Contains(rest, ".") {
		return false
	}
	for part := range strings.SplitSeq(rest, ".") {
		if !word(strings.ReplaceAll(part, "-", "_"), unique) {
			return false
		}
	}
	return true
}
