// Package pdf is the index worker's way to the text of a PDF: it hands the open file
// to a pdf worker, which has no folder, on a socket that the core made for the two,
// and puts together what comes back. That is another process's word, and one that has
// read a hostile file: messages are validated by the generated code, and what they
// add up to is held against limits here.
//
// It asks for a pdf worker when there is a file for one, and for another when that
// one ended or did not answer: then that one file is not read, and the next is. It
// starts no process and opens no file. Package serve owns a Reader; package index
// reads with it.
package pdf

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// Gone is the code of calls on a pdf worker that went away, for the options of the
// connection.
const Gone = errs.WorkerCrashed

// Reader reads PDFs, one at a time. Its methods may be called from several
// goroutines.
type Reader struct {
	log *slog.Logger
	// ask carries to the core whether a pdf worker is wanted.
	ask chan bool
	// got carries what the core answered: nil = there is none.
	got chan *peer
	// turn is held by who reads; peer and none belong to it.
	turn chan struct{}
	peer *peer
	none bool
	// failed says that the last pdf worker ended, or did not answer.
	failed bool
	// silence is how long one may say nothing.
	silence time.Duration
	// idle is set while a pdf worker waits for the next file.
	idle   *time.Timer
	closed chan struct{}
	once   sync.Once
}

// peer is a pdf worker.
type peer struct {
	conn   *ipc.Conn
	client *pdfv1.PdfServiceClient
	handle []byte
}

// New returns a Reader that has no pdf worker yet.
func New(log *slog.Logger) *Reader {
	r := &Reader{log: log, ask: make(chan bool), got: make(chan *peer, 1), turn: make(chan struct{}, 1), closed: make(chan struct{}), silence: limits.PDFSilence}
	r.idle = time.AfterFunc(limits.PDFIdle, r.rest)
	r.idle.Stop()
	return r
}

// Wants calls send each time that a pdf worker is wanted, or no longer, until ctx
// ends or send fails.
func (r *Reader) Wants(ctx context.Context, send func(wanted bool) error) error {
	for {
		select {
		case w := <-r.ask:
			if err := send(w); err != nil {
				return err
			}
		case <-ctx.Done():
			return errs.Wrap(errs.Cancelled, "pdf.wants", ctx.Err())
		}
	}
}

// Take takes over the connection to a pdf worker that was wanted; nil says that there
// is none. One that nobody wants is closed.
func (r *Reader) Take(conn *ipc.Conn, handle []byte) {
	var p *peer
	if conn != nil {
		p = &peer{conn, pdfv1.NewPdfServiceClient(conn), handle}
	}
	select {
	case r.got <- p:
	default:
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// Read returns the text of a file, which stays the caller's, or why it has none. beat
// is called now and then. When ctx has ended the answer means nothing.
func (r *Reader) Read(ctx context.Context, f *dirfd.File, beat func()) (doc.Text, doc.Reason) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return doc.Text{}, doc.NoReader
	}
	if !r.connect(ctx, beat) {
		return doc.Text{}, doc.NoReader
	}
	file, err := f.Handover()
	if err != nil {
		return doc.Text{}, doc.IOError
	}
	defer file.Close()
	defer r.idle.Reset(limits.PDFIdle)
	b := &builder{}
	reason, err := r.text(ipc.WithFiles(ctx, file), b, beat)
	if err != nil {
		r.log.Info("a PDF ended its reader", "error", err)
		r.drop()
		r.failed = true
		return doc.Text{}, doc.PDFCostly
	}
	if reason != doc.Read {
		return doc.Text{}, reason
	}
	return b.text(), doc.Read
}

// rest gives the pdf worker back that nothing was read with for a while.
func (r *Reader) rest() {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	default:
		return // it is at work again
	}
	r.none = false
	if r.peer == nil && !r.failed {
		return
	}
	r.drop()
	r.failed = false
	select {
	case r.ask <- false:
	case <-r.closed:
	}
}

// Close ends the connection to the pdf worker. Nothing is read after it. Idempotent.
func (r *Reader) Close() {
	r.idle.Stop()
	r.once.Do(func() { close(r.closed) })
	r.turn <- struct{}{}
	r.drop()
	r.none = true
	<-r.turn
}

func (r *Reader) drop() {
	if r.peer != nil {
		_ = r.peer.conn.Close()
		r.peer = nil
	}
}

// connect sees to it that there is a pdf worker.
func (r *Reader) connect(ctx context.Context, beat func()) bool {
	if r.peer != nil {
		select {
		case <-r.peer.conn.Done():
			r.drop()
		default:
			return true
		}
	}
	if r.none {
		return false
	}
	select {
	case old := <-r.got: // came too late for who wanted it
		if old != nil {
			_ = old.conn.Close()
		}
	default:
	}
	late := time.NewTimer(limits.PDFStart)
	defer late.Stop()
	tick := time.NewTicker(limits.IndexProgress)
	defer tick.Stop()
	ask := r.ask
	for {
		select {
		case ask <- true:
			ask = nil // once
		case p := <-r.got:
			r.peer, r.none, r.failed = p, p == nil, false
			return p != nil
		case <-tick.C:
			beat()
		case <-late.C:
			r.none = true
			return false
		case <-ctx.Done():
			return false
		case <-r.closed:
			return false
		}
	}
}

// text has the pdf worker read the file that rides on ctx.
func (r *Reader) text(ctx context.Context, b *builder, beat func()) (doc.Reason, error) {
	const op = "pdf.text"
	p := r.peer
	ctx, cancel := context.WithTimeout(ctx, limits.PDFTime+limits.PDFSilence)
	defer cancel()
	silence := time.AfterFunc(r.silence, cancel)
	defer silence.Stop()
	in, err := p.client.Text(ctx, &pdfv1.TextRequest{Grant: p.handle})
	if err != nil {
		return doc.Read, err
	}
	defer in.Close()
	for {
		m, err := in.Recv()
		if err != nil {
			if err == io.EOF {
				err = errs.New(errs.Malformed, op).With("a document without an end")
			}
			return doc.Read, err
		}
		silence.Reset(r.silence)
		beat()
		if !b.add(m) {
			return doc.PDFCostly, nil
		}
		if !m.GetLast() {
			continue
		}
		switch m.GetUnread() {
		case pdfv1.Unread_UNREAD_UNSPECIFIED:
			if b.empty() {
				return doc.NoText, nil
			}
			return doc.Read, nil
		case pdfv1.Unread_UNREAD_LOCKED:
			return doc.Locked, nil
		case pdfv1.Unread_UNREAD_PICTURES:
			return doc.NoText, nil
		case pdfv1.Unread_UNREAD_COSTLY:
			return doc.PDFCostly, nil
		}
		return doc.PDFDamaged, nil
	}
}
