package ipc

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
)

// seeds are a byte stream of every good frame, and some bad ones.
func seeds() [][]byte {
	var all []byte
	var out [][]byte
	for _, h := range []header{
		{kind: kindRequest, stream: 1, method: 1},
		{kind: kindRequest, stream: 3, method: 2, value: 1000},
		{kind: kindCredit, stream: 3, value: 4096},
		{kind: kindCancel, stream: 3},
		{kind: kindRequest, stream: 5, method: 5, descriptors: 1},
		{kind: kindRequest, stream: 7, method: 6},
		{kind: kindMessage, stream: 2},
		{kind: kindEnd, stream: 2},
		{kind: kindEnd, stream: 2, flags: flagError},
	} {
		f := bytesOf(h, "")
		out = append(out, f)
		all = append(all, f...)
	}
	out = append(out, all, bytesOf(header{kind: kindRequest, stream: 1, method: 1}, "hello"), []byte("GET / HTTP/1.1\r\n\r\n\r\n\r\n\r\n\r\n"))
	return out
}

// FuzzFrame holds the decoder against the table of the package comment, written
// out once more, and against the encoder.
func FuzzFrame(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s[:headerSize])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < headerSize {
			return
		}
		h, err := decodeHeader(b)
		good := b[7] == 0 && h.stream > 0 && h.length <= limits.IPCBody
		switch b[4] {
		case 1:
			good = good && h.flags == 0 && h.method > 0 && h.descriptors <= limits.IPCDescriptors
		case 2:
			good = good && h.flags == 0 && h.method == 0 && h.descriptors == 0 && h.value == 0
		case 3:
			good = good && h.flags <= 1 && h.method == 0 && h.descriptors == 0 && h.value == 0 && (h.flags == 0 || h.length <= limits.IPCErrorBody)
		case 4:
			good = good && h.flags == 0 && h.method == 0 && h.descriptors == 0 && h.value == 0 && h.length == 0
		case 5:
			good = good && h.flags == 0 && h.method == 0 && h.descriptors == 0 && h.value > 0 && h.length == 0
		default:
			good = false
		}
		if good != (err == nil) {
			t.Fatalf("% x: good is %v, error is %v", b[:headerSize], good, err)
		}
		var bad malformed
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("error is %T", err)
		}
		if err == nil {
			var again [headerSize]byte
			if h.encode(&again); !bytes.Equal(again[:], b[:headerSize]) {
				t.Fatalf("% x became % x", b[:headerSize], again)
			}
		}
	})
}

// FuzzError decodes what a peer may send for an error.
func FuzzError(f *testing.F) {
	f.Add([]byte("\x0a\x06denied\x12\x0bNot allowed"))
	f.Add(encodeError(io.EOF))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeError(b)
		if err != nil {
			return
		}
		again, err := decodeError(encodeError(e))
		if err != nil || again.Code != e.Code {
			t.Fatalf("%+v became %+v %v", e, again, err)
		}
	})
}

// FuzzConn writes arbitrary bytes, in two pieces and with a descriptor or
// without, to a live connection. It must end or live, and leave nothing.
func FuzzConn(f *testing.F) {
	for i, s := range seeds() {
		f.Add(s, i, i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int, descriptor bool) { throw(t, b, cut, descriptor) })
}

func throw(t *testing.T, b []byte, cut int, descriptor bool) {
	before := markers(t)
	file := marker(t, "x")
	p := raw(t, serviceOptions())
	go io.Copy(io.Discard, p.conn)
	var oob []byte
	if descriptor {
		oob = unix.UnixRights(int(file.Fd()))
	}
	cut = max(0, min(cut, len(b)))
	for i, part := range [][]byte{b[:cut], b[cut:]} {
		if len(part) == 0 {
			continue
		}
		var with []byte
		if i == 1 {
			with = oob
		}
		if _, _, err := p.conn.WriteMsgUnix(part, with, nil); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
			t.Fatal(err)
		}
	}
	// What was sent is read to its end, then the peer is gone.
	if err := p.conn.CloseWrite(); err != nil && !errors.Is(err, unix.ENOTCONN) {
		t.Fatal(err)
	}
	wait(t, "the end", p.c.Done())
	p.c.Close()
	p.conn.Close()
	file.Close()
	if n := markers(t) - before; n != 0 {
		t.Fatalf("%d descriptors leaked", n)
	}
	if len(p.reason) > 1 {
		t.Fatal("reported twice")
	}
}

// TestRandomBytes throws noise at connections, and frames with one byte changed.
func TestRandomBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		b := make([]byte, r.IntN(2000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		throw(t, b, r.IntN(2000), r.IntN(2) == 0)
		all := seeds()
		b = bytes.Clone(all[r.IntN(len(all))])
		b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		throw(t, b, r.IntN(len(b)), r.IntN(2) == 0)
	}
}
