package grant

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// Each row has its own answer, its own time and its own handle; the record says
// that it was a prompt.
func TestRequest(t *testing.T) {
	d := setup(t)
	p := d.page("studio")
	a := picked("a")
	a.TtlSeconds = 60
	task := p.task()
	e := &events{}
	if err := p.call(t.Context(), e, task, a, picked("b"), writer()); err != nil {
		t.Fatal(err)
	}
	d.want(states(e.rows), "live live live")
	if !slices.Equal(e.waited, []uint32{0}) {
		t.Errorf("heard %v", e.waited)
	}
	if e.rows[0].ExpiresMs != d.clock.Wall().Add(time.Minute).UnixMilli() || e.rows[1].ExpiresMs != 0 {
		t.Errorf("expiries %d %d", e.rows[0].ExpiresMs, e.rows[1].ExpiresMs)
	}
	if e.rows[0].Object != d.base+"/a" || e.rows[2].Object != "writer" || e.rows[2].Granted.Remembered == "" || e.rows[0].Granted.Remembered != "" {
		t.Errorf("%v", e.rows)
	}
	q := d.person.seen[0]
	if q.Actor != "Studio" || len(q.Rows) != 3 || string(q.Rows[0].Path) != d.base+"/a" || q.Rows[0].TTL != time.Minute || !q.Rows[2].Remember || !q.Rows[1].Ticked {
		t.Errorf("asked %+v", q)
	}
	for _, r := range d.s.Table.List() {
		if r.Row.By != capability.ByPrompt || r.Row.Holder.App != "studio" || r.Row.Holder.Task != task || r.Row.Holder.Channel != p.sess.Channel {
			t.Errorf("%+v", r.Row)
		}
	}
	n := d.records(func(r audit.Record) bool {
		return r.Kind == auditlog.Grant && r.By == "prompt" && r.App == "studio" && r.Surface == "window" && r.Detail["action"] != ""
	})
	if n != 3 {
		t.Errorf("%d grants on the record", n)
	}
	ex, err := d.s.Explain(session.With(t.Context(), p.sess), &grantv1.ExplainRequest{Id: e.rows[0].Granted.Id})
	if err != nil || ex.Lines[0] != "You said yes, in a prompt." || ex.Grant.Holder != "studio" || ex.Grant.DecidedBy != grantv1.DecidedBy_DECIDED_BY_PROMPT {
		t.Errorf("%v %v", ex, err)
	}
	// The model was pinned by it, and is not asked about again; for this app.
	rows := p.request(p.task(), writer())
	d.want(states(rows), "live")
	if d.person.count() != 1 {
		t.Error("asked for what is remembered")
	}
	notes := d.page("notes")
	d.want(states(notes.request(notes.task(), writer())), "live")
	if d.person.count() != 2 {
		t.Error("one app has another's permission")
	}
}

// What cannot be asked about is answered without a person, row by row.
func TestRequestRefusals(t *testing.T) {
	d := setup(t)
	d.s.Allows = func(app string, k policyv1.Kind) bool { return app == "studio" && k != policyv1.Kind_KIND_MODEL_RUN }
	p := d.page("studio")
	own := picked("h") // is Bailey's home below
	d.s.Picked = func(_ *session.Session, token []byte) (*folder.Folder, error) {
		if token[1] == 'h' {
			return folder.Open(d.base + "/home")
		}
		if token[1] != 'a' {
			return nil, errs.New(errs.NotFound, "test")
		}
		return folder.Open(d.base + "/a")
	}
	exec := &grantv1.Want{Kind: policyv1.Kind_KIND_EXEC_RUN}
	d.want(states(p.request(p.task(), writer(), own, picked("z"), picked("a"))), "denied:above-ceiling denied:denied denied:not-found live")
	if n := d.person.count(); n != 1 || len(d.person.seen[0].Rows) != 1 {
		t.Errorf("asked %d times: %+v", n, d.person.seen)
	}
	d.s.Allows = func(string, policyv1.Kind) bool { return true }
	missing := &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: "none"}
	aside := &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: "set-aside", Remember: true}
	screen := &grantv1.Want{Kind: policyv1.Kind_KIND_SCREEN_CAPTURE}
	d.want(states(p.request(p.task(), missing, exec, screen)), "denied:model-missing denied:denied denied:denied")
	d.want(states(p.request(p.task(), aside)), "denied:model-quarantined")
	if d.person.count() != 1 {
		t.Error("asked about what cannot be granted")
	}
	if n := d.records(func(r audit.Record) bool {
		return r.Kind == auditlog.Deny && r.Method == grantv1.GrantServiceRequestMethod().Name && r.Decision == "deny"
	}); n != 7 {
		t.Errorf("%d refusals on the record", n)
	}
	// Asked twice for one folder, with one refusal before: both are on the record.
	if err := p.call(t.Context(), &events{}, p.task(), exec, picked("a"), picked("a")); errs.CodeOf(err) != errs.Malformed {
		t.Errorf("a folder twice: %v", err)
	}
	if n := d.records(func(r audit.Record) bool {
		return r.Kind == auditlog.Deny && r.Method == grantv1.GrantServiceRequestMethod().Name && r.Decision == "deny"
	}); n != 9 {
		t.Errorf("%d refusals on the record after one that was asked for twice", n)
	}
	for _, w := range []*grantv1.Want{
		{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(d.base + "/a")}, {Kind: policyv1.Kind_KIND_FILE_READ},
		{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte("/"), Picked: picked("a").Picked}, {Kind: policyv1.Kind_KIND_FILE_READ, Picked: []byte("pa")},
		{Kind: policyv1.Kind_KIND_FILE_READ, Picked: picked("a").Picked, Model: "m"}, {Kind: policyv1.Kind_KIND_MODEL_RUN, Model: "writer", Path: []byte("/")},
		{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: "writer", Picked: picked("a").Picked}, {Kind: policyv1.Kind_KIND_EXEC_RUN, Path: []byte("/bin/sh")},
	} {
		if err := p.call(t.Context(), &events{}, p.task(), picked("a"), w); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%v: %v", w, err)
		}
	}
	if err := p.call(t.Context(), &events{}, d.page("studio").task(), picked("a")); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("a task of another window: %v", err)
	}
	if _, err := d.s.Propose(session.With(t.Context(), p.sess), &grantv1.ProposeRequest{Task: p.task(), Wants: []*grantv1.Want{picked("a")}}); errs.CodeOf(err) != errs.Malformed {
		t.Errorf("a proposal with what was picked: %v", err)
	}
	if d.person.count() != 1 || len(d.s.Table.List()) != 1 {
		t.Error("something was granted")
	}
}

// C12, K10: after one no the task is quiet, after two the app is until the person
// changes it; and a row file that is put back is seen.
func TestTwoNos(t *testing.T) {
	d := setup(t)
	d.says(consent.No)
	p := d.page("studio")
	task := p.task()
	d.want(states(p.request(task, picked("a"), picked("b"))), "denied denied")
	d.want(states(p.request(task, picked("a"))), "denied:denied")
	d.want(states(p.request(task, picked("c"))), "denied") // another folder is another question
	if d.person.count() != 2 || len(d.s.Policies.Refusals()) != 0 {
		t.Fatalf("asked %d times, %v", d.person.count(), d.s.Policies.Refusals())
	}
	d.want(states(p.request(p.task(), picked("a"))), "denied:blocked") // by this no
	d.want(states(p.request(p.task(), picked("a"))), "denied:blocked") // not asked
	// One that is blocked does not keep the others from being asked.
	d.person.say = d.yes
	d.want(states(p.request(p.task(), picked("a"), picked("b"))), "denied:blocked live")
	// Another app was refused nothing.
	notes := d.page("notes")
	d.want(states(notes.request(notes.task(), picked("a"))), "live")
	if d.person.count() != 5 {
		t.Errorf("asked %d times", d.person.count())
	}
	if n := d.records(denied(errs.Denied, "prompt")); n != 4 {
		t.Errorf("%d nos on the record", n)
	}
	if n := d.records(denied(errs.Blocked, "policy")); n != 2 {
		t.Errorf("%d blocked on the record", n)
	}
	blocked := d.s.Policies.Refusals()
	ctx := session.With(t.Context(), p.sess)
	ex, err := d.s.Explain(ctx, &grantv1.ExplainRequest{Id: string(blocked[0].ID)})
	if err != nil || ex.Grant.State != grantv1.State_STATE_DENIED || ex.Grant.Holder != "studio" || string(ex.Grant.Scope) != d.base+"/a" || !strings.Contains(ex.Lines[0], "twice") {
		t.Errorf("%v %v", ex, err)
	}
	// Also in the next core.
	if again, err := grant.OpenPolicies(d.file); err != nil || len(again.Refusals()) != 1 || again.Digest() != d.s.Policies.Digest() {
		t.Errorf("%v", err)
	}
	if _, err := d.s.Revoke(ctx, &grantv1.RevokeRequest{Id: string(blocked[0].ID)}); err != nil {
		t.Fatal(err)
	}
	d.want(states(p.request(p.task(), picked("a"))), "live")
	// The newest record that speaks of the file has the digest of the file.
	digest := ""
	_ = d.records(func(r audit.Record) bool {
		if r.Detail["policies"] != "" {
			digest = r.Detail["policies"]
		}
		return false
	})
	if digest != d.s.Policies.Digest() {
		t.Error("the log does not know what the file holds")
	}
}

// A yes takes back an earlier no.
func TestYesAfterNo(t *testing.T) {
	d := setup(t)
	p := d.page("studio")
	for range 3 {
		d.says(consent.No)
		d.want(states(p.request(p.task(), picked("a"))), "denied")
		d.person.say = d.yes
		d.want(states(p.request(p.task(), picked("a"))), "live")
	}
}

// C13: each row can be left out, and that is a no to it alone.
func TestUntick(t *testing.T) {
	d := setup(t)
	d.person.say = func(ctx context.Context, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
		said, err := d.yes(ctx, q, hash)
		said.Rows = []int{0, 2}
		return said, err
	}
	p := d.page("studio")
	task := p.task()
	rows := p.request(task, picked("a"), picked("b"), picked("c"))
	d.want(states(rows), "live denied live")
	if rows[2].Granted.Row != 2 || rows[1].Object != d.base+"/b" {
		t.Errorf("%v", rows)
	}
	d.want(states(p.request(task, picked("b"))), "denied:denied")
	if n := len(d.s.Table.List()); n != 2 {
		t.Errorf("%d grants", n)
	}
}

// C3, C8, C10: whatever is not the answer to this very question, in its time, is a
// no; one that could not be shown is one too.
func TestAnswersThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		say  func(d *desk) func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error)
		want string
		by   errs.Code
	}{
		"one byte of the action changed": {func(d *desk) func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error) {
			return func(ctx context.Context, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
				hash[31] ^= 1
				return d.yes(ctx, q, hash)
			}
		}, "denied:prompt-failed", errs.PromptFailed},
		"pressed before it could be read": {func(d *desk) func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error) {
			return func(_ context.Context, _ prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
				d.clock.on(limits.PromptInert - 1)
				return consent.Said{Outcome: consent.Yes, Rows: []int{0}, Hash: hash}, nil
			}
		}, "denied:prompt-failed", errs.PromptFailed},
		"pressed after its time": {func(d *desk) func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error) {
			return func(_ context.Context, _ prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
				d.clock.on(limits.PromptTimeout + 1)
				return consent.Said{Outcome: consent.Yes, Rows: []int{0}, Hash: hash}, nil
			}
		}, "denied:prompt-failed", errs.PromptFailed},
		"crashed after a yes": {func(d *desk) func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error) {
			return func(ctx context.Context, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
				said, _ := d.yes(ctx, q, hash)
				return said, errs.New(errs.WorkerCrashed, "test")
			}
		}, "denied:prompt-failed", errs.PromptFailed},
		"nothing": {func(d *desk) func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error) {
			return func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error) {
				return consent.Said{}, nil
			}
		}, "denied:prompt-failed", errs.PromptFailed},
		"silence": {func(d *desk) func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error) {
			return func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error) {
				return consent.Said{Outcome: consent.Unanswered}, nil
			}
		}, "denied:prompt-unanswered", errs.PromptNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			d := setup(t)
			d.person.say = c.say(d)
			p := d.page("studio")
			task := p.task()
			d.want(states(p.request(task, picked("a"))), c.want)
			if len(d.s.Table.List()) != 0 || d.assigned.Load() != 0 {
				t.Error("something was granted")
			}
			if n := d.records(denied(c.by, "policy")); n != 1 {
				t.Errorf("%d on the record", n)
			}
			if len(d.s.Policies.Refusals()) != 0 || !d.s.Policies.Empty() {
				t.Error("it counts as a no of the person's")
			}
			// The control: the same page is granted the same by a real answer.
			d.person.say = d.yes
			d.want(states(p.request(p.task(), picked("a"))), "live")
		})
	}
	d := setup(t)
	d.person.say = func(_ context.Context, _ prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
		d.clock.on(limits.PromptInert)
		return consent.Said{Outcome: consent.Yes, Rows: []int{0, 7}, Hash: hash}, nil
	}
	p := d.page("studio")
	if err := p.call(t.Context(), &events{}, p.task(), picked("a")); errs.CodeOf(err) != errs.Malformed || len(d.s.Table.List()) != 0 {
		t.Errorf("rows that were not offered: %v", err)
	}
	d.s.Prompter = nil
	d.want(states(p.request(p.task(), picked("a"))), "denied:prompt-failed")
}

// R19: a question ends with a no when its task, its call or its window does, even
// where the person pressed yes at that moment; and it is not put again in the task.
func TestRequesterGone(t *testing.T) {
	for name, end := range map[string]func(d *desk, p *page, task string, cancel func()){
		"the page gives it up": func(_ *desk, _ *page, _ string, cancel func()) { cancel() },
		"the task ends":        func(d *desk, p *page, task string, _ func()) { _ = d.s.Sessions.End(p.sess, task, session.OK) },
		"the window closes": func(d *desk, p *page, _ string, _ func()) {
			d.s.Sessions.Close(p.sess)
			d.s.Desk.Drop(p.sess.Channel)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := setup(t)
			p := d.page("studio")
			task := p.task()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d.person.say = func(ctx context.Context, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
				end(d, p, task, cancel)
				<-ctx.Done()
				return d.yes(ctx, q, hash)
			}
			if err := p.call(ctx, &events{}, task, picked("a")); err == nil {
				t.Error("it was answered")
			}
			if len(d.s.Table.List()) != 0 || d.assigned.Load() != 0 {
				t.Error("something was granted")
			}
			if n := d.records(func(r audit.Record) bool { return r.Kind == auditlog.Deny && r.Decision == "deny" && r.Task == task }); n != 1 {
				t.Errorf("%d on the record", n)
			}
			d.person.say = d.yes
			if name == "the page gives it up" {
				d.want(states(p.request(task, picked("a"))), "denied:denied")
				d.clock.on(limits.WithdrawnPause)
				d.want(states(p.request(p.task(), picked("a"))), "live")
			}
		})
	}
	// A page that does not hear the answer has no grant.
	d := setup(t)
	p := d.page("studio")
	if err := p.call(t.Context(), &events{fail: true}, p.task(), picked("a")); err == nil || len(d.s.Table.List()) != 0 {
		t.Errorf("%v, %v", err, d.s.Table.List())
	}
}

// C11, R19: one prompt over all apps, three places for each, the same question
// once; who waits hears it, and the page's other calls are not held up.
func TestOnePromptAtATime(t *testing.T) {
	d := setup(t)
	answer := make(chan struct{})
	var open, most atomic.Int32
	d.person.say = func(ctx context.Context, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
		if n := open.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer open.Add(-1)
		<-answer
		return d.yes(ctx, q, hash)
	}
	studio, notes := d.page("studio"), d.page("notes")
	var wg sync.WaitGroup
	start := func(p *page, name string, before uint32) *events {
		e := &events{heard: make(chan uint32, 8)}
		task := p.task()
		wg.Go(func() {
			if err := p.call(t.Context(), e, task, picked(name)); err != nil {
				t.Error(err)
			}
		})
		if got := <-e.heard; got != before {
			t.Errorf("%s stands behind %d, want %d", name, got, before)
		}
		return e
	}
	all := []*events{start(studio, "a", 0), start(studio, "b", 1), start(notes, "a", 2), start(studio, "c", 3)}
	d.want(states(studio.request(studio.task(), picked("d"))), "denied:prompt-busy")
	d.want(states(notes.request(notes.task(), picked("a"))), "denied:prompt-busy") // the same once more
	all = append(all, start(notes, "b", 4))
	if n := d.records(func(r audit.Record) bool { return r.Kind == auditlog.Deny && r.Code == string(errs.PromptBusy) }); n != 2 {
		t.Errorf("%d on the record", n)
	}
	// While the question is open the page is answered.
	if _, err := d.s.FindRemembered(session.With(t.Context(), studio.sess), &grantv1.FindRememberedRequest{Path: []byte("/x")}); err != nil {
		t.Error(err)
	}
	close(answer)
	wg.Wait()
	for i, e := range all {
		d.want(states(e.rows), "live")
		// Two that go at once may be one step.
		down := slices.IsSortedFunc(e.waited, func(a, b uint32) int { return int(b) - int(a) })
		if e.waited[0] != uint32(i) || e.waited[len(e.waited)-1] != 0 || !down {
			t.Errorf("%d heard %v", i, e.waited)
		}
	}
	if most.Load() != 1 || d.person.count() != 5 {
		t.Errorf("%d at once, %d in all", most.Load(), d.person.count())
	}
}

// A question that waits is looked at again when its turn comes.
func TestAnsweredMeanwhile(t *testing.T) {
	d := setup(t)
	p := d.page("studio")
	first := &events{heard: make(chan uint32, 8)}
	second := &events{heard: make(chan uint32, 8)}
	go1 := make(chan struct{})
	d.person.say = func(context.Context, prompt.Question, [sha256.Size]byte) (consent.Said, error) {
		<-go1
		return consent.Said{Outcome: consent.No}, nil
	}
	task := p.task()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.call(t.Context(), first, task, picked("a"), picked("b")); err != nil {
			t.Error(err)
		}
	})
	<-first.heard
	wg.Go(func() {
		if err := p.call(t.Context(), second, task, picked("a")); err != nil {
			t.Error(err)
		}
	})
	<-second.heard
	close(go1)
	wg.Wait()
	d.want(states(second.rows), "denied:denied")
	if d.person.count() != 1 {
		t.Error("asked for what was refused just now")
	}
}

// C1: no page can call what mints by an answer of the caller's own.
func TestPagesCannotDecide(t *testing.T) {
	for _, m := range []*rpc.Method{grantv1.GrantServiceProposeMethod(), grantv1.GrantServiceDecideMethod()} {
		if len(m.Surfaces) != 0 || m.Caller == policyv1.Caller_CALLER_SURFACE {
			t.Errorf("%s may be called by a page", m.Name)
		}
	}
	m := grantv1.GrantServiceRequestMethod()
	if m.Caller != policyv1.Caller_CALLER_SURFACE || !slices.Equal(m.Surfaces, []policyv1.Surface{policyv1.Surface_SURFACE_APP}) {
		t.Error("the control: a page may ask, and nobody else")
	}
	// Nor does an answer by another way than a prompt's fit the question of one.
	d := setup(t)
	p := d.page("studio")
	d.person.say = func(ctx context.Context, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
		d.clock.on(limits.PromptInert)
		for range 100 {
			_, err := d.s.Decide(session.With(ctx, p.sess), &grantv1.DecideRequest{Proposal: make([]byte, 16), ActionHash: hash[:], DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE, Accepted: []uint32{0}})
			if err == nil {
				t.Error("a page answered its own question")
			}
		}
		_, err := d.s.Decide(session.With(ctx, p.sess), &grantv1.DecideRequest{Proposal: make([]byte, 16), ActionHash: hash[:], DecidedBy: grantv1.DecidedBy_DECIDED_BY_PROMPT, Accepted: []uint32{0}})
		if errs.CodeOf(err) != errs.Malformed {
			t.Errorf("a client that calls itself a prompt: %v", err)
		}
		return consent.Said{Outcome: consent.No}, nil
	}
	d.want(states(p.request(p.task(), picked("a"))), "denied")
	if len(d.s.Table.List()) != 0 {
		t.Error("something was granted")
	}
}

// C11: nobody answers, and the prompt does not end by itself either: after a
// minute it is over, and taken off the screen.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := setup(t)
		var stood time.Duration
		d.person.say = func(ctx context.Context, _ prompt.Question, _ [sha256.Size]byte) (consent.Said, error) {
			began := time.Now()
			<-ctx.Done()
			stood = time.Since(began)
			return consent.Said{}, ctx.Err()
		}
		p := d.page("studio")
		task := p.task()
		d.want(states(p.request(task, picked("a"))), "denied:prompt-unanswered")
		if stood != limits.PromptTimeout {
			t.Errorf("it stood for %v", stood)
		}
		d.want(states(p.request(task, picked("a"))), "denied:denied")
		if n := d.records(denied(errs.PromptNoAnswer, "policy")); n != 1 || len(d.s.Table.List()) != 0 || !d.s.Policies.Empty() {
			t.Errorf("%d on the record", n)
		}
	})
}

// C3: what was approved is what is granted. Whatever changes one byte of the action
// between the yes and the grant has the grant refused, on the record.
func TestActionChangedAfterApproval(t *testing.T) {
	for name, change := range map[string]func(q *consent.Question){
		"the control: nothing": func(*consent.Question) {},
		"the path":             func(q *consent.Question) { q.Rows[0].Scope.Path += "x" },
		"the object":           func(q *consent.Question) { q.Rows[0].Scope.Object.Inode ^= 1 },
		"the kind":             func(q *consent.Question) { q.Rows[0].Kind = policyv1.Kind_KIND_FILE_WRITE },
		"the time":             func(q *consent.Question) { q.Rows[0].TTLSeconds++ },
		"that it is kept":      func(q *consent.Question) { q.Rows[0].Remember = true },
		"the quota":            func(q *consent.Question) { q.Rows[0].Quota.Tokens = 1 },
		"the verb":             func(q *consent.Question) { q.Verb = "ask" },
		"one row more":         func(q *consent.Question) { q.Rows = append(q.Rows, q.Rows[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			d := setup(t)
			p := d.page("studio")
			task, err := d.s.Sessions.Begin(p.sess, "summarize")
			if err != nil {
				t.Fatal(err)
			}
			f, err := folder.Open(d.base + "/a")
			if err != nil {
				t.Fatal(err)
			}
			q := &consent.Question{App: "studio", Channel: p.sess.Channel, Task: task.ID, Verb: "summarize", Rows: []consent.Row{{
				Folder: f, Asked: capability.Asked{Kind: policyv1.Kind_KIND_FILE_READ, TTLSeconds: 5, Scope: capability.Scope{Path: f.Path, Object: f.Object}},
			}}}
			if err := d.s.Desk.Put(q); err != nil {
				t.Fatal(err)
			}
			d.clock.on(limits.PromptInert)
			hash := q.Hash
			got, err := d.s.Desk.Take(q.Channel, q.ID[:], hash[:], capability.ByPrompt)
			if err != nil {
				t.Fatal(err)
			}
			change(got)
			gs, err := d.s.settle(t.Context(), task, got, []uint32{0}, capability.ByPrompt)
			ok := strings.HasPrefix(name, "the control")
			if ok != (err == nil) || len(d.s.Table.List()) != len(gs) || (len(gs) == 1) != ok {
				t.Errorf("%v, %v", gs, err)
			}
			if n := d.records(denied(errs.Denied, "policy")); (n > 0) == ok {
				t.Errorf("%d on the record", n)
			}
			if ok && d.s.Table.List()[0].Row.ActionHash != hash {
				t.Error("the grant does not hold the action's hash")
			}
		})
	}
}
