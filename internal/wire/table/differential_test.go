package table_test

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	_ "github.com/bailey-run/bailey/internal/wire/table"
)

// messages returns the type of every message of the schema, by name.
func messages(tb testing.TB) []protoreflect.MessageType {
	tb.Helper()
	var all []protoreflect.MessageType
	protoregistry.GlobalTypes.RangeMessages(func(t protoreflect.MessageType) bool {
		if strings.HasPrefix(string(t.Descriptor().FullName()), "bailey.") {
			all = append(all, t)
		}
		return true
	})
	slices.SortFunc(all, func(a, b protoreflect.MessageType) int {
		return strings.Compare(string(a.Descriptor().FullName()), string(b.Descriptor().FullName()))
	})
	if len(all) < 50 {
		tb.Fatalf("only %d messages are registered", len(all))
	}
	return all
}

func validator(tb testing.TB) protovalidate.Validator {
	tb.Helper()
	v, err := protovalidate.New()
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// same fails unless the generated validator and protovalidate say the same of
// m, and the rule that the generated one names is among those that
// protovalidate found broken. m holds no unknown fields, which protovalidate
// lets pass.
func same(tb testing.TB, reference protovalidate.Validator, m proto.Message) (valid bool) {
	tb.Helper()
	name := string(m.ProtoReflect().Descriptor().Name())
	ours := m.(rpc.Message).Validate()
	theirs := reference.Validate(m)
	var broken *protovalidate.ValidationError
	if theirs != nil && !errors.As(theirs, &broken) {
		tb.Fatalf("%s: protovalidate cannot check it: %v", name, theirs)
	}
	if (ours == nil) != (theirs == nil) {
		tb.Fatalf("%s: generated says %v, protovalidate says %v", name, ours, theirs)
	}
	if ours == nil {
		// What is valid has the shape that is demanded before decoding.
		b, err := proto.Marshal(m)
		if err != nil {
			tb.Fatal(err)
		}
		if err := m.(rpc.Message).Shape().Check(name, b); err != nil {
			tb.Fatalf("a valid message is refused by its shape: %v", err)
		}
		return true
	}
	e := errs.From(ours)
	if e.Code != errs.Malformed {
		tb.Fatalf("%s: code %s", name, e.Code)
	}
	var found []string
	for _, v := range broken.Violations {
		// Where both bounds are set, protovalidate has one rule for the pair.
		id := v.Proto.GetRuleId()
		for _, id := range []string{id, strings.TrimSuffix(id, "_lte"), strings.Replace(id, "gte_lte", "lte", 1)} {
			found = append(found, name+"."+protovalidate.FieldPathString(v.Proto.GetField())+": "+id)
		}
	}
	if !slices.Contains(found, e.Detail) {
		tb.Fatalf("%s: generated says %q, protovalidate says %q", name, e.Detail, found)
	}
	return false
}

// A shape decides how a message is filled: it hands out the bytes of the fuzzer
// one after the other, then zeros.
type shape struct{ b []byte }

func (s *shape) next() int {
	if len(s.b) == 0 {
		return 0
	}
	c := s.b[0]
	s.b = s.b[1:]
	return int(c)
}

// pick returns one of the values that lie at the edges of what a field allows.
func pick[T any](s *shape, of ...T) T { return of[s.next()%len(of)] }

// fill gives each field of m a value from the edges of its rules.
func fill(s *shape, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		r, _ := proto.GetExtension(fd.Options(), validate.E_Field).(*validate.FieldRules)
		switch {
		case fd.ContainingOneof() != nil:
			// The first member decides for the oneof: which of them, or none.
			members := fd.ContainingOneof().Fields()
			if fd != members.Get(0) {
				continue
			}
			if which := s.next() % (members.Len() + 1); which < members.Len() {
				fill(s, m.Mutable(members.Get(which)).Message())
			}
		case fd.IsList():
			l := m.Mutable(fd).List()
			lo, hi := r.GetRepeated().GetMinItems(), r.GetRepeated().GetMaxItems()
			n := pick(s, lo, 1, 2, 0, lo-1, hi, hi+1)
			for j := range min(n, hi+1) {
				if fd.Message() != nil {
					item := l.NewElement()
					fill(s, item.Message())
					l.Append(item)
				} else if j < 3 {
					l.Append(scalar(s, fd, r.GetRepeated().GetItems()))
				} else {
					l.Append(l.Get(0))
				}
			}
		case fd.Message() != nil:
			if s.next()%4 != 1 {
				fill(s, m.Mutable(fd).Message())
			}
		default:
			m.Set(fd, scalar(s, fd, r))
		}
	}
}

func scalar(s *shape, fd protoreflect.FieldDescriptor, r *validate.FieldRules) protoreflect.Value {
	size := func(lo, hi, exact uint64) int {
		if exact != 0 {
			lo, hi = exact, exact
		}
		return int(min(pick(s, lo, 1, hi, lo-1, hi+1, 0, hi-1), 1<<17))
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		n := size(r.GetString().GetMinLen(), r.GetString().GetMaxLen(), 0)
		return protoreflect.ValueOfString(strings.Repeat(pick(s, "a", "é", "語", "😀", "\x00"), n))
	case protoreflect.BytesKind:
		n := size(r.GetBytes().GetMinLen(), r.GetBytes().GetMaxLen(), r.GetBytes().GetLen())
		return protoreflect.ValueOfBytes(make([]byte, n))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(s.next()%2 == 0)
	case protoreflect.EnumKind:
		last := fd.Enum().Values().Get(fd.Enum().Values().Len() - 1).Number()
		return protoreflect.ValueOfEnum(pick(s, 1, 0, last, last+1, -1, math.MaxInt32))
	case protoreflect.Uint32Kind:
		lo, hi := r.GetUint32().GetGte(), r.GetUint32().GetLte()
		return protoreflect.ValueOfUint32(pick(s, lo, 1, hi, lo-1, hi+1, 0, math.MaxUint32))
	case protoreflect.Uint64Kind:
		lo, hi := r.GetUint64().GetGte(), r.GetUint64().GetLte()
		return protoreflect.ValueOfUint64(pick(s, lo, 1, hi, lo-1, hi+1, 0, math.MaxUint64))
	case protoreflect.Int32Kind:
		lo, hi := r.GetInt32().GetGte(), r.GetInt32().GetLte()
		return protoreflect.ValueOfInt32(pick(s, lo, 1, hi, lo-1, hi+1, math.MinInt32, math.MaxInt32))
	case protoreflect.Int64Kind:
		lo, hi := r.GetInt64().GetGte(), r.GetInt64().GetLte()
		return protoreflect.ValueOfInt64(pick(s, lo, 1, hi, lo-1, hi+1, math.MinInt64, math.MaxInt64))
	default:
		panic("BUG: the generator lets no field of kind " + fd.Kind().String() + " through")
	}
}

// TestValidateEdges walks through every message with two fields at a time, near
// to each other in the schema, at each edge of their rules (two, since one often
// decides whether the other is there), and demands that both answers are seen.
func TestValidateEdges(t *testing.T) {
	const choices = 7
	reference := validator(t)
	for _, mt := range messages(t) {
		t.Run(string(mt.Descriptor().FullName()), func(t *testing.T) {
			valid, invalid := 0, 0
			for at := range 3*mt.Descriptor().Fields().Len() + 12 {
				for pair := range 3 * choices * choices {
					b := make([]byte, at+4)
					b[at], b[at+1+pair/(choices*choices)] = byte(pair%choices), byte(pair/choices%choices)
					m := mt.New()
					fill(&shape{b}, m)
					if same(t, reference, m.Interface()) {
						valid++
					} else {
						invalid++
					}
				}
			}
			if valid == 0 {
				t.Error("no valid message was made")
			}
			if invalid == 0 && ruled(mt.Descriptor()) {
				t.Error("no invalid message was made")
			}
		})
	}
}

// ruled reports whether a message, or one that it holds, carries any rule.
func ruled(d protoreflect.MessageDescriptor) bool {
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		if proto.HasExtension(fd.Options(), validate.E_Field) || fd.Message() != nil && ruled(fd.Message()) {
			return true
		}
	}
	return false
}

// FuzzValidateFilled holds the validators against protovalidate on messages
// whose fields lie at the edges of their rules.
func FuzzValidateFilled(f *testing.F) {
	all, reference := messages(f), validator(f)
	for i := range all {
		f.Add(uint8(i), []byte{0})
		f.Add(uint8(i), []byte{2, 2, 2, 2, 2, 2, 2, 2})
		f.Add(uint8(i), []byte{5, 1, 4, 1, 3, 9, 2, 6})
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		m := all[int(which)%len(all)].New()
		fill(&shape{b}, m)
		same(t, reference, m.Interface())
	})
}

// FuzzValidateDecoded holds them against protovalidate on whatever decodes, and
// checks that an unknown field anywhere is refused.
func FuzzValidateDecoded(f *testing.F) {
	all, reference := messages(f), validator(f)
	for i, mt := range all {
		m := mt.New()
		fill(&shape{[]byte{1, 1, 1, 1}}, m)
		b, err := proto.Marshal(m.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b)
		f.Add(uint8(i), append(b, 0xf8, 0x3f, 1))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		m := all[int(which)%len(all)].New().Interface().(rpc.Message)
		err := rpc.Decode(b, m, math.MaxInt)
		if err != nil && errs.CodeOf(err) != errs.Malformed {
			t.Fatalf("code %s", errs.CodeOf(err))
		}
		plain := m.ProtoReflect().New().Interface().(rpc.Message)
		if proto.Unmarshal(b, plain) != nil {
			if err == nil {
				t.Fatal("bytes that do not decode were accepted")
			}
			return
		}
		if unknown(plain.ProtoReflect()) {
			if err == nil {
				t.Fatal("an unknown field was accepted")
			}
			return
		}
		if same(t, reference, plain); err == nil && plain.Validate() != nil {
			t.Fatal("an invalid message was accepted")
		}
	})
}

// unknown reports whether m or any message in it holds an unknown field.
func unknown(m protoreflect.Message) bool {
	found := len(m.GetUnknown()) > 0
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				found = found || unknown(v.List().Get(i).Message())
			}
		default:
			found = found || unknown(v.Message())
		}
		return !found
	})
	return found
}

// TestUnknownFieldRefused plants an unknown field in each message, and one
// level down in each message that a message holds.
func TestUnknownFieldRefused(t *testing.T) {
	stray := binary.AppendUvarint(nil, 1023<<3)
	stray = append(stray, 1)
	for _, mt := range messages(t) {
		m := mt.New()
		fill(&shape{}, m)
		if err := m.Interface().(rpc.Message).Validate(); err != nil && !strings.Contains(err.Error(), "required") {
			t.Fatalf("%s: the control is invalid: %v", mt.Descriptor().FullName(), err)
		}
		m.SetUnknown(stray)
		if err := m.Interface().(rpc.Message).Validate(); err == nil || !strings.Contains(err.Error(), "unknown field") {
			t.Errorf("%s: %v", mt.Descriptor().FullName(), err)
		}
		m.SetUnknown(nil)
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			if fd.Message() == nil {
				return true
			}
			inner := v
			if fd.IsList() {
				inner = v.List().Get(0)
			}
			inner.Message().SetUnknown(stray)
			err := m.Interface().(rpc.Message).Validate()
			if err == nil || !strings.Contains(err.Error(), string(fd.Name())) || !strings.Contains(err.Error(), "unknown field") {
				t.Errorf("%s: %v", fd.FullName(), err)
			}
			inner.Message().SetUnknown(nil)
			return true
		})
	}
}

// TestNilMessages: a caller's nil is an error, never a crash.
func TestNilMessages(t *testing.T) {
	for _, mt := range messages(t) {
		if err := mt.Zero().Interface().(rpc.Message).Validate(); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%s: %v", mt.Descriptor().FullName(), err)
		}
	}
}

// TestErrorsQuoteNoValue: whatever a peer sent, its words do not come back in
// an error.
func TestErrorsQuoteNoValue(t *testing.T) {
	const secret = "hunter2"
	for _, mt := range messages(t) {
		fields := mt.Descriptor().Fields()
		for i := range fields.Len() {
			fd := fields.Get(i)
			if fd.Kind() != protoreflect.StringKind || fd.IsList() {
				continue
			}
			m := mt.New()
			fill(&shape{}, m)
			m.Set(fd, protoreflect.ValueOfString(strings.Repeat(secret, 100_000)))
			err := m.Interface().(rpc.Message).Validate()
			if err == nil {
				t.Errorf("%s: 700,000 characters were accepted", fd.FullName())
			} else if strings.Contains(err.Error(), secret) || strings.Contains(errs.From(err).Message(), secret) {
				t.Errorf("%s: the error quotes the value", fd.FullName())
			}
		}
	}
}
