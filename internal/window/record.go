package window

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
)

// folded records refusals, equal ones together: a page that tries a thing a
// million times makes a handful of records, and none goes without one.
type folded struct {
	record Recorder
	wall   func() time.Time

	mu   sync.Mutex
	rows map[string]*fold
}

// fold is one refusal and how often it was seen since it was last recorded.
type fold struct {
	event audit.Event
	more  uint64
	since time.Time
}

// add records ev at once if it is the first of its key, else with its number
// later. Keys are this package's own and the schema's, so there are few.
func (f *folded) add(key string, ev audit.Event) {
	now := f.wall()
	f.mu.Lock()
	if f.rows == nil {
		f.rows = map[string]*fold{}
	}
	r := f.rows[key]
	if r != nil {
		r.more++
		if passed := now.Sub(r.since); passed >= 0 && passed < limits.WindowFold {
			f.mu.Unlock()
			return
		}
		ev.Messages = r.more
	}
	f.rows[key] = &fold{event: ev, since: now}
	f.mu.Unlock()
	// The log's own failure shows at the next act.
	_ = f.record.Note(ev)
}

// flush records what has been seen since.
func (f *folded) flush() {
	f.mu.Lock()
	rows := f.rows
	f.rows = nil
	f.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		if r := rows[key]; r.more > 0 {
			r.event.Messages = r.more
			_ = f.record.Note(r.event)
		}
	}
}

// deny is the record of something that a page may not do.
func (w *Window) deny(method string, code errs.Code, reason, detail string) audit.Event {
	d := map[string]string{"reason": reason}
	if detail != "" {
		d["detail"] = detail
	}
	return audit.Event{Kind: auditlog.Deny, Actor: w.actor(), Method: method, Decision: "deny", DecidedBy: "policy", Code: string(code), Detail: d}
}

// refusals are the words by which a host says what it did not let through.
func refusals() []string {
	return []string{"secret", "type", "size", "flood", "navigation", "popup", "permission", "download", "method", "frame", "contextmenu", "devtools"}
}

// refused records what a host did not let through; false if it is no word of
// the wire.
func (w *Window) refused(payload []byte) bool {
	word, detail := string(payload), ""
	for i, c := range payload {
		if c == 0 {
			word, detail = string(payload[:i]), visible.Text(string(payload[i+1:]))
			break
		}
	}
	if !slices.Contains(refusals(), word) {
		return false
	}
	w.denials.add("host "+word, w.deny("", errs.Denied, word, detail))
	return true
}
