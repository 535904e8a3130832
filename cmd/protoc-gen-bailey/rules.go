package main

import (
	"fmt"
	"math"
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The rules that are understood, by the kind of field that they stand on; the
// names are those of buf.validate, whose meaning they have:
//
//	string           min_len, max_len (code points)
//	bytes            len, min_len, max_len (bytes)
//	repeated         min_items, max_items, items (the rules of the item's kind)
//	int and uint     gte, lte (32 and 64 bit)
//	enum             defined_only
//	any field        required (not the zero value; a message is present)
//	oneof            required
type rules struct {
	required    bool
	definedOnly bool
	// Bounds as they stand in the schema; nil = none.
	len, min, max *uint64
	gte, lte      *string
	items         *rules
}

// supported lists, for each rule message of buf.validate, the rules in it that
// this generator emits.
func supported() map[protoreflect.Name][]protoreflect.Name {
	return map[protoreflect.Name][]protoreflect.Name{
		"string":   {"min_len", "max_len"},
		"bytes":    {"len", "min_len", "max_len"},
		"repeated": {"min_items", "max_items", "items"},
		"int32":    {"gte", "lte"},
		"int64":    {"gte", "lte"},
		"uint32":   {"gte", "lte"},
		"uint64":   {"gte", "lte"},
		"enum":     {"defined_only"},
	}
}

// ruleKind names the rule message that fits a kind of value; "" for a kind that
// no schema of ours may use. Floats, fixed-width and zigzag numbers are left
// out because nothing needs them and each would be one more meaning to keep
// equal to protovalidate's.
func ruleKind(k protoreflect.Kind) protoreflect.Name {
	switch k {
	case protoreflect.StringKind:
		return "string"
	case protoreflect.BytesKind:
		return "bytes"
	case protoreflect.Int32Kind:
		return "int32"
	case protoreflect.Int64Kind:
		return "int64"
	case protoreflect.Uint32Kind:
		return "uint32"
	case protoreflect.Uint64Kind:
		return "uint64"
	case protoreflect.EnumKind:
		return "enum"
	case protoreflect.BoolKind:
		return "bool"
	case protoreflect.MessageKind:
		return "message"
	default:
		return ""
	}
}

// fieldRules reads the rules of a field and refuses whatever it would not emit.
func (g *generator) fieldRules(f *protogen.Field) *rules {
	d := f.Desc
	refuse := func(format string, args ...any) *rules {
		g.fail(d, format, args...)
		return &rules{}
	}
	kind := ruleKind(d.Kind())
	switch {
	case d.IsMap():
		return refuse("maps are not supported; use a repeated message")
	case kind == "":
		return refuse("fields of kind %s are not supported", d.Kind())
	case d.HasOptionalKeyword():
		return refuse("optional fields are not supported; give the zero value a meaning or use a message")
	case d.ContainingOneof() != nil && kind != "message":
		return refuse("a oneof may hold messages only")
	case kind == "message" && !g.ours[d.Message().FullName()]:
		return refuse("%s has no validator", d.Message().FullName())
	}
	if proto.HasExtension(d.Options(), validate.E_Predefined) {
		return refuse("buf.validate.predefined is not supported")
	}
	fr, _ := proto.GetExtension(d.Options(), validate.E_Field).(*validate.FieldRules)
	want := kind
	if d.IsList() {
		want = "repeated"
	}
	r, err := readRules(fr, want, kind)
	if err != nil {
		return refuse("%v", err)
	}
	if d.ContainingOneof() != nil && r.required {
		return refuse("required on a member of a oneof is not supported; put it on the oneof")
	}
	if err := bounded(r, want, kind); err != nil {
		return refuse("%v", err)
	}
	return r
}

// readRules turns the annotation of one field, or of its items, into rules.
// want is the rule message that fits the field, kind that of a list's items.
func readRules(fr *validate.FieldRules, want, kind protoreflect.Name) (*rules, error) {
	r := &rules{}
	if fr == nil {
		return r, nil
	}
	m := fr.ProtoReflect()
	if len(m.GetUnknown()) > 0 {
		return nil, fmt.Errorf("holds a rule that this generator does not know")
	}
	var err error
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch name := fd.Name(); {
		case fd.IsExtension():
			err = fmt.Errorf("rule %s is not supported", fd.FullName())
		case name == "required":
			if !v.Bool() {
				err = fmt.Errorf("required = false says nothing")
			}
			r.required = true
		case supported()[name] == nil:
			err = fmt.Errorf("rule %s is not supported", name)
		case name != want:
			err = fmt.Errorf("%s rules on a %s field", name, want)
		default:
			err = r.read(name, v.Message(), kind)
		}
		return err == nil
	})
	return r, err
}

// read takes the rules out of one rule message, for example StringRules.
func (r *rules) read(group protoreflect.Name, m protoreflect.Message, kind protoreflect.Name) error {
	if len(m.GetUnknown()) > 0 {
		return fmt.Errorf("%s holds a rule that this generator does not know", group)
	}
	var err error
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.IsExtension() || !slices.Contains(supported()[group], fd.Name()) {
			err = fmt.Errorf("rule %s.%s is not supported", group, fd.Name())
			return false
		}
		switch fd.Name() {
		case "len":
			r.len = ptr(v.Uint())
		case "min_len", "min_items":
			r.min = ptr(v.Uint())
		case "max_len", "max_items":
			r.max = ptr(v.Uint())
		case "gte":
			r.gte = ptr(fmt.Sprint(v.Interface()))
		case "lte":
			r.lte = ptr(fmt.Sprint(v.Interface()))
		case "defined_only":
			if r.definedOnly = v.Bool(); !r.definedOnly {
				err = fmt.Errorf("defined_only = false says nothing")
			}
		case "items":
			items, _ := v.Message().Interface().(*validate.FieldRules)
			if r.items, err = readRules(items, kind, kind); err == nil && r.items.required {
				err = fmt.Errorf("required on the items of a list is not supported")
			}
		}
		return err == nil
	})
	if err == nil {
		err = r.sensible(group, m)
	}
	return err
}

// sensible refuses bounds that nothing can fulfil. For numbers buf.validate
// reads gte > lte as "outside of", which is not emitted.
func (r *rules) sensible(group protoreflect.Name, m protoreflect.Message) error {
	if r.len != nil && (r.min != nil || r.max != nil) {
		return fmt.Errorf("%s.len beside min_len or max_len", group)
	}
	if r.min != nil && r.max != nil && *r.min > *r.max {
		return fmt.Errorf("%s has a minimum above its maximum", group)
	}
	for _, n := range []*uint64{r.len, r.min, r.max} {
		if n != nil && *n > math.MaxInt32 {
			return fmt.Errorf("%s has a bound above 2^31-1", group)
		}
	}
	if r.gte != nil && r.lte != nil {
		fields := m.Descriptor().Fields()
		lo, hi := m.Get(fields.ByName("gte")), m.Get(fields.ByName("lte"))
		outside := false
		switch lo.Interface().(type) {
		case int32, int64:
			outside = lo.Int() > hi.Int()
		default:
			outside = lo.Uint() > hi.Uint()
		}
		if outside {
			return fmt.Errorf("%s.gte above lte is not supported", group)
		}
	}
	return nil
}

// bounded demands an upper bound on everything whose size the sender chooses.
func bounded(r *rules, want, kind protoreflect.Name) error {
	switch want {
	case "string", "bytes":
		if r.len == nil && r.max == nil {
			return fmt.Errorf("a %s field needs an upper bound (%s.max_len)", want, want)
		}
	case "repeated":
		if r.max == nil {
			return fmt.Errorf("a repeated field needs an upper bound (repeated.max_items)")
		}
		if kind == "string" || kind == "bytes" {
			items := r.items
			if items == nil || items.len == nil && items.max == nil {
				return fmt.Errorf("the items of a repeated %s field need an upper bound (repeated.items.%s.max_len)", kind, kind)
			}
		}
	}
	return nil
}

// oneofRequired reads the one rule that a oneof may carry.
func (g *generator) oneofRequired(o *protogen.Oneof) bool {
	or, _ := proto.GetExtension(o.Desc.Options(), validate.E_Oneof).(*validate.OneofRules)
	if or == nil {
		return false
	}
	if len(or.ProtoReflect().GetUnknown()) > 0 || !or.GetRequired() {
		g.fail(o.Desc, "required = true is the only rule of a oneof that is supported")
	}
	return or.GetRequired()
}

func ptr[T any](v T) *T { return &v }
