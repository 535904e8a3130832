package rule_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/rule"
)

func shape() rule.Shape {
	item := rule.Shape{{Number: 1, Name: "id", Type: protowire.BytesType, Most: 1}}
	return rule.Shape{
		{Number: 1, Name: "n", Type: protowire.VarintType, Most: 1},
		{Number: 2, Name: "s", Type: protowire.BytesType, Most: 1},
		{Number: 3, Name: "items", Type: protowire.BytesType, Most: 2, List: true, Inner: item},
		{Number: 4, Name: "numbers", Type: protowire.VarintType, Most: 3, List: true},
		{Number: 5, Name: "a", Type: protowire.BytesType, Most: 1, Oneof: 1, Inner: rule.Shape{}},
		{Number: 6, Name: "b", Type: protowire.BytesType, Most: 1, Oneof: 1, Inner: item},
		{Number: 7, Name: "c", Type: protowire.BytesType, Most: 1, Oneof: 2, Inner: rule.Shape{}},
	}
}

// varint, text and join build encodings.
func varint(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

func text(n protowire.Number, s ...[]byte) []byte {
	var b []byte
	for _, p := range s {
		b = append(b, p...)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
}

func TestShape(t *testing.T) {
	id := text(1, []byte("x"))
	for _, c := range []struct {
		name string
		b    [][]byte
		want string
	}{
		{"empty", nil, ""},
		{"all", [][]byte{varint(1, 300), text(2, []byte("s")), text(3, id), text(3), text(4, []byte{1, 0x80, 1, 2}), text(6, id), text(7)}, ""},
		{"any order", [][]byte{text(3), varint(1, 1), text(3)}, ""},
		{"numbers one by one", [][]byte{varint(4, 1), varint(4, 1), varint(4, 1)}, ""},
		{"bytes that look like fields are not read", [][]byte{text(2, varint(99, 1))}, ""},
		{"unknown", [][]byte{varint(99, 1)}, "M: unknown field"},
		{"unknown inside", [][]byte{text(3), text(3, varint(2, 1))}, "M.items[1]: unknown field"},
		{"unknown inside a oneof", [][]byte{text(6, varint(2, 1))}, "M.b: unknown field"},
		{"anything in an empty message", [][]byte{text(5, varint(1, 1))}, "M.a: unknown field"},
		{"twice", [][]byte{varint(1, 1), varint(1, 1)}, "M.n: given twice"},
		{"twice inside", [][]byte{text(3, id, id)}, "M.items[0].id: given twice"},
		{"too many", [][]byte{text(3), text(3), text(3)}, "M.items: repeated.max_items"},
		{"too many packed", [][]byte{text(4, []byte{1, 2, 3, 4})}, "M.numbers: repeated.max_items"},
		{"too many in parts", [][]byte{text(4, []byte{1, 2}), varint(4, 1), varint(4, 1)}, "M.numbers: repeated.max_items"},
		{"two of a oneof", [][]byte{text(5), text(6, id)}, "M.b: another of its oneof is given"},
		{"text for a number", [][]byte{text(1)}, "M.n: wire type"},
		{"a number for text", [][]byte{varint(2, 1)}, "M.s: wire type"},
		{"a number for a message", [][]byte{varint(3, 1)}, "M.items: wire type"},
		{"fixed width", [][]byte{protowire.AppendFixed32(protowire.AppendTag(nil, 1, protowire.Fixed32Type), 1)}, "M.n: wire type"},
		{"a group", [][]byte{protowire.AppendTag(nil, 2, protowire.StartGroupType), protowire.AppendTag(nil, 2, protowire.EndGroupType)}, "M.s: wire type"},
		{"cut", [][]byte{text(2, []byte("long"))[:3]}, "M.s: not protobuf"},
		{"cut inside", [][]byte{text(3, id[:2])}, "M.items[0].id: not protobuf"},
		{"no tag", [][]byte{{0xff}}, "M: not protobuf"},
		{"number 0", [][]byte{{0}}, "M: not protobuf"},
	} {
		var b []byte
		for _, p := range c.b {
			b = append(b, p...)
		}
		err := shape().Check("M", b)
		if got := ""; err != nil {
			if e := errs.From(err); e.Code != errs.Malformed {
				t.Errorf("%s: code %s", c.name, e.Code)
			} else {
				got = e.Detail
			}
			if got != c.want {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		} else if c.want != "" {
			t.Errorf("%s: accepted, want %q", c.name, c.want)
		}
	}
}

// TestShapeOfManyFields: more fields than there is room for without memory of
// its own.
func TestShapeOfManyFields(t *testing.T) {
	var s rule.Shape
	var b []byte
	for n := range protowire.Number(40) {
		s = append(s, rule.Field{Number: n + 1, Name: "f", Type: protowire.VarintType, Most: 1})
		b = append(b, varint(n+1, 1)...)
	}
	if err := s.Check("M", b); err != nil {
		t.Error(err)
	}
	if err := s.Check("M", append(b, varint(40, 1)...)); err == nil || !strings.Contains(err.Error(), "given twice") {
		t.Errorf("%v", err)
	}
}

// FuzzShape: no bytes crash the check.
func FuzzShape(f *testing.F) {
	f.Add(text(3, text(1, []byte("x"))))
	f.Add(text(4, []byte{1, 0x80}))
	f.Add([]byte{0x1b, 0x1c})
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := shape().Check("M", b); err != nil && errs.CodeOf(err) != errs.Malformed {
			t.Error(err)
		}
	})
}
