package core

import (
	"io"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// crashes of a model's engine in a row.
func (r *rig) crashes(name string) int {
	r.t.Helper()
	m, err := r.models.Find(name)
	must(r.t, err)
	return m.Crashes
}

// An answer that a model took part in, over a channel, ends a row of crashes; one
// that it was left out of does not.
func TestAnswersEndARowOfCrashes(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	u.pull("writer", tiny(1))
	task := u.task("ask")
	gs, _, err := u.permit(task, read1(r.folder(0)), run1("finder"), run1("writer"))
	must(t, err)
	finder, writer := gs[1].Handle, gs[2].Handle
	crash := func(name string, n int) {
		t.Helper()
		if name == "writer" {
			if _, err := u.say(writer, "crash"); !is(err, errs.EngineCrashed) {
				t.Fatal(err)
			}
		} else if a, err := u.askFor("does the engine crash because the engine crashes here?", gs[0].Handle, finder); err != nil || a.byMeaning != "" {
			t.Fatalf("%+v %v", a, err)
		}
		r.until("the crash to be counted", func() bool { return r.crashes(name) == n })
	}
	crash("finder", 1)
	crash("writer", 1)
	if _, err := u.ask(gs[0].Handle); err != nil || r.crashes("finder") != 1 || r.crashes("writer") != 1 {
		t.Errorf("an answer without a model: %d %d %v", r.crashes("finder"), r.crashes("writer"), err)
	}
	if a, err := u.ask(gs[0].Handle, finder); err != nil || a.byMeaning != "finder" || r.crashes("finder") != 0 || r.crashes("writer") != 1 {
		t.Errorf("an answer by meaning: %+v, %d and %d crashes, %v", a, r.crashes("finder"), r.crashes("writer"), err)
	}
	crash("finder", 1)
	if a, err := u.ask(gs[0].Handle, writer); err != nil || a.writtenFailed != "writer " || r.crashes("finder") != 1 || r.crashes("writer") != 0 {
		t.Errorf("an answer with a model's words: %+v, %d and %d crashes, %v", a, r.crashes("finder"), r.crashes("writer"), err)
	}
	crash("finder", 2)
	crash("writer", 1)
	in, err := u.Index.Summarize(t.Context(), &indexv1.SummarizeRequest{Grant: gs[0].Handle, Engines: [][]byte{writer}})
	must(t, err)
	defer in.Close()
	for err == nil {
		_, err = in.Recv()
	}
	if err != io.EOF || r.crashes("finder") != 2 || r.crashes("writer") != 0 {
		t.Errorf("a summary: %d and %d crashes, %v", r.crashes("finder"), r.crashes("writer"), err)
	}
}

// Vectors that are made in the background end a row of crashes, and work that finds
// all of them made does not.
func TestVectorsEndARowOfCrashes(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	dir := r.folder(100)
	for round, left := range []int{0, 1} {
		task, gs := u.both(dir, "finder", true)
		a, err := u.askFor("does the engine crash because the engine crashes here?", gs[0].Handle, gs[1].Handle)
		if err != nil || a.byMeaning != "" {
			t.Fatalf("%+v %v", a, err)
		}
		r.until("the crash to be counted", func() bool { return r.crashes("finder") == 1 })
		u.end(task)
		r.until("the work to end", func() bool { return r.vectorsEnded() == round+1 })
		if n := r.crashes("finder"); n != left {
			t.Errorf("round %d: %d crashes, want %d", round, n, left)
		}
	}
}

// vectorsEnded is how often work on vectors has ended in order.
func (r *rig) vectorsEnded() (n int) {
	must(r.t, r.log.Read(r.t.Context(), audit.Filter{Kinds: []audit.Kind{auditlog.TaskEnd}}, func(rec audit.Record) error {
		if rec.Verb == "vectors" && rec.Code == "ok" {
			n++
		}
		return nil
	}))
	return n
}
