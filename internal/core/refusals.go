package core

import (
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
)

// refusals counts calls without a grant, and connections that broke the form. Each is on the record, until they come so
// fast that whoever makes them only fills the log: then one stands for many. The
// zero value is ready.
type refusals struct {
	mu   sync.Mutex
	rows map[string]*refused
}

type refused struct {
	since time.Duration // boot clock; of the time that is counted
	seen  int
	more  uint64 // not on the record yet
}

// add counts one of a kind, and reports whether it is recorded, and for how many
// it stands. Keys are of apps and methods, so there are few.
func (r *refusals) add(key string, now time.Duration) (record bool, messages uint64) {
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
		return false, 0
	}
	if o.more > 0 {
		messages, o.more = o.more+1, 0
	}
	return true, messages
}
