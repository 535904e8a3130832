package ipc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

func TestSizeLimitsOfBothEnds(t *testing.T) {
	const most = 1000
	sized := func(_ context.Context, b []byte) ([]byte, error) { return make([]byte, int(b[0])<<8|int(b[1])), nil }
	u := unary(1, core, sized)
	s := streaming(2, core, func(ctx context.Context, b []byte, out rpc.Sender) error {
		r, err := sized(ctx, b)
		if err != nil {
			return err
		}
		return out.Send(r)
	})
	u.Method.MaxRequest, u.Method.MaxResponse = most, most
	s.Method.MaxRequest, s.Method.MaxResponse = most, most
	c, _ := pair(t, u, s)
	ctx := context.Background()

	for n := most - 1; n <= most+1; n++ {
		answer := []byte{byte(n >> 8), byte(n)}
		_, tooLong := c.Invoke(ctx, u.Method, make([]byte, n))
		b, tooMuch := c.Invoke(ctx, u.Method, answer)
		in, err := c.Open(ctx, s.Method, answer)
		if err != nil {
			t.Fatal(err)
		}
		m, streamed := in.Recv()
		in.Close()
		_, tooLongToOpen := c.Open(ctx, s.Method, make([]byte, n))
		if n > most {
			for _, err := range []error{tooLong, tooMuch, streamed, tooLongToOpen} {
				wantCode(t, err, errs.TooLarge)
			}
			continue
		}
		if tooLong != nil || tooMuch != nil || streamed != nil || tooLongToOpen != nil || len(b) != n || len(m) != n {
			t.Fatalf("%d bytes: %v %v %v %v, %d and %d came", n, tooLong, tooMuch, streamed, tooLongToOpen, len(b), len(m))
		}
	}
}

func TestCapOfAFrame(t *testing.T) {
	r := unary(1, core, echo)
	// A method whose schema allows more than a frame can hold.
	r.Method.MaxRequest, r.Method.MaxResponse = 2*limits.IPCBody, 2*limits.IPCBody
	c, _ := pair(t, r)
	for n := limits.IPCBody - 1; n <= limits.IPCBody; n++ {
		if b, err := c.Invoke(context.Background(), r.Method, make([]byte, n)); err != nil || len(b) != n {
			t.Fatalf("%d bytes: %d came back, %v", n, len(b), err)
		}
	}
	_, err := c.Invoke(context.Background(), r.Method, make([]byte, limits.IPCBody+1))
	wantCode(t, err, errs.TooLarge)
}

func TestCancelReachesTheHandler(t *testing.T) {
	entered := make(chan struct{}, 2)
	cause := make(chan error, 2)
	block := func(ctx context.Context) error {
		entered <- struct{}{}
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return ctx.Err()
	}
	u := unary(1, core, func(ctx context.Context, _ []byte) ([]byte, error) { return nil, block(ctx) })
	s := streaming(2, core, func(ctx context.Context, _ []byte, _ rpc.Sender) error { return block(ctx) })
	e := unary(3, core, echo)
	c, _ := pair(t, u, s, e)

	// Both with a loop that reads and with a caller that does (after a call).
	for range 2 {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-entered; cancel() }()
		_, err := c.Invoke(ctx, u.Method, nil)
		wantCode(t, err, errs.Cancelled)
		wantCode(t, <-cause, errs.Cancelled)
		if b, err := c.Invoke(context.Background(), e.Method, []byte("x")); err != nil || string(b) != "x" {
			t.Fatalf("the next call: %q %v", b, err)
		}
	}

	// A stream: by its context, and by Close.
	ctx, cancel := context.WithCancelCause(context.Background())
	in, err := c.Open(ctx, s.Method, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	cancel(errs.New(errs.GrantRevoked, "test"))
	wantCode(t, <-cause, errs.Cancelled)
	_, err = in.Recv()
	wantCode(t, err, errs.GrantRevoked)

	in, err = c.Open(context.Background(), s.Method, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	for range 2 {
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, <-cause, errs.Cancelled)
	_, err = in.Recv()
	wantCode(t, err, errs.Cancelled)
}

func TestDeadline(t *testing.T) {
	seen := make(chan error, 1)
	r := unary(1, core, func(ctx context.Context, _ []byte) ([]byte, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the handler has no deadline")
		}
		<-ctx.Done()
		seen <- ctx.Err()
		return nil, ctx.Err()
	})
	e := unary(2, core, func(ctx context.Context, b []byte) ([]byte, error) {
		if _, ok := ctx.Deadline(); ok {
			t.Error("the handler has a deadline")
		}
		return b, nil
	})
	c, _ := pair(t, r, e)
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		_, err := c.Invoke(ctx, r.Method, nil)
		wantCode(t, err, errs.Deadline)
		<-ctx.Done() // the server's clock may have been first
		cancel()
		if err := <-seen; !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		_, err = c.Invoke(ctx, e.Method, nil)
		wantCode(t, err, errs.Deadline)
		if _, err := c.Invoke(context.Background(), e.Method, nil); err != nil {
			t.Fatal(err)
		}
	}
	// One that does not fit 32 bits of milliseconds is cut, not wrapped.
	ctx, cancel := context.WithTimeout(context.Background(), 100*24*time.Hour)
	defer cancel()
	l := unary(3, core, func(ctx context.Context, _ []byte) ([]byte, error) {
		if d, _ := ctx.Deadline(); time.Until(d) < 49*24*time.Hour {
			t.Errorf("deadline in %s", time.Until(d))
		}
		return nil, nil
	})
	c2, _ := pair(t, l)
	if _, err := c2.Invoke(ctx, l.Method, nil); err != nil {
		t.Fatal(err)
	}
}

// TestDeadlineOfTheServer: the server's own clock ends a call whose client does
// not.
func TestDeadlineOfTheServer(t *testing.T) {
	o := serviceOptions()
	o.Mux = with1(o.Mux, unary(7, core, func(ctx context.Context, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	p := raw(t, o)
	p.write(bytesOf(header{kind: kindRequest, stream: 1, method: 7, value: 10}, ""))
	h, body := p.read()
	e, err := decodeError([]byte(body))
	if err != nil || h.flags != flagError || e.Code != errs.Deadline {
		t.Fatalf("answer is %+v %v %v", h, e, err)
	}
}

func TestErrorsTravel(t *testing.T) {
	secret := errors.New("/home/ann/secret")
	long := strings.Repeat("ä", limits.IPCErrorText)
	cases := []struct {
		name         string
		send         error
		code         errs.Code
		detail, hint string
	}{
		{"plain", errs.New(errs.Denied, "x"), errs.Denied, "", errs.New(errs.Denied, "").HintText()},
		{"detail and hint", errs.Wrap(errs.NotFound, "x", secret).With("notes").WithHint("look"), errs.NotFound, "notes", "look"},
		{"wrapped", errors.Join(secret, errs.New(errs.QuotaUsedUp, "x")), errs.QuotaUsedUp, "", errs.New(errs.QuotaUsedUp, "").HintText()},
		{"no code", secret, errs.Internal, "", errs.New(errs.Internal, "").HintText()},
		{"unknown code", errs.New("made-up", "x").With("y"), errs.Internal, "", errs.New(errs.Internal, "").HintText()},
		{"context", context.DeadlineExceeded, errs.Deadline, "", errs.New(errs.Deadline, "").HintText()},
		{"bytes", errs.New(errs.NotFound, "x").With("\xff"), errs.NotFound, "\uFFFD", ""},
		{"long", errs.New(errs.NotFound, "x").With(long), errs.NotFound, long[:2*((limits.IPCErrorText-len(errs.New(errs.NotFound, "").Message())-2)/2)], ""},
	}
	r := unary(1, core, func(_ context.Context, b []byte) ([]byte, error) { return nil, cases[b[0]].send })
	c, _ := pair(t, r)
	for i, x := range cases {
		_, err := c.Invoke(context.Background(), r.Method, []byte{byte(i)})
		e := wantCode(t, err, x.code)
		if e.Detail != x.detail || e.HintText() != x.hint {
			t.Errorf("%s: detail %q, hint %q", x.name, e.Detail, e.HintText())
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the cause crossed: %v", x.name, err)
		}
	}
}

// TestErrorOfAPeer: what a hostile peer says is bounded and put under our
// sentence.
func TestErrorOfAPeer(t *testing.T) {
	for code, want := range map[string]errs.Code{"nonsense": errs.Internal, "": errs.Internal, "denied": errs.Denied} {
		e, err := decodeError([]byte("\x0a" + string(rune(len(code))) + code + "\x12\x05hello"))
		if err != nil || e.Code != want || e.Detail != "" {
			t.Errorf("%q: %+v %v", code, e, err)
		}
	}
}

// TestStalledReaderBlocksNobodyElse opens streams that nobody reads, each with
// more to say than its window, and uses the connection meanwhile.
func TestStalledReaderBlocksNobodyElse(t *testing.T) {
	const stalled = limits.IPCStreams - 2
	message := make([]byte, 4000)
	var mu sync.Mutex
	sent := map[byte]int{}
	s := streaming(1, core, func(_ context.Context, b []byte, out rpc.Sender) error {
		for {
			if err := out.Send(message); err != nil {
				return err
			}
			mu.Lock()
			sent[b[0]] += len(message)
			mu.Unlock()
		}
	})
	n := streaming(2, core, func(_ context.Context, _ []byte, out rpc.Sender) error {
		for range 10_000 {
			if err := out.Send([]byte("x")); err != nil {
				return err
			}
		}
		return nil
	})
	u := unary(3, core, echo)
	c, _ := pair(t, s, n, u)
	ctx := context.Background()
	var open []rpc.Receiver
	for i := range stalled {
		in, err := c.Open(ctx, s.Method, []byte{byte(i)})
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		open = append(open, in)
	}
	for range 100 {
		if _, err := c.Invoke(ctx, u.Method, make([]byte, 10_000)); err != nil {
			t.Fatal(err)
		}
	}
	in, err := c.Open(ctx, n.Method, nil)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for ; err == nil; count++ {
		_, err = in.Recv()
	}
	if err != io.EOF || count != 10_001 {
		t.Fatalf("%d messages, then %v", count-1, err)
	}
	mu.Lock()
	for i, bytes := range sent {
		if bytes > limits.IPCWindow+len(message) {
			t.Errorf("stream %d sent %d bytes to nobody", i, bytes)
		}
	}
	mu.Unlock()
	// A stalled one goes on when it is read.
	for range 100 {
		if _, err := open[0].Recv(); err != nil {
			t.Fatal(err)
		}
	}
	// And the one slot too many is refused here, without telling the peer.
	var more []rpc.Receiver
	for err = nil; err == nil; {
		if in, err = c.Open(ctx, s.Method, []byte{255}); err == nil {
			more = append(more, in)
			defer in.Close()
		}
	}
	wantCode(t, err, errs.CoreBusy)
	if len(more) != limits.IPCStreams-stalled {
		t.Errorf("%d further streams", len(more))
	}
}

// TestPeerThatDoesNotReadItsSocket: what waits for it is bounded, senders wait,
// and their contexts still end.
func TestPeerThatDoesNotReadItsSocket(t *testing.T) {
	p := raw(t, Options{})
	m := &rpc.Method{Number: 1, Name: "test.v1.Test/M", MaxRequest: limits.IPCBody}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range limits.IPCStreams / 2 {
		all.Go(func() {
			_, err := p.c.Invoke(ctx, m, make([]byte, 100_000))
			wantCode(t, err, errs.Cancelled)
		})
	}
	full := func() bool {
		p.c.w.mu.Lock()
		defer p.c.w.mu.Unlock()
		if p.c.w.size > limits.IPCQueue+limits.IPCBody+headerSize {
			t.Errorf("%d bytes are queued", p.c.w.size)
		}
		return p.c.w.size >= limits.IPCQueue
	}
	until(t, "the queue to fill", full)
	cancel()
	all.Wait()
	full()
	// It reads again: whole frames, in order.
	last := uint64(0)
	p.write(bytesOf(header{kind: kindEnd, stream: 1}, ""))
	for requests := map[uint64]bool{}; ; {
		h, _ := p.read()
		if h.kind == kindRequest {
			if h.stream <= last {
				t.Fatalf("stream %d after %d", h.stream, last)
			}
			last, requests[h.stream] = h.stream, true
		} else if delete(requests, h.stream); len(requests) == 0 {
			break
		}
	}
}

// until waits for a state of another goroutine.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestRelay passes a client's stream on to a worker as the core does, raw, with
// back-pressure and cancellation all the way.
func TestRelay(t *testing.T) {
	var mu sync.Mutex
	sent, ended := 0, make(chan error, 2)
	w := streaming(9, relay, func(ctx context.Context, b []byte, out rpc.Sender) (err error) {
		defer func() { ended <- err }()
		for {
			if err := out.Send(b); err != nil {
				return err
			}
			mu.Lock()
			sent += len(b)
			mu.Unlock()
		}
	})
	worker, _ := pair(t, w)
	through := streaming(9, relay, func(ctx context.Context, b []byte, out rpc.Sender) error {
		in, err := worker.Open(ctx, w.Method, b)
		if err != nil {
			return err
		}
		defer in.Close()
		for {
			m, err := in.Recv()
			if err == io.EOF {
				return nil
			}
			if err == nil {
				err = out.Send(m)
			}
			if err != nil {
				return err
			}
		}
	})
	c, _ := pairOf(t, Options{}, Options{Mux: rpc.NewMux([]rpc.Route{through}), Peer: client})
	ctx, cancel := context.WithCancel(context.Background())
	message := bytes.Repeat([]byte("m"), 1000)
	in, err := c.Open(ctx, w.Method, message)
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if m, err := in.Recv(); err != nil || !bytes.Equal(m, message) {
			t.Fatal(m, err)
		}
	}
	// Nobody reads now: the worker stops after the windows of both hops.
	total := func() int { mu.Lock(); defer mu.Unlock(); return sent }
	until(t, "the worker to be stopped by the window", func() bool {
		before := total()
		<-time.After(50 * time.Millisecond)
		return total() == before
	})
	if n := total() - 1000*len(message); n > 2*limits.IPCWindow+3*len(message) {
		t.Errorf("%d bytes went to nobody", n)
	}
	cancel()
	select {
	case err := <-ended:
		wantCode(t, err, errs.Cancelled)
	case <-time.After(patience):
		t.Fatal("the cancel did not reach the worker")
	}

	// The worker dies: the client hears which of them.
	in, err = c.Open(context.Background(), w.Method, message)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Recv(); err != nil {
		t.Fatal(err)
	}
	worker.conn.Close()
	for err = nil; err == nil; {
		_, err = in.Recv()
	}
	wantCode(t, err, errs.WorkerCrashed)
}

func TestPeerGoneAndClose(t *testing.T) {
	entered := make(chan struct{})
	u := unary(1, core, func(ctx context.Context, _ []byte) ([]byte, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	c, s := pair(t, u)
	failed := make(chan error, 1)
	go func() {
		_, err := c.Invoke(context.Background(), u.Method, nil)
		failed <- err
	}()
	<-entered
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
	for range 2 { // Close waits for the handler, whose context it ends
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, <-failed, errs.WorkerCrashed)
	wait(t, "Done", c.Done())
	wantCode(t, c.Err(), errs.WorkerCrashed)
	_, err := c.Invoke(context.Background(), u.Method, nil)
	wantCode(t, err, errs.WorkerCrashed)
	_, err = s.Invoke(context.Background(), u.Method, nil)
	wantCode(t, err, errs.CoreUnavailable)
}

// TestLastWords: what a peer said before it went is read, also when the first
// sign of its end is a write that fails.
func TestLastWords(t *testing.T) {
	heard := make(chan string, 2)
	gone := make(chan struct{})
	route := unary(1, core, nil)
	route.Unary = func(ctx context.Context, b []byte) ([]byte, error) {
		switch string(b) {
		case "hold":
			<-gone // nobody reads meanwhile
			_, err := FromContext(ctx).Invoke(ctx, route.Method, nil)
			wantCode(t, err, errs.CoreUnavailable)
		case "last":
			heard <- "last"
		}
		return nil, nil
	}
	p := raw(t, Options{Mux: rpc.NewMux([]rpc.Route{route}), Peer: core, Even: true})
	stream := uint64(1)
	until(t, "a quick call", func() bool {
		p.write(bytesOf(header{kind: kindRequest, method: 1, stream: stream}, "quick"))
		p.read()
		stream += 2
		p.c.mu.Lock()
		defer p.c.mu.Unlock()
		return p.c.quick[1]
	})
	p.write(bytesOf(header{kind: kindRequest, method: 1, stream: stream}, "hold"))
	until(t, "the turn to be lent", func() bool { p.c.mu.Lock(); defer p.c.mu.Unlock(); return p.c.turn == turnLent })
	p.write(bytesOf(header{kind: kindRequest, method: 1, stream: stream + 2}, "last"))
	p.conn.Close()
	close(gone)
	wait(t, "the end", p.c.Done())
	p.c.Close()
	if len(heard) != 1 {
		t.Error("the last words were lost")
	}
}

func TestHandlersSeeTheirConnectionAndItsContext(t *testing.T) {
	type key struct{}
	u := unary(1, core, func(ctx context.Context, _ []byte) ([]byte, error) {
		who, _ := ctx.Value(key{}).(string)
		if FromContext(ctx) == nil || len(TakeFiles(ctx)) != 0 {
			t.Error("no connection, or files")
		}
		return []byte(who), nil
	})
	c, s := pairOf(t, Options{}, Options{Mux: rpc.NewMux([]rpc.Route{u}), Peer: core, Context: context.WithValue(context.Background(), key{}, "ann")})
	b, err := c.Invoke(context.Background(), u.Method, nil)
	if err != nil || string(b) != "ann" {
		t.Fatal(string(b), err)
	}
	if FromContext(context.Background()) != nil {
		t.Error("a connection out of nowhere")
	}
	_ = s
}

// TestFail: what the layers above find malformed ends the peer as well.
func TestFail(t *testing.T) {
	o := serviceOptions()
	o.Mux = with1(o.Mux, unary(7, core, func(ctx context.Context, _ []byte) ([]byte, error) {
		FromContext(ctx).Fail("first call is not Hello")
		return nil, nil
	}))
	p := raw(t, o)
	p.write(bytesOf(header{kind: kindRequest, stream: 1, method: 7}, ""))
	p.wantEnded("first call is not Hello")
}
