package ipc

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
)

// turn says whose it is to read the socket.
//
// Handing a frame from one goroutine to another costs more than all the rest
// of a small call: it wakes a thread, which on a small machine takes the
// processor from the peer that has to answer (measured on two cores: 42 µs for
// a call with a hop on each side, 15 µs for a bare echo). So there is no hop in
// the usual cases: who waits for an answer reads it, and who reads a unary
// request runs its handler. Both give the turn up when that would keep others
// waiting.
type turn uint8

const (
	// A goroutine of the connection's own reads.
	turnLoop turn = iota
	// A caller reads until its answer has come.
	turnCaller
	// The loop's goroutine runs a handler, of a method that was quick last time.
	// If it takes long now, another loop is started, and this goroutine ends when
	// the handler does.
	turnLent
	// Nobody reads: the connection only calls, and no call is open. The next
	// caller takes the turn, or a loop after a short time.
	turnFree
)

// errNoTurn ends a loop whose turn it is no more.
var errNoTurn = errors.New("the turn is another's")

// loop reads as long as it has the turn.
func (c *Conn) loop() {
	defer c.all.Done()
	c.readEnded(c.read(nil))
}

func (c *Conn) readEnded(err error) {
	if errors.Is(err, errNoTurn) {
		return
	}
	c.end(err)
	c.r.close()
}

// read handles frames until the turn is over or the connection is; for a
// caller (k is set) until its call has ended.
func (c *Conn) read(k *call) error {
	for {
		f, err := c.r.next(c.check)
		if err != nil {
			return err
		}
		switch f.kind {
		case kindRequest:
			err = c.requested(f, k == nil)
		case kindCancel, kindCredit:
			err = c.controlled(f)
		default:
			err = c.answered(f)
		}
		if err != nil {
			return err
		}
		if f.kind == kindEnd {
			if k != nil && k.id == f.stream {
				return nil
			}
			if k == nil && c.freeTurn() {
				return errNoTurn
			}
		}
	}
}

// requested runs the handler of a request: here, if a loop reads, the method is
// unary and quick, and nothing else was read; else in a goroutine. (A pool of
// them would save nothing: the runtime keeps those that have ended.)
func (c *Conn) requested(f frame, byLoop bool) error {
	route, _ := c.o.Mux.Find(f.method)
	s, err := c.accept(f, route, byLoop && c.r.empty())
	if s == nil {
		closeAll(f.fds)
		return err // nil when the connection has ended: the next read says so
	}
	if s.use == 0 {
		go func() {
			defer c.all.Done()
			s.run(route, f)
		}()
		return nil
	}
	s.run(route, f)
	if !c.takeBack(s) {
		return errNoTurn
	}
	return nil
}

// readFor reads for a caller that has the turn, until its call or its context
// has ended.
func (c *Conn) readFor(ctx context.Context, k *call) {
	stop, kicked := func() bool { return true }, (chan struct{})(nil)
	if ctx.Done() != nil {
		kicked = make(chan struct{})
		stop = context.AfterFunc(ctx, func() {
			c.conn.SetReadDeadline(time.Unix(1, 0))
			close(kicked)
		})
	}
	err := c.read(k)
	if !stop() {
		<-kicked
		c.conn.SetReadDeadline(time.Time{})
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.readEnded(err)
		return
	}
	if c.freeTurn() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		c.r.close()
		return
	}
	c.startLoop()
}

// takeTurn lets the caller of a unary call read, or for a stream sees to it
// that a loop does. c.mu is held.
func (c *Conn) takeTurn(k *call) {
	c.uses++
	if c.turn != turnFree {
		return
	}
	if k.in != nil {
		c.startLoop()
		return
	}
	c.turn, k.reads = turnCaller, true
}

// freeTurn gives the turn up if nothing has to be read before the next call,
// and reports whether it did.
func (c *Conn) freeTurn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serves || len(c.calls) > 0 || !c.r.empty() || c.ended {
		return false
	}
	c.turn = turnFree
	c.watch()
	return true
}

// lendTurn is called when the loop's goroutine is about to run the handler of
// s. c.mu is held.
func (c *Conn) lendTurn(s *served) {
	c.uses++
	c.turn, c.lent, s.use = turnLent, c.uses, c.uses
	c.watch()
}

// takeBack ends what lendTurn began; false if another loop reads by now.
func (c *Conn) takeBack(s *served) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turn != turnLent || c.lent != s.use {
		return false
	}
	c.turn = turnLoop
	return true
}

// startLoop gives the turn to a new goroutine. c.mu is held, and the connection
// has not ended.
func (c *Conn) startLoop() {
	c.turn = turnLoop
	c.all.Add(1)
	go c.loop()
}

// watch starts the timer. It is not set for each call, which would wake the
// runtime's poller each time (10 µs a call here): while there are calls it runs
// on and compares. A short tick costs as much (1 ms: 6 µs a call). c.mu is held.
func (c *Conn) watch() {
	if !c.ticking {
		c.ticking, c.seen = true, c.uses
		c.tick.Reset(limits.IPCTick)
	}
}

// onTick starts a loop if the turn was free or lent since the last tick,
// without a further call.
func (c *Conn) onTick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ticking = false
	switch {
	case c.ended || c.turn != turnFree && c.turn != turnLent:
	case c.seen == c.uses:
		c.startLoop()
	default:
		c.watch()
	}
}
