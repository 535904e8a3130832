package main

import (
	"strconv"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const protowirePackage = protogen.GoImportPath("google.golang.org/protobuf/encoding/protowire")

func shapeName(m *protogen.Message) string { return unexported(m.GoIdent.GoName) + "Shape" }

// emitShape writes what an encoded message may hold, which is checked before it is
// decoded. read are the rules of its fields, in order.
func emitShape(out *protogen.GeneratedFile, m *protogen.Message, read []*rules) {
	shape := out.QualifiedGoIdent(rulePackage.Ident("Shape"))
	out.P("// Shape implements rpc.Message.")
	out.P("func (*", m.GoIdent, ") Shape() ", shape, " { return ", shapeName(m), " }")
	out.P()
	out.P("var ", shapeName(m), " = ", shape, "{")
	for i, f := range m.Fields {
		line := []any{"{Number: ", f.Desc.Number(), ", Name: ", strconv.Quote(string(f.Desc.Name())), ", Type: ", protowirePackage.Ident(wireType(f.Desc.Kind()))}
		if f.Desc.IsList() && read[i].max != nil {
			line = append(line, ", Most: ", *read[i].max, ", List: true")
		} else {
			line = append(line, ", Most: 1")
		}
		if f.Oneof != nil {
			line = append(line, ", Oneof: ", f.Oneof.Desc.Index()+1)
		}
		if f.Message != nil {
			line = append(line, ", Inner: new(", f.Message.GoIdent, ").Shape()")
		}
		out.P(append(line, "},")...)
	}
	out.P("}")
	out.P()
}

// wireType is how a kind of value is encoded; other kinds are refused before.
func wireType(k protoreflect.Kind) string {
	switch k {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return "BytesType"
	default:
		return "VarintType"
	}
}
