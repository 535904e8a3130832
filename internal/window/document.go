package window

import (
	"context"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
)

// document is one page of a window: the principal. It has a session of its own,
// so that nothing that it was granted is worth anything to the next.
type document struct {
	window *Window
	sess   *session.Session
	// committed is whether the host has said that a page is there; before that
	// nothing may be called.
	committed bool
	// ctx is that of every call; it carries the session.
	ctx     context.Context
	cancel  context.CancelCauseFunc
	unwatch func()

	mu    sync.Mutex
	ended bool
	// calls run, and their requests take so many bytes.
	calls, bytes int
	streams      map[streamID]*stream
	// fetched are the streams by the request that took them.
	fetched     map[uint64]*stream
	subscribers []*subscriber
	picked      []picked
}

// picked is a folder that a person chose, or is said to have dropped. It is not
// held open: nobody may have allowed it, and a disk that is held cannot be taken
// out.
type picked struct {
	token [16]byte
	path  string
	// claimed is whether a host said the path, and nobody has looked whether there
	// is anything: renamed and object are not known.
	claimed bool
	renamed bool
	object  capability.Object
}

// newDocument opens a document of the host pid. It is not the window's yet.
func (w *Window) newDocument(pid int, committed bool) (*document, error) {
	s, err := w.m.cfg.Sessions.Open(w.app.ID, w.app.SurfaceName(), pid)
	if err != nil {
		return nil, err
	}
	// The host is of our own release: the core started it.
	s.Greet()
	d := &document{window: w, sess: s, committed: committed, streams: map[streamID]*stream{}, fetched: map[uint64]*stream{}}
	d.ctx, d.cancel = context.WithCancelCause(session.With(w.m.life, s))
	d.unwatch = w.m.cfg.Watch(s.Channel, func(id capability.ID, state grantv1.State) {
		d.each(func(s *subscriber) { s.grant(id, state) })
	})
	w.m.mu.Lock()
	w.m.documents[s.Channel] = d
	w.m.mu.Unlock()
	return d, nil
}

// commit makes a new document the window's; the one before is over when it
// returns. Its page is let call only where it runs in its sandbox.
func (w *Window) commit(l *link) error {
	if err := w.confined(l); err != nil {
		w.mu.Lock()
		if w.why == "" {
			w.why, w.err = Crashed, err
		}
		w.mu.Unlock()
		w.record(l, auditlog.WorkerEnd, errs.CodeOf(err), map[string]string{"reason": errs.From(err).Detail})
		return err
	}
	return w.replace(l, true)
}

// crashed ends the document of a page that is gone. Until there is another,
// nothing may be called.
func (w *Window) crashed(l *link) error { return w.replace(l, false) }

func (w *Window) replace(l *link, committed bool) error {
	d, err := w.newDocument(l.host.PID, committed)
	if err != nil {
		return err
	}
	w.mu.Lock()
	old := w.doc
	w.doc = d
	w.mu.Unlock()
	if old != nil {
		w.over(old)
	}
	return nil
}

// confined reports what is wrong with the sandboxes of a window. Processes come
// and go while a page is loaded, so it looks again for a moment before it says
// so; nothing that the page says is read meanwhile.
func (w *Window) confined(l *link) error {
	err := w.m.cfg.Confined(l.host.PID)
	if err == nil {
		return nil
	}
	again := time.NewTicker(limits.WindowLook)
	defer again.Stop()
	late := time.NewTimer(limits.WindowConfined)
	defer late.Stop()
	for err != nil {
		select {
		case <-late.C:
			return err
		case <-l.host.Done:
			return err
		case <-again.C:
			err = w.m.cfg.Confined(l.host.PID)
		}
	}
	return nil
}

// over ends all that was a document's: calls, streams, tasks, and with the tasks
// its grants.
func (w *Window) over(d *document) {
	d.mu.Lock()
	d.ended = true
	streams := make([]*stream, 0, len(d.streams))
	for _, s := range d.streams {
		streams = append(streams, s)
	}
	d.picked = nil
	d.mu.Unlock()
	d.cancel(errs.New(errs.Cancelled, "window.document"))
	for _, s := range streams {
		s.stop()
	}
	w.m.mu.Lock()
	delete(w.m.documents, d.sess.Channel)
	w.m.mu.Unlock()
	w.m.cfg.Sessions.Close(d.sess)
	d.unwatch()
	w.m.cfg.Gone(d.sess)
}

// document is the window's present one.
func (w *Window) document() *document {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.doc
}

// take counts a call in; false when there are too many.
func (d *document) take(bytes int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended || d.calls >= limits.WindowCalls || d.bytes+bytes > limits.WindowCallBytes {
		return false
	}
	d.calls++
	d.bytes += bytes
	return true
}

func (d *document) release(bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls--
	d.bytes -= bytes
}
