// Package session knows who is connected to the core and which tasks they
// have open. A task is one thing that the user asked for; it ends when its
// client says so, when it is stopped, or when the connection goes. What hangs
// on a task registers with [Task.OnEnd].
//
// Authority comes from the connection, never from a message: handlers find
// their session in the context that the core gave the connection.
package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Outcome is how a task ended.
type Outcome string

// The outcomes.
const (
	OK        Outcome = "ok"
	Failed    Outcome = "failed"
	Cancelled Outcome = "cancelled"
)

// Registry holds all sessions and tasks of a core.
type Registry struct {
	clock clock.Clock
	next  atomic.Uint64

	mu       sync.Mutex
	sessions map[uint64]*Session
	tasks    map[string]*Task
}

// NewRegistry returns an empty registry.
func NewRegistry(c clock.Clock) *Registry {
	return &Registry{clock: c, sessions: map[uint64]*Session{}, tasks: map[string]*Task{}}
}

// Session is one connection.
type Session struct {
	// Channel is unique for the life of the core.
	Channel uint64
	// App and Surface are what the core says of the client, for the log.
	App, Surface string
	PID          int

	greeted atomic.Bool
	reading atomic.Int32
}

// Greet notes that the client said who it is; it reports whether that was the
// first time.
func (s *Session) Greet() bool { return !s.greeted.Swap(true) }

// Greeted reports whether it did.
func (s *Session) Greeted() bool { return s.greeted.Load() }

// Reading notes that the session reads the log until done is called: what is read
// stays in memory for as long as its client takes. errs.CoreBusy beyond
// limits.LogReads.
func (s *Session) Reading() (done func(), err error) {
	done = func() { s.reading.Add(-1) }
	if s.reading.Add(1) > limits.LogReads {
		done()
		return nil, errs.New(errs.CoreBusy, "session.reading").With("it reads the log as often as it may at the same time")
	}
	return done, nil
}

// Task is one open task.
type Task struct {
	ID      string
	Verb    string
	Started time.Time
	Session *Session

	done chan struct{}

	mu    sync.Mutex
	ended bool
	hooks []func(Outcome)
}

// Done is closed when the task ends, before its hooks have run.
func (t *Task) Done() <-chan struct{} { return t.done }

// Open adds a session; errs.CoreBusy when there are too many, of all or of this
// process. The last few are for processes that have none.
func (r *Registry) Open(app, surface string, pid int) (*Session, error) {
	s := &Session{Channel: r.next.Add(1), App: app, Surface: surface, PID: pid}
	r.mu.Lock()
	defer r.mu.Unlock()
	of := 0
	for _, o := range r.sessions {
		if o.PID == pid {
			of++
		}
	}
	most := limits.Clients
	if of > 0 {
		most -= limits.ClientsReserved
	}
	if of >= limits.ClientsPerProcess || len(r.sessions) >= most {
		return nil, errs.New(errs.CoreBusy, "session.open")
	}
	r.sessions[s.Channel] = s
	return s, nil
}

// Close drops the session and ends its tasks as cancelled. It is dropped first, so
// that none is begun while they are wound up.
func (r *Registry) Close(s *Session) {
	r.mu.Lock()
	delete(r.sessions, s.Channel)
	r.mu.Unlock()
	for _, t := range r.find(func(t *Task) bool { return t.Session == s }) {
		r.end(t, Cancelled)
	}
}

// Idle reports whether no session and no task is left.
func (r *Registry) Idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sessions) == 0 && len(r.tasks) == 0
}

// Begin opens a task; errs.CoreBusy when the session has too many.
func (r *Registry) Begin(s *Session, verb string) (*Task, error) {
	t := &Task{ID: newID(), Verb: verb, Started: r.clock.Wall(), Session: s, done: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[s.Channel] != s {
		return nil, errs.New(errs.Cancelled, "session.begin")
	}
	n := 0
	for _, o := range r.tasks {
		if o.Session == s {
			n++
		}
	}
	if n >= limits.TasksPerClient {
		return nil, errs.New(errs.CoreBusy, "session.begin")
	}
	r.tasks[t.ID] = t
	return t, nil
}

// Own opens a task that is the core's own, for an app: work that goes on when no
// client waits for it. It has a session that no connection stands behind, with a
// channel of its own for the grants it is given. It ends by [Registry.Finish] or
// [Registry.Stop], and until then the registry is not idle.
func (r *Registry) Own(app, surface, verb string) *Task {
	t := &Task{ID: newID(), Verb: verb, Started: r.clock.Wall(), Session: &Session{Channel: r.next.Add(1), App: app, Surface: surface}, done: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks[t.ID] = t
	return t
}

// Finish ends a task of the core's own. One that has ended stays as it is.
func (r *Registry) Finish(t *Task, o Outcome) { r.end(t, o) }

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Task returns an open task of a session; errs.NotFound for any other.
func (r *Registry) Task(s *Session, id string) (*Task, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tasks[id]
	if t == nil || t.Session != s {
		return nil, errs.New(errs.NotFound, "session.task").With("the task is not open")
	}
	return t, nil
}

// End ends a task of a session.
func (r *Registry) End(s *Session, id string, o Outcome) error {
	t, err := r.Task(s, id)
	if err != nil {
		return err
	}
	r.end(t, o)
	return nil
}

// Stop ends the task of an id, whosever it is, or all when id is empty, and
// returns how many.
func (r *Registry) Stop(id string) int {
	ts := r.find(func(t *Task) bool { return id == "" || t.ID == id })
	for _, t := range ts {
		r.end(t, Cancelled)
	}
	return len(ts)
}

// List returns the open tasks, oldest first.
func (r *Registry) List() []*Task {
	ts := r.find(func(*Task) bool { return true })
	sort.Slice(ts, func(i, j int) bool { return ts[i].Started.Before(ts[j].Started) })
	return ts
}

func (r *Registry) find(match func(*Task) bool) []*Task {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*Task
	for _, t := range r.tasks {
		if match(t) {
			out = append(out, t)
		}
	}
	return out
}

// end runs the hooks, last registered first, before the task is gone from the
// registry: a core is not idle while a task is being wound up.
func (r *Registry) end(t *Task, o Outcome) {
	t.mu.Lock()
	hooks := t.hooks
	was := t.ended
	t.ended, t.hooks = true, nil
	t.mu.Unlock()
	if was {
		return
	}
	close(t.done)
	for i := len(hooks) - 1; i >= 0; i-- {
		hooks[i](o)
	}
	r.mu.Lock()
	delete(r.tasks, t.ID)
	r.mu.Unlock()
}

// OnEnd has f called when the task ends; it reports false, without calling f,
// when it has ended already.
func (t *Task) OnEnd(f func(Outcome)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.hooks = append(t.hooks, f)
	return true
}

// Ended reports whether the task has ended: the hooks have run or are running.
// What was begun for a task that has ended has to be taken back by who began it.
func (t *Task) Ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}

type ctxKey struct{}

// With returns a context that carries s.
func With(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, ctxKey{}, s)
}

// From returns the session of a handler's context.
func From(ctx context.Context) *Session {
	s, ok := ctx.Value(ctxKey{}).(*Session)
	if !ok {
		panic("BUG: a handler without a session")
	}
	return s
}
