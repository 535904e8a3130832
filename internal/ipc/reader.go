package ipc

import (
	"io"
	"net"

	"github.com/bailey-run/bailey/internal/limits"
)

// reader takes frames from a socket. It is used by one goroutine.
//
// The kernel hands a batch of descriptors out together with the first byte
// that was sent with it, and ends that read behind that batch's bytes
// (unix_stream_read_generic). So when a header is complete its descriptors
// have arrived, and batches come in the order of their frames: a queue is
// enough to find out whose they are.
type reader struct {
	conn *net.UnixConn
	buf  []byte
	r, w int
	oob  []byte
	fds  []int
}

func newReader(conn *net.UnixConn) *reader {
	return &reader{conn: conn, buf: make([]byte, limits.IPCReadBuffer), oob: make([]byte, rightsSpace)}
}

// close closes the descriptors that nobody took.
func (r *reader) close() {
	closeAll(r.fds)
	r.fds = nil
}

// receive is one recvmsg into p.
func (r *reader) receive(p []byte) (int, error) {
	n, oobn, flags, _, err := r.conn.ReadMsgUnix(p, r.oob)
	if oobn > 0 || flags&truncated != 0 {
		fds, rerr := rights(r.oob[:oobn], flags)
		r.fds = append(r.fds, fds...)
		if rerr != nil {
			return n, rerr
		}
		// Two batches may wait: one read can end a frame whose descriptors came
		// before, and begin one with its own.
		if len(r.fds) > 2*limits.IPCDescriptors {
			return n, malformed("descriptors that no frame named")
		}
	}
	return n, err
}

// header returns the next frame's header, or io.EOF between frames.
func (r *reader) header() (header, error) {
	for r.w-r.r < headerSize {
		if r.r > 0 {
			r.w = copy(r.buf, r.buf[r.r:r.w])
			r.r = 0
		}
		n, err := r.receive(r.buf[r.w:])
		if err != nil {
			if err == io.EOF && r.w > 0 {
				err = io.ErrUnexpectedEOF
			}
			return header{}, err
		}
		r.w += n
	}
	h, err := decodeHeader(r.buf[r.r:r.w])
	r.r += headerSize
	return h, err
}

// body returns the n bytes behind a header in memory of their own.
func (r *reader) body(n uint32) ([]byte, error) {
	if n == 0 {
		return nil, r.settled()
	}
	b := make([]byte, n)
	have := copy(b, r.buf[r.r:r.w])
	r.r += have
	for have < len(b) {
		before := len(r.fds)
		m, err := r.receive(b[have:])
		if len(r.fds) > before {
			return nil, malformed("descriptors inside a frame")
		}
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		have += m
	}
	return b, r.settled()
}

// take returns the n descriptors of the frame whose header was just read.
func (r *reader) take(n uint8) ([]int, error) {
	if n == 0 {
		return nil, nil
	}
	if len(r.fds) < int(n) {
		return nil, malformed("descriptors are missing")
	}
	fds := r.fds[:n:n]
	r.fds = r.fds[n:]
	return fds, nil
}

// settled reports descriptors that came with a frame that did not name them;
// what is left may belong to a frame of which something is in the buffer.
func (r *reader) settled() error {
	if r.r == r.w && len(r.fds) > 0 {
		return malformed("descriptors that no frame named")
	}
	return nil
}
