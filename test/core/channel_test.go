package core

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// folder makes one with a document, and as many more as are wanted.
func (r *rig) folder(more int) string {
	r.t.Helper()
	dir := filepath.Join(r.base, "folder")
	must(r.t, os.Mkdir(dir, 0o755))
	write := func(name, text string) { must(r.t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)) }
	write("release.md", "# Release\n\nA release is signed by the release key, which lives on a hardware token. Two people must approve it.\n")
	for i := range more {
		write(fmt.Sprintf("more%04d.md", i), fmt.Sprintf("# Subject %d\n\nParagraph %d speaks of subject %d, which differs from the subject before it in number %d and in nothing else.\n", i, i, i*7, i*31))
	}
	return dir
}

func read1(dir string) *grantv1.Want {
	return &grantv1.Want{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(dir)}
}

// answered is what an ask gave.
type answered struct {
	text          string
	withoutModel  string
	byMeaning     string
	engine        string
	written       []string
	writtenFailed string
}

func (u *user) ask(handle []byte, engines ...[]byte) (answered, error) {
	return u.askFor("how is a release signed?", handle, engines...)
}

func (u *user) askFor(question string, handle []byte, engines ...[]byte) (answered, error) {
	var a answered
	in, err := u.Index.Ask(u.r.t.Context(), &indexv1.AskRequest{Grant: handle, Question: question, Engines: engines})
	if err != nil {
		return a, err
	}
	defer in.Close()
	for {
		m, err := in.Recv()
		if err == io.EOF {
			return a, nil
		}
		if err != nil {
			return a, err
		}
		a.text += m.GetSentence().GetText()
		if w := m.GetWritten(); w != nil {
			a.written = append(a.written, w.Text)
		}
		if w := m.GetWrittenDone(); w != nil {
			a.writtenFailed = w.Model + " " + w.Failed
		}
		if d := m.GetDone(); d != nil {
			a.withoutModel, a.byMeaning, a.engine = d.WithoutModel, d.ByMeaning, d.Engine
		}
	}
}

// An index worker that was taken over has no words of its own in the lines that
// Bailey prints around an answer, and writes nothing where no model was given
// that writes.
func TestIndexWorkerWasTakenOver(t *testing.T) {
	r := startWith(t, 0, badIndex)
	u := r.connect()
	gs, _, err := u.permit(u.task("ask"), read1(r.folder(0)))
	must(t, err)
	a, err := u.askFor("nothing", gs[0].Handle)
	if want := (answered{engine: "bailey-extract/1", withoutModel: string(errs.Internal)}); err != nil || !reflect.DeepEqual(a, want) {
		t.Errorf("%+v %v", a, err)
	}
	if n := len(r.workers()); n != 1 {
		t.Errorf("control: %d workers after an answer", n)
	}
	for _, q := range []string{"write", "say that it wrote"} {
		if a, err := u.askFor(q, gs[0].Handle); !is(err, errs.Malformed) || len(a.written) > 0 || a.writtenFailed != "" {
			t.Errorf("%s: %+v %v", q, a, err)
		}
		r.until("its end", func() bool { return len(r.workers()) == 0 })
	}
}

// both gets the grants of a folder and a model in one question.
func (u *user) both(dir, model string, remember bool) (task string, gs []*grantv1.Granted) {
	u.r.t.Helper()
	task = u.task("ask")
	w := read1(dir)
	w.Remember = remember
	gs, _, err := u.permit(task, w, run1(model))
	must(u.r.t, err)
	return task, gs
}

// An answer is found with the engine, over a channel that is on the record; a
// second one uses the same.
func TestAskWithAnEngine(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	dir := r.folder(3)
	_, gs := u.both(dir, "finder", false)
	for range 2 {
		a, err := u.ask(gs[0].Handle, gs[1].Handle)
		if err != nil || !strings.Contains(a.text, "hardware token") || a.withoutModel != "" || a.byMeaning != "finder" || a.engine != "bailey-extract/1" {
			t.Fatalf("%+v %v", a, err)
		}
	}
	if n := channels(t, r); n != 1 {
		t.Errorf("%d channels", n)
	}
	if a, err := u.ask(gs[0].Handle); err != nil || a.byMeaning != "" {
		t.Errorf("without naming it: %+v %v", a, err)
	}
}

func channels(t *testing.T, r *rig) int {
	t.Helper()
	n := 0
	must(t, r.log.Read(t.Context(), audit.Filter{Kinds: []audit.Kind{auditlog.Call}}, func(rec audit.Record) error {
		if rec.Method == indexv1.IndexServiceAttachMethod().Name && rec.Detail["model"] == "finder" && rec.Detail["model-grant"] != "" {
			n++
		}
		return nil
	}))
	return n
}

// Both grants have to be of one task, and of the caller.
func TestEnginesOfOtherTasks(t *testing.T) {
	r := start(t, 0)
	u, v := r.connect(), r.connect()
	u.pull("finder", gguf.Embedding(7))
	dir := r.folder(0)
	_, gs := u.both(dir, "finder", false)
	_, other := u.run("finder")
	_, foreign := v.run("finder")
	for name, h := range map[string][]byte{"of another task": other.Handle, "of another connection": foreign.Handle, "a folder's": gs[0].Handle, "made up": make([]byte, 16)} {
		if _, err := u.ask(gs[0].Handle, h); !is(err, errs.GrantMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := u.ask(gs[0].Handle, gs[1].Handle); err != nil {
		t.Errorf("control: %v", err)
	}
	if n := len(r.engines()); n != 1 {
		t.Errorf("%d engines", n)
	}
}

// An answer does not fail for want of an engine: it says so, and stands on words
// alone.
func TestAskWithoutItsEngine(t *testing.T) {
	r := start(t, 0, workerspec.EngineProgram)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	u.pull("writer", tiny(1))
	dir := r.folder(0)
	task := u.task("ask")
	gs, _, err := u.permit(task, read1(dir), run1("finder"), run1("writer"))
	must(t, err)
	a, err := u.ask(gs[0].Handle, gs[1].Handle, gs[2].Handle)
	if err != nil || !strings.Contains(a.text, "hardware token") || a.withoutModel != string(errs.EngineMissing) || a.writtenFailed != "writer "+string(errs.EngineMissing) {
		t.Fatalf("%+v %v", a, err)
	}
	if _, err := u.say(gs[2].Handle, "say"); !is(err, errs.EngineMissing) {
		t.Errorf("a call of the engine itself: %v", err)
	}
}

// When the model's grant is withdrawn the channel ends, and the folder's grant
// goes on; the other way round, no engine is left with a way to the folder.
func TestChannelsEnd(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	dir := r.folder(0)
	_, gs := u.both(dir, "finder", false)
	if a, err := u.ask(gs[0].Handle, gs[1].Handle); err != nil || a.byMeaning != "finder" {
		t.Fatalf("%+v %v", a, err)
	}
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: gs[1].Id}); err != nil {
		t.Fatal(err)
	}
	if n := len(r.engines()); n != 0 {
		t.Fatalf("%d engines", n)
	}
	if a, err := u.ask(gs[0].Handle); err != nil || !strings.Contains(a.text, "hardware token") {
		t.Errorf("the folder's grant: %+v %v", a, err)
	}
	if _, err := u.ask(gs[0].Handle, gs[1].Handle); !is(err, errs.GrantRevoked) {
		t.Errorf("a revoked model: %v", err)
	}
	// The engine dies in between: it is started anew, with a new channel.
	_, gs = u.both(dir, "finder", false)
	if _, err := u.ask(gs[0].Handle, gs[1].Handle); err != nil {
		t.Fatal(err)
	}
	killed := r.engine()
	must(t, unix.Kill(killed, unix.SIGKILL))
	if a, err := u.ask(gs[0].Handle, gs[1].Handle); err != nil || !strings.Contains(a.text, "hardware token") {
		t.Fatalf("%+v %v", a, err)
	}
	// It may have answered before it died.
	r.until("its end", func() bool { return !slices.Contains(r.engines(), killed) })
	r.until("an answer by meaning", func() bool {
		a, err := u.ask(gs[0].Handle, gs[1].Handle)
		if err != nil {
			t.Fatal(err)
		}
		return a.byMeaning == "finder"
	})
	// And the index worker.
	for _, pid := range r.workers() {
		if pid != r.engine() {
			must(t, unix.Kill(pid, unix.SIGKILL))
		}
	}
	// The call that meets the end may say so.
	r.until("an answer", func() bool {
		a, err := u.ask(gs[0].Handle, gs[1].Handle)
		if err != nil && !is(err, errs.WorkerCrashed) && !is(err, errs.EngineCrashed) {
			t.Fatal(err)
		}
		return err == nil && a.byMeaning == "finder"
	})
}

// load loads a model with a context that tells the engine what to do.
func (u *user) load(handle []byte, what uint32) {
	u.r.t.Helper()
	in, err := u.Model.Load(u.r.t.Context(), &modelv1.LoadRequest{Grant: handle, Context: what})
	must(u.r.t, err)
	defer in.Close()
	for err == nil {
		_, err = in.Recv()
	}
	if err != io.EOF {
		u.r.t.Fatal(err)
	}
}

// An engine that only says it has dropped a grant's row, and lives on for another
// grant of the same model, keeps no way to the index: the index worker ends.
func TestChannelToAnEngineThatLies(t *testing.T) {
	const lies = 1004
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	load := func(handle []byte) { t.Helper(); u.load(handle, lies) }
	_, gs := u.both(r.folder(0), "finder", false)
	load(gs[1].Handle)
	_, other := u.run("finder")
	load(other.Handle)
	if a, err := u.ask(gs[0].Handle, gs[1].Handle); err != nil || a.byMeaning != "finder" {
		t.Fatalf("%+v %v", a, err)
	}
	engine := r.engine()
	index := slices.DeleteFunc(r.workers(), func(pid int) bool { return pid == engine })
	if len(index) != 1 {
		t.Fatalf("index workers %v", index)
	}
	in, err := u.Index.Ask(t.Context(), &indexv1.AskRequest{Grant: gs[0].Handle, Question: "the engine waits here", Engines: [][]byte{gs[1].Handle}})
	must(t, err)
	defer in.Close()
	if _, err := in.Recv(); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: gs[1].Id}); err != nil {
		t.Fatal(err)
	}
	r.until("the index worker to end", func() bool { return !slices.Contains(r.workers(), index[0]) })
	for err == nil {
		_, err = in.Recv()
	}
	if !is(err, errs.GrantRevoked) {
		t.Errorf("the question that was under way ended with %v", err)
	}
	if r.engine() != engine {
		t.Error("control: the engine ended, so nothing was left to lie")
	}
	if a, err := u.ask(gs[0].Handle); err != nil || !strings.Contains(a.text, "hardware token") {
		t.Errorf("the folder's grant: %+v %v", a, err)
	}
}

func (u *user) tasks(verb string) (ids []string) {
	u.r.t.Helper()
	l, err := u.Core.ListTasks(u.r.t.Context(), &corev1.ListTasksRequest{})
	must(u.r.t, err)
	for _, o := range l.Tasks {
		if o.Verb == verb {
			ids = append(ids, o.Id)
		}
	}
	return ids
}

// progress of the remembered folder; 0 when there is no work.
func (u *user) progress() uint32 {
	u.r.t.Helper()
	in, err := u.Grant.List(u.r.t.Context(), &grantv1.ListRequest{})
	must(u.r.t, err)
	defer in.Close()
	for {
		row, err := in.Recv()
		if err != nil {
			return 0
		}
		if row.State == grantv1.State_STATE_REMEMBERED && row.Kind == policyv1.Kind_KIND_FILE_READ {
			return row.Progress
		}
	}
}

// Under a folder that was remembered with its model, vectors are made when its
// task has ended: with progress, on the record, giving way to a task and going on
// after it; stopped, they stay so until the next command over that folder.
func TestVectorsInTheBackground(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	dir := r.folder(1500)
	task, gs := u.both(dir, "finder", true)
	if _, err := u.ask(gs[0].Handle); err != nil {
		t.Fatal(err)
	}
	if u.progress() != 0 || len(u.tasks("vectors")) != 0 {
		t.Fatal("work in the background before the task ended")
	}
	f, err := u.Grant.FindRemembered(t.Context(), &grantv1.FindRememberedRequest{Path: []byte(dir)})
	if err != nil || string(f.Path) != dir || len(f.Models) != 1 || f.Models[0] != "finder" {
		t.Fatalf("%v %v", f, err)
	}
	u.end(task)
	r.until("the work to begin", func() bool { return len(u.tasks("vectors")) == 1 && u.progress() > 0 })
	first := u.tasks("vectors")[0]
	r.until("some progress", func() bool { return u.progress() > 1 })
	// A task comes: it waits for nothing but the end of the work.
	began := time.Now()
	task, gs = u.both(dir, "finder", false)
	took := time.Since(began)
	t.Logf("gave way in %v", took)
	if ids := u.tasks("vectors"); len(ids) != 0 {
		t.Fatalf("the work goes on beside a task: %v", ids)
	}
	if a, err := u.ask(gs[0].Handle, gs[1].Handle); err != nil || !strings.Contains(a.text, "hardware token") {
		t.Fatalf("%+v %v", a, err)
	}
	u.end(task)
	r.until("the work to go on", func() bool { return len(u.tasks("vectors")) == 1 })
	if u.tasks("vectors")[0] == first {
		t.Fatal("the same task twice")
	}
	if _, err := u.Core.StopTask(t.Context(), &corev1.StopTaskRequest{}); err != nil {
		t.Fatal(err)
	}
	r.until("all workers to end", func() bool { return len(r.workers()) == 0 })
	if len(u.tasks("vectors")) != 0 {
		t.Fatal("stopped, and there")
	}
	// The next command over the folder takes it up again, until it is done.
	task, _ = u.both(dir, "finder", false)
	u.end(task)
	r.until("the work to begin again", func() bool { return len(u.tasks("vectors")) == 1 })
	r.until("the work to end", func() bool { return len(u.tasks("vectors")) == 0 })
	if u.progress() != 0 {
		t.Error("it is done, and has progress")
	}
	minted := 0
	must(t, r.log.Read(t.Context(), audit.Filter{Kinds: []audit.Kind{auditlog.Grant}}, func(rec audit.Record) error {
		if rec.Verb == "vectors" && rec.By == "remembered" && rec.Surface == "core" {
			minted++
		}
		return nil
	}))
	// Two each time; the one that was stopped may not have come so far.
	if minted < 4 || minted > 6 {
		t.Errorf("%d grants of its own on the record", minted)
	}
}

// Withdrawing what is remembered ends the work, whichever of both it is.
func TestVectorsAreRevoked(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	dir := r.folder(1500)
	begin := func(remember bool) {
		task, gs := u.both(dir, "finder", remember)
		if _, err := u.ask(gs[0].Handle); err != nil {
			t.Fatal(err)
		}
		u.end(task)
		r.until("the work to begin", func() bool { return len(u.tasks("vectors")) == 1 && u.progress() > 1 })
	}
	remembered := func(k policyv1.Kind) string {
		in, err := u.Grant.List(t.Context(), &grantv1.ListRequest{})
		must(t, err)
		defer in.Close()
		for {
			row, err := in.Recv()
			if err != nil {
				return ""
			}
			if row.State == grantv1.State_STATE_REMEMBERED && row.Kind == k {
				return row.Id
			}
		}
	}
	begin(true)
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: remembered(policyv1.Kind_KIND_FILE_READ)}); err != nil {
		t.Fatal(err)
	}
	r.until("the work to end", func() bool { return len(u.tasks("vectors")) == 0 })
	begin(true)
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: remembered(policyv1.Kind_KIND_MODEL_RUN)}); err != nil {
		t.Fatal(err)
	}
	if n := len(r.engines()); n != 0 {
		t.Errorf("the model's permission is gone, and %d engines run", n)
	}
	r.until("the work to end", func() bool { return len(u.tasks("vectors")) == 0 })
	f, err := u.Grant.FindRemembered(t.Context(), &grantv1.FindRememberedRequest{Path: []byte(dir)})
	if err != nil || len(f.Path) == 0 || len(f.Models) != 0 {
		t.Errorf("the folder is remembered without the model: %v %v", f, err)
	}
}

// Withdrawing a grant of a task, or stopping the task, does not begin work over its
// folder, though that stays remembered. The next task over it does.
func TestNoVectorsAfterRevoke(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	dir := r.folder(1500)
	task, gs := u.both(dir, "finder", true)
	if _, err := u.ask(gs[0].Handle); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: gs[0].Id}); err != nil {
		t.Fatal(err)
	}
	u.end(task)
	r.until("all workers to end", func() bool { return len(r.workers()) == 0 })
	// Nor with a model that was withdrawn, nor behind a task that was stopped.
	task, gs = u.both(dir, "finder", false)
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: gs[1].Id}); err != nil {
		t.Fatal(err)
	}
	u.end(task)
	task, _ = u.both(dir, "finder", false)
	if _, err := u.Core.StopTask(t.Context(), &corev1.StopTaskRequest{Task: task}); err != nil {
		t.Fatal(err)
	}
	r.until("all workers to end", func() bool { return len(r.workers()) == 0 })
	task, _ = u.both(dir, "finder", false)
	u.end(task)
	r.until("the work to begin", func() bool { return len(u.tasks("vectors")) == 1 && u.progress() > 1 })
	begun := 0
	must(t, r.log.Read(t.Context(), audit.Filter{Kinds: []audit.Kind{auditlog.TaskBegin}}, func(rec audit.Record) error {
		if rec.Verb == "vectors" {
			begun++
		}
		return nil
	}))
	if begun != 1 {
		t.Errorf("begun %d times", begun)
	}
}

// Work over a folder that waits for its turn has no grant yet that would end; it
// ends all the same when the folder is forgotten, and never gets one.
func TestVectorsThatWaitAreRevoked(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	remember := func(dir string) string {
		task, gs := u.both(dir, "finder", true)
		if _, err := u.ask(gs[0].Handle); err != nil {
			t.Fatal(err)
		}
		u.end(task)
		return gs[0].Remembered
	}
	first := r.folder(1500)
	remember(first)
	r.until("the work to begin", func() bool { return len(u.tasks("vectors")) == 1 && u.progress() > 1 })
	second := filepath.Join(r.base, "second")
	must(t, os.Mkdir(second, 0o755))
	must(t, os.WriteFile(filepath.Join(second, "a.md"), []byte("# Secret\n\nThe harbour closes at nine in the evening, and nobody may know.\n"), 0o644))
	id := remember(second)
	r.until("the second to wait", func() bool { return len(u.tasks("vectors")) == 2 })
	running := u.tasks("vectors")[0]
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: id}); err != nil {
		t.Fatal(err)
	}
	if ids := u.tasks("vectors"); len(ids) != 1 || ids[0] != running {
		t.Errorf("it is forgotten, and waits on: %v beside %s", ids, running)
	}
	// The turn is free.
	if _, err := u.Core.StopTask(t.Context(), &corev1.StopTaskRequest{Task: running}); err != nil {
		t.Fatal(err)
	}
	r.until("all of it to end", func() bool { return len(u.tasks("vectors")) == 0 })
	minted := map[string]int{}
	must(t, r.log.Read(t.Context(), audit.Filter{Kinds: []audit.Kind{auditlog.Grant}}, func(rec audit.Record) error {
		if rec.Verb == "vectors" {
			minted[rec.Detail["path"]]++
		}
		return nil
	}))
	if minted[first] == 0 || minted[second] != 0 {
		t.Errorf("grants of its own: %v", minted)
	}
}

// Killing the engine or the index worker under the work costs a try.
func TestVectorsSurviveKills(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	dir := r.folder(1500)
	task, gs := u.both(dir, "finder", true)
	if _, err := u.ask(gs[0].Handle); err != nil {
		t.Fatal(err)
	}
	u.end(task)
	for _, which := range []string{"engine", "index"} {
		r.until("progress", func() bool { return u.progress() > 1 && len(r.engines()) == 1 && len(r.workers()) == 2 })
		engine := r.engine()
		for _, pid := range r.workers() {
			if (pid == engine) == (which == "engine") {
				must(t, unix.Kill(pid, unix.SIGKILL))
			}
		}
	}
	r.until("the work to end", func() bool { return len(u.tasks("vectors")) == 0 })
	bad := errors.New("")
	must(t, r.log.Read(t.Context(), audit.Filter{Kinds: []audit.Kind{auditlog.TaskEnd}}, func(rec audit.Record) error {
		if rec.Verb == "vectors" && rec.Code == "ok" {
			bad = nil
		}
		return nil
	}))
	if bad != nil {
		t.Error("the work did not end in order")
	}
}
