package window

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func ackOf(id []byte, n uint32) []byte {
	b, _ := proto.Marshal(&surfacev1.AckRequest{Stream: id, Bytes: n})
	return b
}

func cancelOf(id []byte) []byte {
	b, _ := proto.Marshal(&surfacev1.CancelRequest{Stream: id})
	return b
}

// stream registers a method whose handler sends what f says.
func (b *bench) stream(number uint32, f func(context.Context, rpc.Sender) error) {
	b.routes[number] = rpc.Route{Method: method(number, none, true, app), Stream: func(ctx context.Context, _ []byte, out rpc.Sender) error { return f(ctx, out) }}
}

func TestStreamRecords(t *testing.T) {
	b := newBench(t)
	b.stream(7, func(_ context.Context, out rpc.Sender) error {
		return errors.Join(out.Send([]byte("one")), out.Send(nil), out.Send([]byte("three")))
	})
	b.stream(8, func(_ context.Context, out rpc.Sender) error {
		return errors.Join(out.Send([]byte("one")), errs.New(errs.GrantRevoked, "test"))
	})
	_, f := b.show(apps.Studio)
	status, head, body := f.get("/.stream/" + hexOf(f.call(7, nil).Stream))
	if status != statusOK || head["Content-Type"] != streamType || head["X-Content-Type-Options"] != "nosniff" {
		t.Fatal(status, head)
	}
	got := records(t, body)
	if len(got) != 4 || string(got[0].Message) != "one" || len(got[1].Message) != 0 || got[1].End || string(got[2].Message) != "three" || !got[3].End {
		t.Fatalf("%v", got)
	}
	_, _, body = f.get("/.stream/" + hexOf(f.call(8, nil).Stream))
	if got := records(t, body); len(got) != 2 || got[1].GetError().GetCode() != string(errs.GrantRevoked) {
		t.Fatalf("%v", got)
	}
}

// A stream is fetched once, by its own name alone.
func TestStreamIsSingleUse(t *testing.T) {
	b := newBench(t)
	b.stream(7, func(ctx context.Context, out rpc.Sender) error { <-ctx.Done(); return ctx.Err() })
	_, f := b.show(apps.Studio)
	id := hexOf(f.call(7, nil).Stream)
	for _, path := range []string{
		"/.stream/", "/.stream/" + id[:31], "/.stream/" + id + "0", "/.stream/" + id + "/", "/.stream/" + id + "?x", "/.stream/" + id + "#",
		"/.stream/" + "0x" + id[2:], "/.stream/" + hexOf(make([]byte, 16)), "/.STREAM/" + id, "//.stream/" + id, "/./.stream/" + id, "/%2estream/" + id,
		"/.stream/%" + id[1:], "/.stream/" + upper(id),
	} {
		if status, _, _ := f.get(path); status != statusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _, _ := f.get("/.stream/" + id); status != statusOK {
		t.Fatal(status)
	}
	if status, _, _ := f.get("/.stream/" + id); status != statusNotFound {
		t.Fatal("a stream was fetched twice")
	}
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'f' {
			b[i] = c - 'a' + 'A'
		}
	}
	if string(b) == s {
		b[0] = 'A'
	}
	return string(b)
}

// A page that does not acknowledge holds the handler up at the window's size, and
// not the core's memory; what it acknowledges lets more through.
func TestStreamBackPressure(t *testing.T) {
	b := newBench(t)
	sent := make(chan int, 1<<16)
	b.stream(7, func(_ context.Context, out rpc.Sender) error {
		for i := range 4 * limits.WindowStreamBytes / 1024 {
			if err := out.Send(make([]byte, 1024)); err != nil {
				return err
			}
			sent <- i
		}
		return nil
	})
	_, f := b.show(apps.Studio)
	id := f.call(7, nil).Stream
	_, _, body := f.get("/.stream/" + hexOf(id))
	read, acked := 0, 0
	buf := make([]byte, 32<<10)
	for read < limits.WindowStreamBytes {
		n, err := body.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		read += n
	}
	// All that may be on the way is read, nothing is acknowledged: there is no
	// more, however long one waits.
	must(t, body.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	for {
		n, err := body.Read(buf)
		if read += n; errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		must(t, err)
		if read > limits.WindowStreamBytes+2048 {
			t.Fatalf("%d bytes came without an acknowledgement", read)
		}
	}
	must(t, body.SetReadDeadline(time.Time{}))
	if r := f.call(1001, ackOf(id, uint32(limits.WindowStreamBytes)*2)); code(r) != errs.Malformed {
		t.Fatalf("more than was sent was acknowledged: %v", r)
	}
	for {
		if r := f.call(1001, ackOf(id, uint32(read-acked))); r.Error != nil {
			t.Fatalf("%v", r)
		}
		acked = read
		n, err := body.Read(buf)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		read += n
	}
	if want := 4 * limits.WindowStreamBytes; read < want || len(sent) != want/1024 {
		t.Fatalf("read %d, sent %d", read, len(sent))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Whichever way a page gives a stream up, its handler ends.
func TestStreamGivenUp(t *testing.T) {
	b := newBench(t)
	ended := make(chan error, 1)
	b.stream(7, func(ctx context.Context, out rpc.Sender) error {
		for {
			if err := out.Send(make([]byte, 1000)); err != nil {
				ended <- err
				return err
			}
		}
	})
	w, f := b.show(apps.Studio)
	open := func() ([]byte, uint64, io.Closer) {
		id := f.call(7, nil).Stream
		_, _, body := f.get("/.stream/" + hexOf(id))
		return id, f.next, body
	}
	for name, give := range map[string]func(id []byte, request uint64, body io.Closer){
		"cancel":         func(id []byte, _ uint64, _ io.Closer) { f.call(1002, cancelOf(id)) },
		"unwanted body":  func(_ []byte, request uint64, _ io.Closer) { f.say(kindCancelled, request, nil) },
		"closed reader":  func(id []byte, _ uint64, body io.Closer) { body.Close(); f.call(1001, ackOf(id, 100_000)) },
		"a new document": func([]byte, uint64, io.Closer) { f.say(kindDocument, 0, nil) },
	} {
		id, request, body := open()
		give(id, request, body)
		select {
		case err := <-ended:
			if errs.CodeOf(err) != errs.Cancelled {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s: the handler runs on", name)
		}
		body.Close()
		until(t, "the stream is forgotten", func() bool {
			d := w.document()
			d.mu.Lock()
			defer d.mu.Unlock()
			return len(d.streams) == 0 && len(d.fetched) == 0
		})
	}
	// Crossing ones are no errors.
	if r := f.call(1001, ackOf(make([]byte, 16), 5)); r.Error != nil {
		t.Fatalf("%v", r)
	}
	f.say(kindCancelled, 999, nil)
}

// A stream that nobody has fetched in time is gone, and its handler with it; one
// that was fetched is not touched.
func TestStreamNobodyFetches(t *testing.T) {
	b := newBench(t)
	ended := make(chan error, 2)
	b.stream(7, func(ctx context.Context, out rpc.Sender) error {
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return ctx.Err()
	})
	w, f := b.show(apps.Studio)
	late, kept := f.call(7, nil).Stream, f.call(7, nil).Stream
	f.get("/.stream/" + hexOf(kept))
	d := w.document()
	for _, id := range [][]byte{kept, late} {
		d.stream(id).unfetched()
	}
	if err := <-ended; errs.CodeOf(err) != errs.Cancelled {
		t.Fatal(err)
	}
	if status, _, _ := f.get("/.stream/" + hexOf(late)); status != statusNotFound {
		t.Fatal(status)
	}
	if d.stream(kept) == nil || d.stream(late) != nil || len(ended) != 0 {
		t.Fatal("the wrong stream was ended")
	}
}

// A window that shows nothing in time is ended with a hint; one that has painted
// is left alone by the same timer.
func TestNothingShown(t *testing.T) {
	b := newBench(t)
	w, f := b.show(apps.Studio)
	f.say(kindReady, 0, nil)
	<-w.Shown()
	w.late()
	if r := f.call(1001, ackOf(make([]byte, 16), 0)); r.Error != nil {
		t.Fatal(r)
	}
	p, _ := b.show(apps.Panels)
	p.late()
	if why, err := closed(t, p); why != Crashed || errs.CodeOf(err) != errs.WindowUnavailable || errs.From(err).HintText() == "" {
		t.Fatal(why, err)
	}
}

// Streams that nobody fetches are bounded in number.
func TestStreamsAreBounded(t *testing.T) {
	b := newBench(t)
	b.stream(7, func(ctx context.Context, out rpc.Sender) error { <-ctx.Done(); return ctx.Err() })
	_, f := b.show(apps.Studio)
	for range limits.WindowStreams {
		if r := f.call(7, nil); r.Error != nil {
			t.Fatalf("%v", r)
		}
	}
	if r := f.call(7, nil); code(r) != errs.CoreBusy {
		t.Fatalf("%v", r)
	}
	f.say(kindDocument, 0, nil)
	if r := f.call(7, nil); r.Error != nil {
		t.Fatalf("%v", r)
	}
}

// A handler that has not seen yet that its stream was given up counts, also over
// reloads: a page that opens and gives up without end holds no more of them.
func TestGivenUpStreamsAreBounded(t *testing.T) {
	b := newBench(t)
	slow := make(chan struct{})
	running := make(chan struct{}, 4*limits.WindowHandlers)
	b.stream(7, func(context.Context, rpc.Sender) error { running <- struct{}{}; <-slow; return nil })
	_, f := b.show(apps.Studio)
	refused := 0
	for i := range 2 * limits.WindowHandlers {
		if i%limits.WindowStreams == 0 {
			f.say(kindDocument, 0, nil)
		}
		r := f.call(7, nil)
		if code(r) == errs.CoreBusy {
			refused++
			continue
		}
		if r := f.call(1002, cancelOf(r.Stream)); r.Error != nil {
			t.Fatal(r)
		}
	}
	if n := len(running); n > limits.WindowHandlers || refused != limits.WindowHandlers {
		t.Errorf("%d handlers run, %d streams were refused", n, refused)
	}
	close(slow)
	until(t, "a stream is opened again", func() bool { return f.call(7, nil).Error == nil })
}

// A stream that is refused has no handler that counts, and none counts twice.
func TestRefusedStreamsDoNotCount(t *testing.T) {
	b := newBench(t)
	b.stream(7, func(ctx context.Context, _ rpc.Sender) error { <-ctx.Done(); return ctx.Err() })
	w, f := b.show(apps.Studio)
	handlers := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.handlers
	}
	for i := range 2 * limits.WindowStreams {
		if r := f.call(7, nil); (code(r) == errs.CoreBusy) != (i >= limits.WindowStreams) {
			t.Fatal(i, r)
		}
	}
	if n := handlers(); n != limits.WindowStreams {
		t.Errorf("%d handlers of %d streams", n, limits.WindowStreams)
	}
	f.say(kindDocument, 0, nil)
	until(t, "no handler counts", func() bool { return handlers() == 0 })
}
