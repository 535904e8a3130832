package core

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/limits"
)

// refusals counts calls without a grant, and connections that broke the form. Each
// is on the record, until they come so fast that whoever makes them only fills the
// log: then one stands for many. The zero value is ready.
type refusals struct {
	mu   sync.Mutex
	rows map[string]*refused
}

type refused struct {
	since time.Duration // boot clock; of the time that is counted
	seen  int
	// more are not on the record yet, and last is the last of them.
	more uint64
	last audit.Event
}

// add counts one of a kind, and reports whether it is recorded now. Keys are of
// apps and methods, so there are few.
func (r *refusals) add(key string, now time.Duration, ev *audit.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rows == nil {
		r.rows = map[string]*refused{}
	}
	o := r.rows[key]
	if o == nil {
		o = &refused{since: now}
		r.rows[key] = o
	}
	if now-o.since >= limits.RefusalsTime {
		o.since, o.seen = now, 0
	}
	o.seen++
	if o.seen > limits.RefusalsMost {
		o.more++
		o.last = *ev
		return false
	}
	if o.more > 0 {
		ev.Messages, o.more = o.more+1, 0
	}
	return true
}

// over returns the records of those that are not on it yet and whose time is over,
// or of all.
func (r *refusals) over(now time.Duration, all bool) []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var evs []audit.Event
	for _, key := range slices.Sorted(maps.Keys(r.rows)) {
		o := r.rows[key]
		if !all && now-o.since < limits.RefusalsTime {
			continue
		}
		delete(r.rows, key)
		if o.more > 0 {
			o.last.Messages = o.more
			evs = append(evs, o.last)
		}
	}
	return evs
}
