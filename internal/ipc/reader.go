package ipc

import (
	"io"
	"net"
	"slices"

	"github.com/bailey-run/bailey/internal/limits"
)

// reader takes frames from a socket, for one goroutine at a time.
//
// The kernel hands a batch of descriptors out together with the first byte
// that was sent with it, and ends that read behind that batch's bytes
// (unix_stream_read_generic). So when a header is complete its descriptors
// have arrived, and batches come in the order of their frames: a queue is
// enough to find out whose they are.
type reader struct {
	conn *net.UnixConn
	buf  []byte
	r, w int // what of buf is not yet taken
	oob  []byte
	fds  []int // not yet taken, oldest first
	// sockets may be among them.
	sockets bool
	// client is whether a client sends them, who can make any.
	client bool

	// The frame whose body is being read.
	inside bool
	f      frame
	have   int
}

// frame is a frame as received.
type frame struct {
	header
	body []byte
	fds  []int
}

func newReader(conn *net.UnixConn, sockets bool) *reader {
	return &reader{conn: conn, sockets: sockets, buf: make([]byte, limits.IPCReadBuffer), oob: make([]byte, rightsSpace)}
}

// close closes the descriptors that nobody took.
func (r *reader) close() {
	if r.client {
		closeSoon(r.fds)
	} else {
		closeAll(r.fds)
	}
	r.fds = nil
}

// empty reports whether nothing of a further frame was read.
func (r *reader) empty() bool { return r.r == r.w && !r.inside }

// next returns the next frame, whose body is in memory of its own. check is
// asked about each header before memory is spent on its body. The error is
// io.EOF between frames and io.ErrUnexpectedEOF inside one. After a timeout of
// the socket next may be called again and goes on where it was.
func (r *reader) next(check func(header) error) (frame, error) {
	if !r.inside {
		h, err := r.header()
		if err != nil {
			return frame{}, err
		}
		if err := check(h); err != nil {
			return frame{}, err
		}
		r.inside, r.have, r.f = true, 0, frame{header: h}
		if h.length > 0 {
			r.f.body = make([]byte, h.length)
			r.have = copy(r.f.body, r.buf[r.r:r.w])
			r.r += r.have
		}
	}
	for r.have < len(r.f.body) {
		before := len(r.fds)
		n, err := r.receive(r.f.body[r.have:])
		r.have += n
		switch {
		case len(r.fds) > before:
			return frame{}, malformed("descriptors inside a frame")
		case err == io.EOF:
			return frame{}, io.ErrUnexpectedEOF
		case err != nil:
			return frame{}, err
		}
	}
	f := r.f
	r.inside, r.f = false, frame{}
	err := r.take(&f)
	return f, err
}

// header returns the next frame's header.
func (r *reader) header() (header, error) {
	for r.w-r.r < headerSize {
		if r.r > 0 {
			r.w = copy(r.buf, r.buf[r.r:r.w])
			r.r = 0
		}
		n, err := r.receive(r.buf[r.w:])
		r.w += n
		switch {
		case err == io.EOF && r.w > 0:
			return header{}, io.ErrUnexpectedEOF
		case err != nil:
			return header{}, err
		}
	}
	h, err := decodeHeader(r.buf[r.r:r.w])
	r.r += headerSize
	return h, err
}

// receive is one recvmsg into p.
func (r *reader) receive(p []byte) (int, error) {
	n, oobn, flags, _, err := r.conn.ReadMsgUnix(p, r.oob)
	if err != nil {
		return 0, err // with an error n is -1
	}
	if oobn > 0 || flags&truncated != 0 {
		fds, rerr := rights(r.oob[:oobn], flags)
		r.fds = append(r.fds, fds...)
		if rerr != nil {
			return n, rerr
		}
		// One may be the peer's end of this very connection, or have that in its queue:
		// who holds that itself never sees that the peer is gone.
		if !r.sockets && slices.ContainsFunc(fds, isSocket) {
			return n, malformed("a socket among the descriptors")
		}
		// Two batches may wait: one read can end a frame whose descriptors came
		// before, and begin one with its own.
		if len(r.fds) > 2*limits.IPCDescriptors {
			return n, malformed("descriptors that no frame named")
		}
	}
	return n, nil
}

// take gives f its descriptors. Others may be left only if they can belong to a
// frame of which something is in the buffer.
func (r *reader) take(f *frame) error {
	n := int(f.descriptors)
	if len(r.fds) < n {
		return malformed("descriptors are missing")
	}
	if len(r.fds) > n && r.empty() {
		return malformed("descriptors that no frame named")
	}
	if n > 0 {
		f.fds, r.fds = r.fds[:n:n], r.fds[n:]
	}
	return nil
}
