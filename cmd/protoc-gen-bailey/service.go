package main

import (
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
)

// comments writes the schema's own comment, or else a plain one.
func comments(out *protogen.GeneratedFile, c protogen.CommentSet, otherwise string) {
	if text := strings.TrimSpace(string(c.Leading)); text != "" {
		out.P(c.Leading)
		return
	}
	out.P("// ", otherwise)
}

func (s *service) emitClient(out *protogen.GeneratedFile) {
	client := s.GoName + "Client"
	caller := out.QualifiedGoIdent(rpcPackage.Ident("Caller"))
	context := out.QualifiedGoIdent(ctxPackage.Ident("Context"))
	out.P("// ", client, " calls ", s.Desc.FullName(), ". Requests are validated before they are sent,")
	out.P("// responses before they are returned; a bad one is errs.Malformed.")
	out.P("type ", client, " struct{ c ", caller, " }")
	out.P()
	out.P("// New", client, " returns a client that calls through c.")
	out.P("func New", client, "(c ", caller, ") *", client, " { return &", client, "{c} }")
	out.P()
	for _, m := range s.methods {
		row := unexported(m.row())
		out.P("// ", m.GoName, " calls ", m.Desc.FullName(), ".")
		if m.Desc.IsStreamingServer() {
			stream := s.GoName + m.GoName + "Stream"
			out.P("func (c *", client, ") ", m.GoName, "(ctx ", context, ", in *", m.Input.GoIdent, ") (*", stream, ", error) {")
			out.P("request, err := ", rpcPackage.Ident("Encode"), "(in, ", row, ".MaxRequest)")
			out.P("if err != nil { return nil, err }")
			out.P("r, err := c.c.Open(ctx, ", row, ", request)")
			out.P("if err != nil { return nil, err }")
			out.P("return &", stream, "{r}, nil")
			out.P("}")
			out.P()
			out.P("// ", stream, " is the client's end of a call of ", m.GoName, ". Close it when done.")
			out.P("type ", stream, " struct{ r ", rpcPackage.Ident("Receiver"), " }")
			out.P()
			out.P("// Recv returns the next message, io.EOF after the last, or an *errs.Error. A")
			out.P("// message that does not hold to the schema ends the stream.")
			out.P("func (s *", stream, ") Recv() (*", m.Output.GoIdent, ", error) {")
			out.P("response, err := s.r.Recv()")
			out.P("if err != nil { return nil, err }")
			out.P("out := new(", m.Output.GoIdent, ")")
			out.P("if err := ", rpcPackage.Ident("Decode"), "(response, out, ", row, ".MaxResponse); err != nil {")
			out.P("_ = s.r.Close()")
			out.P("return nil, err")
			out.P("}")
			out.P("return out, nil")
			out.P("}")
			out.P()
			out.P("// Close gives the stream up; the server's context ends. Idempotent.")
			out.P("func (s *", stream, ") Close() error { return s.r.Close() }")
			out.P()
			continue
		}
		out.P("func (c *", client, ") ", m.GoName, "(ctx ", context, ", in *", m.Input.GoIdent, ") (*", m.Output.GoIdent, ", error) {")
		out.P("request, err := ", rpcPackage.Ident("Encode"), "(in, ", row, ".MaxRequest)")
		out.P("if err != nil { return nil, err }")
		out.P("response, err := c.c.Invoke(ctx, ", row, ", request)")
		out.P("if err != nil { return nil, err }")
		out.P("out := new(", m.Output.GoIdent, ")")
		out.P("if err := ", rpcPackage.Ident("Decode"), "(response, out, ", row, ".MaxResponse); err != nil { return nil, err }")
		out.P("return out, nil")
		out.P("}")
		out.P()
	}
}

func (s *service) emitServer(out *protogen.GeneratedFile) {
	server := s.GoName + "Server"
	context := out.QualifiedGoIdent(ctxPackage.Ident("Context"))
	sender := func(m *method) string { return s.GoName + m.GoName + "Sender" }
	out.P("// ", server, " is what an implementation of ", s.Desc.FullName(), " provides. Requests that")
	out.P("// reach it have been decoded and validated; it may keep them.")
	out.P("type ", server, " interface {")
	for _, m := range s.methods {
		comments(out, m.Comments, m.GoName+" implements "+string(m.Desc.FullName())+".")
		if m.Desc.IsStreamingServer() {
			out.P(m.GoName, "(ctx ", context, ", in *", m.Input.GoIdent, ", out *", sender(m), ") error")
		} else {
			out.P(m.GoName, "(ctx ", context, ", in *", m.Input.GoIdent, ") (*", m.Output.GoIdent, ", error)")
		}
	}
	out.P("}")
	out.P()
	for _, m := range s.methods {
		if !m.Desc.IsStreamingServer() {
			continue
		}
		out.P("// ", sender(m), " is the server's end of a call of ", m.GoName, ".")
		out.P("type ", sender(m), " struct{ out ", rpcPackage.Ident("Sender"), " }")
		out.P()
		out.P("// Send validates and sends one message; it blocks while the stream's window")
		out.P("// is closed.")
		out.P("func (s *", sender(m), ") Send(m *", m.Output.GoIdent, ") error {")
		out.P("response, err := ", rpcPackage.Ident("Encode"), "(m, ", unexported(m.row()), ".MaxResponse)")
		out.P("if err != nil { return err }")
		out.P("return s.out.Send(response)")
		out.P("}")
		out.P()
	}
	route := out.QualifiedGoIdent(rpcPackage.Ident("Route"))
	out.P("// ", s.GoName, "Routes returns the routes to s. A request that does not decode, or breaks a")
	out.P("// rule, or holds a field that the schema does not know, never reaches s.")
	out.P("func ", s.GoName, "Routes(s ", server, ") []", route, " {")
	out.P("return []", route, "{")
	for _, m := range s.methods {
		row := unexported(m.row())
		if m.Desc.IsStreamingServer() {
			out.P("{Method: ", row, ", Stream: func(ctx ", context, ", request []byte, out ", rpcPackage.Ident("Sender"), ") error {")
			out.P("in := new(", m.Input.GoIdent, ")")
			out.P("if err := ", rpcPackage.Ident("Decode"), "(request, in, ", row, ".MaxRequest); err != nil { return err }")
			out.P("return s.", m.GoName, "(ctx, in, &", sender(m), "{out})")
			out.P("}},")
			continue
		}
		out.P("{Method: ", row, ", Unary: func(ctx ", context, ", request []byte) ([]byte, error) {")
		out.P("in := new(", m.Input.GoIdent, ")")
		out.P("if err := ", rpcPackage.Ident("Decode"), "(request, in, ", row, ".MaxRequest); err != nil { return nil, err }")
		out.P("out, err := s.", m.GoName, "(ctx, in)")
		out.P("if err != nil { return nil, err }")
		out.P("return ", rpcPackage.Ident("Encode"), "(out, ", row, ".MaxResponse)")
		out.P("}},")
	}
	out.P("}")
	out.P("}")
	out.P()
}
