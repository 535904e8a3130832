package grant

import (
	"fmt"
	"os"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/session"
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

// A page that asks again and again for what is remembered, for which nobody is
// asked, has its share at most: another app is still given what it asks for.
func TestRememberedFlood(t *testing.T) {
	d := setup(t)
	p := d.page("studio")
	d.want(states(p.request(p.task(), kept(picked("a")), writer())), "live live")
	equal := make([]*grantv1.Want, 16)
	for _, w := range []*grantv1.Want{picked("a"), writer()} {
		for i := range equal {
			equal[i] = w
		}
		if err := p.call(t.Context(), &events{}, p.task(), equal...); errs.CodeOf(err) != errs.Malformed {
			t.Fatalf("the same sixteen times: %v", err)
		}
	}
	task := p.task()
	flood := func(w *grantv1.Want, code string) (n int) {
		t.Helper()
		for range limits.GrantsLive {
			e := &events{}
			if err := p.call(t.Context(), e, task, w); err != nil {
				d.want(string(errs.CodeOf(err)), code)
				return n
			}
			d.want(states(e.rows), "live")
			n++
		}
		return n
	}
	if n := flood(picked("a"), string(errs.CoreBusy)); n != limits.FoldersPerChannel-1 {
		t.Errorf("%d folders beside the first", n)
	}
	if n := flood(writer(), string(errs.CoreBusy)); n != limits.GrantsPerChannel-limits.FoldersPerChannel-1 {
		t.Errorf("%d models beside the first", n)
	}
	if n := d.person.count(); n != 1 {
		t.Fatalf("%d questions", n)
	}
	notes := d.page("notes")
	d.want(states(notes.request(notes.task(), picked("a"), writer())), "live live")
	// What ends makes room.
	if err := d.s.Sessions.End(p.sess, task, session.OK); err != nil {
		t.Fatal(err)
	}
	d.s.Table.EndTask(p.sess.Channel, task)
	d.want(states(p.request(p.task(), picked("a"), writer())), "live live")
}

// A question names each folder, model and card once, on the terminal too.
func TestSameTwiceInOneQuestion(t *testing.T) {
	d := setup(t)
	d.s.Graphics = func() (string, error) { return "/dev/dri/renderD128", nil }
	p := d.page("bailey")
	read := func(path string) *grantv1.Want {
		return &grantv1.Want{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(d.base + path)}
	}
	if err := os.Symlink("a", d.base+"/link"); err != nil {
		t.Fatal(err)
	}
	card := &grantv1.Want{Kind: policyv1.Kind_KIND_GPU_USE}
	p.propose(p.task(), read("/a"), read("/b"), writer(), card)
	for name, wants := range map[string][]*grantv1.Want{
		"a folder by another name":   {read("/a"), writer(), read("/link")},
		"a folder for another time":  {read("/a"), {Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(d.base + "/a"), TtlSeconds: 5}},
		"a model, once for the task": {writer(), {Kind: policyv1.Kind_KIND_MODEL_RUN, Model: "writer"}},
		"a card":                     {writer(), card, card},
	} {
		_, err := d.s.Propose(session.With(t.Context(), p.sess), &grantv1.ProposeRequest{Task: p.task(), Wants: wants})
		if errs.CodeOf(err) != errs.Usage {
			t.Errorf("%s: %v", name, err)
		}
		if n := d.records(func(r audit.Record) bool { return r.Kind == auditlog.Deny && r.Code == string(errs.Usage) }); n == 0 {
			t.Errorf("%s: not on the record", name)
		}
	}
}
