package grant

import (
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// file is a policy file in memory.
type file struct {
	b    []byte
	fail error // of Save
}

func (f *file) Load(int) ([]byte, error) { return f.b, nil }
func (f *file) Remove() error            { f.b = nil; return nil }
func (f *file) Save(b []byte) error {
	if f.fail == nil {
		f.b = b
	}
	return f.fail
}

// A permission that was withdrawn since the question was put gives no grant,
// neither to a client that kept the question open nor to work of the core's own
// that waited for its turn.
func TestNoGrantOfWhatWasForgotten(t *testing.T) {
	home := t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := safefile.OpenDir(home)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	log, err := audit.Open(t.Context(), audit.Config{Home: dir, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Release: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	policies, err := grant.OpenPolicies(&file{})
	if err != nil {
		t.Fatal(err)
	}
	none := func(string) error { return nil }
	if err := policies.Remember(grant.Remembered{ID: "p", App: "cli", Kind: "file.read", Path: "/d"}, none); err != nil {
		t.Fatal(err)
	}
	s := &Service{Clock: clock.System{}, Sessions: session.NewRegistry(clock.System{}), Table: grant.NewTable(clock.System{}), Policies: policies, Log: log}
	defer s.Table.Close()
	row := consent.Row{Policy: "p", Asked: capability.Asked{Kind: policyv1.Kind_KIND_FILE_READ, Scope: capability.Scope{Path: "/d"}}}
	task := s.Sessions.Own("cli", "core", "vectors")
	if gs, err := s.MintOwn(task, row); err != nil || len(gs) != 1 {
		t.Fatalf("control: %v %v", gs, err)
	}
	before := len(s.Table.List())
	if _, err := policies.Forget("p", none); err != nil {
		t.Fatal(err)
	}
	if gs, err := s.MintOwn(s.Sessions.Own("cli", "core", "vectors"), row); errs.CodeOf(err) != errs.GrantRevoked || gs != nil || len(s.Table.List()) != before {
		t.Fatalf("%v %v", gs, err)
	}
}

// Between a model's becoming one of the store and its pin's being remembered, what
// collects models without a pin waits.
func TestAllowedModelIsNotCollected(t *testing.T) {
	home := t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := safefile.OpenDir(home)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	log, err := audit.Open(t.Context(), audit.Config{Home: dir, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Release: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	policies, err := grant.OpenPolicies(&file{})
	if err != nil {
		t.Fatal(err)
	}
	var pins sync.RWMutex
	collects := func() bool {
		ok := pins.TryLock()
		if ok {
			pins.Unlock()
		}
		return ok
	}
	s := &Service{Clock: clock.System{}, Sessions: session.NewRegistry(clock.System{}), Table: grant.NewTable(clock.System{}), Policies: policies, Log: log, Pins: pins.RLocker()}
	defer s.Table.Close()
	task, accepted := s.Sessions.Own("cli", "terminal", "pull"), 0
	row := consent.Row{Model: &modelv1.Model{Name: "m"}, Again: true, Accept: func() error {
		if accepted++; collects() {
			t.Error("a model that was just allowed can be collected")
		}
		return nil
	}, Asked: capability.Asked{Kind: policyv1.Kind_KIND_MODEL_RUN, Remember: true, Scope: capability.Scope{Name: "m", Digest: capability.Digest{1}}}}
	if _, _, err := s.mint(task, &consent.Question{App: "cli", Task: task.ID, Rows: []consent.Row{row}}, row, capability.ByTerminal, nil); err != nil {
		t.Fatal(err)
	}
	if accepted != 1 || !collects() || len(policies.List()) != 1 {
		t.Errorf("accepted %d times, held on: %v, %d remembered", accepted, !collects(), len(policies.List()))
	}
}

// A grant that is minted while its task ends would never end: nothing looks for
// it any more. So it is taken back, on the record.
func TestNoGrantForATaskThatHasEnded(t *testing.T) {
	home := t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := safefile.OpenDir(home)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	log, err := audit.Open(t.Context(), audit.Config{Home: dir, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Release: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	policies, err := grant.OpenPolicies(&file{})
	if err != nil {
		t.Fatal(err)
	}
	if err := policies.Remember(grant.Remembered{ID: "p", App: "cli", Kind: "file.read", Path: "/d"}, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s := &Service{Clock: clock.System{}, Sessions: session.NewRegistry(clock.System{}), Table: grant.NewTable(clock.System{}), Policies: policies, Log: log}
	defer s.Table.Close()
	row := consent.Row{Policy: "p", Asked: capability.Asked{Kind: policyv1.Kind_KIND_FILE_READ, Scope: capability.Scope{Path: "/d"}}}
	open := s.Sessions.Own("cli", "core", "vectors")
	if gs, err := s.MintOwn(open, row); err != nil || len(gs) != 1 || len(s.Table.List()) != 1 {
		t.Fatalf("control: %v %v", gs, err)
	}
	ended := s.Sessions.Own("cli", "core", "vectors")
	s.Sessions.Finish(ended, session.OK)
	if gs, err := s.MintOwn(ended, row); errs.CodeOf(err) != errs.Cancelled || gs != nil {
		t.Fatalf("%v %v", gs, err)
	}
	if rows := s.Table.List(); len(rows) != 1 || rows[0].Row.Holder.Task != open.ID {
		t.Fatalf("%+v", rows)
	}
	revoked := 0
	err = log.Read(t.Context(), audit.Filter{Kinds: []audit.Kind{auditlog.Revoke}}, func(r audit.Record) error {
		if r.Task == ended.ID {
			revoked++
		}
		return nil
	})
	if err != nil || revoked != 1 {
		t.Errorf("%d records, %v", revoked, err)
	}
}

// A card is asked for with a model, and where there is one.
func TestCard(t *testing.T) {
	const node = "/dev/dri/renderD128"
	policies, err := grant.OpenPolicies(&file{})
	if err != nil {
		t.Fatal(err)
	}
	task := &session.Task{Session: &session.Session{App: "app"}}
	w := &grantv1.Want{Kind: policyv1.Kind_KIND_GPU_USE, Remember: true, Quota: &grantv1.Quota{Vram: 5}}
	s := &Service{Policies: policies, Graphics: func() (string, error) { return "", errs.New(errs.GraphicsMissing, "test") }}
	if _, err := s.resolve(task, w, false); errs.CodeOf(err) != errs.GraphicsMissing {
		t.Errorf("none is there: %v", err)
	}
	s.Graphics = func() (string, error) { return node, nil }
	if _, err := s.resolve(task, w, true); errs.CodeOf(err) != errs.Denied {
		t.Errorf("alone: %v", err)
	}
	row, err := s.resolve(task, w, false)
	if err != nil || row.Scope.Path != node || row.Quota.VRAM != 5 || !row.Remember || !row.Asks() {
		t.Errorf("%+v %v", row, err)
	}
	p := grant.Remembered{ID: "p", App: "app", Kind: "gpu.use", Path: node}
	if err := policies.Remember(p, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if row, err = s.resolve(task, w, false); err != nil || row.Asks() || row.Policy != "p" || row.Remember {
		t.Errorf("remembered: %+v %v", row, err)
	}
	task.Session.App = "other"
	if row, err = s.resolve(task, w, false); err != nil || !row.Asks() {
		t.Errorf("another app's: %+v %v", row, err)
	}
}
