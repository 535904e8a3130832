package core

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// All grants of a model meet in one process, also when they come at once; each
// has a handle of its own there, and another model another process.
func TestGrantsShareAnEngine(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	u.pull("two", tiny(2))
	if n := len(r.engines()); n != 0 {
		t.Fatalf("%d engines before anything was asked", n)
	}
	var wg sync.WaitGroup
	for range 8 {
		_, g := u.run("one")
		wg.Go(func() {
			if text, err := u.say(g.Handle, "say"); err != nil || text != "I " {
				t.Errorf("%q %v", text, err)
			}
		})
	}
	wg.Wait()
	first := r.engine()
	_, g := u.run("two")
	if _, err := u.say(g.Handle, "say"); err != nil {
		t.Fatal(err)
	}
	if es := r.engines(); len(es) != 2 || !slices.Contains(es, first) {
		t.Fatalf("engines %v, the first was %d", es, first)
	}
	if s, err := u.Engine.Stats(t.Context(), &enginev1.StatsRequest{Grant: g.Handle}); err != nil || s.Memory != 1 {
		t.Fatalf("a call without a stream: %v %v", s, err)
	}
}

// An engine outlives its last grant as a task that is listed, serves the next
// one, and ends with its time or when it is stopped.
func TestKeepAlive(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	task, g := u.run("one")
	if _, err := u.say(g.Handle, "say"); err != nil {
		t.Fatal(err)
	}
	first := r.engine()
	own := func() string {
		l, err := u.Core.ListTasks(t.Context(), &corev1.ListTasksRequest{})
		must(t, err)
		for _, o := range l.Tasks {
			if o.Verb == "engine" {
				return o.Id
			}
		}
		return ""
	}
	if id := own(); id != "" {
		t.Fatalf("an engine in use is a task of its own: %s", id)
	}
	u.end(task)
	kept := own()
	if kept == "" || r.engine() != first {
		t.Fatalf("not kept: %q", kept)
	}
	task, g = u.run("one")
	if id := own(); id != "" {
		t.Fatalf("still kept: %s", id)
	}
	used := r.models.List()[0].LastUsed
	if _, err := u.say(g.Handle, "say"); err != nil || r.engine() != first {
		t.Fatalf("another engine: %v", err)
	}
	if again := r.models.List()[0].LastUsed; !again.After(used) {
		t.Errorf("used last at %v, and before at %v", again, used)
	}
	u.end(task)
	kept = own()
	if s, err := u.Core.StopTask(t.Context(), &corev1.StopTaskRequest{Task: kept}); err != nil || s.Stopped != 1 {
		t.Fatalf("%v %v", s, err)
	}
	if es := r.engines(); len(es) != 0 {
		t.Fatalf("stopped, and there: %v", es)
	}
	// Stopping everything keeps nothing.
	_, g = u.run("one")
	if _, err := u.say(g.Handle, "say"); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Core.StopTask(t.Context(), &corev1.StopTaskRequest{}); err != nil {
		t.Fatal(err)
	}
	if es := r.engines(); len(es) != 0 || own() != "" {
		t.Fatalf("all was stopped, and there are %v, %q", es, own())
	}
}

func TestKeepAliveEnds(t *testing.T) {
	r := start(t, 50*time.Millisecond)
	u := r.connect()
	u.pull("one", tiny(1))
	task, g := u.run("one")
	if _, err := u.say(g.Handle, "say"); err != nil {
		t.Fatal(err)
	}
	u.end(task)
	r.until("the engine to end", func() bool { return len(r.engines()) == 0 })
	// The core goes when its client does: nothing of its own is left.
	u.Close()
	select {
	case err := <-r.done:
		r.done <- err
	case <-time.After(wait):
		t.Fatal("the core stays")
	}
}

// Withdrawing a grant in mid-answer: the engine is gone at once when nobody else
// uses it. Asserted at ten times the promise; the figures are in the log.
func TestRevokeInMidAnswer(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	var took []time.Duration
	for range 10 {
		_, g := u.run("one")
		in := u.talk(g.Handle, "long")
		began := time.Now()
		if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: g.Id}); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
		if es := r.engines(); len(es) != 0 {
			t.Fatalf("revoked, and there: %v", es)
		}
		if _, err := rest(in); !is(err, errs.GrantRevoked) {
			t.Fatalf("the answer ended with %v", err)
		}
		if _, err := u.say(g.Handle, "say"); !is(err, errs.GrantRevoked) {
			t.Fatalf("a revoked grant: %v", err)
		}
	}
	slices.Sort(took)
	t.Logf("revoke, alone: %v", took)
	if worst := took[len(took)-1]; worst > 2500*time.Millisecond {
		t.Errorf("%v", worst)
	}
}

// Where others use the engine too, they go on, and an engine that does not
// confirm in time, because it is stopped or taken over, is killed.
func TestRevokeWhatIsShared(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	_, other := u.run("one")
	going := u.talk(other.Handle, "long")
	pid := r.engine()
	for range 3 {
		_, g := u.run("one")
		in := u.talk(g.Handle, "long")
		if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: g.Id}); err != nil {
			t.Fatal(err)
		}
		if _, err := rest(in); !is(err, errs.GrantRevoked) {
			t.Fatalf("the answer ended with %v", err)
		}
	}
	for range 10 {
		if _, err := going.Recv(); err != nil || r.engine() != pid {
			t.Fatalf("the other's answer: %v", err)
		}
	}
	_, g := u.run("one")
	in := u.talk(g.Handle, "long")
	r.halt(pid)
	began := time.Now()
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: g.Id}); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("revoke of a stopped engine: %v", took)
	if took > 2500*time.Millisecond || len(r.engines()) != 0 {
		t.Errorf("%v, engines %v", took, r.engines())
	}
	if _, err := rest(in); !is(err, errs.GrantRevoked) {
		t.Errorf("the answer ended with %v", err)
	}
	if _, err := rest(going); !is(err, errs.EngineHung) {
		t.Errorf("the other's answer ended with %v", err)
	}
	// The other's grant lives, and gets a new engine.
	if _, err := u.say(other.Handle, "say"); err != nil || r.engine() == pid {
		t.Errorf("%v", err)
	}
}

// A crash ends the call that it met, with its reason, and nothing else. Three in
// a row set the model aside, and asking for it anew is the way back.
func TestCrashes(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	_, g := u.run("one")
	for range 4 { // never three in a row
		if text, err := u.say(g.Handle, "crash"); !is(err, errs.EngineCrashed) || text != "I " {
			t.Fatalf("%q %v", text, err)
		}
		if text, err := u.say(g.Handle, "memory"); !is(err, errs.MemoryUsedUp) || text != "I " {
			t.Fatalf("%q %v", text, err)
		}
		if text, err := u.say(g.Handle, "say"); err != nil || text != "I " {
			t.Fatalf("after a crash: %q %v", text, err)
		}
	}
	for i := range limits.ModelCrashes {
		if i > 0 {
			// An engine that says how it is has not worked.
			if _, err := u.Engine.Stats(t.Context(), &enginev1.StatsRequest{Grant: g.Handle}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := u.say(g.Handle, "crash"); !is(err, errs.EngineCrashed) {
			t.Fatal(err)
		}
	}
	if _, err := u.say(g.Handle, "say"); !is(err, errs.ModelQuarantine) {
		t.Fatalf("after three: %v", err)
	}
	task := u.task("chat")
	if _, _, err := u.permit(task, run1("one")); !is(err, errs.ModelQuarantine) {
		t.Fatalf("a new grant: %v", err)
	}
	again := run1("one")
	again.Remember = true
	if _, _, err := u.permit(task, again, run1("one")); !is(err, errs.ModelQuarantine) {
		t.Fatalf("beside another want: %v", err)
	}
	_, p, err := u.permit(task, again)
	if err != nil || !p.Ask {
		t.Fatalf("the way back: %v %v", p, err)
	}
	if _, err := u.say(g.Handle, "say"); err != nil {
		t.Fatalf("after a pardon: %v", err)
	}
	l, err := u.Grant.List(t.Context(), &grantv1.ListRequest{})
	must(t, err)
	pins := 0
	for {
		row, err := l.Recv()
		if err != nil {
			break
		}
		if row.State == grantv1.State_STATE_REMEMBERED {
			pins++
			if !strings.HasPrefix(string(row.Scope), "one sha256:") {
				t.Errorf("scope %q", row.Scope)
			}
		}
	}
	if pins != 1 {
		t.Errorf("%d pins of one model", pins)
	}
	// What an engine said at its end is not kept: it may be what it has read.
	r.words.mu.Lock()
	defer r.words.mu.Unlock()
	if said := r.words.b.String(); !strings.Contains(said, "worker said") || strings.Contains(said, "bad_alloc") {
		t.Errorf("the core's log:\n%s", said)
	}
}

// An engine that does not take a grant's row holds nobody up.
func TestEngineDoesNotTakeAGrant(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	_, first := u.run("one")
	if _, err := u.say(first.Handle, "say"); err != nil {
		t.Fatal(err)
	}
	pid := r.engine()
	r.halt(pid)
	_, g := u.run("one")
	said := make(chan error, 1)
	go func() { _, err := u.say(g.Handle, "say"); said <- err }()
	select {
	case err := <-said:
		if !is(err, errs.EngineHung) {
			t.Errorf("%v", err)
		}
	case <-time.After(limits.EngineJoin + wait/4):
		t.Error("it waits on")
		must(t, unix.Kill(pid, unix.SIGCONT))
	}
	if _, err := u.say(first.Handle, "say"); err != nil || r.engine() == pid {
		t.Errorf("afterwards: %v", err)
	}
}

// Of an engine's words only those that are Bailey's own reach a person.
func TestEngineWords(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	_, g := u.run("one")
	_, err := u.say(g.Handle, "lie")
	if e := errs.From(err); e.Code != errs.Internal || strings.Contains(e.Message()+e.HintText(), "evil") || strings.Contains(e.Message(), "disk") {
		t.Errorf("a lie: %s, %s", e.Message(), e.HintText())
	}
	_, err = u.say(g.Handle, "words")
	if e := errs.From(err); e.Code != errs.ContextOverflow || e.Detail != "" || strings.Contains(e.HintText(), "evil") {
		t.Errorf("words: %s, %s", e.Message(), e.HintText())
	}
	_, err = u.say(g.Handle, "overflow")
	if e := errs.From(err); e.Code != errs.ContextOverflow || !strings.Contains(e.Detail, "5000") || !strings.Contains(e.Detail, "4096") {
		t.Errorf("counts: %s", e.Message())
	}
}

// A model's handle is worthless on another connection, for another kind of call,
// and once its task has ended.
func TestForeignHandles(t *testing.T) {
	r := start(t, 0)
	u, v := r.connect(), r.connect()
	u.pull("one", tiny(1))
	task, g := u.run("one")
	if _, err := u.say(g.Handle, "say"); err != nil {
		t.Fatalf("control: %v", err)
	}
	if _, err := v.say(g.Handle, "say"); !is(err, errs.GrantMissing) {
		t.Errorf("on another connection: %v", err)
	}
	u.end(task)
	if _, err := u.say(g.Handle, "say"); !is(err, errs.GrantMissing) {
		t.Errorf("after its task: %v", err)
	}
}

// Whoever opens the model's file for writing ends the engine that uses it, on
// the record; a file that is as it was serves again.
func TestModelFileIsWritten(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	_, g := u.run("one")
	in := u.talk(g.Handle, "long")
	pid := r.engine()
	blob := blobOf(t, r)
	must(t, unix.Chmod(blob, 0o600))
	fd, err := unix.Open(blob, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	if slices.Contains(r.engines(), pid) {
		t.Error("the file is open for writing, and the engine still reads it")
	}
	if _, err := rest(in); !is(err, errs.ModelChanged) {
		t.Errorf("the answer ended with %v", err)
	}
	must(t, unix.Close(fd))
	if _, err := u.say(g.Handle, "say"); err != nil {
		t.Errorf("nothing was written, and it is refused: %v", err)
	}
	noted := 0
	must(t, r.log.Read(t.Context(), audit.Filter{Kinds: []audit.Kind{auditlog.WorkerEnd}}, func(rec audit.Record) error {
		if rec.Code == string(errs.ModelChanged) && rec.Detail["model"] == "one" {
			noted++
		}
		return nil
	}))
	if noted != 1 {
		t.Errorf("%d records", noted)
	}
	fd, err = unix.Open(blob, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	_, err = unix.Pwrite(fd, []byte("x"), 1000)
	must(t, err)
	must(t, unix.Close(fd))
	if _, err := u.say(g.Handle, "say"); !is(err, errs.ModelChanged) {
		t.Errorf("other bytes are run: %v", err)
	}
}

// Load starts the engine with options, and tells its progress; a second one with
// more is refused while others use it, and loads anew when nobody does.
func TestLoad(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	_, g := u.run("one")
	load := func(g *grantv1.Granted, context uint32) (*modelv1.Loaded, int, error) {
		in, err := u.Model.Load(t.Context(), &modelv1.LoadRequest{Grant: g.Handle, Context: context})
		must(t, err)
		defer in.Close()
		for progress := 0; ; progress++ {
			m, err := in.Recv()
			if err != nil {
				return nil, progress, err
			}
			if m.GetLoaded() != nil {
				return m.GetLoaded(), progress, nil
			}
		}
	}
	l, progress, err := load(g, 512)
	if err != nil || l.Context != 512 || l.Engine != "fake/1" || progress == 0 {
		t.Fatalf("%v, %d reports, %v", l, progress, err)
	}
	pid := r.engine()
	for _, less := range []uint32{100, 512} {
		if l, _, err := load(g, less); err != nil || l.Context != 512 || r.engine() != pid {
			t.Fatalf("%d: %v %v", less, l, err)
		}
	}
	_, other := u.run("one")
	if _, _, err := load(other, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := u.say(other.Handle, "say"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := load(g, 900); !is(err, errs.ModelInUse) {
		t.Fatalf("more, while another uses it: %v", err)
	}
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: other.Id}); err != nil {
		t.Fatal(err)
	}
	if l, _, err := load(g, 900); err != nil || l.Context != 900 || r.engine() == pid {
		t.Fatalf("more, alone: %v %v", l, err)
	}
	// How a load fails.
	if _, _, err := load(g, 1002); !is(err, errs.ModelRefused) || !strings.HasPrefix(errs.From(err).Detail, `the engine says "`) {
		t.Errorf("refused: %v", err)
	}
	if _, _, err := load(g, 1001); !is(err, errs.EngineCrashed) {
		t.Errorf("crashed: %v", err)
	}
	if _, err := u.say(g.Handle, "say"); err != nil {
		t.Errorf("after both: %v", err)
	}
	if l, _, err := load(g, 100); err != nil || l.Context != 900 {
		t.Errorf("started anew, it forgot what was asked for: %v %v", l, err)
	}
	// Withdrawn while it loads: nothing is left when that returns.
	in, err := u.Model.Load(t.Context(), &modelv1.LoadRequest{Grant: g.Handle, Context: 1003})
	must(t, err)
	defer in.Close()
	if _, err := in.Recv(); err != nil {
		t.Fatal(err)
	}
	if len(r.engines()) != 1 {
		t.Fatal("control: nothing loads")
	}
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: g.Id}); err != nil {
		t.Fatal(err)
	}
	if es := r.engines(); len(es) != 0 {
		t.Errorf("engines %v", es)
	}
	for err == nil {
		_, err = in.Recv()
	}
	if !is(err, errs.GrantRevoked) {
		t.Errorf("the load ended with %v", err)
	}
}

// A quota counts over all calls, also when the engine had to be started anew.
func TestQuotaOverRestarts(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	task := u.task("chat")
	w := run1("one")
	w.Quota = &grantv1.Quota{Tokens: 10}
	gs, _, err := u.permit(task, w)
	must(t, err)
	if _, err := u.say(gs[0].Handle, "tokens 4"); err != nil {
		t.Fatal(err)
	}
	if _, err := u.say(gs[0].Handle, "crash"); !is(err, errs.EngineCrashed) {
		t.Fatal(err)
	}
	// 5 + 1 + 4 are all; this engine counts nothing itself.
	if _, err := u.say(gs[0].Handle, "tokens 3"); err != nil {
		t.Fatal(err)
	}
	if _, err := u.say(gs[0].Handle, "say"); !is(err, errs.QuotaUsedUp) {
		t.Fatalf("over its quota: %v", err)
	}
}

// An engine is not started for a model whose permission is gone, whatever grant
// there still is: here one that the withdrawal did not meet.
func TestNoEngineWithoutItsPin(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	_, g := u.run("one")
	if _, err := r.policies.Forget(r.policies.List()[0].ID, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := u.say(g.Handle, "say"); !is(err, errs.GrantRevoked) {
		t.Errorf("it is run without a pin: %v", err)
	}
	if es := r.engines(); len(es) != 0 {
		t.Errorf("engines %v", es)
	}
}

// An engine that keeps to no quota is held to it by the core: tokens to the
// message, and time whether it says something or not.
func TestQuotaAgainstTheEngine(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.pull("one", tiny(1))
	u.pull("finder", gguf.Embedding(7))
	under := func(model string, q *grantv1.Quota) []byte {
		w := run1(model)
		w.Quota = q
		gs, _, err := u.permit(u.task("chat"), w)
		must(t, err)
		return gs[0].Handle
	}
	h := under("one", &grantv1.Quota{Tokens: 10})
	if text, err := u.say(h, "tokens 9"); err != nil || text != "I xxxxxxxxx" {
		t.Errorf("control: exactly the quota: %q %v", text, err)
	}
	for _, what := range []string{"tokens 100", "untold 100"} {
		h = under("one", &grantv1.Quota{Tokens: 10})
		text, err := u.say(h, what)
		if most := 10 + 1; !is(err, errs.QuotaUsedUp) || strings.Count(text, "x") > most-1 || strings.Count(text, "x") < most-2 {
			t.Errorf("%s: %q %v", what, text, err)
		}
		if text, err := u.say(h, "say"); !is(err, errs.QuotaUsedUp) || text != "" {
			t.Errorf("another call after %s: %q %v", what, text, err)
		}
	}
	for _, what := range []string{"long", "silent"} {
		h = under("one", &grantv1.Quota{Milliseconds: 300})
		began := time.Now()
		if _, err := u.say(h, what); !is(err, errs.QuotaUsedUp) || time.Since(began) > wait/2 {
			t.Errorf("%s: %v after %v", what, err, time.Since(began))
		}
		if _, err := u.say(h, "say"); !is(err, errs.QuotaUsedUp) {
			t.Errorf("another call after %s: %v", what, err)
		}
	}
	// Vectors: two tokens each, and over an engine that is started anew.
	h = under("finder", &grantv1.Quota{Tokens: 7})
	embed := func(texts ...string) (n int, err error) {
		in, err := u.Engine.Embed(t.Context(), &enginev1.EmbedRequest{Grant: h, Texts: texts})
		must(t, err)
		defer in.Close()
		for ; ; n++ {
			if _, err = in.Recv(); err != nil {
				return n, err
			}
		}
	}
	if n, err := embed("four", "the engine crashes here"); n != 1 || !is(err, errs.EngineCrashed) {
		t.Fatalf("%d vectors, %v", n, err)
	}
	if n, err := embed("four", "four", "four", "four", "four"); n != 3 || !is(err, errs.QuotaUsedUp) {
		t.Errorf("%d vectors, %v", n, err)
	}
}

func blobOf(t *testing.T, r *rig) string {
	t.Helper()
	m, err := r.models.Find("one")
	must(t, err)
	return r.home.State + "/models/blobs/sha256-" + m.Digest.Hex()
}
