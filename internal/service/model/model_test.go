package model

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/models"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, code errs.Code) {
	t.Helper()
	if err == nil || errs.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// file is a policy file in memory.
type file struct{ b []byte }

func (f *file) Load(int) ([]byte, error) { return f.b, nil }
func (f *file) Save(b []byte) error      { f.b = b; return nil }
func (f *file) Remove() error            { f.b = nil; return nil }

type noAnchor struct{}

func (noAnchor) Put(string, uint64, string) error { return nil }

// rig is a service with a home, and everything beside it played.
type rig struct {
	*Service
	t      *testing.T
	base   string
	routes []rpc.Route
	ctx    context.Context
	sess   *session.Session
	task   *session.Task
	log    *audit.Log

	inspected int
	refuse    error
	loaded    map[models.Digest]bool
	unpinned  []models.Digest
	// hook sees what the store does to its files.
	hook safefile.Hook
}

func newRig(t *testing.T) *rig {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	home, err := safefile.MakeDir(filepath.Join(base, "state"))
	must(t, err)
	dir, err := home.Sub("models")
	must(t, err)
	quiet := slog.New(slog.DiscardHandler)
	r := &rig{t: t, base: base, loaded: map[models.Digest]bool{}}
	hooked := dir.WithHook(func(s safefile.Step) error {
		if r.hook == nil {
			return nil
		}
		return r.hook(s)
	})
	store, err := models.Open(models.Config{Dir: hooked, Clock: clock.System{}, Log: quiet})
	must(t, err)
	log, err := audit.Open(context.Background(), audit.Config{Home: home, Clock: clock.System{}, Log: quiet, Release: "v0", Anchor: noAnchor{}})
	must(t, err)
	policies, err := grant.OpenPolicies(&file{})
	must(t, err)
	r.log = log
	sessions := session.NewRegistry(clock.System{})
	r.Service = &Service{
		Clock: clock.System{}, Sessions: sessions, Store: store, Policies: policies, Log: log, Own: []string{filepath.Join(base, "state")},
		Pins: &sync.Mutex{}, Inspect: r.inspect, Memory: func() (uint64, error) { return 1 << 30, nil }, Engines: r,
		Unpin: func(_ context.Context, d models.Digest) error { r.unpinned = append(r.unpinned, d); return nil },
		Start: func(_ context.Context, in *modelv1.LoadRequest, out *modelv1.ModelServiceLoadSender) error {
			return out.Send(&modelv1.LoadResponse{Event: &modelv1.LoadResponse_Progress{Progress: &modelv1.LoadProgress{Thousandths: 7}}})
		},
	}
	r.routes = modelv1.ModelServiceRoutes(r.Service)
	r.sess, err = sessions.Open("bailey", "terminal", 1)
	must(t, err)
	r.ctx = session.With(context.Background(), r.sess)
	r.begin()
	t.Cleanup(func() { sessions.Close(r.sess); store.Close(); log.Close(); dir.Close(); home.Close() })
	return r
}

func (r *rig) begin() {
	r.t.Helper()
	var err error
	r.task, err = r.Sessions.Begin(r.sess, "model-pull")
	must(r.t, err)
}

func (r *rig) inspect(_ context.Context, f *modelfile.File) (*modelv1.Facts, error) {
	r.inspected++
	if r.refuse != nil {
		return nil, r.refuse
	}
	b := make([]byte, 4)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "GGUF" {
		return nil, errs.New(errs.ModelRefused, "test").With("not GGUF")
	}
	return &modelv1.Facts{Sha256: bytes.Repeat([]byte{9}, 32), Size: 12345, Role: modelv1.Role_ROLE_CHAT, Architecture: "llama", Context: 100, Layers: 2, Heads: 2, Dimension: 8, Vocabulary: 10, Weights: 100}, nil
}

// Loaded and End are those of Engines.
func (r *rig) Loaded(d models.Digest) bool { return r.loaded[d] }
func (r *rig) EndIdle(models.Digest)       {}
func (r *rig) End(d models.Digest) error   { delete(r.loaded, d); return nil }

type collected struct{ b [][]byte }

func (c *collected) Send(b []byte) error { c.b = append(c.b, bytes.Clone(b)); return nil }

// call makes a call as the transport does.
func call[R any, P interface {
	*R
	proto.Message
}](r *rig, m *rpc.Method, q proto.Message) ([]P, error) {
	r.t.Helper()
	b, err := proto.Marshal(q)
	must(r.t, err)
	for _, route := range r.routes {
		if route.Method != m {
			continue
		}
		c := &collected{}
		if route.Stream != nil {
			err = route.Stream(r.ctx, b, c)
		} else {
			var out []byte
			if out, err = route.Unary(r.ctx, b); err == nil {
				c.b = [][]byte{out}
			}
		}
		var all []P
		for _, b := range c.b {
			p := P(new(R))
			must(r.t, proto.Unmarshal(b, p))
			all = append(all, p)
		}
		return all, err
	}
	panic("BUG: no route of " + m.Name)
}

func (r *rig) file(name, content string) string {
	path := filepath.Join(r.base, name)
	must(r.t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(r.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func (r *rig) pull(path, name string, sha []byte) (*modelv1.Staged, error) {
	r.t.Helper()
	all, err := call[modelv1.PullResponse](r, modelv1.ModelServicePullMethod(), &modelv1.PullRequest{Task: r.task.ID, Path: []byte(path), Name: name, Sha256: sha})
	if err != nil {
		return nil, err
	}
	last := all[len(all)-1].GetStaged()
	if last == nil {
		r.t.Fatal("no end")
	}
	return last, nil
}

// pin plays what the service of grants does with a yes.
func (r *rig) pin(ref string) (models.Model, error) {
	w, err := r.Resolve(r.task, ref, true)
	if err != nil {
		return models.Model{}, err
	}
	m, err := w.Accept()
	if err != nil {
		return m, err
	}
	return m, r.remember(m)
}

func (r *rig) remember(m models.Model) error {
	return r.Policies.Remember(grant.Remembered{ID: grant.NewID(), App: "bailey", Kind: "model.run", Name: m.Name, Digest: m.Digest.Hex(), By: string(capability.ByTerminal), Since: r.Clock.Wall()}, func(string) error { return nil })
}

func stagedRef(s *modelv1.Staged) string { return "staged:" + hex.EncodeToString(s.Id) }

func (r *rig) names() string {
	r.t.Helper()
	all, err := call[modelv1.ListResponse](r, modelv1.ModelServiceListMethod(), &modelv1.ListRequest{})
	must(r.t, err)
	var out []string
	for _, m := range all {
		out = append(out, m.Model.Name+" "+m.Model.PinnedBy)
	}
	return strings.Join(out, ", ")
}

func (r *rig) blob(d models.Digest) string {
	return filepath.Join(r.base, "state", "models", "blobs", "sha256-"+d.Hex())
}

func (r *rig) partials() int {
	left, err := filepath.Glob(filepath.Join(r.base, "state", "models", "partial", "*"))
	must(r.t, err)
	return len(left)
}

func TestPullThenYes(t *testing.T) {
	r := newRig(t)
	path := r.file("dir/My Model.gguf", "GGUF bytes")
	sum := sha256.Sum256([]byte("GGUF bytes"))
	st, err := r.pull(path, "", nil)
	must(t, err)
	m := st.Model
	// Size and digest are what was found, not what the reader said.
	if m.Name != "My-Model" || string(m.Facts.Sha256) != string(sum[:]) || m.Facts.Size != 10 || string(m.Source) != path || st.Known || m.PinnedBy != "" {
		t.Errorf("%v", st)
	}
	if r.inspected != 2 {
		t.Errorf("looked at %d times: the file before it is copied, and the copy", r.inspected)
	}
	if r.names() != "" {
		t.Error("listed before a yes")
	}
	// Another task has no business with it.
	mine := r.task
	r.begin()
	_, err = r.Resolve(r.task, stagedRef(st), true)
	wantCode(t, "of another task", err, errs.ModelMissing)
	r.task = mine
	got, err := r.pin(stagedRef(st))
	must(t, err)
	if got.Name != "My-Model" || r.names() != "My-Model terminal" {
		t.Error(got, r.names())
	}
	_, err = r.pin(stagedRef(st))
	wantCode(t, "twice", err, errs.ModelMissing)
	// The same again: nothing to ask, and it keeps its name.
	st, err = r.pull(path, "", nil)
	must(t, err)
	if !st.Known || st.Model.Name != "My-Model" || st.Model.PinnedBy == "" {
		t.Errorf("%v", st)
	}
	// By another name it gets that, and who allowed it stays.
	st, err = r.pull(path, "other", nil)
	must(t, err)
	if !st.Known || st.Model.Name != "other" || r.names() != "other terminal" {
		t.Errorf("%v %s", st, r.names())
	}
	// The task's end leaves it.
	must(t, r.Sessions.End(r.sess, mine.ID, session.OK))
	if r.names() != "other terminal" || r.partials() != 0 {
		t.Error(r.names(), r.partials())
	}
}

func TestNothingIsKept(t *testing.T) {
	r := newRig(t)
	good := r.file("m.gguf", "GGUF bytes")
	_, err := r.pull(r.file("story.gguf", "Once upon"), "", nil)
	wantCode(t, "no model", err, errs.ModelRefused)
	if r.inspected != 1 {
		t.Error("what is no model was copied")
	}
	wrong := bytes.Repeat([]byte{7}, 32)
	_, err = r.pull(good, "", wrong)
	wantCode(t, "another digest", err, errs.DigestWrong)
	var e *errs.Error
	if errors.As(err, &e); !strings.Contains(e.Detail, hex.EncodeToString(wrong)) || !strings.Contains(e.Detail, hex.EncodeToString(sum("GGUF bytes"))) {
		t.Errorf("not both digests are named: %v", err)
	}
	_, err = r.pull(good, "", []byte{1})
	wantCode(t, "a digest of a byte", err, errs.Malformed)
	_, err = r.pull(good, "a/b", nil)
	wantCode(t, "a name that is none", err, errs.Usage)
	_, err = r.pull(filepath.Join(r.base, "none"), "", nil)
	wantCode(t, "no file", err, errs.NotFound)
	_, err = r.pull("m.gguf", "", nil)
	wantCode(t, "a relative path", err, errs.Usage)
	_, err = r.pull(r.file("state/own.gguf", "GGUF own"), "", nil)
	wantCode(t, "Bailey's own", err, errs.Denied)
	must(t, os.Symlink(filepath.Join(r.base, "state", "own.gguf"), filepath.Join(r.base, "link.gguf")))
	_, err = r.pull(filepath.Join(r.base, "link.gguf"), "", nil)
	wantCode(t, "Bailey's own by a link", err, errs.Denied)
	r.refuse = errs.New(errs.ModelRefused, "test")
	_, err = r.pull(good, "", nil)
	wantCode(t, "what the worker refuses", err, errs.ModelRefused)
	r.refuse = nil
	// A task that ends without an answer.
	st, err := r.pull(good, "", nil)
	must(t, err)
	if r.partials() != 1 {
		t.Fatal("control: nothing is staged")
	}
	must(t, r.Sessions.End(r.sess, r.task.ID, session.OK))
	if r.partials() != 0 || r.names() != "" {
		t.Error("what nobody answered is left")
	}
	_, err = r.Resolve(r.task, stagedRef(st), true)
	wantCode(t, "after the task", err, errs.ModelMissing)
	_, err = r.pull(good, "", nil)
	wantCode(t, "for a task that has ended", err, errs.NotFound)
	r.begin()
	for range limits.ModelStaged {
		_, err := r.pull(good, "", nil)
		must(t, err)
	}
	_, err = r.pull(good, "", nil)
	wantCode(t, "too many at once", err, errs.CoreBusy)
	if r.partials() != limits.ModelStaged {
		t.Error(r.partials())
	}
	// All of it is on the record, with its outcome.
	codes := map[string]int{}
	must(t, r.log.Read(context.Background(), audit.Filter{Kinds: []audit.Kind{auditlog.Intent, auditlog.CallEnd}}, func(rec audit.Record) error {
		codes[string(rec.Kind)+" "+rec.Code]++
		return nil
	}))
	if codes["intent "] != codes["call-end ok"]+codes["call-end model-refused"]+codes["call-end digest-wrong"]+codes["call-end malformed"]+codes["call-end usage"]+codes["call-end not-found"]+codes["call-end denied"]+codes["call-end core-busy"] || codes["call-end denied"] != 2 {
		t.Errorf("%v", codes)
	}
}

func sum(s string) []byte { d := sha256.Sum256([]byte(s)); return d[:] }

func TestNamesClash(t *testing.T) {
	r := newRig(t)
	st, err := r.pull(r.file("m.gguf", "GGUF one"), "", nil)
	must(t, err)
	_, err = r.pin(stagedRef(st))
	must(t, err)
	before := r.inspected
	_, err = r.pull(r.file("x/m.gguf", "GGUF of another size"), "", nil)
	wantCode(t, "a taken name", err, errs.ModelNameTaken)
	if r.inspected != before {
		t.Error("a file of another size was read before the name was refused")
	}
	_, err = r.pull(r.file("x/m.gguf", "GGUF two"), "", nil)
	wantCode(t, "a taken name, the same size", err, errs.ModelNameTaken)
	// Two that wait for an answer: the first yes gets the name.
	a, err := r.pull(r.file("a.gguf", "GGUF aaa"), "n", nil)
	must(t, err)
	b, err := r.pull(r.file("b.gguf", "GGUF bbb"), "n", nil)
	must(t, err)
	_, err = r.pin(stagedRef(a))
	must(t, err)
	_, err = r.pin(stagedRef(b))
	wantCode(t, "the second yes", err, errs.ModelNameTaken)
}

func TestPinIsTheWayBack(t *testing.T) {
	r := newRig(t)
	path := r.file("m.gguf", "GGUF one")
	st, err := r.pull(path, "", nil)
	must(t, err)
	m, err := r.pin(stagedRef(st))
	must(t, err)
	for range limits.ModelCrashes {
		_, err := r.Store.Crashed(m.Digest)
		must(t, err)
	}
	_, err = r.Resolve(r.task, "m", false)
	wantCode(t, "to use what was set aside", err, errs.ModelQuarantine)
	w, err := r.Resolve(r.task, "m", true)
	must(t, err)
	if !w.Again {
		t.Error("a person is not asked again")
	}
	// Pulling it again asks too.
	st, err = r.pull(path, "", nil)
	must(t, err)
	if st.Known {
		t.Error("what was set aside counts as allowed")
	}
	if _, err := w.Accept(); err != nil {
		t.Fatal(err)
	}
	w, err = r.Resolve(r.task, "m", false)
	must(t, err)
	if w.Again || w.Model.Quarantined || w.Model.PinnedBy != "terminal" {
		t.Errorf("%+v", w)
	}
}

// waits is a lock, and what happens while it is waited for.
type waits func()

func (w waits) Lock() { w() }
func (waits) Unlock() {}

func TestRemoveVerifyGcFitLoad(t *testing.T) {
	r := newRig(t)
	st, err := r.pull(r.file("m.gguf", "GGUF one"), "", nil)
	must(t, err)
	m, err := r.pin(stagedRef(st))
	must(t, err)
	// One that nobody allowed: its pin was revoked.
	st, err = r.pull(r.file("n.gguf", "GGUF two"), "", nil)
	must(t, err)
	w, err := r.Resolve(r.task, stagedRef(st), true)
	must(t, err)
	n, err := w.Accept()
	must(t, err)
	v, err := call[modelv1.VerifyResponse](r, modelv1.ModelServiceVerifyMethod(), &modelv1.VerifyRequest{})
	if err != nil || len(v) != 2 || !v[0].Ok || !v[1].Ok || string(v[0].Found) != string(m.Digest[:]) {
		t.Error(v, err)
	}
	g, err := call[modelv1.GcResponse](r, modelv1.ModelServiceGcMethod(), &modelv1.GcRequest{DryRun: true})
	if err != nil || g[0].Removed != 1 || g[0].Freed != 8 || r.names() != "m terminal, n " {
		t.Error(g, err, r.names())
	}
	// A yes whose model is in the store and whose pin comes while this waits.
	r.Pins = waits(func() { must(t, r.remember(n)) })
	g, err = call[modelv1.GcResponse](r, modelv1.ModelServiceGcMethod(), &modelv1.GcRequest{})
	if err != nil || g[0].Removed != 0 || r.names() != "m terminal, n terminal" {
		t.Error("a model that is just being allowed:", g, err, r.names())
	}
	r.Pins = &sync.Mutex{}
	p, _ := r.Policies.FindModel("bailey", capability.Digest(n.Digest))
	_, err = r.Policies.Forget(p.ID, func(string) error { return nil })
	must(t, err)
	g, err = call[modelv1.GcResponse](r, modelv1.ModelServiceGcMethod(), &modelv1.GcRequest{})
	if err != nil || g[0].Removed != 1 || r.names() != "m terminal" {
		t.Error(g, err, r.names())
	}
	// Which model went is on the record, before and behind it.
	var kinds []string
	must(t, r.log.Read(t.Context(), audit.Filter{}, func(rec audit.Record) error {
		if rec.Detail["model"] == "n" && rec.Method == modelv1.ModelServiceRemoveMethod().Name {
			kinds = append(kinds, string(rec.Kind))
		}
		return nil
	}))
	if strings.Join(kinds, " ") != "intent call-end" {
		t.Error(kinds)
	}
	fit, err := call[modelv1.FitResponse](r, modelv1.ModelServiceFitMethod(), &modelv1.FitRequest{Name: "m", Context: 50})
	if err != nil || !fit[0].Fit.Fits || fit[0].Fit.Context != 50 || fit[0].Fit.Available != 1<<30 || fit[0].Model.PinnedBy != "terminal" {
		t.Error(fit, err)
	}
	must(t, r.CheckFit(m, 0, 0))
	r.Memory = func() (uint64, error) { return 1 << 20, nil }
	wantCode(t, "no memory", r.CheckFit(m, 0, 0), errs.ModelTooLarge)
	blob := r.blob(m.Digest)
	must(t, os.Chmod(blob, 0o600))
	must(t, os.WriteFile(blob, []byte("GGUF 0ne"), 0o600))
	v, err = call[modelv1.VerifyResponse](r, modelv1.ModelServiceVerifyMethod(), &modelv1.VerifyRequest{Name: "m"})
	if err != nil || len(v) != 1 || v[0].Ok || string(v[0].Found) != string(sum("GGUF 0ne")) {
		t.Error(v, err)
	}
	must(t, os.WriteFile(blob, []byte("GGUF one"), 0o600))
	u, err := r.Store.Use(r.ctx, m.Digest, func() {})
	must(t, err)
	r.loaded[m.Digest] = true
	remove := func(force bool) error {
		_, err := call[modelv1.RemoveResponse](r, modelv1.ModelServiceRemoveMethod(), &modelv1.RemoveRequest{Name: "m", Force: force})
		return err
	}
	wantCode(t, "rm while in use", remove(false), errs.ModelInUse)
	if len(r.unpinned) != 0 || !r.loaded[m.Digest] {
		t.Error("refused, and done by half")
	}
	u.Release()
	must(t, remove(true))
	if len(r.unpinned) != 1 || r.loaded[m.Digest] || r.names() != "" {
		t.Error(r.unpinned, r.loaded, r.names())
	}
	wantCode(t, "twice", remove(false), errs.ModelMissing)
	l, err := call[modelv1.LoadResponse](r, modelv1.ModelServiceLoadMethod(), &modelv1.LoadRequest{Grant: make([]byte, 16)})
	if err != nil || l[0].GetProgress().GetThousandths() != 7 {
		t.Error(l, err)
	}
}

// A model whose bytes the disk does not read is no reason to leave the others
// unlooked at.
func TestVerifyGoesOnAfterAReadError(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"a", "b", "c"} {
		st, err := r.pull(r.file(name+".gguf", "GGUF "+name), "", nil)
		must(t, err)
		_, err = r.pin(stagedRef(st))
		must(t, err)
	}
	all := r.Store.List()
	must(t, os.Remove(r.blob(all[0].Digest)))
	r.hook = func(s safefile.Step) error {
		if s.Op == safefile.OpOpen && s.Name == filepath.Base(r.blob(all[1].Digest)) {
			return syscall.EIO
		}
		return nil
	}
	v, err := call[modelv1.VerifyResponse](r, modelv1.ModelServiceVerifyMethod(), &modelv1.VerifyRequest{})
	if err != nil || len(v) != 3 || v[0].Ok || v[1].Ok || !v[2].Ok || len(v[1].Found) != 0 {
		t.Fatal(v, err)
	}
	if v[0].Why != "the file of a is gone" || v[1].Why == "" || v[2].Why != "" {
		t.Errorf("%q, %q, %q", v[0].Why, v[1].Why, v[2].Why)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	r.ctx = ctx
	_, err = call[modelv1.VerifyResponse](r, modelv1.ModelServiceVerifyMethod(), &modelv1.VerifyRequest{Name: "c"})
	wantCode(t, "a call that ended", err, errs.Cancelled)
}

// An app's page is not told where on this machine a model came from; the command
// line is.
func TestAppsDoNotSeeSources(t *testing.T) {
	r := newRig(t)
	st, err := r.pull(r.file("secret-project/m.gguf", "GGUF bytes"), "", nil)
	must(t, err)
	_, err = r.pin(stagedRef(st))
	must(t, err)
	for surface, shown := range map[string]bool{"terminal": true, apps.SurfacePanel: true, apps.SurfaceWindow: false} {
		s, err := r.Sessions.Open("studio", surface, 1)
		must(t, err)
		r.ctx = session.With(context.Background(), s)
		rows, err := call[modelv1.ListResponse](r, modelv1.ModelServiceListMethod(), &modelv1.ListRequest{})
		must(t, err)
		if len(rows) != 1 || (len(rows[0].Model.Source) > 0) != shown {
			t.Errorf("%s: %v", surface, rows)
		}
		r.Sessions.Close(s)
	}
}
