package window

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"os"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/passfd"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// streamID names a stream on one document, once.
type streamID [16]byte

// stream is a streaming call: its handler sends records, one goroutine writes
// them into the pipe whose other end the page reads. Records that are made while
// it writes go together in its next write.
type stream struct {
	id     streamID
	d      *document
	method *rpc.Method
	ctx    context.Context
	cancel context.CancelCauseFunc
	out    *os.File
	// late ends a stream that nobody fetches.
	late *time.Timer
	// wake has one element when there is something to write, room when the page
	// has acknowledged something.
	wake, room chan struct{}

	// Guarded by the document's lock: in is the end that the page is given, nil
	// once it was; request is the id of what fetched it; written is set when the
	// last record is in the pipe.
	in      *os.File
	request uint64
	written bool

	mu  sync.Mutex
	buf []byte
	// unacked are the bytes that the page has not acknowledged.
	unacked int
	// over: nothing is added any more.
	over bool
}

// open begins a streaming call.
func (d *document) open(route rpc.Route, in *surfacev1.Call) (streamID, error) {
	const op = "window.stream"
	s := &stream{d: d, method: route.Method, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	_, _ = rand.Read(s.id[:]) // never fails: crypto/rand ends the program instead
	var err error
	if s.in, s.out, err = passfd.Pipe(); err != nil {
		return s.id, errs.Wrap(errs.Internal, op, err)
	}
	s.ctx, s.cancel = context.WithCancelCause(d.ctx)
	w := d.window
	work := w.mayHandle()
	d.mu.Lock()
	if !work || d.ended || len(d.streams) >= limits.WindowStreams {
		d.mu.Unlock()
		if work {
			w.handled()
		}
		s.cancel(nil)
		s.in.Close()
		s.out.Close()
		w.denials.add("flood", w.deny(route.Method.Name, errs.CoreBusy, "flood", ""))
		return s.id, errs.New(errs.CoreBusy, op)
	}
	d.streams[s.id] = s
	s.late = time.AfterFunc(limits.WindowStreamFetch, s.unfetched)
	// Both end before the window is done: the end of the document stops them.
	d.window.m.all.Go(func() { s.handle(route, in) })
	d.window.m.all.Go(s.write)
	d.mu.Unlock()
	return s.id, nil
}

// handle runs the method's handler and says how it ended.
func (s *stream) handle(route rpc.Route, in *surfacev1.Call) {
	defer s.d.window.handled()
	ctx := s.ctx
	if in.TimeoutMs > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(in.TimeoutMs)*time.Millisecond)
		defer stop()
	}
	_, err := guard(s.d.window, s.method, func() ([]byte, error) { return nil, route.Stream(ctx, in.Message, s) })
	last := &surfacev1.StreamRecord{End: true}
	if err != nil {
		last = &surfacev1.StreamRecord{Error: ipc.ErrorMessage(because(ctx, err))}
	}
	b, merr := proto.Marshal(last)
	if merr != nil {
		panic("BUG: a record does not encode: " + merr.Error())
	}
	s.mu.Lock()
	if !s.over {
		s.buf = append(binary.BigEndian.AppendUint32(s.buf, uint32(len(b))), b...)
		s.unacked += recordHead + len(b)
		s.over = true
	}
	s.mu.Unlock()
	s.cancel(nil)
	signal(s.wake)
}

// mayHandle counts a handler in; false when there are too many. A stream that was
// given up is not the document's any more, but its handler may not have seen it.
func (w *Window) mayHandle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.handlers >= limits.WindowHandlers {
		return false
	}
	w.handlers++
	return true
}

func (w *Window) handled() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers--
}

// recordHead is the length in front of a record.
const recordHead = 4

// Send implements rpc.Sender. It waits while the page has too much to take in.
func (s *stream) Send(message []byte) error {
	if len(message) > min(s.method.MaxResponse, limits.SurfaceMessage) {
		return errs.New(errs.TooLarge, s.method.Name)
	}
	body := 0
	if len(message) > 0 {
		body = protowire.SizeTag(replyMessage) + protowire.SizeBytes(len(message))
	}
	for {
		s.mu.Lock()
		switch {
		case s.over || s.ctx.Err() != nil:
			s.mu.Unlock()
			if cause := context.Cause(s.ctx); cause != nil {
				return cause
			}
			return errs.New(errs.Cancelled, s.method.Name)
		case s.unacked < limits.WindowStreamBytes:
			s.buf = binary.BigEndian.AppendUint32(s.buf, uint32(body))
			if body > 0 {
				s.buf = protowire.AppendTag(s.buf, replyMessage, protowire.BytesType)
				s.buf = protowire.AppendBytes(s.buf, message)
			}
			s.unacked += recordHead + body
			if s.unacked < limits.WindowStreamBytes {
				signal(s.room) // for another sender that waits
			}
			s.mu.Unlock()
			signal(s.wake)
			return nil
		}
		s.mu.Unlock()
		select {
		case <-s.room:
		case <-s.ctx.Done():
		}
	}
}

// write empties the buffer into the pipe until the last record is written or the
// stream is stopped.
func (s *stream) write() {
	defer s.wrote()
	var spare []byte
	for range s.wake {
		for {
			s.mu.Lock()
			b, over := s.buf, s.over
			s.buf = spare[:0]
			s.mu.Unlock()
			if len(b) == 0 {
				if over {
					return
				}
				spare = b
				break
			}
			if _, err := s.out.Write(b); err != nil {
				// Nobody reads any more.
				s.stop()
				return
			}
			spare = b
			if cap(spare) > limits.WindowKeepBuffer {
				spare = nil
			}
		}
	}
}

// wrote ends the body. What is in the pipe can still be fetched.
func (s *stream) wrote() {
	s.out.Close()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.written = true
	if s.in == nil {
		s.forget()
	}
}

// forget takes the stream from its document, which is locked.
func (s *stream) forget() {
	delete(s.d.streams, s.id)
	delete(s.d.fetched, s.request)
}

// stop gives the stream up, whatever is still to be said. Idempotent.
func (s *stream) stop() {
	s.cancel(errs.New(errs.Cancelled, s.method.Name))
	s.mu.Lock()
	s.over, s.buf = true, nil
	s.mu.Unlock()
	// A writer that waits for the page is woken by it.
	s.out.Close()
	signal(s.wake)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.late.Stop()
	if s.in != nil {
		s.in.Close()
		s.in = nil
	}
	s.forget()
}

func (s *stream) unfetched() {
	s.d.mu.Lock()
	waits := s.in != nil
	s.d.mu.Unlock()
	if waits {
		s.stop()
	}
}

// ack takes note of what the page has read.
func (s *stream) ack(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.unacked {
		return errs.New(errs.Malformed, "window.ack").With("more than was sent")
	}
	s.unacked -= n
	signal(s.room)
	return nil
}

// fetch hands the body of a stream out, once. inUse says that the request's id
// names another one already.
func (d *document) fetch(hexID string, request uint64) (body *os.File, inUse bool) {
	id, ok := parseStreamID(hexID)
	if !ok {
		return nil, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.streams[id]
	if s == nil || s.in == nil {
		return nil, false
	}
	if d.fetched[request] != nil {
		return nil, true
	}
	s.late.Stop()
	body, s.in, s.request = s.in, nil, request
	d.fetched[request] = s
	if s.written {
		s.forget()
	}
	return body, false
}

// unwanted ends the stream whose body a request asked for; any other request has
// been answered in full.
func (d *document) unwanted(request uint64) {
	d.mu.Lock()
	s := d.fetched[request]
	d.mu.Unlock()
	if s != nil {
		s.stop()
	}
}

// stream is a live stream of the document; nil for any other id.
func (d *document) stream(id []byte) *stream {
	if len(id) != len(streamID{}) {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.streams[streamID(id)]
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
