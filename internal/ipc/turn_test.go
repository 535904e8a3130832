package ipc

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// TestEndIsSeenWhileNobodyReads: after a call the next caller is to read, but a
// dead peer is noticed without one.
func TestEndIsSeenWhileNobodyReads(t *testing.T) {
	u := unary(1, core, echo)
	c, s := pair(t, u)
	if _, err := c.Invoke(context.Background(), u.Method, nil); err != nil {
		t.Fatal(err)
	}
	until(t, "the turn to be free", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.turn == turnFree || c.turn == turnLoop })
	s.conn.Close()
	wait(t, "the end", c.Done())
}

// TestSlowHandlerDoesNotKeepOthersWaiting: a method that was quick runs on the
// goroutine that reads, until that takes too long.
func TestSlowHandlerDoesNotKeepOthersWaiting(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 1)
	slow := unary(1, core, func(_ context.Context, b []byte) ([]byte, error) {
		if len(b) > 0 {
			entered <- struct{}{}
			<-release
		}
		return nil, nil
	})
	quick := unary(2, core, func(context.Context, []byte) ([]byte, error) { close(release); return nil, nil })
	c, s := pair(t, slow, quick)
	// Quick as far as it is known.
	until(t, "a quick call", func() bool {
		if _, err := c.Invoke(context.Background(), slow.Method, nil); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.quick[1]
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := c.Invoke(context.Background(), slow.Method, []byte("wait")); err != nil {
			t.Error(err)
		}
	}()
	<-entered
	s.mu.Lock()
	if s.turn != turnLent {
		t.Errorf("the turn is %d: the handler does not run inline", s.turn)
	}
	s.mu.Unlock()
	if _, err := c.Invoke(context.Background(), quick.Method, nil); err != nil {
		t.Fatal(err)
	}
	wait(t, "the slow call", done)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quick[1] {
		t.Error("the slow method passes for a quick one")
	}
}

// TestManyCallers shakes the turns: callers, streams and cancels at once.
func TestManyCallers(t *testing.T) {
	u := unary(1, core, echo)
	s := streaming(2, core, func(_ context.Context, b []byte, out rpc.Sender) error {
		for range 50 {
			if err := out.Send(b); err != nil {
				return err
			}
		}
		return nil
	})
	c, _ := pair(t, u, s)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			b := bytes.Repeat([]byte{byte(i)}, 1+i*1000)
			for j := range 100 {
				ctx, cancel := context.WithCancel(context.Background())
				if i%4 == 3 {
					time.AfterFunc(time.Duration(j)*10*time.Microsecond, cancel)
				}
				got, err := c.Invoke(ctx, u.Method, b)
				if err == nil && !bytes.Equal(got, b) {
					t.Errorf("caller %d got %d bytes of %v", i, len(got), got[:1])
				}
				if err != nil && (i%4 != 3 || errs.CodeOf(err) != errs.Cancelled && errs.CodeOf(err) != errs.CoreBusy) {
					t.Errorf("caller %d: %v", i, err)
				}
				if j%20 == 0 && i%4 != 3 {
					in, err := c.Open(ctx, s.Method, b)
					n := 0
					for ; err == nil; n++ {
						_, err = in.Recv()
					}
					if err != io.EOF || n != 51 {
						t.Errorf("stream of %d: %d messages, %v", i, n-1, err)
					}
				}
				cancel()
			}
		})
	}
	all.Wait()
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
}

// TestBothServe: either side may call, at the same time.
func TestBothServe(t *testing.T) {
	var near *Conn
	back := unary(2, client, echo)
	there := unary(1, core, func(ctx context.Context, b []byte) ([]byte, error) {
		return FromContext(ctx).Invoke(ctx, back.Method, append(b, '!'))
	})
	near, _ = pairOf(t,
		Options{Mux: rpc.NewMux([]rpc.Route{back}), Peer: client},
		Options{Mux: rpc.NewMux([]rpc.Route{there}), Peer: core})
	b, err := near.Invoke(context.Background(), there.Method, []byte("hello"))
	if err != nil || string(b) != "hello!" {
		t.Fatal(string(b), err)
	}
}
