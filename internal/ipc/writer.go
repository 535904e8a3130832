package ipc

import (
	"context"
	"net"
	"sync"
	"syscall"

	"github.com/bailey-run/bailey/internal/limits"
)

// writer puts frames on a socket, each whole and in order.
//
// The usual frame is sent by the goroutine that made it, in one system call:
// a hop to another goroutine costs as much as the call. Only when the socket
// is full is the rest copied to a queue, which one goroutine empties; as long
// as the queue is not empty, frames go through it.
type writer struct {
	raw  syscall.RawConn
	wake chan struct{} // has one element when there is something to do

	mu    sync.Mutex
	queue []chunk
	size  int // bytes in queue, those being written included
	err   error
	room  chan struct{} // closed when size falls below the limit, or on err

	// What direct sends. The function is made once, as RawConn takes one.
	direct func(fd uintptr) bool
	bufs   [2][]byte
	fds    []int
	head   [headerSize]byte
	sent   int
	serr   error
}

// chunk is a frame, or the rest of one, that waits; it owns its descriptors.
type chunk struct {
	b   []byte
	fds []int
}

func newWriter(conn *net.UnixConn) (*writer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	w := &writer{raw: raw, wake: make(chan struct{}, 1), room: make(chan struct{})}
	w.direct = func(fd uintptr) bool {
		w.sent, w.serr = send(fd, w.bufs[:], w.fds)
		return true
	}
	return w, nil
}

// lock waits for room in the queue and locks the writer. An error means that
// it is not locked.
func (w *writer) lock(ctx context.Context) error {
	for {
		w.mu.Lock()
		if w.err != nil {
			defer w.mu.Unlock()
			return w.err
		}
		if w.size < limits.IPCQueue {
			return nil
		}
		room := w.room
		w.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return contextError(ctx)
		}
	}
}

// put sends or queues one frame; the writer is locked. The body may be used
// again once put returns; the descriptors are the writer's to close. An error
// means that the socket is of no more use.
func (w *writer) put(h header, body []byte, fds []int) error {
	if w.err != nil {
		closeAll(fds)
		return w.err
	}
	h.length, h.descriptors = uint32(len(body)), uint8(len(fds))
	h.encode(&w.head)
	sent := 0
	if len(w.queue) == 0 {
		w.bufs, w.fds = [2][]byte{w.head[:], body}, fds
		err := w.raw.Write(w.direct)
		w.bufs, w.fds = [2][]byte{}, nil
		if err == nil {
			err = w.serr
		}
		if err != nil {
			closeAll(fds)
			w.fail(err)
			return err
		}
		if sent = w.sent; sent > 0 {
			closeAll(fds) // they went with the first byte
			fds = nil
		}
	}
	if sent < headerSize+len(body) {
		w.enqueue(body, fds, sent)
	}
	return nil
}

// enqueue queues what is left of the frame in w.head and body after sent bytes.
func (w *writer) enqueue(body []byte, fds []int, sent int) {
	c := chunk{b: make([]byte, 0, headerSize+len(body)-sent), fds: fds}
	if sent < headerSize {
		c.b = append(c.b, w.head[sent:]...)
	}
	c.b = append(c.b, body[max(0, sent-headerSize):]...)
	w.queue = append(w.queue, c)
	w.size += len(c.b)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run empties the queue until done is closed or the socket fails.
func (w *writer) run(done <-chan struct{}) error {
	for {
		select {
		case <-w.wake:
		case <-done:
			return nil
		}
		for {
			n, err := w.flush()
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
	}
}

// flush writes some of the queue and returns how many frames it still held.
func (w *writer) flush() (int, error) {
	w.mu.Lock()
	if w.err != nil || len(w.queue) == 0 {
		defer w.mu.Unlock()
		return 0, w.err
	}
	// The queue only grows behind what is taken here: run is the one remover.
	bufs := make([][]byte, 0, min(len(w.queue), limits.IPCBatch))
	var fds []int
	for _, c := range w.queue {
		// Descriptors go with the first byte of a call, so their frame is first.
		if len(bufs) == cap(bufs) || len(c.fds) > 0 && len(bufs) > 0 {
			break
		}
		bufs = append(bufs, c.b)
		fds = append(fds, c.fds...)
	}
	w.queue[0].fds = nil // ours now: fail may close what is in the queue
	w.mu.Unlock()
	defer closeAll(fds)

	n := 0
	var serr error
	err := w.raw.Write(func(fd uintptr) bool {
		n, serr = send(fd, bufs, fds)
		return n > 0 || serr != nil
	})
	if err == nil {
		err = serr
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.fail(err)
		return 0, err
	}
	if w.err != nil {
		return 0, w.err
	}
	w.size -= n
	for n > 0 && n >= len(w.queue[0].b) {
		n -= len(w.queue[0].b)
		w.queue[0] = chunk{}
		w.queue = w.queue[1:]
	}
	if n > 0 {
		w.queue[0].b = w.queue[0].b[n:]
	}
	if w.size < limits.IPCQueue {
		close(w.room)
		w.room = make(chan struct{})
	}
	return len(w.queue), nil
}

// stop makes every later send fail with err and forgets what waits.
func (w *writer) stop(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail(err)
}

func (w *writer) fail(err error) {
	if w.err != nil {
		return
	}
	w.err = err
	close(w.room)
	for _, c := range w.queue {
		closeAll(c.fds)
	}
	w.queue, w.size = nil, 0
}
