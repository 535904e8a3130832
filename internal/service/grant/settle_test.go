package grant

import (
	"context"
	"errors"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// TestNothingIsRememberedOfAFailure: a yes of which no grant came leaves no
// permission behind either.
func TestNothingIsRememberedOfAFailure(t *testing.T) {
	for name, fails := range map[string]bool{"the control": false, "no worker": true} {
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
			d.s.Assign = func(context.Context, *grant.Grant, *folder.Folder) error {
				f.Close()
				if fails {
					return errs.New(errs.CoreBusy, "test")
				}
				return nil
			}
			row := consent.Row{Folder: f, Asked: capability.Asked{Kind: policyv1.Kind_KIND_FILE_READ, Remember: true, Scope: capability.Scope{Path: f.Path, Object: f.Object}}}
			q := &consent.Question{App: "studio", Channel: p.sess.Channel, Task: task.ID, Verb: "summarize", Rows: []consent.Row{row}}
			if err := d.s.Desk.Put(q); err != nil {
				t.Fatal(err)
			}
			_, err = d.s.settle(session.With(t.Context(), p.sess), task, q, []uint32{0}, capability.ByTerminal)
			kept := d.s.Policies.List()
			if (errs.CodeOf(err) == errs.CoreBusy) != fails || (len(kept) == 0) != fails {
				t.Errorf("%v, remembered %v", err, kept)
			}
			forgotten := d.records(func(r audit.Record) bool { return r.Kind == auditlog.Forget })
			if (forgotten == 1) != fails {
				t.Errorf("%d forgotten on the record", forgotten)
			}
		})
	}
}

// TestAnswersToNothingAreRecorded: a question that was answered by a row that it does not
// have, or when its task was over, is on the record as one of which nothing came.
func TestAnswersToNothingAreRecorded(t *testing.T) {
	d := setup(t)
	p := d.page("studio")
	task, err := d.s.Sessions.Begin(p.sess, "summarize")
	if err != nil {
		t.Fatal(err)
	}
	for i, accepted := range [][]uint32{{0, 0}, {7}} {
		q := &consent.Question{App: "studio", Channel: p.sess.Channel, Task: task.ID, Rows: []consent.Row{{Asked: capability.Asked{Kind: policyv1.Kind_KIND_FILE_READ, Scope: capability.Scope{Path: "/d"}}}}}
		if err := d.s.Desk.Put(q); err != nil {
			t.Fatal(err)
		}
		_, err := d.s.settle(session.With(t.Context(), p.sess), task, q, accepted, capability.ByTerminal)
		var e *errs.Error
		if !errors.As(err, &e) || e.Code != errs.Malformed {
			t.Errorf("%v", err)
		}
		if n := d.records(denied(errs.Denied, "policy")); n != i+1 {
			t.Errorf("%d on the record", n)
		}
	}
}
