package window

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/passfd"
)

// kind is what a frame is.
type kind uint8

// Frames from the core to the host.
const (
	kindConfig   kind = 1
	kindResponse kind = 2
	kindReply    kind = 3
	kindSettings kind = 4
	kindRaise    kind = 5
	kindClose    kind = 6
)

// Frames from the host to the core.
const (
	kindReady     kind = 16
	kindRequest   kind = 17
	kindCall      kind = 18
	kindRefused   kind = 19
	kindCancelled kind = 20
	kindDocument  kind = 21
	kindCrashed   kind = 22
	kindClosed    kind = 23
	kindDropped   kind = 24
	kindBlank     kind = 25
)

// headerSize is what stands before each payload.
const headerSize = 16

// frame is one frame from the host.
type frame struct {
	kind    kind
	id      uint64
	payload []byte
}

// errFrame is the end of a host that breaks the format. The text is a phrase of
// this package's own, safe for the log.
type errFrame string

func (e errFrame) Error() string { return string(e) }

// most is how long the payload of a frame from the host may be; false for a kind
// that no host sends.
func most(k kind) (int, bool) {
	switch k {
	case kindReady, kindCancelled, kindDocument, kindClosed, kindBlank:
		return 0, true
	case kindRequest, kindCall, kindDropped:
		return limits.WindowFrame, true
	case kindRefused:
		return limits.WindowWord + 1 + limits.WindowDetail, true
	case kindCrashed:
		return limits.WindowWord, true
	}
	return 0, false
}

// named reports whether a frame's id names something; all others have none.
func named(k kind) bool {
	return slices.Contains([]kind{kindRequest, kindCall, kindCancelled}, k)
}

// next reads one frame. Its payload is the caller's. A malformed one is an
// errFrame; the end of the stream, inside a frame too, is an ordinary end: a host
// that was killed leaves one.
func next(r *bufio.Reader) (frame, error) {
	h, err := r.Peek(headerSize)
	if err != nil {
		return frame{}, err
	}
	n := binary.LittleEndian.Uint32(h)
	f := frame{kind: kind(h[4]), id: binary.LittleEndian.Uint64(h[8:])}
	longest, known := most(f.kind)
	switch {
	case !known:
		return frame{}, errFrame("a frame of no kind that a host sends")
	case h[5] != 0 || h[6] != 0 || h[7] != 0:
		return frame{}, errFrame("flags in a frame")
	case uint64(n) > uint64(longest):
		return frame{}, errFrame("a frame longer than its kind allows")
	case (f.id != 0) != named(f.kind):
		return frame{}, errFrame("a frame whose id does not fit its kind")
	}
	if _, err := r.Discard(headerSize); err != nil {
		return frame{}, err
	}
	if n > 0 {
		f.payload = make([]byte, n)
		if _, err := io.ReadFull(r, f.payload); err != nil {
			return frame{}, err
		}
	}
	return f, nil
}

// appendFrame appends a frame whose payload are the parts, one behind the other.
func appendFrame(b []byte, k kind, id uint64, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if n > limits.WindowFrame {
		panic("BUG: a frame that is longer than allowed")
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = append(b, byte(k), 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, id)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// fields encodes texts as CONFIG and SETTINGS have them. A NUL would end a field
// early, so one that holds it is left empty.
func fields(values ...string) []byte {
	var b []byte
	for i, v := range values {
		if i > 0 {
			b = append(b, 0)
		}
		if !slices.Contains([]byte(v), 0) {
			b = append(b, v...)
		}
	}
	return b
}

// writer puts frames on the host's connection, each whole and in order. The
// goroutine that made one sends it: a hop to another costs as much as the call,
// and a host that does not read is ended after a while.
type writer struct {
	conn *net.UnixConn
	// watch sees to it that check is called from time to time.
	watch func()
	// begun is when the present write began, in nanoseconds; 0 = there is none. hung
	// is set when it took too long.
	begun atomic.Int64
	hung  atomic.Bool

	mu  sync.Mutex
	buf []byte
	err error
}

// send writes one frame, with a descriptor if body is not nil, which stays the
// caller's. An error means that the connection is of no more use.
func (w *writer) send(k kind, id uint64, body *os.File, parts ...[]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	w.buf = appendFrame(w.buf[:0], k, id, parts...)
	w.begun.Store(time.Now().UnixNano())
	w.watch()
	w.err = passfd.Send(w.conn, w.buf, body)
	w.begun.Store(0)
	if cap(w.buf) > limits.WindowKeepBuffer {
		w.buf = nil
	}
	if w.err != nil {
		if w.hung.Load() {
			w.err = errFrame("it does not read")
		}
		// The reader learns of it: half a frame may be on its way.
		_ = w.conn.Close()
	}
	return w.err
}

// check reports whether something is being written, and ends the connection of a
// host that has not taken it for too long.
func (w *writer) check() bool {
	begun := w.begun.Load()
	if begun != 0 && time.Since(time.Unix(0, begun)) > limits.WindowWrite {
		w.hung.Store(true)
		_ = w.conn.Close()
	}
	return begun != 0
}
