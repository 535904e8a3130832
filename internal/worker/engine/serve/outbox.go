package serve

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// pace is when the library last did something for anybody.
type pace struct{ at atomic.Int64 }

func (p *pace) step()           { p.at.Store(time.Now().UnixNano()) }
func (p *pace) last() time.Time { return time.Unix(0, p.at.Load()) }

// outbox stands between a library, which never waits for a client since other
// calls are in the same batch, and a client that may be slow. What waits is
// sent as soon as it can be, and until then grows together.
type outbox struct {
	// next takes what is to be sent now, or nil. It is called with mu held;
	// beat says that nothing was sent for a while.
	next func(o *outbox, beat bool) func() error

	mu     sync.Mutex
	unread int // bytes that wait, as the owner counts them
	err    error
	closed bool
	// resting says that what waits is not sent before alarm: it grows together, and
	// nobody need be woken for it.
	resting bool
	alarm   *time.Timer

	wake chan struct{}
	done chan struct{}
}

// newOutbox starts sending. finish has to be called.
func newOutbox(next func(o *outbox, beat bool) func() error) *outbox {
	o := &outbox{next: next, alarm: time.NewTimer(limits.EngineGap), wake: make(chan struct{}, 1), done: make(chan struct{})}
	o.alarm.Stop()
	go o.run()
	return o
}

// put adds n bytes by calling add, under the lock. It fails when the client is
// gone or does not read.
func (o *outbox) put(n int, add func()) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if o.unread+n > limits.EngineUnread {
		o.err = errs.New(errs.Cancelled, "engine").With("the answer was not read")
		return o.err
	}
	o.unread += n
	add()
	if !o.resting {
		o.signal()
	}
	return nil
}

// rest has next called again after d, and not for what is put meanwhile, unless
// all has been put. It is for next, which holds mu.
func (o *outbox) rest(d time.Duration) {
	o.resting = true
	o.alarm.Reset(d)
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) run() {
	defer close(o.done)
	beat := time.NewTicker(limits.EngineHeartbeat)
	defer beat.Stop()
	defer o.alarm.Stop()
	for {
		beaten := false
		select {
		case <-o.wake:
		case <-o.alarm.C:
			o.mu.Lock()
			o.resting = false
			o.mu.Unlock()
		case <-beat.C:
			beaten = true
		}
		for {
			o.mu.Lock()
			send := o.next(o, beaten)
			closed, err := o.closed, o.err
			o.mu.Unlock()
			if err != nil || send == nil {
				if closed || err != nil {
					return
				}
				break
			}
			beaten = false
			if err := send(); err != nil {
				o.mu.Lock()
				if o.err == nil {
					o.err = err
				}
				o.mu.Unlock()
				return
			}
		}
	}
}

// finish waits until all was sent, and returns why not. When ctx ends it waits
// no longer: a send that is under way ends with the call.
func (o *outbox) finish(ctx context.Context) error {
	o.mu.Lock()
	o.closed = true
	o.signal()
	o.mu.Unlock()
	select {
	case <-o.done:
	case <-ctx.Done():
		return ended(ctx, ctx.Err())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
