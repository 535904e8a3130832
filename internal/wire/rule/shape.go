package rule

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/bailey-run/bailey/internal/errs"
)

// Shape is what an encoded message of one type may hold. It is checked before
// anything is decoded: two bytes can name an empty item of a list, for which a
// decoder makes a hundred bytes of memory, so bounds that are checked afterwards
// would let a sender choose how much that is. (256 KiB of such items decode to
// 13 MiB.)
//
// A Shape is stricter than protobuf asks: a field that is no list, or a oneof,
// may be given once, where decoders take the last or merge all; and a field that
// the schema does not know, or that has another wire type, is refused. No
// encoder of ours writes either.
type Shape []Field

// Field is one field of a Shape. Shapes hold no cycle: the generator refuses a
// message that holds itself, so a check ends at the schema's own depth.
type Field struct {
	Number protowire.Number
	Name   string
	// Type is the wire type of one value.
	Type protowire.Type
	// Most is how often the field may be given: 1, or the max_items of a list.
	Most int
	// List marks a list; if its values are numbers they may be packed.
	List bool
	// Oneof is the position, from 1, of the oneof that the field belongs to.
	Oneof int
	// Inner is the shape of a message.
	Inner Shape
}

// Check returns nil, or an errs.Malformed that names field and reason.
func (s Shape) Check(message string, b []byte) error {
	if v := s.check(b); v != nil {
		return errs.New(errs.Malformed, "wire.check").With(join(message, v.path) + ": " + v.rule)
	}
	return nil
}

// seen is enough for the fields of any message without a heap allocation; a
// message with more fields gets a longer one.
type seen [16]int

func (s Shape) check(b []byte) *Violation {
	var few seen
	given := few[:]
	if len(s) > len(few) {
		given = make([]int, len(s))
	}
	oneof := 0
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return Broken("", "not protobuf")
		}
		b = b[n:]
		at := s.find(number)
		if at < 0 {
			return Broken("", "unknown field")
		}
		f := &s[at]
		packed := f.List && f.Type == protowire.VarintType && kind == protowire.BytesType
		if kind != f.Type && !packed {
			return Broken(f.Name, "wire type")
		}
		n = protowire.ConsumeFieldValue(number, kind, b)
		if n < 0 {
			return Broken(f.Name, "not protobuf")
		}
		value := b[:n]
		b = b[n:]
		given[at] += values(value, packed)
		if given[at] > f.Most {
			if f.List {
				return Broken(f.Name, "repeated.max_items")
			}
			return Broken(f.Name, "given twice")
		}
		if f.Oneof != 0 {
			// One bit for each oneof; no message has 64 of them.
			bit := 1 << f.Oneof
			if oneof&bit != 0 {
				return Broken(f.Name, "another of its oneof is given")
			}
			oneof |= bit
		}
		if f.Type == protowire.BytesType && f.Inner != nil {
			inner, _ := protowire.ConsumeBytes(value)
			if v := f.Inner.check(inner); v != nil {
				if f.List {
					return v.At(f.Name, given[at]-1)
				}
				return v.In(f.Name)
			}
		}
	}
	return nil
}

// find returns the position of a field, or -1. The lists are short, and mostly
// in the order in which an encoder writes.
func (s Shape) find(number protowire.Number) int {
	for i := range s {
		if s[i].Number == number {
			return i
		}
	}
	return -1
}

// values counts the values in one occurrence of a field: one, or, packed, as
// many as there are last bytes of a varint.
func values(value []byte, packed bool) int {
	if !packed {
		return 1
	}
	inner, _ := protowire.ConsumeBytes(value)
	n := 0
	for _, c := range inner {
		if c < 0x80 {
			n++
		}
	}
	return n
}
