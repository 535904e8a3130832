package main

import (
	"bufio"
	"iter"
)

// object writes one JSON object member by member, and a list element by
// element, so that no more than one element is encoded in memory. The first
// error is kept and stops it.
type object struct {
	w    *bufio.Writer
	some bool // a member was written
	err  error
}

func beginObject(w *bufio.Writer) *object {
	o := &object{w: w}
	o.raw("{")
	return o
}

// end closes the object and its line.
func (o *object) end() error {
	o.raw("}\n")
	return o.err
}

func (o *object) raw(s string) {
	if o.err != nil {
		return
	}
	if _, err := o.w.WriteString(s); err != nil {
		o.err = outputError(err)
	}
}

func (o *object) name(name string) {
	if o.some {
		o.raw(",")
	}
	o.some = true
	o.raw(`"` + name + `":`)
}

func (o *object) member(name string, v any) {
	o.name(name)
	o.raw(string(o.encode(v)))
}

func (o *object) encode(v any) []byte {
	if o.err != nil {
		return nil
	}
	b, err := encodeJSON(v)
	if err != nil {
		o.err = err
	}
	return b
}

// lines is a string of lines.
func (o *object) lines(name string, lines iter.Seq[string]) {
	o.name(name)
	o.raw(`"`)
	between := ""
	for l := range lines {
		o.raw(between)
		between = `\n`
		if b := o.encode(l); len(b) > 2 {
			o.raw(string(b[1 : len(b)-1]))
		}
	}
	o.raw(`"`)
}

// list is a list of what element makes of each.
func list[T any](o *object, name string, from []T, element func(T) any) {
	o.name(name)
	o.raw("[")
	for i, v := range from {
		if i > 0 {
			o.raw(",")
		}
		o.raw(string(o.encode(element(v))))
	}
	o.raw("]")
}
