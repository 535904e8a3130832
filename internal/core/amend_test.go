package core

import (
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// Only models that were given for the call are named, each as what it is.
func TestAmend(t *testing.T) {
	var both, finds told
	both.add("writes", modelv1.Role_ROLE_CHAT)
	both.add("finds", modelv1.Role_ROLE_EMBEDDING)
	finds.add("finds", modelv1.Role_ROLE_EMBEDDING)
	done := func(by string) *indexv1.Done { return &indexv1.Done{Engine: extractEngine, ByMeaning: by} }
	ask := func(d *indexv1.Done) rpc.Message {
		return &indexv1.AskResponse{Event: &indexv1.AskResponse_Done{Done: d}}
	}
	for _, c := range []struct{ said, want string }{{"finds", "finds"}, {"writes", ""}, {"other", ""}, {"", ""}} {
		d := done(c.said)
		if _, changed, err := amend(ask(d), nil, both); err != nil || d.ByMeaning != c.want || changed != (c.said != c.want) {
			t.Errorf("%q: %v %v %v", c.said, d, changed, err)
		}
	}
	d := done("")
	d.Engine = "Bailey 9"
	if _, changed, err := amend(&indexv1.SummarizeResponse{Event: &indexv1.SummarizeResponse_Done{Done: d}}, nil, both); err != nil || !changed || d.Engine != extractEngine {
		t.Errorf("%v %v", d, err)
	}
	for _, c := range []struct{ said, want string }{{"writes", "writes"}, {"finds", "writes"}, {"other", "writes"}} {
		w := &indexv1.WrittenDone{Model: c.said}
		m := &indexv1.AskResponse{Event: &indexv1.AskResponse_WrittenDone{WrittenDone: w}}
		if _, changed, err := amend(m, nil, both); err != nil || w.Model != c.want || changed != (c.said != c.want) {
			t.Errorf("%q: %v %v %v", c.said, w, changed, err)
		}
		if _, _, err := amend(m, nil, finds); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%q without a model that writes: %v", c.said, err)
		}
	}
	m := &indexv1.SummarizeResponse{Event: &indexv1.SummarizeResponse_Written{Written: &indexv1.Written{Text: "x"}}}
	if _, changed, err := amend(m, nil, both); err != nil || changed {
		t.Errorf("control: %v", err)
	}
	if _, _, err := amend(m, nil, finds); errs.CodeOf(err) != errs.Malformed {
		t.Errorf("words without a model that writes: %v", err)
	}
}

// A model that failed, or that was left out, did not take part.
func TestTookPart(t *testing.T) {
	for _, c := range []struct {
		want string
		m    rpc.Message
	}{
		{"finds", &indexv1.AskResponse{Event: &indexv1.AskResponse_Done{Done: &indexv1.Done{ByMeaning: "finds"}}}},
		{"", &indexv1.AskResponse{Event: &indexv1.AskResponse_Done{Done: &indexv1.Done{WithoutModel: string(errs.EngineCrashed)}}}},
		{"writes", &indexv1.AskResponse{Event: &indexv1.AskResponse_WrittenDone{WrittenDone: &indexv1.WrittenDone{Model: "writes"}}}},
		{"writes", &indexv1.SummarizeResponse{Event: &indexv1.SummarizeResponse_WrittenDone{WrittenDone: &indexv1.WrittenDone{Model: "writes"}}}},
		{"", &indexv1.SummarizeResponse{Event: &indexv1.SummarizeResponse_WrittenDone{WrittenDone: &indexv1.WrittenDone{Model: "writes", Failed: string(errs.EngineHung)}}}},
		{"", &indexv1.SummarizeResponse{Event: &indexv1.SummarizeResponse_Written{Written: &indexv1.Written{Text: "x"}}}},
		{"", &indexv1.SourceResponse{}},
	} {
		if got := tookPart(c.m); got != c.want {
			t.Errorf("%v: %q, want %q", c.m, got, c.want)
		}
	}
}

// A worker that says the same without end takes no memory of the core's by it.
func TestPartsAreNotedOnce(t *testing.T) {
	r := &call{}
	for range 1000 {
		for _, name := range []string{"writes", "other", "writes"} {
			r.notePart(&indexv1.AskResponse{Event: &indexv1.AskResponse_WrittenDone{WrittenDone: &indexv1.WrittenDone{Model: name}}})
		}
	}
	if len(r.took) != 2 {
		t.Errorf("%d parts are noted", len(r.took))
	}
}
