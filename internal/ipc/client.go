package ipc

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// call is a call of ours, from its request to its end.
type call struct {
	m    *rpc.Method
	id   uint64
	in   *receiver   // set for a streaming method
	done chan result // has room for the one result of a unary call
	// reads is set when the caller has the turn to read (turn.go).
	reads bool
}

type result struct {
	body []byte
	err  error
}

func (k *call) finish(body []byte, err error) {
	if k.in != nil {
		k.in.finish(err)
		return
	}
	k.done <- result{body, err}
}

type sendFilesKey struct{}

// WithFiles returns a context whose next call carries the descriptors of files
// with its request. They stay the caller's, who may close them when the call
// has been made. The method has to be one that may bring so many.
func WithFiles(ctx context.Context, files ...*os.File) context.Context {
	return context.WithValue(ctx, sendFilesKey{}, files)
}

// Invoke implements [rpc.Caller].
func (c *Conn) Invoke(ctx context.Context, m *rpc.Method, request []byte) ([]byte, error) {
	if m.Streaming {
		panic("BUG: Invoke of a streaming method: " + m.Name)
	}
	k := &call{m: m, done: make(chan result, 1)}
	if err := c.start(ctx, k, request); err != nil {
		return nil, err
	}
	if k.reads {
		c.readFor(ctx, k)
	}
	select {
	case r := <-k.done:
		return r.body, r.err
	case <-ctx.Done():
		c.control(header{kind: kindCancel, stream: k.id})
		return nil, contextError(ctx)
	}
}

// Open implements [rpc.Caller]. The context governs the whole stream. The
// Receiver has to be read to its end or closed.
func (c *Conn) Open(ctx context.Context, m *rpc.Method, request []byte) (rpc.Receiver, error) {
	if !m.Streaming {
		panic("BUG: Open of a unary method: " + m.Name)
	}
	k := &call{m: m}
	k.in = &receiver{c: c, k: k, ctx: ctx, window: limits.IPCWindow, ready: make(chan struct{}, 1)}
	if err := c.start(ctx, k, request); err != nil {
		return nil, err
	}
	// Also when nobody is in Recv, the server learns that it can stop.
	k.in.watch(context.AfterFunc(ctx, func() { k.in.abandon(contextError(ctx)) }))
	return k.in, nil
}

// start sends the request of k.
func (c *Conn) start(ctx context.Context, k *call, request []byte) error {
	if len(request) > min(k.m.MaxRequest, limits.IPCBody) {
		return errs.New(errs.TooLarge, k.m.Name)
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	h := header{kind: kindRequest, method: k.m.Number}
	if t, ok := ctx.Deadline(); ok {
		// Rounded up: the client's own clock ends the call first.
		left := min(max(time.Until(t), 0)+time.Millisecond, limits.IPCDeadline)
		h.value = uint32(left / time.Millisecond)
	}
	fds, err := filesOf(ctx)
	if err != nil {
		return err
	}
	if err := c.w.lock(ctx); err != nil {
		closeAll(fds)
		return c.sendError(k.m, err)
	}
	// Numbers grow on the wire too, so they are given under the writer's lock.
	if err := c.register(k); err != nil {
		c.w.mu.Unlock()
		closeAll(fds)
		return err
	}
	h.stream = k.id
	err = c.w.put(h, request, fds)
	c.w.mu.Unlock()
	if err != nil {
		c.mu.Lock()
		delete(c.calls, k.id)
		c.mu.Unlock()
		c.unsent(err, k)
		return c.sendError(k.m, err)
	}
	return nil
}

// sendError is what a caller hears when a frame could not be sent: why its
// context ended, or that the peer is gone.
func (c *Conn) sendError(m *rpc.Method, err error) error {
	var e *errs.Error
	if errors.As(err, &e) {
		return e
	}
	return errs.Wrap(c.o.Gone, m.Name, err)
}

// register gives k its number.
func (c *Conn) register(k *call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return c.err
	}
	if len(c.calls) >= limits.IPCStreams {
		return errs.New(errs.CoreBusy, k.m.Name)
	}
	k.id = c.nextID
	c.nextID += 2
	c.calls[k.id] = k
	c.takeTurn(k)
	return nil
}

// filesOf returns copies of the descriptors that ctx carries, so that a frame
// that waits does not depend on its sender keeping them open.
func filesOf(ctx context.Context) ([]int, error) {
	files, _ := ctx.Value(sendFilesKey{}).([]*os.File)
	if len(files) > limits.IPCDescriptors {
		return nil, errs.New(errs.TooLarge, "ipc.files")
	}
	var fds []int
	for _, f := range files {
		fd, err := duplicate(f)
		if err != nil {
			closeAll(fds)
			return nil, errs.Wrap(errs.Internal, "ipc.files", err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// control sends a frame that is bounded by the protocol itself, so it does not
// wait for room. When the connection is over, so is its purpose.
func (c *Conn) control(h header) {
	c.w.mu.Lock()
	err := c.w.put(h, nil, nil)
	c.w.mu.Unlock()
	if err != nil {
		c.unsent(err, nil)
	}
}

// receiver is the client's end of a streaming call.
type receiver struct {
	c     *Conn
	k     *call
	ctx   context.Context
	ready chan struct{} // has one element when there may be something to take

	mu     sync.Mutex
	queue  [][]byte
	window int   // what the server may still send, as we count
	taken  int   // taken by Recv and not yet given back as credit
	err    error // why Recv fails once the queue is empty
	ended  bool  // the end came, or the connection is over
	gone   bool  // given up: the queue is dropped
	stop   func() bool
}

var _ rpc.Receiver = (*receiver)(nil)

// watch remembers how to stop watching the context.
func (r *receiver) watch(stop func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.gone {
		stop()
	}
	r.stop = stop
}

// admit takes a message of n bytes from the window; false if it is closed.
func (r *receiver) admit(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.window <= 0 {
		return false
	}
	r.window -= n + limits.IPCMessageCost
	return true
}

func (r *receiver) push(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.gone {
		r.queue = append(r.queue, b)
		r.signal()
	}
}

func (r *receiver) finish(err error) {
	if err == nil {
		err = io.EOF
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.err == nil {
		r.err = err
	}
	r.signal()
	if r.stop != nil {
		r.stop()
	}
}

func (r *receiver) signal() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// Recv implements [rpc.Receiver].
func (r *receiver) Recv() ([]byte, error) {
	for {
		r.mu.Lock()
		if len(r.queue) > 0 {
			b := r.queue[0]
			r.queue[0] = nil
			r.queue = r.queue[1:]
			credit := r.credit(len(b) + limits.IPCMessageCost)
			r.mu.Unlock()
			if credit > 0 {
				r.c.control(header{kind: kindCredit, stream: r.k.id, value: uint32(credit)})
			}
			return b, nil
		}
		err := r.err
		r.mu.Unlock()
		if err != nil {
			r.signal() // for another Recv that waits
			return nil, err
		}
		<-r.ready
	}
}

// credit counts n bytes as taken and returns what to give back to the server
// now: half a window at a time, so that a stream of small messages does not
// cost a frame back for each.
func (r *receiver) credit(n int) int {
	r.taken += n
	if r.ended || r.gone || r.taken < limits.IPCWindow/2 {
		return 0
	}
	give := r.taken
	r.taken = 0
	r.window += give
	return give
}

// Close implements [rpc.Receiver].
func (r *receiver) Close() error {
	r.abandon(errs.New(errs.Cancelled, r.k.m.Name))
	return nil
}

// abandon gives the stream up once; its slot stays taken until the server's
// end has come.
func (r *receiver) abandon(err *errs.Error) {
	r.mu.Lock()
	if r.gone || r.ended && len(r.queue) == 0 {
		r.mu.Unlock()
		return
	}
	tell := !r.ended
	r.gone, r.queue, r.err = true, nil, err
	if r.stop != nil {
		r.stop()
	}
	r.signal()
	r.mu.Unlock()
	if tell {
		r.c.control(header{kind: kindCancel, stream: r.k.id})
	}
}
