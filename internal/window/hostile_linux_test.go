package window

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

func malformed(e audit.Event) bool { return e.Kind == "malformed-peer" }

// K7: a frame that breaks the format ends the host, is on the record, and has no
// effect; the window's task is over with it.
func TestMalformedFrames(t *testing.T) {
	header := func(n uint32, k kind, flags byte, zero uint16, id uint64) []byte {
		b := binary.LittleEndian.AppendUint32(nil, n)
		b = append(b, byte(k), flags)
		b = binary.LittleEndian.AppendUint16(b, zero)
		return binary.LittleEndian.AppendUint64(b, id)
	}
	for name, bytes := range map[string][]byte{
		"no kind":                 header(0, 0, 0, 0, 0),
		"a kind of the core's":    header(0, kindReply, 0, 0, 1),
		"an unknown kind":         header(0, 26, 0, 0, 0),
		"flags":                   header(0, kindReady, 1, 0, 0),
		"what is zero is not":     header(0, kindReady, 0, 1, 0),
		"too long":                header(limits.WindowFrame+1, kindCall, 0, 0, 1),
		"far too long":            header(1<<31, kindCall, 0, 0, 1),
		"a ready with a payload":  append(header(1, kindReady, 0, 0, 0), 0),
		"a ready with an id":      header(0, kindReady, 0, 0, 1),
		"a call without an id":    header(0, kindCall, 0, 0, 0),
		"a refusal of no word":    append(header(3, kindRefused, 0, 0, 0), "odd"...),
		"a long refusal":          header(limits.WindowWord+limits.WindowDetail+2, kindRefused, 0, 0, 0),
		"a crash of no kind":      append(header(3, kindCrashed, 0, 0, 0), "odd"...),
		"a crash without a word":  header(0, kindCrashed, 0, 0, 0),
		"HTTP":                    []byte("GET / HTTP/1.1\r\n\r\n"),
		"a document with a frame": append(header(4, kindDocument, 0, 0, 0), "abcd"...),
	} {
		b := newBench(t)
		seen := b.echo(7, none, app)
		w, f := b.show(apps.Studio)
		if r := f.call(7, nil); r.Error != nil {
			t.Fatal("control:", r)
		}
		f.write(bytes)
		f.ended()
		if why, err := closed(t, w); why != Crashed || errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%s: %s, %v", name, why, err)
		}
		if n := b.log.with(malformed); n != 1 || len(seen.all()) != 1 {
			t.Errorf("%s: %d records, %d calls", name, n, len(seen.all()))
		}
	}
}

// K1, K7: random bytes, and good conversations with flipped bits, call nothing
// that the page may not call, and end or leave the host; nothing else of the core
// is hurt, and nothing is held that was not asked for.
func TestNoise(t *testing.T) {
	b := newBench(t)
	forbidden := b.echo(8, none, panel)
	allowed := b.echo(7, none, app)
	rnd := rand.New(rand.NewPCG(1, 2))
	good := func() []byte {
		c, _ := proto.Marshal(&surfacev1.Call{Method: 8, Message: []byte("x")})
		out := appendFrame(nil, kindDocument, 0)
		out = appendFrame(out, kindCall, 1, c)
		out = appendFrame(out, kindRequest, 2, []byte("/index.html"))
		out = appendFrame(out, kindRefused, 0, []byte("popup\x00https://example.org"))
		return appendFrame(out, kindDropped, 0, []byte("/nowhere"))
	}
	ended := 0
	for i := range 300 {
		w, f := b.show(apps.Studio)
		var say []byte
		if i%3 == 0 {
			say = make([]byte, rnd.IntN(2000))
			for j := range say {
				say[j] = byte(rnd.Uint32())
			}
		} else {
			for range 3 {
				say = append(say, good()...)
			}
			for range 1 + rnd.IntN(4) {
				j := rnd.IntN(len(say))
				say[j] ^= 1 << rnd.IntN(8)
			}
		}
		f.write(say)
		_ = f.conn.CloseWrite()
		closed(t, w)
		for s := range f.in {
			if s.body != nil {
				s.body.Close()
			}
		}
		ended++
	}
	if len(forbidden.all()) != 0 {
		t.Fatalf("%d calls of what a page may not call", len(forbidden.all()))
	}
	if b.log.with(malformed) < 50 {
		t.Errorf("%d of %d were malformed: the noise is too tame", b.log.with(malformed), ended)
	}
	_, f := b.show(apps.Studio)
	before := len(allowed.all())
	if r := f.call(7, []byte("still")); string(r.Message) != "you said still" || len(allowed.all()) != before+1 {
		t.Fatalf("%v", r)
	}
}

// R3: no spelling of an address but the exact one is answered, whatever host and
// form stand in it; the control is the exact one.
func TestAddresses(t *testing.T) {
	b := newBench(t)
	_, f := b.show(apps.Studio)
	for _, path := range []string{
		"", "index.html", "//studio/index.html", "/studio/index.html", "bailey://studio/index.html", "bailey://studio.evil/index.html", "bailey://panels/index.html",
		"bailey://user@studio/index.html", "bailey://studio:80/index.html", "bailey://STUDIO/index.html", "bailey://studio./index.html", "https://studio/index.html",
		"/..", "/../", "/../index.html", "/assets/../index.html", "/%2e%2e/index.html", "/assets/%2e%2e/index.html", "/assets/..%2findex.html", "/./index.html",
		"/index.html.", "/index.html/", "/index.html%00", "/index.html\x00.js", "/INDEX.HTML", "/index.html#x", "//index.html", "/\\index.html", "/index.html\\",
		"/assets", "/assets/", "/chat", "/.stream", "/.stream/", "/.bailey", "/api/grant", "/wails/runtime?object=0&method=0", "/" + strings.Repeat("a", 100_000),
	} {
		status, head, body := f.get(path)
		if status != statusNotFound || body != nil {
			t.Errorf("%.60q: %d", path, status)
		}
		if !strings.HasPrefix(head["Content-Security-Policy"], "default-src 'none'") || head["X-Content-Type-Options"] != "nosniff" {
			t.Errorf("%.60q: %v", path, head)
		}
	}
	status, head, body := f.get("/index.html")
	if status != statusOK || head["Content-Type"] != "text/html; charset=utf-8" {
		t.Fatal(status, head)
	}
	if got, err := io.ReadAll(body); err != nil || string(got) != files()["index.html"] {
		t.Fatalf("%q %v", got, err)
	}
}

// What a host does to the descriptor that it was given reaches no later answer,
// in this window or another: neither the mode nor the bytes nor the place.
func TestBodiesAreOnesOwn(t *testing.T) {
	b := newBench(t)
	_, f := b.show(apps.Studio)
	_, _, first := f.get("/")
	defer first.Close()
	must(t, first.Chmod(0))
	if _, err := first.WriteAt([]byte("x"), 0); err == nil {
		t.Error("it can be written")
	}
	if err := first.Truncate(1); err == nil {
		t.Error("it can be cut")
	}
	status, _, second := f.get("/")
	if status != statusOK || second == nil {
		t.Fatal(status)
	}
	defer second.Close()
	// Root reads what has no mode too: the mode is looked at.
	if st, err := second.Stat(); err != nil || st.Mode().Perm()&0o400 == 0 {
		t.Fatal(st.Mode(), err)
	}
	if got, err := io.ReadAll(second); err != nil || string(got) != files()["index.html"] {
		t.Fatalf("%q %v", got, err)
	}
}

// R6: a GET has no effect: it calls nothing, whatever stands in it, and a stream
// that was not made for this document is not there.
func TestGetHasNoEffect(t *testing.T) {
	b := newBench(t)
	seen := b.echo(7, none, app)
	_, f := b.show(apps.Studio)
	call, _ := proto.Marshal(&surfacev1.Call{Method: 7})
	for _, path := range []string{
		"/7", "/call/7", "/?method=7", "/index.html?method=7&message=x", "/.stream/" + hexOf(make([]byte, 16)) + "?method=7", "/test.v1.Service/M7",
		"/" + string(call), "/.stream/" + hexOf(append(call, make([]byte, 16-len(call))...)),
	} {
		f.get(path)
	}
	if len(seen.all()) != 0 {
		t.Fatalf("a GET made %d calls", len(seen.all()))
	}
	if r := f.call(7, nil); r.Error != nil || len(seen.all()) != 1 {
		t.Fatal("control:", r)
	}
}

// R9: a reply goes to the call that it answers, in whatever order they end, and
// another's id of a body settles nothing.
func TestRepliesFindTheirCalls(t *testing.T) {
	b := newBench(t)
	b.echo(7, none, app)
	_, f := b.show(apps.Studio)
	ids := map[uint64]string{}
	for i := range 40 {
		text := strings.Repeat("x", i)
		ids[f.begin(7, []byte(text))] = "you said " + text
	}
	for id, want := range ids {
		if r := f.answer(id); string(r.Message) != want {
			t.Fatalf("call %d was answered %q", id, r.Message)
		}
	}
}

// R7, C21: who calls is the channel's to say: bytes in the message that claim
// another app, surface or document change nothing.
func TestIdentityIsTheChannel(t *testing.T) {
	b := newBench(t)
	seen := b.echo(7, none, app, panel)
	_, f := b.show(apps.Studio)
	_, p := b.show(apps.Panels)
	for _, claim := range []string{"panels", `{"app":"panels","surface":"panel"}`, "x-bailey-window: 2\nOrigin: bailey://panels"} {
		f.call(7, []byte(claim))
		p.call(7, []byte(claim))
	}
	for i, who := range seen.all() {
		if want := []string{"studio/window", "panels/panel"}[i%2]; who != want {
			t.Fatalf("call %d is of %s", i, who)
		}
	}
	// A Call with a field that the schema does not know is no call.
	raw, _ := proto.Marshal(&surfacev1.Call{Method: 7})
	f.next++
	f.say(kindCall, f.next, append(raw, 0x7a, 3, 'a', 'p', 'p'))
	if r := f.answer(f.next); code(r) != errs.Malformed || b.log.with(denied("not a call")) != 1 {
		t.Fatalf("%v %+v", r, b.log.all())
	}
}

// What a host says that it refused is on the record, once for many, with the
// number; what a page put into it cannot act on whoever reads it.
func TestRefusalsAreRecordedFolded(t *testing.T) {
	b := newBench(t)
	w, f := b.show(apps.Studio)
	for range 50 {
		f.say(kindRefused, 0, []byte("popup\x00https://evil.example/\x1b[2J\u202e"))
	}
	for _, word := range refusals() {
		f.say(kindRefused, 0, []byte(word))
	}
	f.say(kindClosed, 0, nil)
	f.waitKind(kindClose)
	f.die()
	closed(t, w)
	var popups []audit.Event
	for _, e := range b.log.all() {
		if denied("popup")(e) {
			popups = append(popups, e)
		}
		if strings.ContainsAny(e.Detail["detail"], "\x1b\u202e") {
			t.Errorf("%q", e.Detail["detail"])
		}
	}
	if len(popups) != 2 || popups[0].Messages != 0 || popups[1].Messages != 50 || popups[0].Actor.App != "studio" || popups[0].Actor.Surface != "window" {
		t.Fatalf("%+v", popups)
	}
	for _, word := range refusals() {
		if b.log.with(denied(word)) == 0 {
			t.Errorf("%s is not on the record", word)
		}
	}
}

// A host that asks for two bodies under one name has broken the format.
func TestRequestsOfOneID(t *testing.T) {
	b := newBench(t)
	b.stream(7, func(_ context.Context, out rpc.Sender) error { return out.Send(nil) })
	b.stream(8, func(ctx context.Context, out rpc.Sender) error { <-ctx.Done(); return ctx.Err() })
	w, f := b.show(apps.Studio)
	one := f.call(7, nil).Stream
	open := f.call(8, nil).Stream
	f.say(kindRequest, 1000, []byte("/.stream/"+hexOf(open)))
	f.wait("response", func(s sent) bool { return s.kind == kindResponse && s.id == 1000 })
	f.say(kindRequest, 1000, []byte("/.stream/"+hexOf(one)))
	f.ended()
	if _, err := closed(t, w); errs.CodeOf(err) != errs.Malformed {
		t.Fatal(err)
	}
}

// FuzzNext: whatever a host writes, reading it ends in frames of known kinds
// within their bounds, an error of the format, or the end of the bytes.
func FuzzNext(f *testing.F) {
	c, _ := proto.Marshal(&surfacev1.Call{Method: 7, Message: []byte("x")})
	f.Add(appendFrame(appendFrame(nil, kindDocument, 0), kindCall, 1, c))
	f.Add(appendFrame(nil, kindRefused, 0, []byte("popup\x00x")))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), limits.WindowReadBuffer)
		var again []byte
		for {
			fr, err := next(r)
			if err != nil {
				var broken errFrame
				if !errors.As(err, &broken) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatal(err)
				}
				break
			}
			longest, ok := most(fr.kind)
			if !ok || len(fr.payload) > longest || named(fr.kind) != (fr.id != 0) {
				t.Fatalf("%+v", fr)
			}
			again = appendFrame(again, fr.kind, fr.id, fr.payload)
		}
		// What was read is what was written: one form for each frame.
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%x is not a beginning of %x", again, b)
		}
	})
}

// FuzzCall: whatever bytes a page sends as a call, they decode to a call within
// its bounds or are refused as malformed or too large.
func FuzzCall(f *testing.F) {
	c, _ := proto.Marshal(&surfacev1.Call{Method: 7, TimeoutMs: 5, Message: []byte("x")})
	f.Add(c)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		in := new(surfacev1.Call)
		if err := rpc.Decode(b, in, limits.WindowFrame); err != nil {
			if c := errs.CodeOf(err); c != errs.Malformed && c != errs.TooLarge {
				t.Fatal(err)
			}
			return
		}
		if in.Method == 0 || len(in.Message) > limits.SurfaceMessage {
			t.Fatalf("%v", in)
		}
	})
}
