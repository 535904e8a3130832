package grant

import (
	"context"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// What is withdrawn in Permissions stands in the log as decided there; what the
// command line withdraws does not claim a person.
func TestRevokeInPermissions(t *testing.T) {
	d := setup(t)
	for _, c := range []struct{ app, surface, by string }{{apps.Panels, apps.SurfacePanel, apps.SurfacePanel}, {"bailey", "terminal", ""}} {
		p := d.page("studio")
		d.want(states(p.request(p.task(), picked("a"))), "live")
		s, err := d.s.Sessions.Open(c.app, c.surface, 1)
		if err != nil {
			t.Fatal(err)
		}
		id := string(d.s.Table.List()[0].Row.ID)
		if _, err := d.s.Revoke(session.With(t.Context(), s), &grantv1.RevokeRequest{Id: id}); err != nil {
			t.Fatal(err)
		}
		n := d.records(func(r audit.Record) bool {
			return r.Kind == auditlog.Revoke && r.App == c.app && r.Surface == c.surface && r.By == c.by && r.Grant == id
		})
		if n != 1 {
			t.Errorf("%s: %d records", c.app, n)
		}
	}
}

// A word that withdraws is not taken back by whoever said it and went: the record
// says of no permission that it is gone, nor keeps silent about one that is.
func TestRevokeThatIsGivenUp(t *testing.T) {
	d := setup(t)
	p := d.page("bailey")
	want := kept(&grantv1.Want{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(d.base + "/a")})
	g := p.decide(p.propose(p.task(), want))[0]
	ctx, cancel := context.WithCancel(session.With(t.Context(), p.sess))
	cancel()
	for _, id := range []string{g.Id, g.Remembered} {
		if _, err := d.s.Revoke(ctx, &grantv1.RevokeRequest{Id: id}); err != nil {
			t.Error(err)
		}
	}
	if len(d.s.Table.List()) != 0 || len(d.s.Policies.List()) != 0 {
		t.Errorf("left: %v %v", d.s.Table.List(), d.s.Policies.List())
	}
	for kind, id := range map[audit.Kind]string{auditlog.Revoke: g.Id, auditlog.Forget: g.Remembered} {
		if n := d.records(func(r audit.Record) bool { return r.Kind == kind && r.Grant == id }); n != 1 {
			t.Errorf("%d records of %s", n, kind)
		}
	}
}

// Whatever path a program is said to have, what is allowed beside it is listed.
func TestListOfALongPath(t *testing.T) {
	d := setup(t)
	p := d.page("bailey")
	path := "/" + strings.Repeat("a", limits.PathBytes-1)
	row := capability.Row{
		Kind: policyv1.Kind_KIND_EXEC_RUN, Run: true, By: capability.ByCommandLine, Scope: capability.Scope{Path: path, Digest: capability.Digest{1}},
		Holder: capability.Holder{App: "bailey", Surface: "terminal", Task: p.task()},
	}
	if _, _, err := d.s.Table.Mint(row, func(capability.Row) error { return nil }); err != nil {
		t.Fatal(err)
	}
	rows, err := d.s.rows(t.Context(), true)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	if err := rows[0].Validate(); err != nil {
		t.Error(err)
	}
	if s := string(rows[0].Scope); !strings.HasPrefix(s, "/aaa") || !strings.HasSuffix(s, "… sha256:010000000000") {
		t.Error(s)
	}
	if s := string(scopeOf(capability.Row{Kind: policyv1.Kind_KIND_FILE_READ, Scope: capability.Scope{Path: path}})); s != path {
		t.Error("a path that may be sent was cut")
	}
	r := remembered(grant.Remembered{ID: "p", Kind: "model.run", Name: path, Digest: strings.Repeat("0", 64)})
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
}

// What the record says is forgotten is, also where that cannot be saved.
func TestForgottenThatCannotBeSaved(t *testing.T) {
	d := setup(t)
	p := d.page("bailey")
	want := func() *grantv1.Want {
		return kept(&grantv1.Want{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(d.base + "/a")})
	}
	g := p.decide(p.propose(p.task(), want()))[0]
	told := 0
	d.s.Forgotten = func(grant.Remembered) { told++ }
	d.file.fail = errs.New(errs.NoSpace, "test")
	if _, err := d.s.Revoke(session.With(t.Context(), p.sess), &grantv1.RevokeRequest{Id: g.Remembered}); errs.CodeOf(err) != errs.NoSpace {
		t.Error(err)
	}
	if n := d.records(func(r audit.Record) bool { return r.Kind == auditlog.Forget && r.Grant == g.Remembered }); n != 1 || told != 1 {
		t.Errorf("%d records, told %d times", n, told)
	}
	if q := p.propose(p.task(), want()); !q.Ask || q.Rows[0].Remembered {
		t.Error("it is still given without a question")
	}
}

// Withdrawing is not held up by a full disk: what was withdrawn is on the record
// once there is room, with all that ended by it.
func TestRevokeOnAFullDisk(t *testing.T) {
	d := setup(t)
	p := d.page("bailey")
	want := func() *grantv1.Want {
		return kept(&grantv1.Want{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(d.base + "/a")})
	}
	g := p.decide(p.propose(p.task(), want()))[0]
	row := capability.Row{Kind: policyv1.Kind_KIND_EXEC_RUN, Run: true, By: capability.ByCommandLine, Holder: capability.Holder{App: "bailey", Surface: "terminal", Task: p.task()}}
	first, _, err := d.s.Table.Mint(row, func(capability.Row) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	row.Kind, row.Parent = policyv1.Kind_KIND_FILE_WRITE, first.Row.ID
	if _, _, err := d.s.Table.Mint(row, func(capability.Row) error { return nil }); err != nil {
		t.Fatal(err)
	}
	d.full.Store(true)
	d.file.fail = errs.New(errs.NoSpace, "test")
	for _, id := range []string{string(first.Row.ID), g.Remembered} {
		_, err := d.s.Revoke(session.With(t.Context(), p.sess), &grantv1.RevokeRequest{Id: id})
		if e := errs.From(err); err == nil || e.Code != errs.NoSpace || !strings.Contains(e.Detail, "it is withdrawn") {
			t.Errorf("%v", err)
		}
	}
	if len(d.s.Table.List()) != 0 || len(d.s.Policies.List()) != 0 {
		t.Errorf("left: %v %v", d.s.Table.List(), d.s.Policies.List())
	}
	// A core that ends before there is room leaves no record, and nothing that allows.
	if q, err := grant.OpenPolicies(d.file); err != nil || len(q.List()) != 0 {
		t.Errorf("the next start finds %v, %v", q, err)
	}
	d.full.Store(false)
	if _, err := d.log.Append(t.Context(), audit.Event{Kind: auditlog.Heartbeat}); err != nil { // which finds room
		t.Fatal(err)
	}
	for kind, n := range map[audit.Kind]int{auditlog.Revoke: 3, auditlog.Forget: 1} {
		if got := d.records(func(r audit.Record) bool { return r.Kind == kind }); got != n {
			t.Errorf("%d records of %s", got, kind)
		}
	}
}
