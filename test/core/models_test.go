package core

import (
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// Allowing a model whose pin was withdrawn lasts for the task: nothing is
// remembered, its engine is not kept, and the next task is asked again.
func TestAllowedForATask(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: string(r.policies.List()[0].ID)}); err != nil {
		t.Fatal(err)
	}
	task := u.task("chat")
	gs, p, err := u.permit(task, run1("one"))
	must(t, err)
	if !p.Ask || p.Rows[0].Remember || gs[0].Remembered != "" {
		t.Fatalf("%v %v", p.Rows, gs)
	}
	if text, err := u.say(gs[0].Handle, "say"); err != nil || text != "I " {
		t.Fatalf("%q %v", text, err)
	}
	if n := len(r.policies.List()); n != 0 {
		t.Errorf("%d permissions are remembered", n)
	}
	u.end(task)
	r.until("the engine to end", func() bool { return len(r.engines()) == 0 })
	task = u.task("chat")
	gs, p, err = u.permit(task, run1("one"))
	must(t, err)
	if !p.Ask {
		t.Fatal("the next task is not asked")
	}
	if _, err := u.say(gs[0].Handle, "say"); err != nil {
		t.Fatal(err)
	}
	// Removing the model ends such a grant too.
	if _, err := u.Model.Remove(t.Context(), &modelv1.RemoveRequest{Name: "one", Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := u.say(gs[0].Handle, "say"); !is(err, errs.GrantRevoked) {
		t.Errorf("the model is removed: %v", err)
	}
	// Asked to be remembered, it is.
	u.pull("one", tiny(1))
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: string(r.policies.List()[0].ID)}); err != nil {
		t.Fatal(err)
	}
	w := run1("one")
	w.Remember = true
	if _, _, err := u.permit(u.task("ask"), w); err != nil || len(r.policies.List()) != 1 {
		t.Errorf("to be remembered: %v %v", err, r.policies.List())
	}
}

// A model is removed while its engine is kept for the next question, and not while
// somebody asks one.
func TestRemoveWhatIsIdle(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	task, g := u.run("one")
	if _, err := u.say(g.Handle, "say"); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Model.Remove(t.Context(), &modelv1.RemoveRequest{Name: "one"}); !is(err, errs.ModelInUse) {
		t.Fatalf("in use: %v", err)
	}
	u.end(task)
	if r.engine() == 0 {
		t.Fatal("control: it is not kept")
	}
	if _, err := u.Model.Remove(t.Context(), &modelv1.RemoveRequest{Name: "one"}); err != nil {
		t.Fatalf("idle: %v", err)
	}
	if es := r.engines(); len(es) != 0 {
		t.Errorf("engines %v", es)
	}
	l, err := u.Core.ListTasks(t.Context(), &corev1.ListTasksRequest{})
	must(t, err)
	for _, o := range l.Tasks {
		if o.Verb == "engine" {
			t.Error("its task is listed")
		}
	}
}
