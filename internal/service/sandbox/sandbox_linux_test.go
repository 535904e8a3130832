package sandbox

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/sandboxv1"
)

// rig is a service whose programs start nowhere. What a real start does, the
// scripts of the command line show.
type rig struct {
	t     *testing.T
	s     *Service
	log   *audit.Log
	dir   string
	task  *session.Task
	files []*os.File
	// started sees each start, which fails with what it returns.
	started func(kind string, o supervise.RunOptions) error
	events  []*sandboxv1.RunResponse
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, started: func(string, supervise.RunOptions) error { t.Error("something was started"); return errors.New("no") }}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"state", "own", "notes"} {
		must(os.Mkdir(filepath.Join(dir, d), 0o700))
	}
	state, err := safefile.OpenDir(filepath.Join(dir, "state"))
	must(err)
	t.Cleanup(func() { state.Close() })
	r.log, err = audit.Open(t.Context(), audit.Config{Home: state, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)})
	must(err)
	t.Cleanup(func() { r.log.Close() })
	data, err := datadir.Open(filepath.Join(dir, "data"))
	must(err)
	t.Cleanup(func() { data.Close() })
	table := grant.NewTable(clock.System{})
	t.Cleanup(func() { table.Close() })
	sessions := session.NewRegistry(clock.System{})
	r.s = &Service{
		Clock: clock.System{}, Sessions: sessions, Table: table, Log: r.log, App: "bailey", Surface: "terminal",
		Own: []string{filepath.Join(dir, "own")}, Hidden: func(*folder.Folder) []string { return nil },
		Claim: func(*folder.Folder) error { return nil },
		Trusted: func(f *folder.Folder) string {
			if f.Path == dir {
				return "it holds what is Bailey's"
			}
			return ""
		},
		Files: func(context.Context) []*os.File { return r.files }, Data: data.Make,
		Start: func(_ context.Context, kind string, o supervise.RunOptions) (*supervise.Program, error) {
			return nil, r.started(kind, o)
		},
	}
	r.open("bailey", "terminal")
	r.streams()
	return r
}

// open takes a client's place.
func (r *rig) open(app, surface string) {
	r.t.Helper()
	sess, err := r.s.Sessions.Open(app, surface, 1)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.task, err = r.s.Sessions.Begin(sess, "sandbox-run"); err != nil {
		r.t.Fatal(err)
	}
}

// streams are what a well-behaved command hands over.
func (r *rig) streams() {
	r.t.Helper()
	in, inW, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	outR, out, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range []*os.File{in, inW, outR, out, errR, errW, program} {
		r.t.Cleanup(func() { f.Close() })
	}
	r.files = []*os.File{in, out, errW, program}
}

// Send implements rpc.Sender.
func (r *rig) Send(b []byte) error {
	m := new(sandboxv1.RunResponse)
	if err := rpc.Decode(b, m, len(b)); err != nil {
		return err
	}
	r.events = append(r.events, m)
	return nil
}

func (r *rig) request() *sandboxv1.RunRequest {
	program, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	return &sandboxv1.RunRequest{Task: r.task.ID, Worker: "index", Program: []byte(program), Args: [][]byte{[]byte("try")}}
}

func (r *rig) run(q *sandboxv1.RunRequest) error {
	b, err := rpc.Encode(q, limits.IPCBody)
	if err != nil {
		r.t.Fatal(err)
	}
	return sandboxv1.SandboxServiceRoutes(r.s)[0].Stream(session.With(r.t.Context(), r.task.Session), b, r)
}

// records are the kinds of the log's records that a run makes.
func (r *rig) records() (kinds []string) {
	r.t.Helper()
	err := r.log.Read(r.t.Context(), audit.Filter{}, func(rec audit.Record) error {
		switch rec.Kind {
		case "intent", "grant", "deny", "call-end":
			kinds = append(kinds, string(rec.Kind))
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return kinds
}

// TestRefused: what is refused starts nothing, grants nothing, and is on the record.
func TestRefused(t *testing.T) {
	null := func(t *testing.T) *os.File {
		f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	for name, c := range map[string]struct {
		change func(t *testing.T, r *rig, q *sandboxv1.RunRequest)
		code   errs.Code
	}{
		"a page":        {func(_ *testing.T, r *rig, q *sandboxv1.RunRequest) { r.open("studio", "window"); q.Task = r.task.ID }, errs.Denied},
		"a panel":       {func(_ *testing.T, r *rig, q *sandboxv1.RunRequest) { r.open("bailey", "panel"); q.Task = r.task.ID }, errs.Denied},
		"no program":    {func(_ *testing.T, r *rig, _ *sandboxv1.RunRequest) { r.files = r.files[:3] }, errs.Malformed},
		"nothing":       {func(_ *testing.T, r *rig, _ *sandboxv1.RunRequest) { r.files = nil }, errs.Malformed},
		"input no pipe": {func(t *testing.T, r *rig, _ *sandboxv1.RunRequest) { r.files[0] = null(t) }, errs.Malformed},
		"error no pipe": {func(t *testing.T, r *rig, _ *sandboxv1.RunRequest) { r.files[2] = null(t) }, errs.Malformed},
		"turned":        {func(_ *testing.T, r *rig, _ *sandboxv1.RunRequest) { r.files[0], r.files[1] = r.files[1], r.files[0] }, errs.Malformed},
		"no file":       {func(t *testing.T, r *rig, _ *sandboxv1.RunRequest) { r.files[3] = null(t) }, errs.ProgramRefused},
		"no kind":       {func(_ *testing.T, _ *rig, q *sandboxv1.RunRequest) { q.Worker = "none" }, errs.Usage},
		"a host":        {func(_ *testing.T, _ *rig, q *sandboxv1.RunRequest) { q.Worker = "window" }, errs.Usage},
		"relative":      {func(_ *testing.T, _ *rig, q *sandboxv1.RunRequest) { q.Program = []byte("try") }, errs.Malformed},
		"a zero byte":   {func(_ *testing.T, _ *rig, q *sandboxv1.RunRequest) { q.Args = [][]byte{[]byte("a\x00b")} }, errs.Malformed},
		"long arguments": {func(_ *testing.T, _ *rig, q *sandboxv1.RunRequest) {
			q.Args = [][]byte{make([]byte, limits.ProgramArgBytes/2), make([]byte, limits.ProgramArgBytes/2)}
			for _, a := range q.Args {
				for i := range a {
					a[i] = 'x'
				}
			}
		}, errs.Usage},
		"too many folders": {func(_ *testing.T, r *rig, q *sandboxv1.RunRequest) {
			f := &sandboxv1.Folder{Path: []byte(filepath.Join(r.dir, "notes"))}
			q.Folders = []*sandboxv1.Folder{f, f}
		}, errs.Usage},
		"changing what is only read": {func(_ *testing.T, r *rig, q *sandboxv1.RunRequest) {
			q.Folders = []*sandboxv1.Folder{{Path: []byte(filepath.Join(r.dir, "notes")), Write: true}}
		}, errs.Usage},
		"Bailey's own": {func(_ *testing.T, r *rig, q *sandboxv1.RunRequest) {
			q.Folders = []*sandboxv1.Folder{{Path: []byte(filepath.Join(r.dir, "own"))}}
		}, errs.Denied},
		"above Bailey's own, to write": {func(_ *testing.T, r *rig, q *sandboxv1.RunRequest) {
			q.Worker, q.Folders = "tool", []*sandboxv1.Folder{{Path: []byte(r.dir), Write: true}}
		}, errs.Denied},
		"no folder": {func(_ *testing.T, r *rig, q *sandboxv1.RunRequest) {
			q.Folders = []*sandboxv1.Folder{{Path: []byte(filepath.Join(r.dir, "nowhere"))}}
		}, errs.FolderMissing},
		"another file's name": {func(_ *testing.T, _ *rig, q *sandboxv1.RunRequest) { q.Program = []byte("/usr/bin/env") }, errs.ProgramRefused},
		"nothing's name":      {func(_ *testing.T, _ *rig, q *sandboxv1.RunRequest) { q.Program = []byte("/nowhere/try") }, errs.ProgramRefused},
		"another program": {func(_ *testing.T, _ *rig, q *sandboxv1.RunRequest) {
			q.Worker, q.Program = "tool", []byte("/usr/bin/env")
		}, errs.ProgramRefused},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			q := r.request()
			c.change(t, r, q)
			if err := r.run(q); errs.CodeOf(err) != c.code || err == nil {
				t.Errorf("%v, want %s", err, c.code)
			}
			if got := r.records(); !slices.Equal(got, []string{"deny"}) || len(r.s.Table.List()) > 0 || len(r.events) > 0 {
				t.Errorf("recorded %v, %d grants, %d events", got, len(r.s.Table.List()), len(r.events))
			}
		})
	}
}

// TestRecordedBeforeStart: when a program is started, the intent and each grant are
// on the record, and what was given is told; when the start fails nothing is left.
func TestRecordedBeforeStart(t *testing.T) {
	r := newRig(t)
	var kinds []string
	var live []grant.Ended
	mounts := 0
	r.started = func(kind string, o supervise.RunOptions) error {
		kinds, live, mounts = r.records(), r.s.Table.List(), len(o.Mounts)
		if kind != "index" || o.Foreign.Argv[0] != "try" || o.Mounts[0].Target != "/grant" || o.Mounts[0].Write {
			t.Errorf("%s, %+v", kind, o)
		}
		return errs.New(errs.SandboxMissing, "test")
	}
	q := r.request()
	q.Folders = []*sandboxv1.Folder{{Path: []byte(filepath.Join(r.dir, "notes"))}}
	if err := r.run(q); errs.CodeOf(err) != errs.SandboxMissing {
		t.Fatal(err)
	}
	if !slices.Equal(kinds, []string{"intent", "grant", "grant"}) || len(live) != 2 || mounts != 2 {
		t.Errorf("before the start: %v, %d grants, %d mounts", kinds, len(live), mounts)
	}
	for _, l := range live {
		if !l.Row.Run || l.Row.By != capability.ByCommandLine || l.Row.Policy != "" {
			t.Errorf("%+v", l.Row)
		}
	}
	if len(r.events) != 1 || len(r.events[0].GetGranted().GetGrants()) != 2 || len(r.events[0].GetGranted().GetDifferences()) == 0 {
		t.Errorf("%+v", r.events)
	}
	if got := r.records(); !slices.Equal(got, []string{"intent", "grant", "grant", "call-end"}) || len(r.s.Table.List()) > 0 {
		t.Errorf("afterwards: %v, %d grants", got, len(r.s.Table.List()))
	}
	if left, err := os.ReadDir(filepath.Join(r.dir, "data")); err != nil || len(left) > 0 {
		t.Errorf("%d directories are left, %v", len(left), err)
	}
}

// TestNoRecordNoStart: without a log nothing is granted or started.
func TestNoRecordNoStart(t *testing.T) {
	r := newRig(t)
	if err := r.log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.run(r.request()); err == nil || len(r.s.Table.List()) > 0 || len(r.events) > 0 {
		t.Errorf("%v, %d grants", err, len(r.s.Table.List()))
	}
}

// TestNetworkIsAGrant: a program that has the kind's network has a grant of it, which
// ends with the others.
func TestNetworkIsAGrant(t *testing.T) {
	r := newRig(t)
	var live []grant.Ended
	r.started = func(string, supervise.RunOptions) error {
		live = r.s.Table.List()
		if _, err := r.s.Table.Revoke(live[0].Row.ID); err != nil {
			t.Error(err)
		}
		return errs.New(errs.Cancelled, "test")
	}
	q := r.request()
	q.Worker = "net"
	if err := r.run(q); errs.CodeOf(err) != errs.GrantRevoked && errs.CodeOf(err) != errs.Cancelled {
		t.Error(err)
	}
	var names []string
	for _, l := range live {
		names = append(names, capability.Name(l.Row.Kind)+" "+l.Row.Scope.Name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"exec.run ", "net.fetch any host"}) {
		t.Error(names)
	}
}
