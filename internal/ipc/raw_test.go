package ipc

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/errorsv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// rawPeer speaks to a Conn without any of this package's manners.
type rawPeer struct {
	t      testing.TB
	conn   *net.UnixConn
	c      *Conn
	reason chan string
}

// raw returns a peer of a Conn with options o.
func raw(t testing.TB, o Options) *rawPeer {
	t.Helper()
	a, b := sockets(t)
	p := &rawPeer{t: t, conn: a, reason: make(chan string, 2)}
	o.OnMalformed = func(reason string) { p.reason <- reason }
	p.c = New(b, o)
	t.Cleanup(func() { a.Close(); p.c.Close() })
	if err := a.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return p
}

// bytesOf returns a frame whose length is that of body unless h has one.
func bytesOf(h header, body string) []byte {
	if h.length == 0 {
		h.length = uint32(len(body))
	}
	var b [headerSize]byte
	h.encode(&b)
	return append(b[:], body...)
}

func (p *rawPeer) write(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		p.t.Fatal(err)
	}
}

// read returns the next frame that the Conn sent.
func (p *rawPeer) read() (header, string) {
	p.t.Helper()
	var b [headerSize]byte
	if _, err := io.ReadFull(p.conn, b[:]); err != nil {
		p.t.Fatal(err)
	}
	h, err := decodeHeader(b[:])
	if err != nil {
		p.t.Fatal(err)
	}
	body := make([]byte, h.length)
	if _, err := io.ReadFull(p.conn, body); err != nil {
		p.t.Fatal(err)
	}
	return h, string(body)
}

// wantEnded checks that the Conn ended the peer for this reason.
func (p *rawPeer) wantEnded(reason string) {
	p.t.Helper()
	wait(p.t, "the peer's end", p.c.Done())
	select {
	case got := <-p.reason:
		if got != reason {
			p.t.Errorf("reported %q, want %q", got, reason)
		}
	default:
		p.t.Errorf("ended without a report: %v", p.c.Err())
	}
	if errs.CodeOf(p.c.Err()) != errs.Malformed {
		p.t.Errorf("Err is %v", p.c.Err())
	}
	// The socket is closed, so nothing more can be said on it.
	if _, err := io.Copy(io.Discard, p.conn); err != nil && !errors.Is(err, unix.ECONNRESET) {
		p.t.Errorf("the socket is still open: %v", err)
	}
	p.c.Close()
	if len(p.reason) > 0 {
		p.t.Errorf("reported twice: %q", <-p.reason)
	}
}

// wantAlive checks that the Conn did not mind, by a call.
func (p *rawPeer) wantAlive(stream uint64) {
	p.t.Helper()
	p.write(bytesOf(header{kind: kindRequest, stream: stream, method: 1}, "alive?"))
	for {
		h, body := p.read()
		if h.stream == stream {
			if h.kind != kindEnd || h.flags != 0 || body != "alive?" {
				p.t.Fatalf("answer is %+v %q", h, body)
			}
			return
		}
	}
}

// service is what hostile peers talk to: 1 echoes, 2 streams until its context
// ends, 3 is for another side, 4 takes small requests only, 5 takes one
// descriptor, 6 sends its request back as a stream of one.
func service() *rpc.Mux {
	untilDone := func(ctx context.Context, b []byte, out rpc.Sender) error {
		for {
			if err := out.Send([]byte("x")); err != nil {
				return err
			}
		}
	}
	small := unary(4, core, echo)
	small.Method.MaxRequest = 10
	return rpc.NewMux([]rpc.Route{
		unary(1, core, echo),
		streaming(2, core, untilDone),
		unary(3, client, echo),
		small,
		unary(5, relay, func(ctx context.Context, b []byte) ([]byte, error) { return b, nil }),
		streaming(6, core, func(_ context.Context, b []byte, out rpc.Sender) error { return out.Send(b) }),
	})
}

func serviceOptions() Options {
	return Options{Mux: service(), Peer: core, Even: true, Descriptors: func(m *rpc.Method) int {
		if m.Number == 5 {
			return 1
		}
		return 0
	}}
}

func TestMalformedRequests(t *testing.T) {
	req := header{kind: kindRequest, stream: 1, method: 1}
	with := func(f func(*header)) []byte { h := req; f(&h); return bytesOf(h, "") }
	reserved := bytesOf(req, "")
	reserved[7] = 1
	for _, c := range []struct {
		name, reason string
		frames       [][]byte
	}{
		{"no kind", "unknown kind of frame", [][]byte{with(func(h *header) { h.kind = 0; h.method = 0 })}},
		{"kind 6", "unknown kind of frame", [][]byte{with(func(h *header) { h.kind = 6; h.method = 0 })}},
		{"kind 255", "unknown kind of frame", [][]byte{with(func(h *header) { h.kind = 255; h.method = 0 })}},
		{"reserved byte", "reserved byte is set", [][]byte{reserved}},
		{"stream 0", "stream is zero", [][]byte{with(func(h *header) { h.stream = 0 })}},
		{"even stream", "stream number of the wrong side", [][]byte{with(func(h *header) { h.stream = 2 })}},
		{"flags on request", "unknown flags", [][]byte{with(func(h *header) { h.flags = 1 })}},
		{"flags on cancel", "unknown flags", [][]byte{bytesOf(req, ""), bytesOf(header{kind: kindCancel, stream: 1, flags: 2}, "")}},
		{"method 0", "method is zero", [][]byte{with(func(h *header) { h.method = 0 })}},
		{"unknown method", "unknown method", [][]byte{with(func(h *header) { h.method = 99 })}},
		{"method of another side", "method is not for this peer", [][]byte{with(func(h *header) { h.method = 3 })}},
		{"too many descriptors said", "too many descriptors", [][]byte{with(func(h *header) { h.descriptors = 5 })}},
		{"descriptors for a method without", "descriptors where none belong", [][]byte{with(func(h *header) { h.descriptors = 1 })}},
		{"more descriptors than the method's", "descriptors where none belong", [][]byte{with(func(h *header) { h.method = 5; h.descriptors = 2 })}},
		{"descriptors said and not sent", "descriptors are missing", [][]byte{with(func(h *header) { h.method = 5; h.descriptors = 1 })}},
		{"descriptors outside a request", "descriptors outside a request", [][]byte{bytesOf(header{kind: kindCancel, stream: 1, descriptors: 1}, "")}},
		{"body over the cap", "frame is too long", [][]byte{with(func(h *header) { h.length = limits.IPCBody + 1 })}},
		{"body of 4 GiB", "frame is too long", [][]byte{with(func(h *header) { h.length = 1<<32 - 1 })}},
		{"body over the method's limit", "message is longer than its method allows", [][]byte{with(func(h *header) { h.method = 4; h.length = 11 })}},
		{"stream twice", "stream number does not grow", [][]byte{bytesOf(req, ""), bytesOf(req, "")}},
		{"stream shrinks", "stream number does not grow", [][]byte{with(func(h *header) { h.stream = 9 }), with(func(h *header) { h.stream = 7 })}},
		{"cancel of nothing", "no such stream was ever open", [][]byte{bytesOf(header{kind: kindCancel, stream: 1}, "")}},
		{"credit of nothing", "no such stream was ever open", [][]byte{bytesOf(header{kind: kindCredit, stream: 1, value: 1}, "")}},
		{"cancel of our side's stream", "no such stream was ever open", [][]byte{bytesOf(header{kind: kindCancel, stream: 2}, "")}},
		{"cancel twice", "second cancel", [][]byte{with(func(h *header) { h.method = 7 }), bytesOf(header{kind: kindCancel, stream: 1}, ""), bytesOf(header{kind: kindCancel, stream: 1}, "")}},
		{"cancel with a body", "body where none belongs", [][]byte{bytesOf(header{kind: kindCancel, stream: 1}, "x")}},
		{"cancel with a value", "value does not fit the kind of frame", [][]byte{bytesOf(header{kind: kindCancel, stream: 1, value: 1}, "")}},
		{"cancel with a method", "method outside a request", [][]byte{bytesOf(header{kind: kindCancel, stream: 1, method: 1}, "")}},
		{"credit of 0", "value does not fit the kind of frame", [][]byte{bytesOf(header{kind: kindCredit, stream: 1}, "")}},
		{"credit with a body", "body where none belongs", [][]byte{bytesOf(header{kind: kindCredit, stream: 1, value: 1}, "x")}},
		{"credit on a full window", "credit beyond what was taken", [][]byte{with(func(h *header) { h.method = 8 }), bytesOf(header{kind: kindCredit, stream: 1, value: 1}, "")}},
		{"credit of 4 GiB", "credit beyond what was taken", [][]byte{with(func(h *header) { h.method = 2 }), bytesOf(header{kind: kindCredit, stream: 1, value: 1<<32 - 1}, "")}},
		{"credit on a unary call", "credit beyond what was taken", [][]byte{with(func(h *header) { h.method = 7 }), bytesOf(header{kind: kindCredit, stream: 1, value: 1}, "")}},
		{"message from a client", "no such stream is open", [][]byte{bytesOf(header{kind: kindMessage, stream: 1}, "x")}},
		{"end from a client", "no such stream is open", [][]byte{bytesOf(header{kind: kindEnd, stream: 1}, "x")}},
		{"message with a value", "value does not fit the kind of frame", [][]byte{bytesOf(header{kind: kindMessage, stream: 1, value: 3}, "x")}},
		{"end with flag 2", "unknown flags", [][]byte{bytesOf(header{kind: kindEnd, stream: 1, flags: 2}, "x")}},
		{"error over its cap", "error is too long", [][]byte{bytesOf(header{kind: kindEnd, stream: 1, flags: 1, length: limits.IPCErrorBody + 1}, "")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := serviceOptions()
			// 7 and 8 stay open although their contexts end, until the test does.
			release := make(chan struct{})
			stay := func(context.Context, []byte) ([]byte, error) { <-release; return nil, nil }
			for _, r := range []rpc.Route{unary(7, core, stay), streaming(8, core, func(context.Context, []byte, rpc.Sender) error { <-release; return nil })} {
				o.Mux = with1(o.Mux, r)
			}
			a := raw(t, o)
			t.Cleanup(func() { close(release) }) // before the Conn is closed, which waits
			for _, f := range c.frames {
				a.write(f)
			}
			wait(t, "the peer's end", a.c.Done())
			select {
			case got := <-a.reason:
				if got != c.reason {
					t.Errorf("reported %q, want %q", got, c.reason)
				}
			default:
				t.Errorf("ended without a report: %v", a.c.Err())
			}
		})
	}
}

// with1 returns a Mux of service's routes and r.
func with1(m *rpc.Mux, r rpc.Route) *rpc.Mux {
	var rs []rpc.Route
	for n := range uint32(32) {
		if have, ok := m.Find(n); ok {
			rs = append(rs, have)
		}
	}
	return rpc.NewMux(rs, []rpc.Route{r})
}

func TestMalformedEndsTheSocketAndIsReportedOnce(t *testing.T) {
	p := raw(t, serviceOptions())
	p.wantAlive(1)
	p.write([]byte(strings.Repeat("GET / HTTP/1.1\r\n", 10)))
	p.wantEnded("reserved byte is set")
}

// TestOneStreamTooMany fills every slot of a peer, and then one more.
func TestOneStreamTooMany(t *testing.T) {
	o := serviceOptions()
	o.Mux = rpc.NewMux([]rpc.Route{streaming(2, core, func(ctx context.Context, _ []byte, _ rpc.Sender) error {
		<-ctx.Done()
		return ctx.Err()
	}), unary(1, core, echo)})
	p := raw(t, o)
	id := uint64(1)
	for range limits.IPCStreams {
		p.write(bytesOf(header{kind: kindRequest, stream: id, method: 2}, ""))
		id += 2
	}
	// A slot is free again once its end was sent.
	p.write(bytesOf(header{kind: kindCancel, stream: 1}, ""))
	if h, _ := p.read(); h.kind != kindEnd || h.stream != 1 || h.flags != flagError {
		t.Fatalf("answer to the cancel is %+v", h)
	}
	p.write(bytesOf(header{kind: kindRequest, stream: id, method: 1}, "room"))
	if h, body := p.read(); h.stream != id || body != "room" {
		t.Fatalf("answer is %+v %q", h, body)
	}
	p.write(bytesOf(header{kind: kindRequest, stream: id + 2, method: 2}, ""))
	p.write(bytesOf(header{kind: kindRequest, stream: id + 4, method: 2}, ""))
	p.wantEnded("one stream too many")
}

// TestAnswersThatNobodyReads: a peer that calls on and never reads has no more
// calls wait for it than it may have open.
func TestAnswersThatNobodyReads(t *testing.T) {
	p := raw(t, serviceOptions())
	body := strings.Repeat("x", limits.IPCQueue/8)
	for stream := uint64(1); ; stream += 2 {
		if stream > 4*limits.IPCStreams {
			t.Fatalf("%d calls were taken, and nobody has read an answer", stream/2)
		}
		p.write(bytesOf(header{kind: kindRequest, stream: stream, method: 1}, body))
		over := false
		until(t, "a request to be taken", func() bool {
			p.c.mu.Lock()
			defer p.c.mu.Unlock()
			over = p.c.ended
			return over || p.c.lastID == stream
		})
		if over {
			break
		}
	}
	p.wantEnded("one stream too many")
}

func TestLateCancelAndCreditAreIgnored(t *testing.T) {
	p := raw(t, serviceOptions())
	p.wantAlive(1)
	for range 2 {
		p.write(bytesOf(header{kind: kindCancel, stream: 1}, ""))
		p.write(bytesOf(header{kind: kindCredit, stream: 1, value: 5}, ""))
	}
	p.wantAlive(3)
}

func TestMalformedAnswers(t *testing.T) {
	bad := func(code, message string) string {
		b, err := proto.Marshal(&errorsv1.Error{Code: code, Message: message})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	overdraw := func() [][]byte {
		// The window may be overdrawn by one message, not by two.
		half := strings.Repeat("x", limits.IPCWindow/2)
		f := bytesOf(header{kind: kindMessage, stream: 1}, half)
		return [][]byte{f, f, f}
	}
	for _, c := range []struct {
		name, reason string
		stream       bool
		frames       [][]byte
	}{
		{"message on a unary call", "message on a unary call", false, [][]byte{bytesOf(header{kind: kindMessage, stream: 1}, "x")}},
		{"answer to nothing", "no such stream is open", false, [][]byte{bytesOf(header{kind: kindEnd, stream: 3}, "x")}},
		{"second end", "no such stream is open", false, [][]byte{bytesOf(header{kind: kindEnd, stream: 1}, "x"), bytesOf(header{kind: kindEnd, stream: 1}, "x")}},
		{"response over the method's limit", "message is longer than its method allows", false, [][]byte{bytesOf(header{kind: kindEnd, stream: 1}, strings.Repeat("x", 101))}},
		{"error that does not decode", "error does not decode", false, [][]byte{bytesOf(header{kind: kindEnd, stream: 1, flags: 1}, "\xff\xff")}},
		{"error with a long code", "error is too long", false, [][]byte{bytesOf(header{kind: kindEnd, stream: 1, flags: 1}, bad(strings.Repeat("x", 65), ""))}},
		{"error with a long message", "error is too long", false, [][]byte{bytesOf(header{kind: kindEnd, stream: 1, flags: 1}, bad("denied", strings.Repeat("x", 1025)))}},
		{"request from one who may not", "unknown method", false, [][]byte{bytesOf(header{kind: kindRequest, stream: 2, method: 1}, "")}},
		{"message after the end", "no such stream is open", true, [][]byte{bytesOf(header{kind: kindEnd, stream: 1}, ""), bytesOf(header{kind: kindMessage, stream: 1}, "x")}},
		{"end of a stream with a body", "body where none belongs", true, [][]byte{bytesOf(header{kind: kindEnd, stream: 1}, "x")}},
		{"message over the method's limit", "message is longer than its method allows", true, [][]byte{bytesOf(header{kind: kindMessage, stream: 1}, strings.Repeat("x", limits.IPCWindow+1))}},
		{"more than the window", "message outside the window", true, overdraw()},
		{"empty messages beyond the window", "message outside the window", true, [][]byte{[]byte(strings.Repeat(string(bytesOf(header{kind: kindMessage, stream: 1}, "")), limits.IPCWindow/limits.IPCMessageCost+1))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := raw(t, Options{})
			m := &rpc.Method{Number: 1, Name: "test.v1.Test/M", Streaming: c.stream, MaxRequest: 10, MaxResponse: 100}
			if c.stream {
				m.MaxResponse = limits.IPCWindow
			}
			failed := make(chan error, 1)
			go func() {
				if c.stream {
					in, err := p.c.Open(context.Background(), m, nil)
					if err == nil {
						<-p.c.Done()
						for err == nil {
							_, err = in.Recv()
						}
					}
					failed <- err
				} else {
					_, err := p.c.Invoke(context.Background(), m, nil)
					failed <- err
				}
			}()
			if h, _ := p.read(); h.kind != kindRequest || h.stream != 1 {
				t.Fatalf("request is %+v", h)
			}
			for _, f := range c.frames {
				p.write(f)
			}
			p.wantEnded(c.reason)
			if err := <-failed; !answered(c.frames[0]) {
				wantCode(t, err, errs.Malformed)
			}
		})
	}
}

// answered reports whether a frame is a good end, after which the call is over
// before anything bad comes.
func answered(frame []byte) bool {
	h, err := decodeHeader(frame)
	return err == nil && h.kind == kindEnd && h.flags == 0 && (h.length <= 1 && h.stream == 1)
}

// TestEndOfBytesIsNotMalformed: a killed process leaves half a frame.
func TestEndOfBytesIsNotMalformed(t *testing.T) {
	whole := bytesOf(header{kind: kindRequest, stream: 1, method: 1}, "hello")
	for n := range len(whole) {
		p := raw(t, serviceOptions())
		p.write(whole[:n])
		p.conn.Close()
		wait(t, "the end", p.c.Done())
		if len(p.reason) > 0 {
			t.Fatalf("after %d bytes: %q", n, <-p.reason)
		}
		wantCode(t, p.c.Err(), errs.CoreUnavailable)
	}
}

// TestSlowBytes sends frames byte by byte: nothing depends on how reads fall.
func TestSlowBytes(t *testing.T) {
	p := raw(t, serviceOptions())
	for i := range uint64(3) {
		for _, b := range bytesOf(header{kind: kindRequest, stream: 2*i + 1, method: 1}, "slow") {
			p.write([]byte{b})
		}
		if h, body := p.read(); h.kind != kindEnd || body != "slow" {
			t.Fatalf("answer is %+v %q", h, body)
		}
	}
}

// TestPeerThatMayNothing: the core takes no calls from a worker, also when a
// Mux is set.
func TestPeerThatMayNothing(t *testing.T) {
	o := serviceOptions()
	o.Peer = policyv1.Caller_CALLER_UNSPECIFIED
	p := raw(t, o)
	p.write(bytesOf(header{kind: kindRequest, stream: 1, method: 5}, ""))
	p.wantEnded("method is not for this peer")
}
