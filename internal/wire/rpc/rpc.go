// Package rpc is the seam between generated code and the transport: generated
// clients call through a [Caller], generated servers are found in a [Mux], and
// the policy of each method is a [Method]. Package ipc implements the
// transport; nothing here does any I/O.
package rpc

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rule"
)

// Method is one row of the generated policy table.
type Method struct {
	// Number is the method on the wire.
	Number uint32
	// Name is the full name, for example "bailey.index.v1.IndexService/Ask".
	Name   string
	Kind   policyv1.Kind
	Caller policyv1.Caller
	Audit  policyv1.Audit
	// Surfaces are the pages that may call it.
	Surfaces  []policyv1.Surface
	Streaming bool
	// Limits of one encoded message, in bytes.
	MaxRequest, MaxResponse int
	// NewRequest and NewResponse return empty messages to decode into.
	NewRequest, NewResponse func() Message
}

// Message is a generated message with its generated validator.
type Message interface {
	proto.Message
	// Validate returns nil, or an error that names the field and the rule. It
	// never quotes the value.
	Validate() error
	// Shape is what its encoding may hold; [Decode] checks it first.
	Shape() rule.Shape
}

// Granted is a request that names a grant: its schema has the field
// `bytes grant = 1`. The core replaces the client's handle by the worker's.
type Granted interface {
	Message
	GetGrant() []byte
	SetGrant([]byte)
}

// Engines is a request that may name, besides its own grant, the grants of
// models: its schema has the field `repeated bytes engines`. The core replaces
// them by what the worker knows the engines by.
type Engines interface {
	Granted
	GetEngines() [][]byte
	SetEngines([][]byte)
}

// Caller sends encoded, already validated messages. Both calls end with an
// *errs.Error when the peer refused, the context ended or the peer is gone.
type Caller interface {
	// Invoke makes a unary call.
	Invoke(ctx context.Context, m *Method, request []byte) ([]byte, error)
	// Open starts a server-streaming call.
	Open(ctx context.Context, m *Method, request []byte) (Receiver, error)
}

// Receiver is the client's end of a stream.
type Receiver interface {
	// Recv returns the next message, io.EOF after the last, or an *errs.Error.
	Recv() ([]byte, error)
	// Close gives the stream up; the server's context ends. Idempotent.
	Close() error
}

// Sender is the server's end of a stream.
type Sender interface {
	// Send blocks while the stream's window is closed; it fails once the
	// context of the call has ended.
	Send(message []byte) error
}

// Unary and Stream are what a generated server registers for one method. The
// request was size-checked by the transport, not yet decoded.
type (
	Unary  func(ctx context.Context, request []byte) ([]byte, error)
	Stream func(ctx context.Context, request []byte, out Sender) error
)

// Route is one method with its handler; exactly one of Unary and Stream is set.
type Route struct {
	Method *Method
	Unary  Unary
	Stream Stream
}

// Mux finds routes by number. It is filled before use and not changed after.
type Mux struct{ routes map[uint32]Route }

// NewMux returns a Mux of the routes. Two routes of one number are a bug.
func NewMux(routes ...[]Route) *Mux {
	m := &Mux{routes: map[uint32]Route{}}
	for _, rs := range routes {
		for _, r := range rs {
			if _, dup := m.routes[r.Method.Number]; dup {
				panic("BUG: method number registered twice: " + r.Method.Name)
			}
			if (r.Unary == nil) == (r.Stream == nil) || (r.Stream != nil) != r.Method.Streaming {
				panic("BUG: handler does not fit method " + r.Method.Name)
			}
			m.routes[r.Method.Number] = r
		}
	}
	return m
}

// Find returns the route of a method number.
func (m *Mux) Find(number uint32) (Route, bool) { r, ok := m.routes[number]; return r, ok }
