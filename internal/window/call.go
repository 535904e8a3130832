package window

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// call is a unary call on its way.
type call struct {
	w     *Window
	l     *link
	d     *document
	id    uint64
	route rpc.Route
	in    *surfacev1.Call
}

// begin decides whether what a page sent may be called. It returns a unary call
// to run; everything else has been answered.
func (w *Window) begin(l *link, f frame) *call {
	c := &call{w: w, l: l, d: w.document(), id: f.id}
	if err := c.check(f.payload); err != nil {
		c.fail(err)
		return nil
	}
	if c.route.Stream != nil {
		id, err := c.d.open(c.route, c.in)
		if err != nil {
			c.fail(err)
		} else {
			_ = l.out.send(kindReply, c.id, nil, replyHead(replyStream, len(id)), id[:])
		}
		return nil
	}
	// What a page has read is taken in whatever else it waits for.
	if !c.quick() && !c.d.take(len(c.in.Message)) {
		w.denials.add("flood", w.deny("", errs.CoreBusy, "flood", ""))
		c.fail(errs.New(errs.CoreBusy, "window.call"))
		return nil
	}
	return c
}

// check holds a call to the policy: of the document, the surface, the app.
func (c *call) check(payload []byte) error {
	const op = "window.call"
	w := c.w
	c.in = new(surfacev1.Call)
	if err := rpc.Decode(payload, c.in, limits.WindowFrame); err != nil {
		w.denials.add("call", w.deny("", errs.CodeOf(err), "not a call", ""))
		return err
	}
	route, ok := w.m.cfg.Find(c.in.Method)
	switch {
	case !ok:
		w.denials.add("method", w.deny("", errs.Denied, "no such method", ""))
		return errs.New(errs.Denied, op)
	case c.d == nil || !c.d.committed:
		w.denials.add("document", w.deny(route.Method.Name, errs.Denied, "a call of no document", ""))
		return errs.New(errs.Denied, op)
	case !slices.Contains(route.Method.Surfaces, w.app.Surface):
		w.denials.add(route.Method.Name, w.deny(route.Method.Name, errs.Denied, "not for this surface", ""))
		return errs.New(errs.Denied, op)
	case !w.app.Allows(route.Method.Kind):
		w.denials.add(route.Method.Name, w.deny(route.Method.Name, errs.Denied, "above the app's ceiling", ""))
		return errs.New(errs.Denied, op)
	case len(c.in.Message) > route.Method.MaxRequest:
		return errs.New(errs.TooLarge, op)
	case writes(route.Method) && !w.mayWrite():
		w.denials.add("rate "+route.Method.Name, w.deny(route.Method.Name, errs.CoreBusy, "too often", ""))
		return errs.New(errs.CoreBusy, op)
	}
	c.route = route
	return nil
}

// quick reports whether the reader runs the call by itself: those that say what
// a page has read never wait for anything.
func (c *call) quick() bool {
	switch c.route.Method {
	case surfacev1.SurfaceServiceAckMethod(), surfacev1.SurfaceServiceCancelMethod():
		return true
	}
	return false
}

// run makes the call and answers it.
func (c *call) run() {
	if !c.quick() {
		defer c.d.release(len(c.in.Message))
	}
	ctx := c.d.ctx
	if c.in.TimeoutMs > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(c.in.TimeoutMs)*time.Millisecond)
		defer stop()
	}
	response, err := guard(c.w, c.route.Method, func() ([]byte, error) { return c.route.Unary(ctx, c.in.Message) })
	if err == nil && len(response) > min(c.route.Method.MaxResponse, limits.SurfaceMessage) {
		err = errs.New(errs.TooLarge, c.route.Method.Name)
	}
	if err != nil {
		if errs.CodeOf(err) == errs.Internal {
			c.w.m.cfg.Log.Warn("a handler failed", "method", c.route.Method.Name, "error", err)
		}
		c.fail(because(ctx, err))
		return
	}
	// An error here is the host's end, which the reader sees.
	_ = c.l.out.send(kindReply, c.id, nil, replyHead(replyMessage, len(response)), response)
}

// guard runs a handler. A panic in it is a fault of ours in one call: it is
// logged, answered as errs.Internal, and the process goes on.
func guard(w *Window, m *rpc.Method, f func() ([]byte, error)) (b []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.m.cfg.Log.Error("a handler panicked", "method", m.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			b, err = nil, errs.New(errs.Internal, m.Name)
		}
	}()
	return f()
}

// because prefers the reason of a context's end to the bare fact.
func because(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return context.Cause(ctx)
}

// The fields of a Reply.
const (
	replyMessage = 1
	replyError   = 2
	replyStream  = 3
)

// replyHead is what stands before the bytes of a field in a Reply. An empty
// message is an empty Reply.
func replyHead(field protowire.Number, n int) []byte {
	if n == 0 {
		return nil
	}
	return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.BytesType), uint64(n))
}

func (c *call) fail(err error) {
	b, merr := proto.Marshal(ipc.ErrorMessage(err))
	if merr != nil {
		panic("BUG: an error does not encode: " + merr.Error())
	}
	_ = c.l.out.send(kindReply, c.id, nil, replyHead(replyError, len(b)), b)
}
