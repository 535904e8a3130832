package ipc

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
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
	all    sync.WaitGroup // goroutines of this connection's
	r      *reader        // belongs to who has the turn
	serves bool           // the peer may call

	mu     sync.Mutex
	ended  bool
	err    *errs.Error // why calls fail, once ended
	nextID uint64
	calls  map[uint64]*call   // ours, from request to end
	served map[uint64]*served // the peer's
	lastID uint64             // the peer's newest; written by who has the turn

	// See turn.go.
	quick   map[uint32]bool // methods whose last handler was
	turn    turn
	uses    uint64 // calls that took or lent the turn, or could have
	lent    uint64 // the use that the turn is lent for
	seen    uint64 // uses when the timer was set
	tick    *time.Timer
	ticking bool
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
		r:      newReader(conn, o.Peer == policyv1.Caller_CALLER_CORE),
		done:   make(chan struct{}),
		nextID: 1,
		calls:  map[uint64]*call{},
		served: map[uint64]*served{},
		quick:  map[uint32]bool{},
	}
	c.r.client = o.Peer == policyv1.Caller_CALLER_CLIENT
	c.tick = time.AfterFunc(limits.IPCTick, c.onTick)
	c.tick.Stop()
	c.serves = o.Peer == policyv1.Caller_CALLER_CLIENT || o.Peer == policyv1.Caller_CALLER_CORE || o.Peer == policyv1.Caller_CALLER_WORKER
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
			c.unsent(err, nil)
		}
	}()
	go c.loop()
	return c
}

// Done is closed when the connection is over: the peer is gone, broke the
// format, or Close was called.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns nil before Done, and then why calls fail: errs.Malformed when the
// peer broke the format, else Options.Gone around io.ErrUnexpectedEOF, the system's error,
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
	if cause == io.EOF {
		// An ordinary end of the connection is no ordinary end of a stream:
		// whoever looks for io.EOF in the error of a call must not find it.
		cause = io.ErrUnexpectedEOF
	}
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
	c.tick.Stop()
	c.mu.Unlock()

	if isBad {
		c.o.OnMalformed(string(bad))
	}
	if c.o.Peer == policyv1.Caller_CALLER_CLIENT {
		Drop(c.conn)
	} else {
		c.conn.Close()
	}
	c.w.stop(err)
	c.cancel(err)
	for _, k := range calls {
		k.finish(nil, err)
	}
	close(c.done)
}

// unsent ends the connection after a write that failed; k is the call whose
// request it was, or nil. What a peer that is gone had said before is read
// first: a worker's last words may be in the socket. It can add nothing to them.
func (c *Conn) unsent(err error, k *call) {
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) || c.conn.CloseRead() != nil {
		c.end(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended && (c.turn == turnFree || k != nil && k.reads) {
		c.startLoop() // whose end is the connection's
	}
}

// check refuses a frame by its header and the connection's state, before its
// body is read.
func (c *Conn) check(h header) error {
	switch h.kind {
	case kindRequest:
		return c.checkRequest(h)
	case kindMessage, kindEnd:
		return c.checkAnswer(h)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.peers(h.stream) || h.stream > c.lastID {
		return malformed("no such stream was ever open")
	}
	return nil
}

// peers reports whether a stream number is one of the peer's.
func (c *Conn) peers(stream uint64) bool { return stream&1 == 1 == c.o.Even }

func (c *Conn) checkRequest(h header) error {
	route, ok := c.o.Mux.Find(h.method)
	switch {
	case !c.peers(h.stream):
		return malformed("stream number of the wrong side")
	case h.stream <= c.lastID: // written by who reads, alone
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
	return nil
}

func (c *Conn) checkAnswer(h header) error {
	c.mu.Lock()
	k := c.calls[h.stream]
	c.mu.Unlock()
	isError := h.kind == kindEnd && h.flags == flagError
	switch {
	case k == nil:
		return malformed("no such stream is open")
	case !isError && int64(h.length) > int64(k.m.MaxResponse):
		return malformed("message is longer than its method allows")
	case h.kind == kindEnd && !isError && k.in != nil && h.length > 0:
		return malformed("body where none belongs")
	case h.kind == kindMessage && k.in == nil:
		return malformed("message on a unary call")
	case h.kind == kindMessage && !k.in.admit(int(h.length)):
		return malformed("message outside the window")
	}
	return nil
}

// answered handles a message or an end.
func (c *Conn) answered(f frame) error {
	c.mu.Lock()
	k := c.calls[f.stream]
	if f.kind == kindEnd {
		delete(c.calls, f.stream)
	}
	c.mu.Unlock()
	switch {
	case k == nil:
		return net.ErrClosed // the connection ended since the check
	case f.kind == kindMessage:
		k.in.push(f.body)
	case f.flags == flagError:
		remote, err := decodeError(f.body)
		if err != nil {
			k.finish(nil, errs.New(errs.Malformed, "ipc"))
			return err
		}
		k.finish(nil, remote)
	default:
		k.finish(f.body, nil)
	}
	return nil
}

// controlled handles a cancel or credit. Of a stream that has ended it crossed
// the end on its way.
func (c *Conn) controlled(f frame) error {
	c.mu.Lock()
	s := c.served[f.stream]
	c.mu.Unlock()
	switch {
	case s == nil:
	case f.kind == kindCancel && !s.cancelOnce(errs.New(errs.Cancelled, "ipc")):
		return malformed("second cancel")
	case f.kind == kindCredit && !s.addCredit(f.value):
		return malformed("credit beyond what was taken")
	}
	return nil
}
