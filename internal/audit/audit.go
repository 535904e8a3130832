// Package audit is the core's audit log: it appends what was asked, decided and
// done to a tamper-evident file in the format of package auditlog, and reads,
// verifies and exports it.
//
// [Log.Append] returns when the record is on disk under a signed checkpoint;
// many callers share one fsync. The core appends an intent before every mint,
// exec, upload and delete and does nothing when that fails. [Log.Note] buffers
// for some milliseconds, for the metadata of calls. Neither ever drops a record
// silently.
//
// A record's clear fields are tokens (ids, codes, numbers). Paths, hosts and
// arguments go into [Event.Detail], which is sealed with the app's own key, and
// [Event.Tagged], of which only a keyed hash is kept. Content, prompts and
// credentials go nowhere. [Log.Erase] destroys an app's key; every proof stays
// valid.
//
// After a failed write or fsync the file is used no more (a kernel
// forgets which pages it lost): the log refuses, the
// core denies everything, and the next [Open] moves the file aside and begins a
// new log whose record 0 is a history-break. A full disk is the exception: what
// was half written is cut off again and the log goes on when there is room.
//
// [Verify] and [Export] need no core and no lock, and work beside a running
// one. What a log on one machine cannot prove is in docs/audit.md.
//
// It refuses: a second writer (errs.CoreBusy), a log that does not match its
// checkpoints (errs.LogBroken; [SetAside] is the way on, by a person), records
// that are not in the format. [Log.Check] looks at the whole log beside its
// writer; after damage is found, nothing is taken any more.
//
// Callers: the core (Open and Log), the command line (Verify, Export,
// VerifyExport, SetAside). Workers link none of it.
package audit

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// Names below the home directory.
const (
	// DirName is the directory of the log.
	DirName = "audit"
	// KeysName is the directory of the keys.
	KeysName = "keys"
)

// Kind is what a record is about; the table is in package auditlog.
type Kind = auditlog.Kind

// Actor is who asked. The core fills it in; a worker's word is never taken.
type Actor struct{ App, Surface, Task, Verb string }

// Event is what a caller puts on the record. All strings but Detail's and
// Tagged are tokens (auditlog.ValidToken) or empty.
type Event struct {
	Kind  Kind
	Actor Actor
	// Method is the schema's method, "bailey.index.v1.IndexService/Ask".
	Method string
	// Decision is "allow" or "deny"; DecidedBy is who decided: "terminal",
	// "command-line", "remembered" or "policy".
	Decision, DecidedBy string
	// Grant is the grant's id.
	Grant string
	// Code is "ok" or an errs.Code.
	Code string
	// Correlation ties the records of one call across processes together.
	Correlation string

	RequestBytes, ResponseBytes uint64
	Messages, Milliseconds      uint64

	// Detail is sealed with the app's key: "path", "host", "argv", "digest"
	// (of content). At most limits.AuditDetail bytes as JSON. Never content,
	// prompts or credentials.
	Detail map[string]string
	// Tagged is one value (the path) of which a keyed hash stands in the clear,
	// so that records about the same object can be told without opening them.
	Tagged string
}

// Config is what a log needs.
type Config struct {
	// Home is the state directory; log and keys are made below it. The caller
	// keeps it and closes it after the log.
	Home  *safefile.Dir
	Clock clock.Clock
	Log   *slog.Logger
	// Release is written with core-start; a token.
	Release string
	// Anchor takes checkpoints to a place that this account cannot edit; nil is
	// the system journal.
	Anchor Anchor
	// After is the timer of the heartbeat; nil is time.After. For tests.
	After func(time.Duration) <-chan time.Time
}

// Anchor keeps {size, root} where the user's account cannot edit it.
type Anchor interface {
	// Put is called at start, with each heartbeat and at the end. An error says
	// that this checkpoint is not anchored.
	Put(origin string, size uint64, root string) error
}

// Status is what doctor shows of a log.
type Status struct {
	Origin string
	Size   uint64
	Root   string
	// Checked tells that all records that stood in the log when it was opened
	// have been found whole since.
	Checked bool
	// Broken is why the log takes no more records: errs.LogBroken or
	// errs.LogUnwritable; nil while it does.
	Broken error
	// Anchored tells whether the last anchor was taken.
	Anchored bool
	// Keyring tells whether a keyring guards the keys; KeyDetail says what does.
	Keyring   bool
	KeyDetail string
}

// Append writes ev and returns its number when it is durable: written, covered
// by a signed checkpoint and fsynced. Errors: errs.NoSpace (the log goes on
// when there is room), errs.LogUnwritable (it does not), errs.LogBroken (it was
// found damaged since it was opened), errs.Malformed (a
// field is not a token), errs.TooLarge (the detail), errs.Cancelled or
// errs.Deadline when ctx ends first; the record may then stand in the log all
// the same.
func (l *Log) Append(ctx context.Context, ev Event) (uint64, error) {
	rest, err := l.prepare(ev)
	if err != nil {
		return 0, err
	}
	e := &entry{rest: rest, done: make(chan result, 1)}
	if err := l.push(ctx, e); err != nil {
		return 0, err
	}
	select {
	case r := <-e.done:
		return r.seq, r.err
	case <-ctx.Done():
		return 0, ctxErr("audit.append", ctx.Err())
	}
}

// Note writes ev with the next batch, at most limits.AuditNoteLinger later. It
// blocks while limits.AuditQueue records wait. An error means that the record
// was not taken. A record that was taken is written, or Close says that it was
// not.
func (l *Log) Note(ev Event) error {
	rest, err := l.prepare(ev)
	if err != nil {
		return err
	}
	return l.push(context.Background(), &entry{rest: rest})
}

func ctxErr(op string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errs.Wrap(errs.Deadline, op, err)
	}
	return errs.Wrap(errs.Cancelled, op, err)
}

// prepare encodes an event as a record that lacks only its number. It runs in
// the caller's goroutine: what can be done there does not hold up the writer.
func (l *Log) prepare(ev Event) ([]byte, error) {
	r := auditlog.Record{
		Time: l.clock.Wall(), Kind: ev.Kind,
		App: ev.Actor.App, Surface: ev.Actor.Surface, Task: ev.Actor.Task, Verb: ev.Actor.Verb,
		Method: ev.Method, Decision: ev.Decision, By: ev.DecidedBy, Grant: ev.Grant, Code: ev.Code,
		RequestBytes: ev.RequestBytes, ResponseBytes: ev.ResponseBytes,
		Messages: ev.Messages, Milliseconds: ev.Milliseconds, Corr: ev.Correlation,
	}
	if err := l.seal(&r, ev); err != nil {
		return nil, err
	}
	// 512 bytes hold a usual record; more is only slower.
	rest, err := r.AppendRest(make([]byte, 0, 512+len(r.Sealed)))
	if err != nil {
		return nil, errs.Wrap(errs.Malformed, "audit.prepare", err)
	}
	return rest, nil
}
