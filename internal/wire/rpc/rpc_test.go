package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/table"
)

// loopback is a Caller without a transport: it hands the bytes to a Mux.
type loopback struct {
	mux *rpc.Mux
	// calls counts what got as far as the wire.
	calls int
	// answer, if set, replaces what the server says.
	answer []byte
}

func (l *loopback) Invoke(ctx context.Context, m *rpc.Method, request []byte) ([]byte, error) {
	l.calls++
	if l.answer != nil {
		return l.answer, nil
	}
	r, ok := l.mux.Find(m.Number)
	if !ok {
		return nil, errs.New(errs.NotFound, "loopback")
	}
	return r.Unary(ctx, request)
}

func (l *loopback) Open(ctx context.Context, m *rpc.Method, request []byte) (rpc.Receiver, error) {
	l.calls++
	q := &queue{}
	if l.answer != nil {
		q.messages = [][]byte{l.answer}
		return q, nil
	}
	r, ok := l.mux.Find(m.Number)
	if !ok {
		return nil, errs.New(errs.NotFound, "loopback")
	}
	q.err = r.Stream(ctx, request, q)
	return q, nil
}

// queue is both ends of a stream, one after the other.
type queue struct {
	messages [][]byte
	err      error
	closed   int
}

func (q *queue) Send(b []byte) error { q.messages = append(q.messages, b); return nil }
func (q *queue) Close() error        { q.closed++; return nil }
func (q *queue) Recv() ([]byte, error) {
	if len(q.messages) == 0 {
		if q.err != nil {
			return nil, q.err
		}
		return nil, io.EOF
	}
	b := q.messages[0]
	q.messages = q.messages[1:]
	return b, nil
}

// core answers Hello and leaves the rest to the embedded nil, which a call to
// anything else would reveal by a crash.
type core struct {
	corev1.CoreServiceServer
	release string
	heard   []*corev1.HelloRequest
	err     error
}

func (c *core) Hello(_ context.Context, in *corev1.HelloRequest) (*corev1.HelloResponse, error) {
	c.heard = append(c.heard, in)
	if c.err != nil {
		return nil, c.err
	}
	if c.release == "nil" {
		return nil, nil
	}
	return &corev1.HelloResponse{Release: c.release}, nil
}

type index struct {
	indexv1.IndexServiceServer
	send []*indexv1.AskResponse
}

func (x *index) Ask(_ context.Context, in *indexv1.AskRequest, out *indexv1.IndexServiceAskSender) error {
	for _, m := range x.send {
		if err := out.Send(m); err != nil {
			return err
		}
	}
	return nil
}

func dial(c *core, x *index) *loopback {
	return &loopback{mux: rpc.NewMux(corev1.CoreServiceRoutes(c), indexv1.IndexServiceRoutes(x))}
}

func TestUnary(t *testing.T) {
	c := &core{release: "2"}
	client := corev1.NewCoreServiceClient(dial(c, &index{}))
	got, err := client.Hello(context.Background(), &corev1.HelloRequest{Release: "1"})
	if err != nil || got.Release != "2" || len(c.heard) != 1 || c.heard[0].Release != "1" {
		t.Fatalf("%v, %v, heard %v", got, err, c.heard)
	}
	refusal := errs.New(errs.ReleaseMismatch, "core.hello")
	c.err = refusal
	if _, err := client.Hello(context.Background(), &corev1.HelloRequest{Release: "1"}); !errors.Is(err, refusal) {
		t.Errorf("the server's error came back as %v", err)
	}
}

func TestStream(t *testing.T) {
	x := &index{send: []*indexv1.AskResponse{
		{Event: &indexv1.AskResponse_Progress{Progress: &indexv1.Progress{Stage: "reading"}}},
		{Event: &indexv1.AskResponse_Done{Done: &indexv1.Done{Engine: "e", Usage: &indexv1.Usage{}}}},
	}}
	client := indexv1.NewIndexServiceClient(dial(&core{}, x))
	s, err := client.Ask(context.Background(), &indexv1.AskRequest{Grant: make([]byte, 16), Question: "why?"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Recv()
	if err != nil || first.GetProgress().GetStage() != "reading" {
		t.Fatalf("%v, %v", first, err)
	}
	second, err := s.Recv()
	if err != nil || second.GetDone().GetEngine() != "e" {
		t.Fatalf("%v, %v", second, err)
	}
	if _, err := s.Recv(); err != io.EOF {
		t.Errorf("after the last message: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestClientSendsNothingBad: a request that breaks a rule never reaches the wire.
func TestClientSendsNothingBad(t *testing.T) {
	l := dial(&core{release: "2"}, &index{})
	ctx := context.Background()
	for _, in := range []*corev1.HelloRequest{nil, {}, {Release: strings.Repeat("x", 129)}, {Release: "\xff"}} {
		if _, err := corev1.NewCoreServiceClient(l).Hello(ctx, in); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%v: %v", in, err)
		}
	}
	// 128 characters of four bytes fit the rule, not the method's 512 bytes.
	if _, err := corev1.NewCoreServiceClient(l).Hello(ctx, &corev1.HelloRequest{Release: strings.Repeat("😀", 128)}); errs.CodeOf(err) != errs.TooLarge {
		t.Errorf("over the method's limit: %v", err)
	}
	if _, err := indexv1.NewIndexServiceClient(l).Ask(ctx, &indexv1.AskRequest{Grant: make([]byte, 15), Question: "why?"}); errs.CodeOf(err) != errs.Malformed {
		t.Errorf("%v", err)
	}
	if l.calls != 0 {
		t.Errorf("%d calls were made", l.calls)
	}
}

// bad lists encodings of a Hello that no handler and no client may see. The
// same bytes are a bad request and a bad response, since both begin with the
// release.
func bad() map[string][]byte {
	good, err := proto.Marshal(&corev1.HelloRequest{Release: "1"})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	text := func(s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), s)
	}
	return map[string][]byte{
		"empty":         {},
		"cut":           good[:len(good)-1],
		"not UTF-8":     text("\xff\xfe"),
		"too long":      text(strings.Repeat("x", 129)),
		"unknown field": protowire.AppendVarint(protowire.AppendTag(bytes.Clone(good), 99, protowire.VarintType), 1),
		"wrong type":    protowire.AppendVarint(protowire.AppendTag(bytes.Clone(good), 1, protowire.VarintType), 1),
		"noise":         []byte("GET / HTTP/1.1\r\n\r\n"),
	}
}

// TestServerSeesNothingBad sends to the routes what no client of ours sends.
func TestServerSeesNothingBad(t *testing.T) {
	c := &core{release: "2"}
	r, _ := dial(c, &index{}).mux.Find(corev1.CoreServiceHelloMethod().Number)
	for name, request := range bad() {
		if _, err := r.Unary(context.Background(), request); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Unary(context.Background(), make([]byte, 513)); errs.CodeOf(err) != errs.TooLarge {
		t.Errorf("over the limit: %v", err)
	}
	if len(c.heard) != 0 {
		t.Errorf("the handler saw %v", c.heard)
	}
	s, _ := dial(c, &index{}).mux.Find(indexv1.IndexServiceAskMethod().Number)
	if err := s.Stream(context.Background(), []byte{}, &queue{}); errs.CodeOf(err) != errs.Malformed {
		t.Errorf("stream: %v", err)
	}
}

// TestClientSeesNothingBad: a worker is not trusted; neither is its answer.
func TestClientSeesNothingBad(t *testing.T) {
	l := dial(&core{}, &index{})
	for name, answer := range bad() {
		l.answer = answer
		if got, err := corev1.NewCoreServiceClient(l).Hello(context.Background(), &corev1.HelloRequest{Release: "1"}); errs.CodeOf(err) != errs.Malformed || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	l.answer = []byte{0xff}
	q := &queue{messages: [][]byte{l.answer}}
	client := indexv1.NewIndexServiceClient(opener{q})
	s, err := client.Ask(context.Background(), &indexv1.AskRequest{Grant: make([]byte, 16), Question: "why?"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); errs.CodeOf(err) != errs.Malformed || q.closed != 1 {
		t.Errorf("%v, closed %d times", err, q.closed)
	}
}

type opener struct{ q *queue }

func (o opener) Invoke(context.Context, *rpc.Method, []byte) ([]byte, error) { return nil, nil }
func (o opener) Open(context.Context, *rpc.Method, []byte) (rpc.Receiver, error) {
	return o.q, nil
}

// TestServerSendsNothingBad: a handler's own fault becomes an error too.
func TestServerSendsNothingBad(t *testing.T) {
	ctx := context.Background()
	for _, release := range []string{"", "nil", strings.Repeat("x", 129)} {
		client := corev1.NewCoreServiceClient(dial(&core{release: release}, &index{}))
		if _, err := client.Hello(ctx, &corev1.HelloRequest{Release: "1"}); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%q: %v", release, err)
		}
	}
	for _, m := range []*indexv1.AskResponse{nil, {}, {Event: (*indexv1.AskResponse_Done)(nil)}, {Event: &indexv1.AskResponse_Done{}}} {
		client := indexv1.NewIndexServiceClient(dial(&core{}, &index{send: []*indexv1.AskResponse{m}}))
		s, err := client.Ask(ctx, &indexv1.AskRequest{Grant: make([]byte, 16), Question: "why?"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%v: %v", m, err)
		}
	}
}

// TestDecodeMakesNoMemoryForASender: 256 KiB that name 131,072 empty items are
// refused before any item is made; what protobuf alone makes of them is the
// control.
func TestDecodeMakesNoMemoryForASender(t *testing.T) {
	items := bytes.Repeat([]byte{0x0a, 0}, 131072)
	nested := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), bytes.Repeat([]byte{0x12, 0}, 131072))
	merged := bytes.Repeat([]byte{0x1a, 2, 0x12, 0}, 65536)
	for name, c := range map[string]struct {
		b []byte
		m rpc.Message
	}{
		"list":             {items, &corev1.ListTasksResponse{}},
		"list in a oneof":  {nested, &indexv1.AskResponse{}},
		"a oneof, in bits": {merged, &indexv1.AskResponse{}},
	} {
		control := made(func() {
			if err := proto.Unmarshal(c.b, c.m.ProtoReflect().New().Interface()); err != nil {
				t.Fatal(err)
			}
		})
		ours := made(func() {
			if err := rpc.Decode(c.b, c.m, len(c.b)); errs.CodeOf(err) != errs.Malformed {
				t.Errorf("%s: %v", name, err)
			}
		})
		if control < 4<<20 || ours > 64<<10 {
			t.Errorf("%s: Decode made %d bytes, protobuf alone %d", name, ours, control)
		}
	}
}

// made returns how many bytes f allocates.
func made(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestMuxRefusesWhatDoesNotFit(t *testing.T) {
	routes := corev1.CoreServiceRoutes(&core{})
	for name, bad := range map[string][][]rpc.Route{
		"twice":           {routes, routes},
		"no handler":      {{{Method: routes[0].Method}}},
		"stream as unary": {{{Method: indexv1.IndexServiceAskMethod(), Unary: routes[0].Unary}}},
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "BUG: ") {
					t.Errorf("%s: %q", name, s)
				}
			}()
			rpc.NewMux(bad...)
		}()
	}
	if _, ok := rpc.NewMux(routes).Find(999999); ok {
		t.Error("a number that nobody registered was found")
	}
}

// FuzzDecode: whatever a peer sends to whatever method, decoding ends in a
// message that validates or in one of two errors.
func FuzzDecode(f *testing.F) {
	all := table.All()
	for _, b := range bad() {
		f.Add(uint8(0), b)
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		m := all[int(which)%len(all)]
		for _, message := range []rpc.Message{m.NewRequest(), m.NewResponse()} {
			err := rpc.Decode(b, message, m.MaxRequest)
			if code := errs.CodeOf(err); err != nil && code != errs.Malformed && code != errs.TooLarge {
				t.Fatalf("%s: code %s", m.Name, code)
			}
			if err == nil {
				again, err := rpc.Encode(message, 10*len(b)+10)
				if err != nil {
					t.Fatalf("%s: decoded, but does not encode: %v", m.Name, err)
				}
				copied := message.ProtoReflect().New().Interface().(rpc.Message)
				if err := rpc.Decode(again, copied, len(again)); err != nil || !proto.Equal(message, copied) {
					t.Fatalf("%s: does not survive a round: %v", m.Name, err)
				}
			}
		}
	})
}

func BenchmarkEncodeDecode200(b *testing.B) {
	in := &indexv1.AskRequest{Grant: make([]byte, 16), Question: strings.Repeat("q", 180)}
	b.ReportAllocs()
	for b.Loop() {
		e, err := rpc.Encode(in, 16384)
		if err != nil {
			b.Fatal(err)
		}
		if err := rpc.Decode(e, new(indexv1.AskRequest), 16384); err != nil {
			b.Fatal(err)
		}
	}
}
