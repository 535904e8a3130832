package dbus

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
)

// Sockets returns the unix sockets of a bus's address in its order: a path, or
// "@" and an abstract name, as package net has it. Every other transport is left
// out, unixexec above all, which names a program to start.
func Sockets(address string) []string {
	out := []string{}
	n := 0
	for one := range strings.SplitSeq(address, ";") {
		if n++; n > limits.BusAddresses {
			break
		}
		if s, ok := unixSocket(one); ok {
			out = append(out, s)
		}
	}
	return out
}

func unixSocket(address string) (string, bool) {
	keys, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return "", false
	}
	found := ""
	for pair := range strings.SplitSeq(keys, ",") {
		k, v, ok := strings.Cut(pair, "=")
		if !ok {
			return "", false
		}
		if k != "path" && k != "abstract" {
			continue
		}
		s, ok := Unescape(v)
		if !ok || s == "" || len(s) > limits.SocketPath-1 || strings.IndexByte(s, 0) >= 0 || found != "" {
			return "", false
		}
		if k == "path" && s[0] != '/' {
			return "", false
		}
		if found = s; k == "abstract" {
			found = "@" + s
		}
	}
	return found, found != ""
}

// Address writes a socket's path as an address.
func Address(path string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.WriteString("unix:path=")
	for i := range len(path) {
		if c := path[i]; wordByte(c, true) || strings.IndexByte("-/.\\*", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// Unescape undoes %XX, which addresses and URIs have in common. ok is false for a
// % without two digits of hex behind it.
func Unescape(s string) (text string, ok bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), true
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
