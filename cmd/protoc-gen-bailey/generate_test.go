package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"

	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// run puts one or more descriptors, as text, through the plugin.
func run(t *testing.T, files ...string) (map[string]string, error) {
	t.Helper()
	return runLang(t, "go", files...)
}

func runLang(t *testing.T, lang string, files ...string) (map[string]string, error) {
	t.Helper()
	request := &pluginpb.CodeGeneratorRequest{
		Parameter: proto.String("module=example.test/m"),
		ProtoFile: []*descriptorpb.FileDescriptorProto{
			protodesc.ToFileDescriptorProto(descriptorpb.File_google_protobuf_descriptor_proto),
			protodesc.ToFileDescriptorProto(validate.File_buf_validate_validate_proto),
			protodesc.ToFileDescriptorProto(policyv1.File_bailey_policy_v1_policy_proto),
		},
	}
	// validate.proto itself imports these.
	for i := range validate.File_buf_validate_validate_proto.Imports().Len() {
		im := validate.File_buf_validate_validate_proto.Imports().Get(i)
		if im.Path() != "google/protobuf/descriptor.proto" {
			request.ProtoFile = append([]*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(im.FileDescriptor)}, request.ProtoFile...)
		}
	}
	for i, text := range files {
		fd := &descriptorpb.FileDescriptorProto{}
		if err := prototext.Unmarshal([]byte(text), fd); err != nil {
			t.Fatalf("the fixture is no descriptor: %v\n%s", err, text)
		}
		if fd.Name == nil {
			fd.Name = proto.String(fmt.Sprintf("t/v%d/t.proto", i+1))
		}
		if fd.Package == nil {
			fd.Package = proto.String(fmt.Sprintf("t.v%d", i+1))
		}
		if fd.Syntax == nil {
			fd.Syntax = proto.String("proto3")
		}
		fd.Options = &descriptorpb.FileOptions{GoPackage: proto.String(fmt.Sprintf("example.test/m/wire/t%d", i+1))}
		fd.Dependency = append(fd.Dependency, "buf/validate/validate.proto", "bailey/policy/v1/policy.proto")
		request.ProtoFile = append(request.ProtoFile, fd)
		request.FileToGenerate = append(request.FileToGenerate, fd.GetName())
	}
	if lang != "go" {
		// Names of files of other languages have nothing to do with Go's modules.
		request.Parameter = nil
	}
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		t.Fatalf("the fixture is refused before the generator sees it: %v", err)
	}
	if err := generate(plugin, lang); err != nil {
		return nil, err
	}
	response := plugin.Response()
	if response.Error != nil {
		t.Fatalf("the output is no Go: %s", response.GetError())
	}
	out := map[string]string{}
	for _, f := range response.File {
		if lang != "go" {
			out[f.GetName()] = f.GetContent()
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), f.GetName(), f.GetContent(), 0); err != nil {
			t.Fatal(err)
		}
		out[f.GetName()] = f.GetContent()
	}
	return out, nil
}

// field is a field of message M; rules are those of buf.validate.field, as text.
func field(kind, label, rules, more string) string {
	if rules != "" {
		rules = "[buf.validate.field] { " + rules + " }"
	}
	return fmt.Sprintf(`message_type { name: "M" field { name: "f" number: 1 type: TYPE_%s label: LABEL_%s options { %s } %s } }`,
		kind, label, rules, more)
}

func one(kind, rules string) string  { return field(kind, "OPTIONAL", rules, "") }
func many(kind, rules string) string { return field(kind, "REPEATED", rules, "") }

const (
	enumE    = ` enum_type { name: "E" value { name: "E_U" number: 0 } value { name: "E_A" number: 1 } }`
	messageN = ` message_type { name: "N" }`
)

func TestRules(t *testing.T) {
	for _, c := range []struct {
		name, schema string
		// want is a part of what has to be generated.
		want string
	}{
		{"string min", one("STRING", "string { min_len: 1 max_len: 9 }"), `x.F == ""`},
		{"string min above one counts code points", one("STRING", "string { min_len: 2 max_len: 9 }"), "utf8.RuneCountInString(x.F) < 2"},
		{"string max counts code points", one("STRING", "string { max_len: 9 }"), "len(x.F) > 9 && utf8.RuneCountInString(x.F) > 9"},
		{"string required", one("STRING", "required: true string { max_len: 9 }"), `rule.Broken("f", "required")`},
		{"bytes len", one("BYTES", "bytes { len: 16 }"), "len(x.F) != 16"},
		{"bytes min and max", one("BYTES", "bytes { min_len: 2 max_len: 9 }"), "len(x.F) < 2"},
		{"bytes max zero", one("BYTES", "bytes { max_len: 0 }"), "len(x.F) > 0"},
		{"int32", one("INT32", "int32 { gte: -5 lte: 5 }"), "x.F < -5"},
		{"int64", one("INT64", "int64 { gte: 0 }"), "x.F < 0"},
		{"uint32", one("UINT32", "uint32 { gte: 1 }"), "x.F < 1"},
		{"uint64 lte", one("UINT64", "uint64 { lte: 18446744073709551614 }"), "x.F > 18446744073709551614"},
		{"bool without rules", one("BOOL", ""), "func (x *M) Validate() error"},
		{"bool required", one("BOOL", "required: true"), "if !x.F {"},
		{"int required", one("INT32", "required: true"), "x.F == 0"},
		{"enum", field("ENUM", "OPTIONAL", "enum { defined_only: true }", `type_name: ".t.v1.E"`) + enumE, "case 0, 1:"},
		{"message", field("MESSAGE", "OPTIONAL", "required: true", `type_name: ".t.v1.N"`) + messageN, `rule.Broken("f", "required")`},
		{"repeated", many("UINT32", "repeated { min_items: 1 max_items: 3 }"), "len(x.F) > 3"},
		{"repeated required", many("UINT32", "required: true repeated { max_items: 3 }"), "len(x.F) == 0"},
		{"shape of a field", one("STRING", "string { max_len: 9 }"), `{Number: 1, Name: "f", Type: protowire.BytesType, Most: 1},`},
		{"shape of a list", many("UINT32", "repeated { max_items: 3 }"), `{Number: 1, Name: "f", Type: protowire.VarintType, Most: 3, List: true},`},
		{"shape of a message", field("MESSAGE", "REPEATED", "repeated { max_items: 3 }", `type_name: ".t.v1.N"`) + messageN, `Most: 3, List: true, Inner: new(N).Shape()},`},
		{"items string", many("STRING", "repeated { max_items: 3 items { string { max_len: 4 } } }"), `rule.Broken("", "string.max_len").At("f", i)`},
		{"items bytes", many("BYTES", "repeated { max_items: 3 items { bytes { len: 4 } } }"), "len(item) != 4"},
		{"items int", many("INT64", "repeated { max_items: 3 items { int64 { lte: 4 } } }"), "item > 4"},
		{"items enum", field("ENUM", "REPEATED", "repeated { max_items: 3 items { enum { defined_only: true } } }", `type_name: ".t.v1.E"`) + enumE, `rule.Broken("", "enum.defined_only").At("f", i)`},
		{"items message", field("MESSAGE", "REPEATED", "repeated { max_items: 3 }", `type_name: ".t.v1.N"`) + messageN, `err.At("f", i)`},
		{"message inside a message", `message_type { name: "M" nested_type { name: "I" field { name: "g" number: 1 type: TYPE_BYTES label: LABEL_OPTIONAL options { [buf.validate.field] { bytes { len: 1 } } } } } }`, "func (x *M_I) Validate() error"},
		{"oneof", `message_type { name: "M" oneof_decl { name: "o" options { [buf.validate.oneof] { required: true } } } field { name: "f" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".t.v1.N" oneof_index: 0 } }` + messageN, `rule.Broken("o", "required")`},
		{"shape of a oneof", `message_type { name: "M" oneof_decl { name: "p" } oneof_decl { name: "o" } field { name: "e" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".t.v1.N" oneof_index: 0 } field { name: "f" number: 2 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".t.v1.N" oneof_index: 1 } }` + messageN, `{Number: 2, Name: "f", Type: protowire.BytesType, Most: 1, Oneof: 2, Inner: new(N).Shape()},`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := run(t, c.schema)
			if err != nil {
				t.Fatal(err)
			}
			code := out["wire/t1/t_bailey.pb.go"]
			if !strings.Contains(code, c.want) {
				t.Errorf("%q is not in\n%s", c.want, code)
			}
		})
	}
}

// TestRulesRefused: what is not emitted is an error, never ignored.
func TestRulesRefused(t *testing.T) {
	for _, c := range []struct{ name, schema, want string }{
		{"string pattern", one("STRING", `string { max_len: 9 pattern: "^a" }`), "rule string.pattern is not supported"},
		{"string len", one("STRING", "string { len: 9 }"), "rule string.len is not supported"},
		{"string max_bytes", one("STRING", "string { max_bytes: 9 }"), "rule string.max_bytes is not supported"},
		{"string email", one("STRING", "string { max_len: 9 email: true }"), "rule string.email is not supported"},
		{"bytes prefix", one("BYTES", `bytes { max_len: 9 prefix: "a" }`), "rule bytes.prefix is not supported"},
		{"int gt", one("INT32", "int32 { gt: 1 }"), "rule int32.gt is not supported"},
		{"int in", one("INT32", "int32 { in: [1, 2] }"), "rule int32.in is not supported"},
		{"int const", one("UINT64", "uint64 { const: 1 }"), "rule uint64.const is not supported"},
		{"enum in", field("ENUM", "OPTIONAL", "enum { in: 1 }", `type_name: ".t.v1.E"`) + enumE, "rule enum.in is not supported"},
		{"enum defined_only false", field("ENUM", "OPTIONAL", "enum { defined_only: false }", `type_name: ".t.v1.E"`) + enumE, "defined_only = false says nothing"},
		{"repeated unique", many("UINT32", "repeated { max_items: 3 unique: true }"), "rule repeated.unique is not supported"},
		{"bool const", one("BOOL", "bool { const: true }"), "rule bool is not supported"},
		{"float rules", one("UINT32", "float { gte: 1 }"), "rule float is not supported"},
		{"cel", one("UINT32", `cel { id: "x" message: "x" expression: "true" }`), "rule cel is not supported"},
		{"cel expression", one("UINT32", `cel_expression: "true"`), "rule cel_expression is not supported"},
		{"ignore", one("UINT32", "ignore: IGNORE_ALWAYS"), "rule ignore is not supported"},
		{"required false", one("UINT32", "required: false"), "required = false says nothing"},
		{"rules of another kind", one("UINT32", "int32 { gte: 1 }"), "int32 rules on a uint32 field"},
		{"scalar rules on a list", many("UINT32", "uint32 { gte: 1 }"), "uint32 rules on a repeated field"},
		{"list rules on a scalar", one("UINT32", "repeated { max_items: 1 }"), "repeated rules on a uint32 field"},
		{"items of another kind", many("UINT32", "repeated { max_items: 3 items { string { max_len: 1 } } }"), "string rules on a uint32 field"},
		{"items with an unknown rule", many("UINT32", "repeated { max_items: 3 items { uint32 { lt: 1 } } }"), "rule uint32.lt is not supported"},
		{"items required", many("UINT32", "repeated { max_items: 3 items { required: true } }"), "required on the items"},
		{"string without bound", one("STRING", ""), "needs an upper bound"},
		{"string with minimum only", one("STRING", "string { min_len: 1 }"), "needs an upper bound"},
		{"bytes without bound", one("BYTES", "bytes { min_len: 1 }"), "needs an upper bound"},
		{"repeated without bound", many("UINT32", ""), "needs an upper bound"},
		{"items without bound", many("STRING", "repeated { max_items: 3 }"), "items of a repeated string field need an upper bound"},
		{"items bytes without bound", many("BYTES", "repeated { max_items: 3 items { bytes { min_len: 1 } } }"), "items of a repeated bytes field need an upper bound"},
		{"minimum above maximum", one("STRING", "string { min_len: 9 max_len: 8 }"), "minimum above its maximum"},
		{"len beside max_len", one("BYTES", "bytes { len: 9 max_len: 9 }"), "bytes.len beside"},
		{"gte above lte", one("INT32", "int32 { gte: 1 lte: -1 }"), "gte above lte"},
		{"gte above lte unsigned", one("UINT64", "uint64 { gte: 18446744073709551615 lte: 1 }"), "gte above lte"},
		{"bound too large", one("STRING", "string { max_len: 4294967296 }"), "bound above 2^31-1"},
		{"float", one("FLOAT", ""), "kind float are not supported"},
		{"double", one("DOUBLE", ""), "kind double are not supported"},
		{"sint", one("SINT32", ""), "kind sint32 are not supported"},
		{"fixed", one("FIXED64", ""), "kind fixed64 are not supported"},
		{"optional", `message_type { name: "M" oneof_decl { name: "_f" } field { name: "f" number: 1 type: TYPE_UINT32 label: LABEL_OPTIONAL proto3_optional: true oneof_index: 0 } }`, "optional fields are not supported"},
		{"map", `message_type { name: "M" nested_type { name: "FEntry" options { map_entry: true } field { name: "key" number: 1 type: TYPE_UINT32 label: LABEL_OPTIONAL } field { name: "value" number: 2 type: TYPE_UINT32 label: LABEL_OPTIONAL } } field { name: "f" number: 1 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".t.v1.M.FEntry" } }`, "maps are not supported"},
		{"foreign message", field("MESSAGE", "OPTIONAL", "", `type_name: ".buf.validate.FieldPath"`), "buf.validate.FieldPath has no validator"},
		{"scalar in a oneof", `message_type { name: "M" oneof_decl { name: "o" } field { name: "f" number: 1 type: TYPE_UINT32 label: LABEL_OPTIONAL oneof_index: 0 } }`, "a oneof may hold messages only"},
		{"required in a oneof", `message_type { name: "M" oneof_decl { name: "o" } field { name: "f" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".t.v1.N" oneof_index: 0 options { [buf.validate.field] { required: true } } } }` + messageN, "put it on the oneof"},
		{"oneof required false", `message_type { name: "M" oneof_decl { name: "o" options { [buf.validate.oneof] { required: false } } } field { name: "f" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".t.v1.N" oneof_index: 0 } }` + messageN, "the only rule of a oneof"},
		{"message rules", `message_type { name: "M" options { [buf.validate.message] { cel { id: "x" expression: "true" } } } }`, "rules of a whole message are not supported"},
		{"recursion", field("MESSAGE", "OPTIONAL", "", `type_name: ".t.v1.M"`), "may not hold itself (t.v1.M > t.v1.M)"},
		{"recursion by another", field("MESSAGE", "REPEATED", "repeated { max_items: 1 }", `type_name: ".t.v1.N"`) + ` message_type { name: "N" field { name: "m" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".t.v1.M" } }`, "may not hold itself"},
		{"proto2", `syntax: "proto2" message_type { name: "M" }`, "only proto3 is supported"},
		{"predefined rule", `message_type { name: "M" field { name: "f" number: 1 type: TYPE_UINT32 label: LABEL_OPTIONAL options { [buf.validate.predefined] { cel { id: "x" expression: "true" } } } } }`, "buf.validate.predefined is not supported"},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, c.want, c.schema) })
	}
}

func refused(t *testing.T, want string, schema ...string) {
	t.Helper()
	out, err := run(t, schema...)
	if err == nil {
		t.Fatalf("was accepted:\n%v", out)
	}
	if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "t/v") {
		t.Errorf("%q does not say %q and where", err, want)
	}
}

// TestUnknownRuleRefused: a rule of a later buf.validate arrives as bytes that
// the linked one cannot name.
func TestUnknownRuleRefused(t *testing.T) {
	fd := &descriptorpb.FieldOptions{}
	rules := &validate.FieldRules{}
	rules.ProtoReflect().SetUnknown([]byte{0xf8, 0x3f, 1})
	proto.SetExtension(fd, validate.E_Field, rules)
	if _, err := readRules(rules, "uint32", "uint32"); err == nil {
		t.Error("an unknown field of FieldRules was ignored")
	}
	inner := &validate.UInt32Rules{}
	inner.ProtoReflect().SetUnknown([]byte{0xf8, 0x3f, 1})
	if _, err := readRules(&validate.FieldRules{Type: &validate.FieldRules_Uint32{Uint32: inner}}, "uint32", "uint32"); err == nil {
		t.Error("an unknown rule of UInt32Rules was ignored")
	}
}

// policy is the text of a good policy, with one part replaced.
func policy(old, new string) string {
	const good = `number: 7, kind: KIND_NONE, caller: CALLER_CLIENT, audit: AUDIT_NONE, max_request_bytes: 10, max_response_bytes: 20`
	if !strings.Contains(good, old) {
		panic("BUG: " + old)
	}
	return "options { [bailey.policy.v1.policy] { " + strings.Replace(good, old, new, 1) + " } }"
}

// svc is a file with one service of one method.
func svc(name, input, method string) string {
	return fmt.Sprintf(`%s message_type { name: "Out" } service { name: "%s" method { name: "Do" input_type: ".PKG.In" output_type: ".PKG.Out" %s } }`, input, name, method)
}

const (
	plainIn = `message_type { name: "In" }`
	grantIn = `message_type { name: "In" field { name: "grant" number: 1 type: TYPE_BYTES label: LABEL_OPTIONAL options { [buf.validate.field] { bytes { len: 16 } } } } }`
)

func pkg(n int, s string) string { return strings.ReplaceAll(s, ".PKG.", fmt.Sprintf(".t.v%d.", n)) }

func TestPolicy(t *testing.T) {
	out, err := run(t,
		pkg(1, svc("AService", plainIn, policy("", ""))),
		pkg(2, svc("BService", grantIn, "server_streaming: true "+policy("number: 7, kind: KIND_NONE", "number: 3, kind: KIND_FILE_READ"))))
	if err != nil {
		t.Fatal(err)
	}
	// In the order of their numbers, whatever the order of the files.
	table := out["wire/table/table_bailey.pb.go"]
	if rows := "t2.BServiceDoMethod(),\n\t\tt1.AServiceDoMethod(),"; !strings.Contains(table, rows) {
		t.Errorf("%q is not in the table\n%s", rows, table)
	}
	var all strings.Builder
	for _, code := range out {
		all.WriteString(code)
	}
	for _, want := range []string{
		"func (x *In) SetGrant(grant []byte) { x.Grant = grant }",
		"Recv() (*Out, error)", "Send(m *Out) error",
		"Do(ctx context.Context, in *In) (*Out, error)",
		"Do(ctx context.Context, in *In, out *BServiceDoSender) error",
		"func AServiceRoutes(s AServiceServer) []rpc.Route",
		"policyv1.Kind_KIND_FILE_READ",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q was not generated in\n%s", want, all.String())
		}
	}
	if n := strings.Count(all.String(), "SetGrant"); n != 2 {
		t.Errorf("SetGrant stands %d times; only the request with a grant may have it", n)
	}
}

func TestPolicyRefused(t *testing.T) {
	for _, c := range []struct{ name, input, method, want string }{
		{"none", plainIn, "", "has no (bailey.policy.v1.policy)"},
		{"no number", plainIn, policy("number: 7, ", ""), "needs number"},
		{"no kind", plainIn, policy("kind: KIND_NONE, ", ""), "needs kind"},
		{"no caller", plainIn, policy("caller: CALLER_CLIENT, ", ""), "needs caller"},
		{"no audit", plainIn, policy("audit: AUDIT_NONE, ", ""), "needs audit"},
		{"unknown kind", plainIn, policy("KIND_NONE", "99"), "needs kind"},
		{"no request limit", plainIn, policy("max_request_bytes: 10, ", ""), "max_request_bytes"},
		{"no response limit", plainIn, policy("max_response_bytes: 20", ""), "max_response_bytes"},
		{"request limit too large", plainIn, policy("max_request_bytes: 10", "max_request_bytes: 1044481"), "max_request_bytes"},
		{"response limit too large", plainIn, policy("max_response_bytes: 20", "max_response_bytes: 1044481"), "max_response_bytes"},
		{"kind without a grant", plainIn, policy("KIND_NONE", "KIND_FILE_READ"), "needs `bytes grant = 1"},
		{"grant without its length", strings.Replace(grantIn, "len: 16", "max_len: 16", 1), policy("KIND_NONE", "KIND_FILE_READ"), "needs `bytes grant = 1"},
		{"grant in another field", strings.Replace(grantIn, "number: 1", "number: 2", 1), policy("KIND_NONE", "KIND_FILE_READ"), "needs `bytes grant = 1"},
		{"grant of another name", strings.Replace(grantIn, `"grant"`, `"handle"`, 1), policy("KIND_NONE", "KIND_FILE_READ"), "needs `bytes grant = 1"},
		{"grant of another kind", strings.NewReplacer("TYPE_BYTES", "TYPE_STRING", "bytes { len: 16 }", "string { max_len: 16 }").Replace(grantIn), policy("KIND_NONE", "KIND_FILE_READ"), "needs `bytes grant = 1"},
		{"grant without a kind", grantIn, policy("", ""), "names a grant, but"},
		{"passed on without a kind", plainIn, policy("CALLER_CLIENT", "CALLER_CLIENT_TO_WORKER"), "passed on to a worker"},
		{"screen", grantIn, policy("KIND_NONE", "KIND_SCREEN_CAPTURE"), "never granted"},
		{"input", grantIn, policy("KIND_NONE", "KIND_INPUT_OBSERVE"), "never granted"},
		{"a page that is none", plainIn, policy("max_request", "surfaces: SURFACE_UNSPECIFIED max_request"), "surfaces hold one"},
		{"a page that is unknown", plainIn, policy("max_request", "surfaces: 99 max_request"), "surfaces hold one"},
		{"a page twice", plainIn, policy("max_request", "surfaces: SURFACE_APP surfaces: SURFACE_APP max_request"), "surfaces hold one"},
		{"for pages, and for none", plainIn, policy("CALLER_CLIENT", "CALLER_SURFACE"), "needs surfaces"},
		{"the core's, for a page", plainIn, policy("CALLER_CLIENT,", "CALLER_CORE, surfaces: SURFACE_APP"), "no page may call"},
		{"a worker's, for a page", plainIn, policy("CALLER_CLIENT,", "CALLER_WORKER, surfaces: SURFACE_APP"), "no page may call"},
		{"a worker's, without a grant", plainIn, policy("CALLER_CLIENT,", "CALLER_WORKER,"), "stands under a grant"},
		{"client streaming", plainIn, "client_streaming: true " + policy("", ""), "client streaming is not supported"},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, c.want, pkg(1, svc("AService", c.input, c.method))) })
	}
	t.Run("the largest limit is allowed", func(t *testing.T) {
		if _, err := run(t, pkg(1, svc("AService", plainIn, policy("max_request_bytes: 10", "max_request_bytes: 1044480")))); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("number of a method in another file", func(t *testing.T) {
		refused(t, "number 7 is that of t.v1.AService.Do",
			pkg(1, svc("AService", plainIn, policy("", ""))), pkg(2, svc("BService", plainIn, policy("", ""))))
	})
	t.Run("all errors of a run are named", func(t *testing.T) {
		_, err := run(t, pkg(1, svc("AService", plainIn, "")), one("STRING", ""))
		if err == nil || !strings.Contains(err.Error(), "has no (") || !strings.Contains(err.Error(), "upper bound") {
			t.Errorf("%v", err)
		}
	})
}
