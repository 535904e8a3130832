package ipc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// served is a call of the peer's while its handler runs; for a streaming
// method it is the handler's [rpc.Sender].
type served struct {
	c      *Conn
	id     uint64
	m      *rpc.Method
	ctx    context.Context
	cancel context.CancelCauseFunc
	use    uint64 // which use of the turn it is, if its handler runs inline
	over   bool   // the end was sent; guarded by the writer's lock

	mu        sync.Mutex
	cancelled bool
	window    int           // may be below zero by one message
	opened    chan struct{} // has one element when the window may have opened
}

// callContext is a handler's context. It holds the descriptors of its request
// until somebody takes them.
type callContext struct {
	context.Context
	mu    sync.Mutex
	files []*os.File
}

type filesKey struct{}

func (c *callContext) Value(key any) any {
	if key == (filesKey{}) {
		return c
	}
	return c.Context.Value(key)
}

func (c *callContext) take() []*os.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.files
	c.files = nil
	return f
}

// TakeFiles returns the descriptors that came with the request of a handler's
// context, in order. They are the caller's from then on; a second call returns
// none. What no handler takes is closed when it returns.
func TakeFiles(ctx context.Context) []*os.File {
	if c, ok := ctx.Value(filesKey{}).(*callContext); ok {
		return c.take()
	}
	return nil
}

// accept registers the call of a request; nil when the connection has ended. If
// it may and should run inline, the turn to read is lent for as long as run
// lasts (s.use is set then).
func (c *Conn) accept(f frame, route rpc.Route, inline bool) (*served, error) {
	s := &served{c: c, id: f.stream, m: route.Method}
	if route.Stream != nil {
		s.window, s.opened = limits.IPCWindow, make(chan struct{}, 1)
	}
	s.ctx, s.cancel = context.WithCancelCause(c.base)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID = f.stream
	switch {
	case c.ended:
		s.cancel(nil)
		return nil, nil
	case len(c.served) >= limits.IPCStreams:
		s.cancel(nil)
		return nil, malformed("one stream too many")
	}
	c.served[f.stream] = s
	if inline && c.quick[s.m.Number] {
		c.lendTurn(s)
	} else {
		c.all.Add(1)
	}
	return s, nil
}

// run is the whole of a call.
func (s *served) run(route rpc.Route, f frame) {
	start := time.Now()
	ctx, stop := s.ctx, context.CancelFunc(func() {})
	if f.value != 0 {
		ctx, stop = context.WithTimeout(ctx, time.Duration(f.value)*time.Millisecond)
		s.ctx = ctx
	}
	if len(f.fds) > 0 {
		ctx = withReceived(ctx, f.fds)
	}
	response, err := s.call(ctx, route, f.body)
	stop()
	if len(f.fds) > 0 {
		closeFiles(TakeFiles(ctx))
	}
	s.end(response, err, route.Unary != nil && time.Since(start) < limits.IPCQuick)
}

func withReceived(ctx context.Context, fds []int) context.Context {
	c := &callContext{Context: ctx}
	for _, fd := range fds {
		c.files = append(c.files, os.NewFile(uintptr(fd), "received"))
	}
	return c
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// call runs the handler. A panic in it is a fault of ours in one call: it is
// logged with its stack and answered as errs.Internal, and the process goes on,
// because the other calls belong to other tasks. A handler must therefore leave
// no lock held when it panics.
func (s *served) call(ctx context.Context, route rpc.Route, request []byte) (response []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.c.o.Log.Error("a handler panicked", "method", s.m.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			response, err = nil, errs.New(errs.Internal, s.m.Name)
		}
	}()
	if route.Stream != nil {
		err = route.Stream(ctx, request, s)
	} else {
		response, err = route.Unary(ctx, request)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = contextError(ctx) // which may know better why
	}
	if err == nil && len(response) > min(s.m.MaxResponse, limits.IPCBody) {
		err = errs.New(errs.TooLarge, s.m.Name)
	}
	return response, err
}

// end sends the one answer that every request gets. Whether the handler was
// quick decides where the method's next one runs.
func (s *served) end(response []byte, err error, quick bool) {
	h := header{kind: kindEnd, stream: s.id}
	if err != nil {
		if errs.CodeOf(err) == errs.Internal {
			s.c.o.Log.Debug("a handler failed", "method", s.m.Name, "error", err)
		}
		h.flags = flagError
		response = encodeError(err)
	}
	// The slot is free before the client can know, so that its next call never
	// finds it taken; and not before there is room for the answer, or one that
	// never reads could have any number of calls wait here.
	room := s.c.w.lock(s.c.base) == nil
	s.c.mu.Lock()
	delete(s.c.served, s.id)
	s.c.quick[s.m.Number] = quick
	s.c.mu.Unlock()
	if room {
		s.over = true
		err = s.c.w.put(h, response, nil)
		s.c.w.mu.Unlock()
		if err != nil {
			s.c.unsent(err, nil)
		}
	}
	s.cancel(nil)
}

// Send implements [rpc.Sender].
func (s *served) Send(message []byte) error {
	if len(message) > min(s.m.MaxResponse, limits.IPCBody) {
		return errs.New(errs.TooLarge, s.m.Name)
	}
	if err := s.spend(len(message) + limits.IPCMessageCost); err != nil {
		return err
	}
	if err := s.c.w.lock(s.ctx); err != nil {
		return s.c.sendError(s.m, err)
	}
	defer s.c.w.mu.Unlock()
	if s.over {
		return errs.New(errs.Cancelled, s.m.Name)
	}
	if err := s.c.w.put(header{kind: kindMessage, stream: s.id}, message, nil); err != nil {
		return s.c.sendError(s.m, err)
	}
	return nil
}

// spend waits until the window is open and takes n from it.
func (s *served) spend(n int) error {
	for {
		if s.ctx.Err() != nil {
			return contextError(s.ctx)
		}
		s.mu.Lock()
		if s.window > 0 {
			s.window -= n
			if s.window > 0 {
				s.signal() // for another sender that waits
			}
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-s.opened:
		case <-s.ctx.Done():
		}
	}
}

func (s *served) signal() {
	select {
	case s.opened <- struct{}{}:
	default:
	}
}

// addCredit reports whether the peer may give so much.
func (s *served) addCredit(n uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == nil || int64(s.window)+int64(n) > limits.IPCWindow {
		return false
	}
	s.window += int(n)
	if s.window > 0 {
		s.signal()
	}
	return true
}

// cancelOnce ends the handler's context; false if the peer had done so before.
func (s *served) cancelOnce(cause error) bool {
	s.mu.Lock()
	first := !s.cancelled
	s.cancelled = true
	s.mu.Unlock()
	s.cancel(cause)
	return first
}
