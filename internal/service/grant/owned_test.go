package grant

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// The folder of a grant stays open as long as whoever it was assigned to keeps it:
// a worker that is started again has it mounted again.
func TestAssignedFolderStaysOpen(t *testing.T) {
	d := setup(t)
	var kept []*folder.Folder
	d.s.Assign = func(_ context.Context, _ *grant.Grant, f *folder.Folder) error { kept = append(kept, f); return nil }
	p := d.page("studio")
	remember := picked("a")
	remember.Remember = true
	d.want(states(p.request(p.task(), remember, picked("b"))), "live live")
	d.want(states(p.request(p.task(), picked("a"))), "live")
	p.decide(p.propose(p.task(), &grantv1.Want{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(d.base + "/c")}))
	if len(kept) != 4 || d.person.count() != 1 {
		t.Fatalf("%d folders, %d questions", len(kept), d.person.count())
	}
	for i, f := range kept {
		if _, err := f.Dir.Stat(); err != nil {
			t.Errorf("folder %d: %v", i, err)
		}
		f.Close()
	}
}

// propose and decide are the two steps of a terminal, with a yes to all.
func (p *page) propose(task string, wants ...*grantv1.Want) *grantv1.ProposeResponse {
	p.d.t.Helper()
	q, err := p.d.s.Propose(session.With(p.d.t.Context(), p.sess), &grantv1.ProposeRequest{Task: task, Wants: wants})
	if err != nil {
		p.d.t.Fatal(err)
	}
	return q
}

func (p *page) decide(q *grantv1.ProposeResponse) []*grantv1.Granted {
	p.d.t.Helper()
	in := &grantv1.DecideRequest{Proposal: q.Proposal, ActionHash: q.ActionHash, DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE}
	for i := range q.Rows {
		in.Accepted = append(in.Accepted, uint32(i))
	}
	out, err := p.d.s.Decide(session.With(p.d.t.Context(), p.sess), in)
	if err != nil {
		p.d.t.Error(err)
	}
	return out.GetGrants()
}

// looked is a clock that tells when it is looked at.
type looked struct {
	*hands
	tell func()
}

func (l looked) Wall() time.Time { l.tell(); return l.hands.Wall() }

// Of a grant whose handle nobody has got the table keeps nothing: its channel may be
// gone already, and then nobody would forget it.
func TestGrantThatNobodyGotLeavesNoKey(t *testing.T) {
	d := setup(t)
	none := func(string) error { return nil }
	if err := d.s.Policies.Remember(grant.Remembered{ID: "p", App: "cli", Kind: "file.read", Path: "/d"}, none); err != nil {
		t.Fatal(err)
	}
	row := consent.Row{Policy: "p", Asked: capability.Asked{Kind: policyv1.Kind_KIND_FILE_READ, Scope: capability.Scope{Path: "/d"}}}
	mint := func(task *session.Task, code errs.Code) {
		t.Helper()
		_, h, err := d.s.mint(task, &consent.Question{App: "cli", Task: task.ID, Rows: []consent.Row{row}}, row, capability.ByRemembered, nil)
		if errs.CodeOf(err) != code {
			t.Fatalf("minted: %v", err)
		}
		if _, err := d.s.Table.Use(row.Kind, task.Session.Channel, h[:]); errs.CodeOf(err) != errs.GrantMissing {
			t.Errorf("%s left a key: %v", code, err)
		}
	}
	ended := d.s.Sessions.Own("cli", "core", "vectors")
	d.s.Sessions.Finish(ended, session.OK)
	mint(ended, errs.Cancelled)
	// It is withdrawn between the look at what is remembered and the grant.
	d.s.Table = grant.NewTable(looked{d.clock, sync.OnceFunc(func() {
		if _, err := d.s.Policies.Forget("p", none); err != nil {
			t.Error(err)
		}
	})})
	open := d.s.Sessions.Own("cli", "core", "vectors")
	mint(open, errs.GrantRevoked)
	d.s.Sessions.Finish(open, session.OK)

	// A page that does not hear the answer, also where it was withdrawn meanwhile.
	p := d.page("studio")
	for _, withdrawn := range []bool{false, true} {
		d.s.Assign = func(_ context.Context, g *grant.Grant, f *folder.Folder) error {
			if withdrawn {
				if _, err := d.s.Table.Revoke(g.Row.ID); err != nil {
					t.Error(err)
				}
			}
			return f.Close()
		}
		e := &events{fail: true}
		if err := p.call(t.Context(), e, p.task(), picked("a")); err == nil {
			t.Fatal("the page heard it")
		}
		if _, err := d.s.Table.Use(row.Kind, p.sess.Channel, e.rows[0].Granted.Handle); errs.CodeOf(err) != errs.GrantMissing {
			t.Errorf("an answer that was not heard left a key: %v", err)
		}
	}
}
