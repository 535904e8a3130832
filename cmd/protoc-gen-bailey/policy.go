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

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// service is one service of the schema with its checked methods.
type service struct {
	*protogen.Service
	importPath protogen.GoImportPath
	methods    []*method
}

// method is one method with its policy.
type method struct {
	*protogen.Method
	service *service
	policy  *policyv1.Policy
	// grant is set when the request names a grant in field 1.
	grant bool
}

// accessor is the generated function that returns the method's row.
func (m *method) accessor() protogen.GoIdent {
	return m.service.importPath.Ident(m.row())
}

func (m *method) row() string { return m.service.GoName + m.GoName + "Method" }

// service checks the policy of each method.
func (g *generator) service(f *protogen.File, s *protogen.Service) *service {
	out := &service{Service: s, importPath: f.GoImportPath}
	for _, pm := range s.Methods {
		m := &method{Method: pm, service: out, grant: namesGrant(pm.Input)}
		m.policy, _ = proto.GetExtension(pm.Desc.Options(), policyv1.E_Policy).(*policyv1.Policy)
		if err := m.check(); err != nil {
			g.fail(pm.Desc, "%v", err)
			continue
		}
		if other := g.methods[m.policy.GetNumber()]; other != nil {
			g.fail(pm.Desc, "number %d is that of %s", m.policy.GetNumber(), other.Desc.FullName())
			continue
		}
		g.methods[m.policy.GetNumber()] = m
		out.methods = append(out.methods, m)
	}
	return out
}

// check refuses a method whose policy leaves anything open.
func (m *method) check() error {
	p := m.policy
	if p == nil {
		return fmt.Errorf("has no (bailey.policy.v1.policy)")
	}
	if len(p.ProtoReflect().GetUnknown()) > 0 {
		return fmt.Errorf("policy holds a field that this generator does not know; run make generate twice after changing it")
	}
	if m.Desc.IsStreamingClient() {
		return fmt.Errorf("client streaming is not supported")
	}
	if p.GetNumber() == 0 {
		return fmt.Errorf("policy needs number")
	}
	for _, e := range []struct {
		name  string
		value protoreflect.Enum
	}{{"kind", p.GetKind()}, {"caller", p.GetCaller()}, {"audit", p.GetAudit()}} {
		v := e.value.Descriptor().Values().ByNumber(e.value.Number())
		if v == nil || v.Number() == 0 {
			return fmt.Errorf("policy needs %s", e.name)
		}
	}
	for _, n := range []struct {
		name  string
		value uint32
	}{{"max_request_bytes", p.GetMaxRequestBytes()}, {"max_response_bytes", p.GetMaxResponseBytes()}} {
		if n.value == 0 || n.value > limits.MessageMax {
			return fmt.Errorf("policy needs %s from 1 to %d", n.name, limits.MessageMax)
		}
	}
	for i, v := range p.GetSurfaces() {
		if v.Descriptor().Values().ByNumber(v.Number()) == nil || v == 0 || slices.Contains(p.GetSurfaces()[:i], v) {
			return fmt.Errorf("policy's surfaces hold one that is none, or twice the same")
		}
	}
	switch c := p.GetCaller(); {
	case c == policyv1.Caller_CALLER_SURFACE && len(p.GetSurfaces()) == 0:
		return fmt.Errorf("a method that only pages call needs surfaces")
	case (c == policyv1.Caller_CALLER_CORE || c == policyv1.Caller_CALLER_WORKER) && len(p.GetSurfaces()) > 0:
		return fmt.Errorf("what the core or a worker calls no page may call")
	}
	switch p.GetKind() {
	case policyv1.Kind_KIND_SCREEN_CAPTURE, policyv1.Kind_KIND_INPUT_OBSERVE:
		return fmt.Errorf("kind %s is never granted", p.GetKind())
	case policyv1.Kind_KIND_NONE:
		if m.grant {
			return fmt.Errorf("the request names a grant, but the policy's kind is KIND_NONE")
		}
		if p.GetCaller() == policyv1.Caller_CALLER_CLIENT_TO_WORKER {
			// The grant is what says which worker; CALLER_CLIENT_TO_STORE needs none.
			return fmt.Errorf("a call that is passed on to a worker needs a kind other than KIND_NONE")
		}
		if p.GetCaller() == policyv1.Caller_CALLER_WORKER {
			return fmt.Errorf("what a worker asks of another stands under a grant: it needs a kind other than KIND_NONE")
		}
	default:
		if p.GetCaller() == policyv1.Caller_CALLER_CLIENT_TO_STORE {
			return fmt.Errorf("an app's own store needs no grant: the policy's kind must be KIND_NONE")
		}
		if !m.grant {
			return fmt.Errorf("kind %s needs `bytes grant = 1 [(buf.validate.field).bytes.len = %d]` in %s", p.GetKind(), limits.HandleBytes, m.Input.Desc.FullName())
		}
	}
	return nil
}

// namesGrant reports whether a request has the field that names a grant.
func namesGrant(m *protogen.Message) bool {
	f := m.Desc.Fields().ByNumber(1)
	if f == nil || f.Name() != "grant" || f.Kind() != protoreflect.BytesKind || f.IsList() {
		return false
	}
	r, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
	return r.GetBytes().GetLen() == limits.HandleBytes
}

// namesEngines reports whether a request names the grants of models besides its
// own.
func namesEngines(m *protogen.Message) bool {
	f := m.Desc.Fields().ByName("engines")
	return f != nil && f.Kind() == protoreflect.BytesKind && f.IsList()
}

// enumIdent writes a policy enum's value by its Go name.
func enumIdent(out *protogen.GeneratedFile, e protoreflect.Enum) string {
	d := e.Descriptor()
	v := d.Values().ByNumber(e.Number())
	return out.QualifiedGoIdent(protogen.GoImportPath(wirePackage + "/policyv1").Ident(string(d.Name()) + "_" + string(v.Name())))
}

// emit writes all that a service has.
func (s *service) emit(out *protogen.GeneratedFile) {
	s.emitTable(out)
	s.emitClient(out)
	s.emitServer(out)
}

func (s *service) emitTable(out *protogen.GeneratedFile) {
	rpcMethod := out.QualifiedGoIdent(rpcPackage.Ident("Method"))
	message := out.QualifiedGoIdent(rpcPackage.Ident("Message"))
	out.P("var (")
	for _, m := range s.methods {
		out.P(unexported(m.row()), " = &", rpcMethod, "{")
		out.P("Number: ", m.policy.GetNumber(), ",")
		out.P("Name: ", strconv.Quote(string(s.Desc.FullName())+"/"+string(m.Desc.Name())), ",")
		out.P("Kind: ", enumIdent(out, m.policy.GetKind()), ",")
		out.P("Caller: ", enumIdent(out, m.policy.GetCaller()), ",")
		out.P("Audit: ", enumIdent(out, m.policy.GetAudit()), ",")
		if len(m.policy.GetSurfaces()) > 0 {
			var list []string
			for _, v := range m.policy.GetSurfaces() {
				list = append(list, enumIdent(out, v))
			}
			out.P("Surfaces: []", out.QualifiedGoIdent(protogen.GoImportPath(wirePackage+"/policyv1").Ident("Surface")), "{", strings.Join(list, ", "), "},")
		}
		out.P("Streaming: ", m.Desc.IsStreamingServer(), ",")
		out.P("MaxRequest: ", m.policy.GetMaxRequestBytes(), ",")
		out.P("MaxResponse: ", m.policy.GetMaxResponseBytes(), ",")
		out.P("NewRequest: func() ", message, " { return new(", m.Input.GoIdent, ") },")
		out.P("NewResponse: func() ", message, " { return new(", m.Output.GoIdent, ") },")
		out.P("}")
	}
	out.P(")")
	out.P()
	for _, m := range s.methods {
		out.P("// ", m.row(), " is the policy of ", m.Desc.FullName(), ". It is shared: do not change it.")
		out.P("func ", m.row(), "() *", rpcMethod, " { return ", unexported(m.row()), " }")
		out.P()
	}
	out.P("// ", s.GoName, "Methods returns the rows of the policy table that are this service's.")
	out.P("func ", s.GoName, "Methods() []*", rpcMethod, " {")
	out.P("return []*", rpcMethod, "{")
	for _, m := range s.methods {
		out.P(unexported(m.row()), ",")
	}
	out.P("}")
	out.P("}")
	out.P()
	done := map[protoreflect.FullName]bool{}
	for _, m := range s.methods {
		if m.grant && !done[m.Input.Desc.FullName()] {
			done[m.Input.Desc.FullName()] = true
			out.P("// SetGrant implements rpc.Granted.")
			out.P("func (x *", m.Input.GoIdent, ") SetGrant(grant []byte) { x.Grant = grant }")
			out.P()
			if namesEngines(m.Input) {
				out.P("// SetEngines implements rpc.Engines.")
				out.P("func (x *", m.Input.GoIdent, ") SetEngines(engines [][]byte) { x.Engines = engines }")
				out.P()
			}
		}
	}
}
