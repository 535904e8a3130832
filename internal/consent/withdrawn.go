package consent

import (
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/limits"
)

// asker is what a question is known by over tasks and documents. One without
// kind and object stands for all questions of the app.
type asker struct {
	app    string
	kind   int32
	object capability.Object
	digest capability.Digest
}

func askerOf(q *Question, r Row) asker {
	return asker{q.App, int32(r.Kind), r.Scope.Object, r.Scope.Digest}
}

// taken is how often such a question was on the screen and taken off it by who
// had put it there, and when last.
type taken struct {
	times int
	last  time.Duration // boot clock
}

// pause is how long the next one waits after so many; of the app's questions
// together one is free, since a person may close one folder and open another.
func (a asker) pause(times int) time.Duration {
	if a == (asker{app: a.app}) {
		times--
	}
	switch {
	case times <= 0:
		return 0
	case times == 1:
		return limits.WithdrawnPause
	}
	return limits.WithdrawnPauseLong
}

// TakenBack notes that a question was taken off the screen by its requester. It
// returns the rows for which that has happened so often that it counts as a no:
// else prompts could come and go until a click falls on one.
func (d *Desk) TakenBack(q *Question) (noes []Row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock.Boot()
	if len(d.taken) >= limits.GrantsLive {
		clear(d.taken) // each has stood on the screen: it takes hours to come here
	}
	all := asker{app: q.App}
	if t := d.taken[all]; now-t.last > limits.WithdrawnForget {
		delete(d.taken, all)
	}
	d.taken[all] = taken{d.taken[all].times + 1, now}
	for _, r := range q.Rows {
		if !r.Asks() {
			continue
		}
		k := askerOf(q, r)
		t := taken{d.taken[k].times + 1, now}
		d.taken[k] = t
		if t.times >= limits.WithdrawnMost {
			noes = append(noes, r)
		}
	}
	return noes
}

// Pause is how long a question has to wait, because others like it were taken off
// the screen.
func (d *Desk) Pause(q *Question) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock.Boot()
	left := func(k asker) time.Duration {
		t, ok := d.taken[k]
		if !ok {
			return 0
		}
		return t.last + k.pause(t.times) - now
	}
	most := max(left(asker{app: q.App}), 0)
	for _, r := range q.Rows {
		if r.Asks() {
			most = max(most, left(askerOf(q, r)))
		}
	}
	return most
}

// Accepted forgets what was taken back of a row that a person said yes to.
func (d *Desk) Accepted(q *Question, r Row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.taken, askerOf(q, r))
}
