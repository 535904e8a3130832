package desktop

import (
	"encoding/binary"

	"github.com/bailey-run/bailey/internal/limits"
)

// The file of X11's cookies is a sequence of entries: the family of an address,
// the address, the number of a display, the name of a protocol, its data. All
// numbers are 16 bits, big endian; each text has its length before it
// (libXau, AuRead.c).

// Families of addresses that an entry of a local display may have
// (libXau, Xauth.h).
const (
	familyLocal = 256
	familyWild  = 65535
)

// cookieProtocol is the only protocol of X11 that shows a secret and needs no
// more than showing it.
const cookieProtocol = "MIT-MAGIC-COOKIE-1"

// xEntry is one entry of the file.
type xEntry struct {
	family                 uint16
	address, number, proto string
	data                   string
}

// readEntry reads the first entry of b, and returns what stands behind it.
func readEntry(b []byte) (e xEntry, rest []byte, ok bool) {
	if len(b) < 2 {
		return e, nil, false
	}
	e.family, b = binary.BigEndian.Uint16(b), b[2:]
	for _, f := range []*string{&e.address, &e.number, &e.proto, &e.data} {
		if len(b) < 2 {
			return e, nil, false
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n > len(b) {
			return e, nil, false
		}
		*f, b = string(b[:n]), b[n:]
	}
	return e, b, true
}

func (e xEntry) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, e.family)
	for _, f := range []string{e.address, e.number, e.proto, e.data} {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(f))), f...)
	}
	return b
}

// cookie finds the entry for a local display as libXau does, the first that
// fits, and returns a file with that one alone. It is written for any host's
// name, since a window's sandbox has another one. What stands behind a damaged
// entry is not looked at. nil is for no entry.
func cookie(file []byte, host, display string) []byte {
	for range limits.XAuthorityEntries {
		e, rest, ok := readEntry(file)
		if !ok {
			return nil
		}
		file = rest
		here := e.family == familyWild || e.family == familyLocal && e.address == host
		if here && (e.number == "" || e.number == display) && e.proto == cookieProtocol && e.data != "" {
			return xEntry{family: familyWild, number: display, proto: cookieProtocol, data: e.data}.append(nil)
		}
	}
	return nil
}
