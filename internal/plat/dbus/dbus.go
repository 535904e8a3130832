// Package dbus speaks D-Bus as a client, as far as the core needs it: it calls
// methods and hears signals on a bus of the person's own session.
//
// It is written for a peer that is not trusted. Only unix sockets of this
// machine are dialled, and only where the process at the other end is of our
// own user. A message is bounded in size, values and depth before anything is
// made of it, its padding and strings must be as the specification says, and a
// value is one of the few types below. Names of owners are asked for once
// ([Conn.Owner], [Conn.Start]), and an answer counts only when it comes from the connection
// that was asked, which no other connection of the bus can claim to be.
//
// It refuses what no caller needs: serving methods, descriptors, other
// transports (tcp, and unixexec, which would let an address start a program),
// starting a bus, and any reading of the environment. A library for all of
// D-Bus brings these along, and starts programs; this core must not even link
// that.
//
// The format is that of the D-Bus specification 0.43. In Go a value is
//
//	y byte   b bool     n int16       q uint16      i int32  u uint32  x int64
//	t uint64 d float64  s string      o ObjectPath  g Signature
//	v Variant   ay []byte   aT []any   a{KV} []Entry   (T…) Struct
//
// Who may call it: packages of plat that ask a service of the desktop.
package dbus

import "fmt"

// ObjectPath is the path of an object, such as /org/freedesktop/DBus.
type ObjectPath string

// Signature is a sequence of types.
type Signature string

// Variant is a value with its type.
type Variant struct {
	Signature Signature
	Value     any
}

// Entry is one of a dictionary.
type Entry struct{ Key, Value any }

// Struct is a structure's members in order.
type Struct []any

// Type is what a message is.
type Type byte

// The types of messages.
const (
	MethodCall Type = 1 + iota
	MethodReturn
	ErrorReply
	Signal
)

// noReply is the flag of a call that wants no answer.
const noReply = 1

// Message is one message; which fields it has goes by its type.
type Message struct {
	Type                Type
	Flags               byte
	Serial, ReplySerial uint32
	Path                ObjectPath
	Interface, Member   string
	ErrorName           string
	Destination, Sender string
	Signature           Signature
	// Body is the values, in the byte order of Big.
	Body []byte
	Big  bool
}

// Values decodes the body.
func (m *Message) Values() ([]any, error) { return Decode(m.Signature, m.Body, m.Big) }

// Error is an error that a service answered.
type Error struct {
	// Name is such as org.freedesktop.DBus.Error.ServiceUnknown.
	Name string
	// Text is the service's words, cut; for logs only.
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("dbus: %s: %q", e.Name, e.Text) }
