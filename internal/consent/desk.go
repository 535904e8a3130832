// Package consent holds the questions that wait for a person. A question is
// frozen when it is put: the objects are open, the words are typed fields, and
// the answer must name the hash of exactly this action. Nothing here draws or
// grants; package prompt draws, package grant mints.
package consent

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// Row is one line of a question.
type Row struct {
	capability.Asked
	// Folder is the opened object; the question owns it until it is taken. Nil for
	// a model and a graphics card.
	Folder *folder.Folder
	// Model is what is known of the model; nil for a folder and a card.
	Model *modelv1.Model
	// Accept makes a model usable that was accepted Again.
	Accept func() error
	// WithModels says that a folder is to be remembered, so with the models of the
	// same question.
	WithModels bool
	// Policy is set when the row was remembered before.
	Policy capability.ID
	// Again says that it has to be asked all the same: a model that is not in the
	// store yet, or was set aside.
	Again bool
}

// Asks reports whether the row needs a person. A question that has one such row
// shows the others too, so that they can be unticked.
func (r *Row) Asks() bool { return r.Policy == "" || r.Again }

// Close gives back what the row holds open.
func (r *Row) Close() {
	if r.Folder != nil {
		r.Folder.Close()
	}
}

// Question is what one prompt asks.
type Question struct {
	ID [16]byte
	// App and Surface are for the record.
	App     string
	Surface string
	Channel uint64
	Task    string
	Verb    string
	Rows    []Row
	Hash    [sha256.Size]byte
	// Ask is false when every row was remembered: no person is needed.
	Ask bool

	put time.Duration // boot clock
}

// action is the hash of what the question asks now.
func (q *Question) action() [sha256.Size]byte {
	asked := make([]capability.Asked, len(q.Rows))
	for i, r := range q.Rows {
		asked[i] = r.Asked
	}
	return capability.ActionHash(q.Task, q.Verb, asked)
}

// Unchanged reports whether the rows are those that the person was shown, byte by
// byte: it is asked again when they are about to become grants.
func (q *Question) Unchanged() bool { return q.action() == q.Hash }

// Close gives the folders back.
func (q *Question) Close() {
	for _, r := range q.Rows {
		r.Close()
	}
}

// Desk keeps the open questions of all channels.
type Desk struct {
	clock clock.Clock
	gone  func(*Question)

	mu     sync.Mutex
	open   map[[16]byte]*Question
	denied map[denial]bool
	taken  map[asker]taken
}

// denial is a question that a person said no to in a task.
type denial struct {
	channel uint64
	task    string
	object  capability.Object
	digest  capability.Digest
	kind    int32
}

// NewDesk returns an empty desk. gone is told of each question that nobody
// answered, because it took too long or its client went away; it is a denial, and
// goes on the record. It must not call the desk.
func NewDesk(c clock.Clock, gone func(*Question)) *Desk {
	return &Desk{clock: c, gone: gone, open: map[[16]byte]*Question{}, denied: map[denial]bool{}, taken: map[asker]taken{}}
}

// Put opens a question and takes over its folders, also when it fails:
// errs.PromptBusy when too many wait on the channel, errs.Denied when the
// person said no to the same in this task already.
func (d *Desk) Put(q *Question) error {
	const op = "consent.put"
	for _, r := range q.Rows {
		q.Ask = q.Ask || r.Asks()
	}
	q.Hash = q.action()
	_, _ = rand.Read(q.ID[:])
	q.put = d.clock.Boot()
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := 0
	for id, o := range d.open {
		if d.late(o) {
			d.lose(id, o)
		} else if o.Channel == q.Channel {
			waiting++
		}
	}
	if waiting >= limits.ProposalsWaiting {
		q.Close()
		return errs.New(errs.PromptBusy, op)
	}
	for _, r := range q.Rows {
		if d.denied[denialOf(q, r)] {
			q.Close()
			return errs.New(errs.Denied, op).With("you said no to this in the same task")
		}
	}
	d.open[q.ID] = q
	return nil
}

func denialOf(q *Question, r Row) denial {
	return denial{q.Channel, q.Task, r.Scope.Object, r.Scope.Digest, int32(r.Kind)}
}

// inert is how long the answer of a person does not count: whoever draws the
// question holds to it too, but is not believed.
func (q *Question) inert() time.Duration {
	if slices.ContainsFunc(q.Rows, func(r Row) bool { return capability.Grave(r.Kind) }) {
		return limits.PromptInertGrave
	}
	return limits.PromptInert
}

func (d *Desk) late(q *Question) bool { return d.clock.Boot()-q.put > limits.PromptTimeout }

// Take ends a question and hands it, with its folders, to the caller. It fails
// with errs.Denied when the question is not open on this channel, took too
// long, names another action, or was answered by a person while the answer
// was still inert; a question that fails is closed.
func (d *Desk) Take(channel uint64, id, hash []byte, by capability.Decision) (*Question, error) {
	const op = "consent.take"
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(id) != len(Question{}.ID) {
		return nil, errs.New(errs.Denied, op).With("no such question is open")
	}
	q := d.open[[16]byte(id)]
	if q == nil || q.Channel != channel {
		return nil, errs.New(errs.Denied, op).With("no such question is open")
	}
	delete(d.open, q.ID)
	refuse := func(why string) (*Question, error) {
		q.Close()
		return nil, errs.New(errs.Denied, op).With(why)
	}
	switch {
	case subtle.ConstantTimeCompare(q.Hash[:], hash) != 1:
		return refuse("the answer was to another question")
	case d.late(q):
		return refuse("nobody answered in time")
	case q.Ask && by != capability.ByCommandLine && d.clock.Boot()-q.put < q.inert():
		return refuse("the answer came before the question could be read")
	}
	return q, nil
}

// Withdraw takes back a question that was not answered, and reports whether it was
// still open; the caller puts it on the record then.
func (d *Desk) Withdraw(q *Question) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[q.ID] != q {
		return false
	}
	delete(d.open, q.ID)
	q.Close()
	return true
}

// Denied reports whether the task has been refused the row already.
func (d *Desk) Denied(q *Question, r Row) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.denied[denialOf(q, r)]
}

// lose ends a question that nobody answered.
func (d *Desk) lose(id [16]byte, q *Question) {
	q.Close()
	delete(d.open, id)
	d.gone(q)
}

// Deny notes that a person refused rows of a question, so that the task does
// not ask for them again.
func (d *Desk) Deny(q *Question, rows []Row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.denied) >= limits.GrantsLive {
		clear(d.denied) // only costs a second question
	}
	for _, r := range rows {
		d.denied[denialOf(q, r)] = true
	}
}

// Drop closes the questions of a channel that is gone and forgets its
// denials.
func (d *Desk) Drop(channel uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, q := range d.open {
		if q.Channel == channel {
			d.lose(id, q)
		}
	}
	for k := range d.denied {
		if k.channel == channel {
			delete(d.denied, k)
		}
	}
}
