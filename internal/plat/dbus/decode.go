package dbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
)

// errMessage is what is not D-Bus, or more of it than is taken.
var errMessage = errors.New("dbus: malformed or oversized message")

func bad(format string, a ...any) error {
	return fmt.Errorf("%w: %s", errMessage, fmt.Sprintf(format, a...))
}

// decoder reads values. Its first error stays; what is read behind it is zero.
type decoder struct {
	order binary.ByteOrder
	b     []byte
	at    int
	left  int // values that may still come
	err   error
}

func order(big bool) binary.ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// Decode decodes the values of a body, whose start has the alignment of a
// message's body. All of it must be used.
func Decode(sig Signature, body []byte, big bool) ([]any, error) {
	if !sig.valid() {
		return nil, bad("signature %q", sig)
	}
	d := &decoder{order: order(big), b: body, left: limits.BusValues}
	out := []any{}
	for rest := string(sig); rest != ""; {
		n := single(rest, 0)
		out = append(out, d.value(rest[:n], 0))
		rest = rest[n:]
	}
	if d.err == nil && d.at != len(body) {
		d.fail("%d bytes behind the values", len(body)-d.at)
	}
	if d.err != nil {
		return nil, d.err
	}
	return out, nil
}

func (d *decoder) fail(format string, a ...any) {
	if d.err == nil {
		d.err = bad(format, a...)
	}
}

// take returns the next n bytes, nil when there are fewer.
func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > len(d.b)-d.at {
		d.fail("it ends too soon")
		return nil
	}
	p := d.b[d.at : d.at+n]
	d.at += n
	return p
}

// align skips padding, which must be zero.
func (d *decoder) align(n int) {
	for _, c := range d.take((n - d.at%n) % n) {
		if c != 0 {
			d.fail("padding that is not zero")
		}
	}
}

func (d *decoder) u16() uint16 {
	d.align(2)
	if p := d.take(2); p != nil {
		return d.order.Uint16(p)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	d.align(4)
	if p := d.take(4); p != nil {
		return d.order.Uint32(p)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	d.align(8)
	if p := d.take(8); p != nil {
		return d.order.Uint64(p)
	}
	return 0
}

// text reads n bytes and their terminator.
func (d *decoder) text(n int) string {
	p := d.take(n)
	if end := d.take(1); end != nil && end[0] != 0 {
		d.fail("a string without its end")
	}
	s := string(p)
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		d.fail("a string that is not UTF-8 text")
	}
	if d.err != nil {
		return ""
	}
	return s
}

func (d *decoder) string() string {
	n := d.u32()
	if n > limits.BusMessage {
		d.fail("a string of %d bytes", n)
		return ""
	}
	return d.text(int(n))
}

func (d *decoder) signature() Signature {
	n := 0
	if p := d.take(1); p != nil {
		n = int(p[0])
	}
	s := Signature(d.text(n))
	if !s.valid() {
		d.fail("a signature that is none")
		return ""
	}
	return s
}

// value reads one value of a complete type.
func (d *decoder) value(t string, depth int) any {
	if d.left--; d.left < 0 {
		d.fail("more than %d values", limits.BusValues)
	}
	if depth > limits.BusDepth {
		d.fail("more than %d levels", limits.BusDepth)
	}
	if d.err != nil {
		return nil
	}
	switch t[0] {
	case 'y':
		if p := d.take(1); p != nil {
			return p[0]
		}
	case 'b':
		v := d.u32()
		if v > 1 {
			d.fail("a boolean %d", v)
		}
		return v == 1
	case 'n':
		return int16(d.u16())
	case 'q':
		return d.u16()
	case 'i':
		return int32(d.u32())
	case 'u':
		return d.u32()
	case 'x':
		return int64(d.u64())
	case 't':
		return d.u64()
	case 'd':
		return math.Float64frombits(d.u64())
	case 's':
		return d.string()
	case 'o':
		p := ObjectPath(d.string())
		if !p.Valid() {
			d.fail("a path that is none")
		}
		return p
	case 'g':
		return d.signature()
	case 'v':
		s := d.signature()
		if d.err == nil && (s == "" || single(string(s), 0) != len(s)) {
			d.fail("a variant of not one type")
		}
		if d.err != nil {
			return nil
		}
		return Variant{s, d.value(string(s), depth+1)}
	case '(':
		return d.structure(t, depth)
	case 'a':
		return d.array(t[1:], depth)
	}
	return nil
}

func (d *decoder) structure(t string, depth int) Struct {
	d.align(8)
	out := Struct{}
	for rest := t[1 : len(t)-1]; rest != "" && d.err == nil; {
		n := single(rest, 0)
		out = append(out, d.value(rest[:n], depth+1))
		rest = rest[n:]
	}
	return out
}

// array reads the items of type t.
func (d *decoder) array(t string, depth int) any {
	n := d.u32()
	d.align(alignment(t[0]))
	if d.err == nil && int64(n) > int64(len(d.b)-d.at) {
		d.fail("an array longer than its message")
	}
	if d.err != nil {
		return nil
	}
	end := d.at + int(n)
	if t == "y" {
		return append([]byte{}, d.take(int(n))...)
	}
	// What is in the array is read as if nothing stood behind it.
	all := d.b
	d.b = d.b[:end]
	defer func() { d.b = all }()
	if t[0] == '{' {
		out := []Entry{}
		for d.at < end && d.err == nil {
			d.align(8)
			out = append(out, Entry{d.value(t[1:2], depth+2), d.value(t[2:len(t)-1], depth+2)})
		}
		return out
	}
	out := []any{}
	for d.at < end && d.err == nil {
		out = append(out, d.value(t, depth+1))
	}
	return out
}

// Fields of a message's header.
const (
	fieldPath = 1 + iota
	fieldInterface
	fieldMember
	fieldErrorName
	fieldReplySerial
	fieldDestination
	fieldSender
	fieldSignature
	fieldDescriptors
)

const (
	headerSize  = 16
	protocol    = 1
	littleOrder = 'l'
	bigOrder    = 'B'
)

// ReadMessage reads the next message. Errors other than those of r mean that
// the stream is of no use any more.
func ReadMessage(r io.Reader) (*Message, error) {
	fixed := make([]byte, headerSize)
	if _, err := io.ReadFull(r, fixed); err != nil {
		return nil, err
	}
	if fixed[0] != littleOrder && fixed[0] != bigOrder || fixed[3] != protocol {
		return nil, bad("not a message")
	}
	m := &Message{Type: Type(fixed[1]), Flags: fixed[2], Big: fixed[0] == bigOrder}
	o := order(m.Big)
	body, fields := o.Uint32(fixed[4:]), o.Uint32(fixed[12:])
	m.Serial = o.Uint32(fixed[8:])
	total := int64(headerSize) + (int64(fields)+7)/8*8 + int64(body)
	if total > limits.BusMessage {
		return nil, bad("a message of %d bytes", total)
	}
	b := append(fixed, make([]byte, total-headerSize)...)
	if _, err := io.ReadFull(r, b[headerSize:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	head := len(b) - int(body)
	// The fields begin behind their own length, at 12, so that their alignment
	// is the message's.
	d := &decoder{order: o, b: b[:head], at: headerSize - 4, left: limits.BusValues}
	list, _ := d.value("a(yv)", 0).([]any)
	d.align(8)
	if d.err == nil && d.at != head {
		d.fail("bytes behind the header")
	}
	if d.err != nil {
		return nil, d.err
	}
	seen := map[byte]bool{}
	for _, f := range list {
		f := f.(Struct)
		code, v := f[0].(byte), f[1].(Variant)
		if seen[code] {
			return nil, bad("field %d twice", code)
		}
		seen[code] = true
		if !m.field(code, v.Value) {
			return nil, bad("field %d", code)
		}
	}
	m.Body = b[head:]
	return m, m.check()
}

// field sets what a header's field says, and reports whether it may say that.
func (m *Message) field(code byte, v any) (ok bool) {
	switch code {
	case fieldPath:
		m.Path, ok = v.(ObjectPath)
	case fieldInterface:
		m.Interface, ok = v.(string)
	case fieldMember:
		m.Member, ok = v.(string)
	case fieldErrorName:
		m.ErrorName, ok = v.(string)
	case fieldReplySerial:
		m.ReplySerial, ok = v.(uint32)
	case fieldDestination:
		m.Destination, ok = v.(string)
	case fieldSender:
		m.Sender, ok = v.(string)
	case fieldSignature:
		m.Signature, ok = v.(Signature)
	case fieldDescriptors:
		n, is := v.(uint32)
		ok = is && n == 0
	default:
		// The specification wants unknown fields to be ignored, and 0 refused.
		ok = code != 0
	}
	return ok
}

// check holds a message against what its type demands.
func (m *Message) check() error {
	none := func(s string, valid func(string) bool) bool { return s == "" || valid(s) }
	switch {
	case m.Serial == 0:
		return bad("serial 0")
	case !none(m.Interface, interfaceName), !none(m.Member, memberName), !none(m.ErrorName, interfaceName),
		!none(m.Destination, busName), !none(m.Sender, busName):
		return bad("a name that is none")
	case m.Type == MethodCall && (m.Path == "" || m.Member == ""),
		m.Type == Signal && (m.Path == "" || m.Interface == "" || m.Member == ""),
		m.Type == MethodReturn && m.ReplySerial == 0,
		m.Type == ErrorReply && (m.ReplySerial == 0 || m.ErrorName == ""),
		m.Type == 0:
		return bad("a message of type %d lacks a field", m.Type)
	case len(m.Body) > 0 && m.Signature == "":
		return bad("a body without a signature")
	}
	return nil
}
