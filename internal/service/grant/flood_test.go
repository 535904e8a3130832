package grant

import (
	"fmt"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// One call is a handful of records, however many wants it has: a page does not
// fill the log with names that it makes up.
func TestRefusedWantsAreFolded(t *testing.T) {
	d := setup(t)
	p := d.page("studio")
	refusals := func() (n int, of []audit.Record) {
		n = d.records(func(r audit.Record) bool {
			if r.Kind == auditlog.Deny {
				of = append(of, r)
			}
			return r.Kind == auditlog.Deny
		})
		return n, of
	}
	var wants []*grantv1.Want
	for i := range 16 {
		wants = append(wants, &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: fmt.Sprint("none-", i)})
	}
	for i, a := range p.request(p.task(), wants...) {
		if a.Reason != string(errs.ModelMissing) {
			t.Errorf("%d: %v", i, a)
		}
	}
	n, of := refusals()
	if n != 1 || of[0].Messages != 16 || of[0].Code != string(errs.ModelMissing) || of[0].Detail["model"] != "none-0" || of[0].Detail["reason"] == "" {
		t.Fatalf("%d records: %+v", n, of)
	}
	// What differs in more than a name is told apart, and one alone is as ever.
	missing := wants[0]
	p.request(p.task(), missing, &grantv1.Want{Kind: policyv1.Kind_KIND_EXEC_RUN})
	n, of = refusals()
	if n != 3 || of[1].Messages != 0 && of[2].Messages != 0 || of[1].Detail["reason"] != "" {
		t.Fatalf("%d records: %+v", n, of)
	}
}
