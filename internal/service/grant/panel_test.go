package grant

import (
	"testing"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
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
