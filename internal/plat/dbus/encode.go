package dbus

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
)

// encoder writes values, little endian.
type encoder struct{ b []byte }

// Encode writes the values of a body. The error says which value does not fit
// its type; a string that is not UTF-8 text does not.
func Encode(sig Signature, values ...any) ([]byte, error) {
	if !sig.valid() {
		return nil, fmt.Errorf("dbus: signature %q", sig)
	}
	e := &encoder{b: []byte{}}
	rest := string(sig)
	for _, v := range values {
		n := single(rest, 0)
		if n == 0 {
			return nil, fmt.Errorf("dbus: %d values for %q", len(values), sig)
		}
		if err := e.value(rest[:n], v); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	if rest != "" {
		return nil, fmt.Errorf("dbus: %d values for %q", len(values), sig)
	}
	return e.b, nil
}

func (e *encoder) align(n int) {
	for len(e.b)%n != 0 {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) u16(v uint16) { e.align(2); e.b = binary.LittleEndian.AppendUint16(e.b, v) }
func (e *encoder) u32(v uint32) { e.align(4); e.b = binary.LittleEndian.AppendUint32(e.b, v) }
func (e *encoder) u64(v uint64) { e.align(8); e.b = binary.LittleEndian.AppendUint64(e.b, v) }

func (e *encoder) text(s string) { e.b = append(append(e.b, s...), 0) }

func (e *encoder) value(t string, v any) error {
	misfit := fmt.Errorf("dbus: a %T is not a %s", v, t)
	switch t[0] {
	case 'a':
		return e.array(t[1:], v)
	case '(':
		s, ok := v.(Struct)
		if !ok {
			return misfit
		}
		e.align(8)
		rest := t[1 : len(t)-1]
		for _, f := range s {
			n := single(rest, 0)
			if n == 0 {
				return misfit
			}
			if err := e.value(rest[:n], f); err != nil {
				return err
			}
			rest = rest[n:]
		}
		if rest != "" {
			return misfit
		}
		return nil
	case 'v':
		x, ok := v.(Variant)
		if !ok || single(string(x.Signature), 0) != len(x.Signature) || x.Signature == "" {
			return misfit
		}
		e.b = append(e.b, byte(len(x.Signature)))
		e.text(string(x.Signature))
		return e.value(string(x.Signature), x.Value)
	}
	if !e.basic(t[0], v) {
		return misfit
	}
	return nil
}

// basic writes a value that is no container, if it is of type t.
func (e *encoder) basic(t byte, v any) bool {
	switch v := v.(type) {
	case byte:
		e.b = append(e.b, v)
		return t == 'y'
	case bool:
		n := uint32(0)
		if v {
			n = 1
		}
		e.u32(n)
		return t == 'b'
	case int16:
		e.u16(uint16(v))
		return t == 'n'
	case uint16:
		e.u16(v)
		return t == 'q'
	case int32:
		e.u32(uint32(v))
		return t == 'i'
	case uint32:
		e.u32(v)
		return t == 'u'
	case int64:
		e.u64(uint64(v))
		return t == 'x'
	case uint64:
		e.u64(v)
		return t == 't'
	case float64:
		e.u64(math.Float64bits(v))
		return t == 'd'
	case string:
		e.u32(uint32(len(v)))
		e.text(v)
		return t == 's' && plain(v)
	case ObjectPath:
		e.u32(uint32(len(v)))
		e.text(string(v))
		return t == 'o' && v.Valid()
	case Signature:
		e.b = append(e.b, byte(len(v)))
		e.text(string(v))
		return t == 'g' && v.valid()
	}
	return false
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] == 0 {
			return false
		}
	}
	return utf8.ValidString(s)
}

func (e *encoder) array(t string, v any) error {
	e.u32(0)
	length := len(e.b) - 4
	e.align(alignment(t[0]))
	start := len(e.b)
	misfit := fmt.Errorf("dbus: a %T is not an array of %s", v, t)
	switch v := v.(type) {
	case []byte:
		if t != "y" {
			return misfit
		}
		e.b = append(e.b, v...)
	case []Entry:
		if t[0] != '{' {
			return misfit
		}
		for _, x := range v {
			e.align(8)
			if err := e.value(t[1:2], x.Key); err != nil {
				return err
			}
			if err := e.value(t[2:len(t)-1], x.Value); err != nil {
				return err
			}
		}
	case []any:
		if t[0] == '{' || t == "y" {
			return misfit
		}
		for _, x := range v {
			if err := e.value(t, x); err != nil {
				return err
			}
		}
	default:
		return misfit
	}
	binary.LittleEndian.PutUint32(e.b[length:], uint32(len(e.b)-start))
	return nil
}

// Marshal writes a message, little endian; its Body must be so too.
func (m *Message) Marshal() ([]byte, error) {
	if m.Big {
		return nil, fmt.Errorf("dbus: only little endian is written")
	}
	fields := []any{}
	add := func(code byte, sig Signature, v any, set bool) {
		if set {
			fields = append(fields, Struct{code, Variant{sig, v}})
		}
	}
	add(fieldPath, "o", m.Path, m.Path != "")
	add(fieldInterface, "s", m.Interface, m.Interface != "")
	add(fieldMember, "s", m.Member, m.Member != "")
	add(fieldErrorName, "s", m.ErrorName, m.ErrorName != "")
	add(fieldReplySerial, "u", m.ReplySerial, m.ReplySerial != 0)
	add(fieldDestination, "s", m.Destination, m.Destination != "")
	add(fieldSender, "s", m.Sender, m.Sender != "")
	add(fieldSignature, "g", m.Signature, m.Signature != "")
	e := &encoder{b: []byte{littleOrder, byte(m.Type), m.Flags, protocol}}
	e.u32(uint32(len(m.Body)))
	e.u32(m.Serial)
	if err := e.value("a(yv)", fields); err != nil {
		return nil, err
	}
	e.align(8)
	if len(e.b)+len(m.Body) > limits.BusMessage {
		return nil, fmt.Errorf("dbus: a message of %d bytes", len(e.b)+len(m.Body))
	}
	return append(e.b, m.Body...), m.check()
}
