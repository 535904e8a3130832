//go:build bailey_hostile

package main

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is an attack that is one system call: its number, and up to six
// arguments as the rows of test/hostile write them.
func call(text string, o order) (func() answer, error) {
	names := map[string]string{"grant": o.Grant, "data": o.Data, "host": o.Host}
	var args []uintptr
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if q, err := strconv.QuotedPrefix(text); err == nil {
			s, err := strconv.Unquote(q)
			if err != nil {
				return nil, err
			}
			args, text = append(args, uintptr(cstr(s))), text[len(q):]
			continue
		}
		word, rest, _ := strings.Cut(text, " ")
		text = rest
		name, isName := strings.CutPrefix(word, "$")
		dir, path, _ := strings.Cut(name, "/")
		switch {
		case !isName:
			// As in C: -1 is all ones.
			n, err := strconv.ParseInt(word, 0, 64)
			if err != nil {
				return nil, err
			}
			args = append(args, uintptr(n))
		case name == "core":
			args = append(args, uintptr(o.Core))
		case name == "zeros":
			b, err := page(unix.PROT_READ | unix.PROT_WRITE)
			if err != nil {
				return nil, err
			}
			args = append(args, uintptr(unsafe.Pointer(&b[0])))
		case names[dir] != "":
			args = append(args, uintptr(cstr(strings.TrimSuffix(names[dir]+"/"+path, "/"))))
		default:
			return nil, fmt.Errorf("no argument %s", word)
		}
	}
	if len(args) == 0 || len(args) > 7 {
		return nil, fmt.Errorf("%d words", len(args))
	}
	var a [7]uintptr
	copy(a[:], args)
	return func() answer {
		if _, _, e := unix.RawSyscall6(a[0], a[1], a[2], a[3], a[4], a[5], a[6]); e != 0 {
			return did(e)
		}
		return did(nil)
	}, nil
}
