package index

import (
	"io"
	"runtime/debug"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/text"
	"github.com/bailey-run/bailey/internal/worker/index/walk"
)

// guarded runs f, which parses the bytes of a file, and reports whether it came to
// its end. A panic is a fault of ours that one file has met: it costs that file,
// since all the others are as good as before.
func (x *Index) guarded(path string, f func()) (ok bool) {
	defer func() {
		if recover() != nil {
			// The panic's own words may be the file's.
			x.cfg.Log.Error("index: a file's reader panicked", "stack", string(debug.Stack()))
		}
	}()
	if x.parses != nil {
		x.parses(path)
	}
	f()
	return true
}

// load reads a file's text with l.
func (x *Index) load(l *text.Loader, r io.Reader, e *walk.Entry) (t doc.Text, reason doc.Reason) {
	if !x.guarded(e.Path, func() { t, reason = l.Load(r, e.Name, e.Size) }) {
		*l = text.Loader{Beat: l.Beat} // its buffers are in whatever state
		return doc.Text{}, doc.Faulty
	}
	return t, reason
}
