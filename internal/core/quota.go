package core

import (
	"context"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// take says on which way the grant is used. The engine counts a quota in the
// row of one channel, so a grant that has one is used on one way and, through
// an index worker, once; else it would be given twice.
func (l *lease) take(way string, again bool) (capability.Quota, error) {
	const op = "core.quota"
	q := l.grant.Row.Quota
	if q == (capability.Quota{}) {
		return q, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.way != "" && (l.way != way || !again) {
		return q, errs.New(errs.QuotaUsedUp, op).With("a grant with a quota serves one command once")
	}
	l.way = way
	return l.left()
}

// left is what remains of the quota; errs.QuotaUsedUp when nothing does. The
// mutex is held.
func (l *lease) left() (capability.Quota, error) {
	const op = "core.quota"
	q := l.grant.Row.Quota
	left := func(most, used uint64) (uint64, bool) {
		if most == 0 {
			return 0, true
		}
		return most - min(most, used), used < most
	}
	var some, more bool
	if q.Tokens, some = left(q.Tokens, l.used.Tokens); !some {
		return q, errs.New(errs.QuotaUsedUp, op).With("all tokens of the grant were written")
	}
	if q.Milliseconds, more = left(q.Milliseconds, l.used.Milliseconds+uint64(l.stretch().Milliseconds())); !more {
		return q, errs.New(errs.QuotaUsedUp, op).With("all the time of the grant was used")
	}
	return q, nil
}

// stretch is how long calls are at work since none was. The mutex is held.
func (l *lease) stretch() time.Duration {
	if l.running == 0 {
		return 0
	}
	return l.core.cfg.Clock.Boot() - l.since
}

// spent notes what was used.
func (l *lease) spent(tokens uint64, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used.Tokens += tokens
	l.used.Milliseconds += uint64(d.Milliseconds())
}

// meter counts what one call takes of its grant's quota. The engine counts for
// itself, and more exactly, since it knows when a call waits for another; but an
// engine that was taken over counts nothing, so the core does too.
type meter struct {
	lease *lease
	// untold is set by text that is said to have taken no token.
	untold bool
}

// begin fails where nothing is left, and has the call cancelled when the time is
// used up. Time counts while any call with the grant is at work.
func (m *meter) begin(cancel context.CancelCauseFunc) (end func(), err error) {
	l := m.lease
	boot := l.core.cfg.Clock.Boot
	l.mu.Lock()
	defer l.mu.Unlock()
	q, err := l.left()
	if err != nil {
		return nil, err
	}
	if l.running++; l.running == 1 {
		l.since = boot()
	}
	var timer *time.Timer
	if q.Milliseconds > 0 {
		timer = time.AfterFunc(time.Duration(q.Milliseconds)*time.Millisecond, func() {
			cancel(errs.New(errs.QuotaUsedUp, "core.quota").With("all the time of the grant was used"))
		})
	}
	return func() {
		if timer != nil {
			timer.Stop()
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if d := l.stretch(); l.running == 1 {
			l.used.Milliseconds += uint64(d.Milliseconds())
		}
		l.running--
	}, nil
}

// heard counts one message. It fails for one that brings more when all tokens
// are used; the message that used them up, and the call's end, pass.
func (m *meter) heard(msg rpc.Message) error {
	n := m.tokens(msg)
	if n == 0 {
		return nil
	}
	l := m.lease
	l.mu.Lock()
	defer l.mu.Unlock()
	if most := l.grant.Row.Quota.Tokens; most > 0 && l.used.Tokens >= most {
		return errs.New(errs.QuotaUsedUp, "core.quota").With("all tokens of the grant were written")
	}
	l.used.Tokens += n
	return nil
}

// tokens is how many a message brings. Text that is said to have taken none is
// what was held back at the end of an answer: there is one of that.
func (m *meter) tokens(msg rpc.Message) uint64 {
	switch r := msg.(type) {
	case *enginev1.EmbedResponse:
		return max(1, uint64(r.Tokens))
	case *enginev1.GenerateResponse:
		p := r.GetPiece()
		if p.GetTokens() > 0 || p.GetText() == "" {
			return uint64(p.GetTokens())
		}
		if m.untold {
			return 1
		}
		m.untold = true
	}
	return 0
}
