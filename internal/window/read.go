package window

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/passfd"
)

// read takes frames from a host. One goroutine at a time reads. Where a call
// comes, it makes the call by itself, so that the call waits for no other
// goroutine to wake: the reading is handed to a new one, at once where the
// method was slow the last time, else when this one is.
func (w *Window) read(l *link) {
	for {
		f, err := next(l.in)
		if err != nil {
			l.end <- err
			return
		}
		if f.kind != kindCall {
			if err := w.take(l, f); err != nil {
				l.end <- err
				return
			}
			continue
		}
		c := w.begin(l, f)
		switch {
		case c == nil:
		case c.quick():
			c.run()
		default:
			if !w.make(l, c) {
				return
			}
		}
	}
}

// make makes a call, and reports whether this goroutine is still the one that
// reads.
func (w *Window) make(l *link, c *call) bool {
	began := time.Now()
	loan := l.lend(c.in.Method)
	if loan == 0 {
		l.all.Go(func() { w.read(l) })
	}
	c.run()
	return l.takeBack(c.in.Method, loan, time.Since(began))
}

// take does what a frame says that is no call. An error ends the host.
func (w *Window) take(l *link, f frame) error {
	switch f.kind {
	case kindReady:
		w.mu.Lock()
		defer w.mu.Unlock()
		select {
		case <-w.shown:
		default:
			close(w.shown)
		}
	case kindRequest:
		return w.request(l, f.id, string(f.payload))
	case kindRefused:
		if !w.refused(f.payload) {
			return errFrame("a refusal of no kind")
		}
	case kindCancelled:
		if d := w.document(); d != nil {
			d.unwanted(f.id)
		}
	case kindDocument:
		return w.commit(l)
	case kindCrashed:
		word := string(f.payload)
		if word != "crashed" && word != "memory" && word != "terminated" {
			return errFrame("a crash of no kind")
		}
		if !w.mayCrash() {
			return errFrame("crashes without end")
		}
		w.record(l, auditlog.WorkerCrash, errs.WorkerCrashed, map[string]string{"process": "web", "reason": word})
		// What the page held is over now, not when it is loaded again.
		return w.crashed(l)
	case kindClosed:
		w.Close(ByPerson)
	case kindDropped:
		w.dropped(string(f.payload))
	case kindBlank:
		w.record(l, auditlog.WorkerEnd, errs.WindowUnavailable, map[string]string{"reason": "blank"})
		l.blank = true
		return errBlank
	}
	return nil
}

// errBlank ends a host that has shown nothing.
var errBlank = errs.New(errs.WindowUnavailable, "window.blank")

// streamPath begins the address of a stream; what follows is its id in hex.
const streamPath = "/.stream/"

// The status codes of responses.
const (
	statusOK       = 200
	statusNotFound = 404
)

// streamType is the media type of a stream's body.
const streamType = "application/octet-stream"

// request answers a GET: a file of the app, by its exact name, or the body of a
// stream. It changes nothing but that a stream is taken.
func (w *Window) request(l *link, id uint64, path string) error {
	if hexID, ok := strings.CutPrefix(path, streamPath); ok {
		if d := w.document(); d != nil {
			body, inUse := d.fetch(hexID, id)
			if body != nil {
				defer body.Close()
				return w.respond(l, id, statusOK, streamType, body)
			}
			if inUse {
				return errFrame("a request of an id that is in use")
			}
		}
		return w.respond(l, id, statusNotFound, "text/plain; charset=utf-8", nil)
	}
	file, ok := w.bundle.Find(path)
	if !ok {
		return w.respond(l, id, statusNotFound, "text/plain; charset=utf-8", nil)
	}
	// A new one for each answer: what a host does to its descriptor is then the
	// next one's no more.
	body, err := passfd.Sealed(file.Name, file.Body)
	if err != nil {
		return err
	}
	defer body.Close()
	return w.respond(l, id, statusOK, file.Type, body)
}

func (w *Window) respond(l *link, id uint64, status uint16, mediaType string, body *os.File) error {
	head := binary.LittleEndian.AppendUint16(nil, status)
	for _, h := range apps.Headers(mediaType) {
		head = append(append(head, h...), '\n')
	}
	return l.out.send(kindResponse, id, body, head)
}

// parseStreamID reads an id as a page writes it: lower-case hex and nothing else.
func parseStreamID(s string) (id streamID, ok bool) {
	if len(s) != hex.EncodedLen(len(id)) || strings.Trim(s, "0123456789abcdef") != "" {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil
}
