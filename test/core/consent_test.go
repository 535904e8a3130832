package core

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// file writes a generated model.
func (r *rig) file(name string, f *gguf.File) string {
	r.t.Helper()
	path := filepath.Join(r.base, name+".gguf")
	w, err := os.Create(path)
	must(r.t, err)
	must(r.t, f.Write(w))
	must(r.t, w.Close())
	return path
}

func stagedWant(s *modelv1.Staged) *grantv1.Want {
	return &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: fmt.Sprintf("staged:%x", s.Id), Remember: true}
}

// answer says yes to some rows of a proposal.
func (u *user) answer(p *grantv1.ProposeResponse, yes ...uint32) ([]*grantv1.Granted, error) {
	d, err := u.Grant.Decide(u.r.t.Context(), &grantv1.DecideRequest{
		Proposal: p.Proposal, ActionHash: p.ActionHash, DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE, Accepted: yes,
	})
	return d.GetGrants(), err
}

func (u *user) propose(task string, wants ...*grantv1.Want) *grantv1.ProposeResponse {
	u.r.t.Helper()
	p, err := u.Grant.Propose(u.r.t.Context(), &grantv1.ProposeRequest{Task: task, Wants: wants})
	must(u.r.t, err)
	return p
}

// records of some kinds, oldest first.
func (r *rig) records(kinds ...audit.Kind) (out []audit.Record) {
	r.t.Helper()
	must(r.t, r.log.Read(r.t.Context(), audit.Filter{Kinds: kinds}, func(rec audit.Record) error {
		out = append(out, rec)
		return nil
	}))
	return out
}

// A model that is not pinned is asked for with all that is known of it. A no
// leaves nothing but its record; a yes stands in the log, as intent, pin and
// grant in this order, before it can be used.
func TestPinning(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	path := r.file("one", tiny(1))
	task := u.task("pull")
	s, err := u.stage(task, path)
	must(t, err)
	p := u.propose(task, stagedWant(s))
	if row := p.Rows[0]; !p.Ask || row.Remembered || !row.Remember || row.Model.GetName() != "one" || len(row.Model.GetFacts().GetSha256()) != 32 ||
		row.Model.GetFacts().GetSize() == 0 || row.Model.GetFacts().GetRole() != modelv1.Role_ROLE_CHAT {
		t.Fatalf("%v", p)
	}
	if gs, err := u.answer(p); err != nil || len(gs) != 0 {
		t.Fatalf("%v %v", gs, err)
	}
	u.end(task)
	if n := len(r.models.List()); n != 0 {
		t.Fatalf("denied, and %d models are there", n)
	}
	digest := hex.EncodeToString(s.Model.Facts.Sha256)
	if recs := r.records(auditlog.Deny); len(recs) != 1 || recs[0].Detail["sha256"] != digest || recs[0].Detail["model"] != "one" {
		t.Fatalf("%+v", recs)
	}
	// Nobody can pin what another task has brought.
	task, other := u.task("pull"), u.task("pull")
	s, err = u.stage(task, path)
	must(t, err)
	if _, err := u.Grant.Propose(t.Context(), &grantv1.ProposeRequest{Task: other, Wants: []*grantv1.Want{stagedWant(s)}}); !is(err, errs.ModelMissing) {
		t.Fatalf("of another task: %v", err)
	}
	p = u.propose(task, stagedWant(s))
	if _, err := u.answer(p, 0); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, rec := range r.records(auditlog.Intent, auditlog.Remember, auditlog.Grant) {
		if rec.Detail["sha256"] == digest {
			order = append(order, string(rec.Kind))
		}
	}
	if !slices.Equal(order, []string{"intent", "remember", "grant"}) {
		t.Errorf("on the record: %v", order)
	}
	u.end(task)
	// From then on it needs no question, until the pin is withdrawn.
	task = u.task("chat")
	p = u.propose(task, run1("one"))
	if p.Ask || !p.Rows[0].Remembered {
		t.Fatalf("a pinned model is asked for: %v", p)
	}
	gs, err := u.answer(p, 0)
	must(t, err)
	if _, err := u.say(gs[0].Handle, "say"); err != nil {
		t.Fatal(err)
	}
	if e, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: gs[0].Remembered}); err != nil || e.Ended != 2 {
		t.Fatalf("%v %v", e, err)
	}
	if len(r.engines()) != 0 {
		t.Error("an engine without a pin")
	}
	if _, err := u.say(gs[0].Handle, "say"); !is(err, errs.GrantRevoked) {
		t.Errorf("%v", err)
	}
	if p := u.propose(task, run1("one")); !p.Ask || p.Rows[0].Remembered {
		t.Errorf("without a pin it is not asked for: %v", p)
	}
}

// A pin that goes between question and answer is none.
func TestPinGoesMeanwhile(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	task, g := u.run("one")
	p := u.propose(task, run1("one"))
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: g.Remembered}); err != nil {
		t.Fatal(err)
	}
	if gs, err := u.answer(p, 0); !is(err, errs.GrantRevoked) {
		t.Fatalf("%v %v", gs, err)
	}
}

// One question has the folder and the model, which can be left out; and a no to it
// is not asked again in the same task.
func TestOneQuestion(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	dir := r.folder(0)
	task := u.task("ask")
	quota := run1("finder")
	quota.Quota = &grantv1.Quota{Tokens: 5, Milliseconds: 6, Parallel: 7}
	p := u.propose(task, read1(dir), quota)
	if !p.Ask || p.Rows[0].Remembered || !p.Rows[1].Remembered || p.Rows[1].Model.GetName() != "finder" || p.Rows[1].Quota.GetTokens() != 5 || p.Rows[1].Quota.GetMilliseconds() != 6 || p.Rows[1].Quota.GetParallel() != 7 {
		t.Fatalf("%v", p)
	}
	gs, err := u.answer(p, 0)
	if err != nil || len(gs) != 1 || gs[0].Row != 0 {
		t.Fatalf("%v %v", gs, err)
	}
	if a, err := u.ask(gs[0].Handle); err != nil || !strings.Contains(a.text, "hardware token") {
		t.Fatalf("%+v %v", a, err)
	}
	if _, err := u.Grant.Propose(t.Context(), &grantv1.ProposeRequest{Task: task, Wants: []*grantv1.Want{run1("finder")}}); !is(err, errs.Denied) {
		t.Errorf("left out, and asked again: %v", err)
	}
	// The same two with another quota are another action.
	other := u.propose(u.task("ask"), read1(dir), run1("finder"))
	if string(other.ActionHash) == string(p.ActionHash) {
		t.Error("one hash for two actions")
	}
}

// What cannot be granted is refused with what can.
func TestKindsOfTheFuture(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	for _, k := range []policyv1.Kind{policyv1.Kind_KIND_AUDIO_CAPTURE, policyv1.Kind_KIND_SCREEN_CAPTURE} {
		_, err := u.Grant.Propose(t.Context(), &grantv1.ProposeRequest{Task: u.task("chat"), Wants: []*grantv1.Want{{Kind: k}}})
		if e := errs.From(err); e.Code != errs.Denied || !strings.Contains(e.Detail, "cannot be granted in this release") {
			t.Errorf("%v: %v", k, err)
		}
	}
	// A card is given to a model alone.
	if _, err := u.Grant.Propose(t.Context(), &grantv1.ProposeRequest{Task: u.task("chat"), Wants: []*grantv1.Want{{Kind: policyv1.Kind_KIND_GPU_USE}}}); !is(err, errs.Denied) {
		t.Errorf("a card for nothing: %v", err)
	}
	for _, name := range []string{"none", "sha256:", "staged:", "staged:zz", "staged:" + strings.Repeat("0", 32), "../x", ""} {
		if _, err := u.Grant.Propose(t.Context(), &grantv1.ProposeRequest{Task: u.task("chat"), Wants: []*grantv1.Want{run1(name)}}); !is(err, errs.ModelMissing) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A person is told what a model's grant allows.
func TestExplainAModel(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	_, g := u.run("one")
	for _, id := range []string{g.Id, g.Remembered} {
		e, err := u.Grant.Explain(t.Context(), &grantv1.ExplainRequest{Id: id})
		must(t, err)
		all := strings.Join(e.Lines, " ")
		if !strings.HasPrefix(string(e.Grant.Scope), "one sha256:") || !strings.Contains(all, "running that model") || !strings.Contains(all, "does not allow the model to read files") {
			t.Errorf("%s: %v %s", id, e.Grant, all)
		}
	}
}
