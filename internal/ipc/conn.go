package ipc

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// Conn is one side of a connection. It is an [rpc.Caller] for the methods that
// the peer serves. All methods may be called from any goroutine.
type Conn struct {
	o      Options
	conn   *net.UnixConn
	w      *writer
	base   context.Context // parent of handlers' contexts, ends with the connection
	cancel context.CancelCauseFunc
	done   chan struct{}
	all    sync.WaitGroup // reader, writer, handlers

	mu     sync.Mutex
	ended  bool
	err    *errs.Error // why calls fail, once ended
	nextID uint64
	calls  map[uint64]*call   // ours, from request to end
	served map[uint64]*served // the peer's
	lastID uint64             // the peer's newest
}

var _ rpc.Caller = (*Conn)(nil)

type connKey struct{}

// FromContext returns the connection on which the call of a handler's context
// came, or nil.
func FromContext(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// New takes conn over and serves and calls on it at once. The owner has to
// Close it, also after Done.
func New(conn *net.UnixConn, o Options) *Conn {
	c := &Conn{
		o:      o.withDefaults(),
		conn:   conn,
		done:   make(chan struct{}),
		nextID: 1,
		calls:  map[uint64]*call{},
		served: map[uint64]*served{},
	}
	if o.Even {
		c.nextID = 2
	}
	c.base, c.cancel = context.WithCancelCause(context.WithValue(c.o.Context, connKey{}, c))
	w, err := newWriter(conn)
	if err != nil {
		// The socket was closed before it came here.
		w = &writer{err: err, room: make(chan struct{})}
		c.w = w
		c.end(err)
		return c
	}
	c.w = w
	c.all.Add(2)
	go func() {
		defer c.all.Done()
		if err := c.w.run(c.done); err != nil {
			c.end(err)
		}
	}()
	go func() {
		defer c.all.Done()
		c.end(c.read())
	}()
	return c
}

// Done is closed when the connection is over: the peer is gone, broke the
// format, or Close was called.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns nil before Done, and then why calls fail: errs.Malformed when the
// peer broke the format, else Options.Gone around io.EOF, the system's error,
// or net.ErrClosed after Close.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		return nil
	}
	return c.err
}

// Fail ends a peer that broke an agreement which this package does not see, as
// if a frame had been malformed. The reason goes to Options.OnMalformed. It does
// not wait, so handlers may call it.
func (c *Conn) Fail(reason string) { c.end(malformed(reason)) }

// Close ends the connection: calls fail, the contexts of handlers end, and it
// waits for those handlers. It must not be called by one of them. Idempotent;
// the error is always nil.
func (c *Conn) Close() error {
	c.end(net.ErrClosed)
	c.all.Wait()
	return nil
}

// end ends the connection once; cause is not nil.
func (c *Conn) end(cause error) {
	var bad malformed
	isBad := errors.As(cause, &bad)
	err := errs.Wrap(c.o.Gone, "ipc", cause)
	if isBad {
		err = errs.Wrap(errs.Malformed, "ipc", cause)
	}

	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended, c.err = true, err
	calls := c.calls
	c.calls = nil
	c.mu.Unlock()

	if isBad {
		c.o.OnMalformed(string(bad))
	}
	c.conn.Close()
	c.w.stop(err)
	c.cancel(err)
	for _, k := range calls {
		k.finish(nil, err)
	}
	close(c.done)
}

// read handles frames until the peer is gone or breaks the format.
func (c *Conn) read() error {
	r := newReader(c.conn)
	defer r.close()
	for {
		h, err := r.header()
		if err != nil {
			return err
		}
		switch h.kind {
		case kindRequest:
			err = c.readRequest(r, h)
		case kindMessage:
			err = c.readMessage(r, h)
		case kindEnd:
			err = c.readEnd(r, h)
		case kindCancel:
			err = c.readCancel(r, h)
		case kindCredit:
			err = c.readCredit(r, h)
		default:
			panic("BUG: a kind of frame that the decoder lets through has no reader")
		}
		if err != nil {
			return err
		}
	}
}

// openCall returns the call of ours that a message or end belongs to.
func (c *Conn) openCall(h header) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil, io.EOF
	}
	k := c.calls[h.stream]
	if k == nil {
		return nil, malformed("no such stream is open")
	}
	return k, nil
}

func (c *Conn) readMessage(r *reader, h header) error {
	k, err := c.openCall(h)
	switch {
	case err != nil:
		return err
	case k.in == nil:
		return malformed("message on a unary call")
	case int64(h.length) > int64(k.m.MaxResponse):
		return malformed("message is longer than its method allows")
	case !k.in.admit(int(h.length)):
		return malformed("message outside the window")
	}
	b, err := r.body(h.length)
	if err != nil {
		return err
	}
	k.in.push(b)
	return nil
}

func (c *Conn) readEnd(r *reader, h header) error {
	k, err := c.openCall(h)
	if err != nil {
		return err
	}
	if h.flags&flagError == 0 {
		if k.in != nil && h.length != 0 {
			return malformed("body where none belongs")
		}
		if int64(h.length) > int64(k.m.MaxResponse) {
			return malformed("message is longer than its method allows")
		}
	}
	b, err := r.body(h.length)
	if err != nil {
		return err
	}
	var remote error
	if h.flags&flagError != 0 {
		if remote, err = decodeError(b); err != nil {
			return err
		}
		b = nil
	}
	c.mu.Lock()
	delete(c.calls, h.stream)
	c.mu.Unlock()
	k.finish(b, remote)
	return nil
}

// peers reports whether a stream number is one of the peer's.
func (c *Conn) peers(stream uint64) bool { return stream&1 == 1 == c.o.Even }

// openServed returns the peer's call that a cancel or credit belongs to; nil
// when it has ended.
func (c *Conn) openServed(h header) (*served, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.peers(h.stream) || h.stream > c.lastID {
		return nil, malformed("no such stream was ever open")
	}
	return c.served[h.stream], nil
}

func (c *Conn) readCancel(r *reader, h header) error {
	s, err := c.openServed(h)
	if err != nil {
		return err
	}
	if s != nil && !s.cancelOnce(errs.New(errs.Cancelled, "ipc")) {
		return malformed("second cancel")
	}
	return r.settled()
}

func (c *Conn) readCredit(r *reader, h header) error {
	s, err := c.openServed(h)
	if err != nil {
		return err
	}
	if s != nil && !s.addCredit(h.value) {
		return malformed("credit beyond what was taken")
	}
	return r.settled()
}

func (c *Conn) readRequest(r *reader, h header) error {
	route, ok := c.o.Mux.Find(h.method)
	switch {
	case !c.peers(h.stream):
		return malformed("stream number of the wrong side")
	case h.stream <= c.lastID: // written by this goroutine alone
		return malformed("stream number does not grow")
	case !ok:
		return malformed("unknown method")
	case !c.o.mayCall(route.Method.Caller):
		return malformed("method is not for this peer")
	case int64(h.length) > int64(route.Method.MaxRequest):
		return malformed("message is longer than its method allows")
	case int(h.descriptors) > min(c.o.Descriptors(route.Method), limits.IPCDescriptors):
		return malformed("descriptors where none belong")
	}
	fds, err := r.take(h.descriptors)
	if err != nil {
		return err
	}
	b, err := r.body(h.length)
	if err != nil {
		closeAll(fds)
		return err
	}
	return c.serve(route, h, b, fds)
}
