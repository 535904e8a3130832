package ipc

import (
	"encoding/binary"

	"github.com/bailey-run/bailey/internal/limits"
)

// headerSize is the size of a frame's header in bytes.
const headerSize = 24

type kind uint8

const (
	kindRequest kind = 1
	kindMessage kind = 2
	kindEnd     kind = 3
	kindCancel  kind = 4
	kindCredit  kind = 5
)

// flagError marks an end whose body is an error.
const flagError = 1

// header is a frame's header; see the package comment.
type header struct {
	length      uint32
	kind        kind
	flags       uint8
	descriptors uint8
	stream      uint64
	method      uint32
	value       uint32
}

// malformed is why a peer was ended. Its texts are constants of this package:
// they never hold what the peer sent.
type malformed string

func (m malformed) Error() string { return "malformed: " + string(m) }

func (h header) encode(b *[headerSize]byte) {
	binary.LittleEndian.PutUint32(b[0:], h.length)
	b[4], b[5], b[6], b[7] = byte(h.kind), h.flags, h.descriptors, 0
	binary.LittleEndian.PutUint64(b[8:], h.stream)
	binary.LittleEndian.PutUint32(b[16:], h.method)
	binary.LittleEndian.PutUint32(b[20:], h.value)
}

// decodeHeader checks all that can be said of a header without knowing the
// connection's state. b holds at least headerSize bytes.
func decodeHeader(b []byte) (header, error) {
	h := header{
		length:      binary.LittleEndian.Uint32(b[0:]),
		kind:        kind(b[4]),
		flags:       b[5],
		descriptors: b[6],
		stream:      binary.LittleEndian.Uint64(b[8:]),
		method:      binary.LittleEndian.Uint32(b[16:]),
		value:       binary.LittleEndian.Uint32(b[20:]),
	}
	switch {
	case b[7] != 0:
		return h, malformed("reserved byte is set")
	case h.stream == 0:
		return h, malformed("stream is zero")
	case h.length > limits.IPCBody:
		return h, malformed("frame is too long")
	case h.kind == kindRequest:
		return h, h.checkRequest()
	case h.method != 0:
		return h, malformed("method outside a request")
	case h.descriptors != 0:
		return h, malformed("descriptors outside a request")
	}
	switch h.kind {
	case kindMessage:
		return h, h.check(h.flags == 0, h.value == 0, true)
	case kindEnd:
		if h.flags == flagError && h.length > limits.IPCErrorBody {
			return h, malformed("error is too long")
		}
		return h, h.check(h.flags <= flagError, h.value == 0, true)
	case kindCancel:
		return h, h.check(h.flags == 0, h.value == 0, h.length == 0)
	case kindCredit:
		return h, h.check(h.flags == 0, h.value != 0, h.length == 0)
	}
	return h, malformed("unknown kind of frame")
}

func (h header) checkRequest() error {
	switch {
	case h.flags != 0:
		return malformed("unknown flags")
	case h.method == 0:
		return malformed("method is zero")
	case h.descriptors > limits.IPCDescriptors:
		return malformed("too many descriptors")
	}
	return nil
}

func (h header) check(flags, value, length bool) error {
	switch {
	case !flags:
		return malformed("unknown flags")
	case !value:
		return malformed("value does not fit the kind of frame")
	case !length:
		return malformed("body where none belongs")
	}
	return nil
}
