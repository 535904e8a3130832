package window

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// A method that was quick and is slow this once keeps nobody waiting: what else
// the page says is read.
func TestSlowAfterQuick(t *testing.T) {
	b := newBench(t)
	var block atomic.Bool
	hold := make(chan struct{})
	b.routes[7] = rpc.Route{Method: method(7, none, false, app), Unary: func(context.Context, []byte) ([]byte, error) {
		if block.Load() {
			<-hold
		}
		return nil, nil
	}}
	b.echo(8, none, app)
	w, f := b.show(apps.Studio)
	lent := func() bool {
		w.link.mu.Lock()
		defer w.link.mu.Unlock()
		return w.link.lent
	}
	until(t, "the method is known to be quick", func() bool {
		f.call(7, nil)
		w.link.mu.Lock()
		defer w.link.mu.Unlock()
		return w.link.quick[7]
	})
	block.Store(true)
	slow := f.begin(7, nil)
	until(t, "the reader makes the call itself", lent)
	// Others come through, and one that is made now has its own goroutine.
	for range 3 {
		if r := f.call(8, []byte("x")); r.Error != nil {
			t.Fatal(r)
		}
	}
	// The last answer is there before the reader that made it is back.
	until(t, "no reader to be busy but the first", func() bool { return !lent() })
	close(hold)
	f.answer(slow)
	if r := f.call(8, nil); r.Error != nil {
		t.Fatal(r)
	}
}

// A host that does not read what it is written is ended, and that is on the
// record; until then nothing piles up behind it but the calls that run.
func TestHostThatDoesNotRead(t *testing.T) {
	b := newBench(t)
	b.routes[7] = rpc.Route{Method: method(7, none, false, app), Unary: func(context.Context, []byte) ([]byte, error) {
		return make([]byte, limits.SurfaceMessage), nil
	}}
	c := raw(t, b)
	call, err := proto.Marshal(&surfacev1.Call{Method: 7})
	must(t, err)
	for i := range uint64(8) {
		_, err := c.Write(appendFrame(nil, kindCall, i+1, call))
		must(t, err)
	}
	w := b.m.windows[0]
	w.mu.Lock()
	l := w.link
	w.mu.Unlock()
	// The same write is still under way after two looks of the timer.
	stuck := func() bool {
		begun := l.out.begun.Load()
		return begun != 0 && time.Since(time.Unix(0, begun)) > 2*limits.IPCTick
	}
	until(t, "a write is stuck", stuck)
	select {
	case <-w.Done():
		t.Fatal("the window was ended too soon")
	default:
	}
	l.out.begun.Add(-int64(limits.WindowWrite))
	if why, err := closed(t, w); why != Crashed || errs.CodeOf(err) != errs.Malformed {
		t.Fatal(why, err)
	}
	if n := b.log.with(malformed); n != 1 {
		t.Fatalf("%+v", b.log.all())
	}
}
