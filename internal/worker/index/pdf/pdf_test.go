package pdf

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// worker is a pdf worker that says what the file says.
type worker struct {
	pdfv1.PdfServiceServer
	conn *ipc.Conn
}

func (w *worker) Text(ctx context.Context, _ *pdfv1.TextRequest, out *pdfv1.PdfServiceTextSender) error {
	files := ipc.TakeFiles(ctx)
	b := make([]byte, 64)
	n, _ := files[0].ReadAt(b, 0)
	files[0].Close()
	p := func(page uint32, text string) *pdfv1.Paragraph { return &pdfv1.Paragraph{Page: page, Text: text} }
	switch what := string(b[:n]); what {
	case "die":
		w.conn.Fail("the test wants it")
		return nil
	case "hang":
		<-w.conn.Done() // and not with the call
		return nil
	case "stop":
		return out.Send(&pdfv1.TextResponse{Paragraphs: []*pdfv1.Paragraph{p(1, "half")}})
	case "locked":
		return out.Send(&pdfv1.TextResponse{Last: true, Unread: pdfv1.Unread_UNREAD_LOCKED})
	case "pictures":
		return out.Send(&pdfv1.TextResponse{Last: true, Unread: pdfv1.Unread_UNREAD_PICTURES})
	case "blank":
		return out.Send(&pdfv1.TextResponse{Last: true, Paragraphs: []*pdfv1.Paragraph{p(1, " \n\u0001")}})
	case "flood":
		page := strings.Repeat("x", limits.PDFParagraphBytes)
		for {
			if err := out.Send(&pdfv1.TextResponse{Paragraphs: []*pdfv1.Paragraph{p(1, page), p(1, page), p(1, page)}}); err != nil {
				return err
			}
		}
	default:
		if err := out.Send(&pdfv1.TextResponse{Paragraphs: []*pdfv1.Paragraph{p(2, "first "+what)}}); err != nil {
			return err
		}
		return out.Send(&pdfv1.TextResponse{Last: true, Title: "Title", Paragraphs: []*pdfv1.Paragraph{p(1, "back\nin time"), {Page: 3, Text: "last", Heading: true}}})
	}
}

// core gives the reader a pdf worker each time that it wants one, as long as left
// says.
func core(t *testing.T, left int) (r *Reader, given *atomic.Int32) {
	t.Helper()
	r, given = New(slog.New(slog.DiscardHandler)), &atomic.Int32{}
	r.silence = 200 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Wants(ctx, func(wanted bool) error {
			if !wanted {
				return nil
			}
			if int(given.Load()) >= left {
				r.Take(nil, nil)
				return nil
			}
			given.Add(1)
			mine, theirs, err := ipc.Socket()
			if err != nil {
				return err
			}
			a, err := ipc.FromFile(mine)
			if err != nil {
				return err
			}
			b, err := ipc.FromFile(theirs)
			if err != nil {
				return err
			}
			w := &worker{}
			w.conn = ipc.New(b, ipc.Options{Mux: rpc.NewMux(pdfv1.PdfServiceRoutes(w)), Peer: policyv1.Caller_CALLER_WORKER, Even: true, Descriptors: func(*rpc.Method) int { return 1 }})
			t.Cleanup(func() { w.conn.Close() })
			r.Take(ipc.New(a, ipc.Options{Gone: Gone}), []byte("0123456789abcdef"))
			return nil
		})
	}()
	t.Cleanup(func() { r.Close(); cancel(); <-done })
	return r, given
}

// read has a file of these words read.
func read(t *testing.T, r *Reader, words string) (doc.Text, doc.Reason) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.pdf"), []byte(words), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := dirfd.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f, err := d.File("a.pdf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return r.Read(t.Context(), f, func() {})
}

// TestRead: what a worker says becomes a document; pages do not go back, and a line
// end of its own is none.
func TestRead(t *testing.T) {
	r, given := core(t, 1)
	text, why := read(t, r, "words")
	want := "[page 2]\n\nfirst words\n\nback in time\n\n[page 3]\n\nlast\n\n"
	if why != doc.Read || text.Source != want || text.Title != "Title" || text.Format != doc.PDF || len(text.Paragraphs) != 3 {
		t.Fatalf("%q: %+v", why, text)
	}
	for i, w := range []struct {
		text         string
		page, number int32
		role         doc.Role
	}{{"first words", 2, 1, doc.Prose}, {"back in time", 2, 2, doc.Prose}, {"last", 3, 1, doc.Heading}} {
		p := text.Paragraphs[i]
		if text.Source[p.Start:p.End] != w.text || p.Page != w.page || p.Number != w.number || p.Role != w.role {
			t.Errorf("%+v is %q", p, text.Source[p.Start:p.End])
		}
	}
	for words, want := range map[string]doc.Reason{"locked": doc.Locked, "pictures": doc.NoText, "blank": doc.NoText, "flood": doc.PDFCostly} {
		if _, why := read(t, r, words); why != want {
			t.Errorf("%s: %q", words, why)
		}
	}
	if _, why := read(t, r, "again"); why != doc.Read || given.Load() != 1 {
		t.Errorf("%q of %d workers", why, given.Load())
	}
}

// TestHang: a worker that says nothing any more is given up, and the core is told
// even when no other file comes, so that it ends it.
func TestHang(t *testing.T) {
	r, given := core(t, 2)
	if _, why := read(t, r, "hang"); why != doc.PDFCostly {
		t.Error(why)
	}
	if !r.failed || r.peer != nil {
		t.Error("it is kept")
	}
	r.rest()
	if r.failed {
		t.Error("the core is not told")
	}
	if _, why := read(t, r, "next"); why != doc.Read || given.Load() != 2 {
		t.Errorf("%q of %d workers", why, given.Load())
	}
}

// TestAnotherWorker: a file on which the worker ends, or whose end does not come,
// costs the file alone; the next is read by another, until there is none.
func TestAnotherWorker(t *testing.T) {
	r, given := core(t, 3)
	for _, c := range []struct {
		words string
		want  doc.Reason
		of    int32
	}{{"a", doc.Read, 1}, {"die", doc.PDFCostly, 1}, {"b", doc.Read, 2}, {"stop", doc.PDFCostly, 2}, {"c", doc.Read, 3}, {"die", doc.PDFCostly, 3}, {"d", doc.NoReader, 3}, {"e", doc.NoReader, 3}} {
		if _, why := read(t, r, c.words); why != c.want || given.Load() != c.of {
			t.Errorf("%s: %q of %d workers", c.words, why, given.Load())
		}
	}
	// After a pause it is asked again.
	r.rest()
	if r.none {
		t.Error("it is never asked again")
	}
}

// TestEnds: nobody waits longer than the call, and not after Close.
func TestEnds(t *testing.T) {
	r := New(slog.New(slog.DiscardHandler)) // nobody gives it a worker
	ctx, cancel := context.WithCancel(t.Context())
	beats := 0
	if _, why := r.Read(ctx, nil, func() { beats++; cancel() }); why != doc.NoReader || beats == 0 {
		t.Error(why, beats)
	}
	r.Close()
	r.Close()
	if _, why := r.Read(t.Context(), nil, func() {}); why != doc.NoReader {
		t.Error(why)
	}
	if err := r.Wants(ctx, nil); errs.CodeOf(err) != errs.Cancelled {
		t.Error(err)
	}
}

// TestRunning: heads and feet that come again are shown and not indexed, like the
// lines of a table of contents; what is said once is indexed wherever it stands.
func TestRunning(t *testing.T) {
	b := &builder{}
	for n := uint32(1); n <= 6; n++ {
		page := []*pdfv1.Paragraph{
			{Page: n, Text: "The Kettle Handbook"},
			{Page: n, Text: "Body of page " + strings.Repeat("i", int(n)) + "."},
			{Page: n, Text: "More " + strings.Repeat("o", int(n)) + "."},
			{Page: n, Text: "Last " + strings.Repeat("e", int(n)) + "."},
			{Page: n, Text: "Page " + string(rune('0'+n)) + " of 6"},
		}
		if n == 1 {
			page = append(page, &pdfv1.Paragraph{Page: 1, Text: "1 Kettles . . . . . . . . 3"})
		}
		if !b.add(&pdfv1.TextResponse{Paragraphs: page}) {
			t.Fatal("too much")
		}
	}
	text := b.text()
	if len(text.Paragraphs) != 18 || strings.Count(text.Source, "The Kettle Handbook") != 6 {
		t.Errorf("%d paragraphs", len(text.Paragraphs))
	}
	for _, p := range text.Paragraphs {
		if s := text.Source[p.Start:p.End]; strings.Contains(s, "Handbook") || strings.Contains(s, " of 6") || strings.Contains(s, ". . .") {
			t.Errorf("%q is indexed", s)
		}
	}
	// A document of nothing else is read.
	b = &builder{}
	for n := uint32(1); n <= 6; n++ {
		b.add(&pdfv1.TextResponse{Paragraphs: []*pdfv1.Paragraph{{Page: n, Text: "The same on every page."}}})
	}
	if len(b.text().Paragraphs) != 6 {
		t.Error("nothing is left of a document that repeats itself")
	}
}
