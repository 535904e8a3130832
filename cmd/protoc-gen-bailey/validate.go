package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	wirePackage = "github.com/bailey-run/bailey/internal/wire"
	rulePackage = protogen.GoImportPath(wirePackage + "/rule")
	rpcPackage  = protogen.GoImportPath(wirePackage + "/rpc")
	ctxPackage  = protogen.GoImportPath("context")
	utf8Package = protogen.GoImportPath("unicode/utf8")
)

// message writes the validators of a message and of those declared inside it.
func (g *generator) message(out *protogen.GeneratedFile, m *protogen.Message) {
	if proto.HasExtension(m.Desc.Options(), validate.E_Message) {
		g.fail(m.Desc, "rules of a whole message are not supported")
	}
	if path := cycle(m.Desc, nil); path != nil {
		// The depth of what arrives would be the sender's choice.
		g.fail(m.Desc, "a message may not hold itself (%s)", strings.Join(path, " > "))
		return
	}
	out.P("// Validate returns nil, or an errs.Malformed that names the field and the rule.")
	out.P("func (x *", m.GoIdent, ") Validate() error {")
	out.P("if x == nil {")
	out.P("return ", rulePackage.Ident("Missing"), "(", strconv.Quote(string(m.Desc.Name())), ")")
	out.P("}")
	out.P("if err := x.Violation(); err != nil {")
	out.P("return err.Error(", strconv.Quote(string(m.Desc.Name())), ")")
	out.P("}")
	out.P("return nil")
	out.P("}")
	out.P()
	out.P("// Violation is Validate for a message that holds this one.")
	out.P("func (x *", m.GoIdent, ") Violation() *", rulePackage.Ident("Violation"), " {")
	out.P("if len(x.unknownFields) != 0 {")
	out.P("return ", rulePackage.Ident("Broken"), `("", "unknown field")`)
	out.P("}")
	var read []*rules
	for _, f := range m.Fields {
		r := g.fieldRules(f)
		read = append(read, r)
		if f.Oneof == nil {
			emitField(out, f, r)
		}
	}
	for _, o := range m.Oneofs {
		g.emitOneof(out, o)
	}
	out.P("return nil")
	out.P("}")
	out.P()
	emitShape(out, m, read)
	for _, n := range m.Messages {
		if !n.Desc.IsMapEntry() {
			g.message(out, n)
		}
	}
}

// cycle returns the way by which a message holds itself, or nil.
func cycle(m protoreflect.MessageDescriptor, seen []string) []string {
	name := string(m.FullName())
	if slices.Contains(seen, name) {
		return append(seen, name)
	}
	seen = append(slices.Clip(seen), name)
	for i := range m.Fields().Len() {
		if inner := m.Fields().Get(i).Message(); inner != nil {
			if path := cycle(inner, seen); path != nil {
				return path
			}
		}
	}
	return nil
}

func emitField(out *protogen.GeneratedFile, f *protogen.Field, r *rules) {
	name := string(f.Desc.Name())
	value := "x." + f.GoName
	if !f.Desc.IsList() {
		emitValue(out, f, r, value, name, "")
		return
	}
	if r.required {
		broken(out, "len("+value+") == 0", name, "required")
	}
	emitCount(out, r, "len("+value+")", name, "repeated", "items")
	// The loop is written only if there is something to check in an item.
	items := r.items
	if items == nil {
		items = &rules{}
	}
	if !f.Desc.IsList() || f.Desc.Kind() != protoreflect.MessageKind && *items == (rules{}) {
		return
	}
	out.P("for i, item := range ", value, " {")
	emitValue(out, f, items, "item", name, "i")
	out.P("}")
}

// emitValue writes the checks of one value: a field, or one item of a list,
// whose index is then in the variable that index names.
func emitValue(out *protogen.GeneratedFile, f *protogen.Field, r *rules, value, name, index string) {
	kind := string(ruleKind(f.Desc.Kind()))
	check := func(cond, rule string) {
		if index == "" {
			broken(out, cond, name, rule)
			return
		}
		out.P("if ", cond, " {")
		out.P("return ", rulePackage.Ident("Broken"), `("", `, strconv.Quote(rule), ").At(", strconv.Quote(name), ", ", index, ")")
		out.P("}")
	}
	if r.required {
		check(zero(kind, value), "required")
	}
	switch kind {
	case "string":
		runes := out.QualifiedGoIdent(utf8Package.Ident("RuneCountInString"))
		if r.min != nil && *r.min == 1 {
			check(value+` == ""`, "string.min_len")
		} else if r.min != nil && *r.min > 1 {
			check(fmt.Sprintf("%s(%s) < %d", runes, value, *r.min), "string.min_len")
		}
		if r.max != nil {
			// No string has more code points than bytes, so most are not counted.
			check(fmt.Sprintf("len(%s) > %d && %s(%s) > %d", value, *r.max, runes, value, *r.max), "string.max_len")
		}
	case "bytes":
		if r.len != nil {
			check(fmt.Sprintf("len(%s) != %d", value, *r.len), "bytes.len")
		}
		if r.min != nil && *r.min > 0 {
			check(fmt.Sprintf("len(%s) < %d", value, *r.min), "bytes.min_len")
		}
		if r.max != nil {
			check(fmt.Sprintf("len(%s) > %d", value, *r.max), "bytes.max_len")
		}
	case "enum":
		if r.definedOnly {
			out.P("switch ", value, " {")
			out.P("case ", enumNumbers(f.Enum), ":")
			out.P("default:")
			v := `("` + name + `", "enum.defined_only")`
			if index != "" {
				v = `("", "enum.defined_only").At("` + name + `", ` + index + ")"
			}
			out.P("return ", rulePackage.Ident("Broken"), v)
			out.P("}")
		}
	case "message":
		emitMessage(out, value, name, index)
	default:
		// An unsigned number is never below 0; the compiler's own linters say so.
		if r.gte != nil && (*r.gte != "0" || !strings.HasPrefix(kind, "u")) {
			check(value+" < "+*r.gte, kind+".gte")
		}
		if r.lte != nil {
			check(value+" > "+*r.lte, kind+".lte")
		}
	}
}

func emitMessage(out *protogen.GeneratedFile, value, name, index string) {
	if index != "" {
		// A decoder never leaves a nil in a list; a careless sender might.
		out.P("if item == nil {")
		out.P("return ", rulePackage.Ident("Broken"), `("", "required").At(`, strconv.Quote(name), ", ", index, ")")
		out.P("}")
		out.P("if err := item.Violation(); err != nil {")
		out.P("return err.At(", strconv.Quote(name), ", ", index, ")")
		out.P("}")
		return
	}
	out.P("if ", value, " != nil {")
	out.P("if err := ", value, ".Violation(); err != nil {")
	out.P("return err.In(", strconv.Quote(name), ")")
	out.P("}")
	out.P("}")
}

// emitCount writes the bounds on the number of items of a list.
func emitCount(out *protogen.GeneratedFile, r *rules, count, name, group, unit string) {
	if r.min != nil && *r.min > 0 {
		broken(out, fmt.Sprintf("%s < %d", count, *r.min), name, group+".min_"+unit)
	}
	if r.max != nil {
		broken(out, fmt.Sprintf("%s > %d", count, *r.max), name, group+".max_"+unit)
	}
}

func (g *generator) emitOneof(out *protogen.GeneratedFile, o *protogen.Oneof) {
	required := g.oneofRequired(o)
	name := string(o.Desc.Name())
	out.P("switch v := x.", o.GoName, ".(type) {")
	out.P("case nil:")
	if required {
		out.P("return ", rulePackage.Ident("Broken"), "(", strconv.Quote(name), `, "required")`)
	}
	for _, f := range o.Fields {
		inner := strconv.Quote(string(f.Desc.Name()))
		out.P("case *", f.GoIdent, ":")
		out.P("if v == nil || v.", f.GoName, " == nil {")
		out.P("return ", rulePackage.Ident("Broken"), "(", inner, `, "required")`)
		out.P("}")
		out.P("if err := v.", f.GoName, ".Violation(); err != nil {")
		out.P("return err.In(", inner, ")")
		out.P("}")
	}
	out.P("}")
}

func broken(out *protogen.GeneratedFile, cond, name, rule string) {
	out.P("if ", cond, " {")
	out.P("return ", rulePackage.Ident("Broken"), "(", strconv.Quote(name), ", ", strconv.Quote(rule), ")")
	out.P("}")
}

// zero is the condition under which a value counts as not given.
func zero(kind, value string) string {
	switch kind {
	case "string":
		return value + ` == ""`
	case "bytes":
		return "len(" + value + ") == 0"
	case "bool":
		return "!" + value
	case "message":
		return value + " == nil"
	default:
		return value + " == 0"
	}
}

// enumNumbers lists the declared values once each, as cases of a switch: the
// maps of protoc-gen-go are exported and could be changed by anyone.
func enumNumbers(e *protogen.Enum) string {
	var numbers []int
	for _, v := range e.Values {
		numbers = append(numbers, int(v.Desc.Number()))
	}
	slices.Sort(numbers)
	var s []string
	for _, n := range slices.Compact(numbers) {
		s = append(s, strconv.Itoa(n))
	}
	return strings.Join(s, ", ")
}
