package grant

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
)

// passes has the service's clock go with the bubble's.
func (d *desk) passes(t *testing.T) {
	tick := time.NewTicker(100 * time.Millisecond)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				d.clock.on(100 * time.Millisecond)
			case <-stop:
				return
			}
		}
	}()
}

// flicker asks for a folder and takes the question away again when it has stood
// for a moment, with a new task and a new document each time.
func (d *desk) flicker(ctx context.Context, want *grantv1.Want) {
	p := d.page("studio")
	task := p.task()
	d.person.say = func(ctx context.Context, _ prompt.Question, _ [sha256.Size]byte) (consent.Said, error) {
		<-time.After(1800 * time.Millisecond)
		_ = d.s.Sessions.End(p.sess, task, session.OK)
		<-ctx.Done()
		return consent.Said{}, ctx.Err()
	}
	_ = p.call(ctx, &events{}, task, want)
	d.s.Sessions.Close(p.sess)
	d.s.Desk.Drop(p.sess.Channel)
}

// A page that has prompts come and go waits ever longer, and is blocked like one
// that was told no.
func TestFlickeringIsBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := setup(t)
		d.passes(t)
		began := time.Now()
		var at []time.Duration
		for range 20 {
			before := d.person.count()
			d.flicker(t.Context(), picked("a"))
			if d.person.count() > before {
				at = append(at, time.Since(began).Round(time.Second))
			}
		}
		if len(at) != 4 || at[1]-at[0] < limits.WithdrawnPause || at[2]-at[1] < limits.WithdrawnPauseLong || at[3]-at[2] < limits.WithdrawnPauseLong {
			t.Fatalf("it was on the screen at %v", at)
		}
		p := d.page("studio")
		d.want(states(p.request(p.task(), picked("a"))), "denied:blocked")
		n := d.records(func(r audit.Record) bool {
			return r.Kind == auditlog.Refuse && r.By == string(capability.ByPolicy) && r.Detail["reason"] != ""
		})
		if n != 2 {
			t.Errorf("%d refusals on the record", n)
		}
		rows := d.s.Policies.Refusals()
		ex, err := d.s.Explain(session.With(t.Context(), p.sess), &grantv1.ExplainRequest{Id: string(rows[0].ID)})
		if err != nil || !strings.Contains(ex.Lines[0], "off the screen") {
			t.Errorf("%v %v", ex, err)
		}
		// Another app has done nothing.
		d.person.say = d.yes
		notes := d.page("notes")
		began = time.Now()
		d.want(states(notes.request(notes.task(), picked("a"))), "live")
		if time.Since(began) != 0 {
			t.Error("another app waits")
		}
	})
}

// A page that has several folders gains little by asking for one after the other.
func TestFlickeringOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := setup(t)
		d.passes(t)
		began := time.Now()
		for _, name := range []string{"a", "b", "c", "d"} {
			d.flicker(t.Context(), picked(name))
		}
		if least := limits.WithdrawnPause + limits.WithdrawnPauseLong; time.Since(began) < least || d.person.count() != 4 {
			t.Errorf("%d prompts in %v", d.person.count(), time.Since(began))
		}
	})
}

// A person who closes a folder while it is asked for notices nothing, at most that
// the next prompt comes a little later.
func TestOneWithdrawalIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := setup(t)
		d.passes(t)
		for _, again := range []struct {
			taken, name string
			wait        time.Duration
		}{{"a", "b", 0}, {"d", "d", limits.WithdrawnPause}} {
			d.flicker(t.Context(), picked(again.taken))
			d.person.say = d.yes
			p := d.page("studio")
			began := time.Now()
			d.want(states(p.request(p.task(), picked(again.name))), "live")
			if took := time.Since(began); took > again.wait+time.Second {
				t.Errorf("%s waited %v", again.name, took)
			}
			d.clock.on(limits.WithdrawnForget + time.Second)
		}
		if !d.s.Policies.Empty() || len(d.s.Policies.Refusals()) != 0 {
			t.Error("it counts as a no")
		}
		// It gives up while it waits: that was not on the screen, and does not count.
		d.flicker(t.Context(), picked("c"))
		shown := d.person.count()
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			d.flicker(ctx, picked("c"))
			cancel()
		}
		d.clock.on(limits.WithdrawnForget)
		d.person.say = d.yes
		p := d.page("studio")
		d.want(states(p.request(p.task(), picked("c"))), "live")
		if d.person.count() != shown+1 {
			t.Errorf("%d prompts", d.person.count()-shown)
		}
	})
}
