// Package core runs the core in this process, with the real workers and an
// engine that does what it is told, and looks at what becomes of grants of
// models, of engines and of what is kept: who shares a process, when it ends, and
// what a caller hears. What needs the real library is in test/e2e.
package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/core"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/models"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/peer"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// wait bounds everything that is awaited; a promise in milliseconds is held at
// ten times its value.
const wait = 20 * time.Second

func TestMain(m *testing.M) { os.Exit(run(m)) }

// programs are the workers' binaries; TestMain sets it before any test runs.
var programs map[string]string

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("/var/tmp", "bailey-core-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(dir+"/engine", 0o755)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for name, pkg := range map[string]string{workerspec.WorkerProgram: "github.com/bailey-run/bailey/cmd/bailey-worker", workerspec.EngineProgram: "./engine", badIndex: "./index"} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, name), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building: %v\n%s", err, out)
			return 1
		}
	}
	programs = map[string]string{
		workerspec.WorkerProgram: filepath.Join(dir, workerspec.WorkerProgram), workerspec.EngineProgram: filepath.Join(dir, workerspec.EngineProgram),
		"engine": dir + "/engine", badIndex: filepath.Join(dir, badIndex),
	}
	return m.Run()
}

// memory is the file of remembered permissions.
type memory struct {
	mu sync.Mutex
	b  []byte
}

func (m *memory) Load(int) ([]byte, error) { m.mu.Lock(); defer m.mu.Unlock(); return m.b, nil }
func (m *memory) Remove() error            { m.mu.Lock(); defer m.mu.Unlock(); m.b = nil; return nil }
func (m *memory) Save(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.b = slices.Clone(b)
	return nil
}

// rig is a running core.
type rig struct {
	t        *testing.T
	home     *home.Home
	log      *audit.Log
	models   *models.Store
	policies *grant.Policies
	done     chan error
	stop     context.CancelFunc
	base     string
	words    *words
	// damaged says that the test has damaged the log, which its end then says too.
	damaged bool
}

// words is what the core said.
type words struct {
	mu sync.Mutex
	b  strings.Builder
}

func (w *words) Write(b []byte) (int, error) { w.mu.Lock(); defer w.mu.Unlock(); return w.b.Write(b) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// badIndex is an index worker that was taken over.
const badIndex = "bad-index"

// start runs a core; without says which programs are not installed.
func start(t *testing.T, keepAlive time.Duration, without ...string) *rig {
	t.Helper()
	return startWith(t, keepAlive, workerspec.WorkerProgram, without...)
}

// startWith is start with another program in the place of bailey-worker.
func startWith(t *testing.T, keepAlive time.Duration, worker string, without ...string) *rig {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	r := &rig{t: t, base: base, done: make(chan error, 1), words: &words{}}
	r.home, err = home.Open(home.Options{Dir: base + "/home", Env: env.Read()})
	must(t, err)
	log := slog.New(slog.NewTextHandler(r.words, nil))
	state, err := safefile.OpenDir(r.home.State)
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.log, err = audit.Open(ctx, audit.Config{Home: state, Clock: clock.System{}, Log: log, Release: release.Version()})
	must(t, err)
	policies, err := grant.OpenPolicies(&memory{})
	must(t, err)
	r.policies = policies
	data, err := datadir.Open(filepath.Join(r.home.Cache, "index"))
	must(t, err)
	stores, err := datadir.Open(filepath.Join(r.home.State, "store"))
	must(t, err)
	dir, err := state.Sub("models")
	must(t, err)
	r.models, err = models.Open(models.Config{Dir: dir, Clock: clock.System{}, Log: log})
	must(t, err)
	files := map[string]*os.File{}
	for _, name := range []string{workerspec.WorkerProgram, workerspec.EngineProgram} {
		if slices.Contains(without, name) {
			continue
		}
		program := name
		if name == workerspec.WorkerProgram {
			program = worker
		}
		files[name], err = os.Open(programs[program])
		must(t, err)
	}
	l, err := peer.Listen(r.home.Socket)
	must(t, err)
	c := core.New(core.Config{
		Release: release.Version(), Clock: clock.System{}, Log: log, Audit: r.log, Policies: policies, Listener: l,
		Programs: files, EngineDir: programs["engine"], Models: r.models, Data: data, Stores: stores, StateDir: r.home.State, Own: []string{r.home.State, r.home.Cache},
		KeepAlive: keepAlive,
	})
	ready := make(chan struct{})
	go func() { r.done <- c.Run(ctx, func() { close(ready) }) }()
	<-ready
	t.Cleanup(func() {
		stop()
		select {
		case err := <-r.done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(wait):
			t.Fatal("the core does not end")
		}
		if kids := r.workers(); len(kids) > 0 {
			t.Errorf("workers are left: %v", kids)
		}
		end := r.log.Close()
		if r.damaged && is(end, errs.LogBroken) {
			end = nil
		}
		must(t, errors.Join(l.Close(), r.models.Close(), dir.Close(), stores.Close(), data.Close(), end, state.Close()))
		for _, f := range files {
			f.Close()
		}
		if t.Failed() {
			t.Log(r.words.b.String())
		}
	})
	return r
}

// user is one connected client.
type user struct {
	*client.Client
	r *rig
}

func (r *rig) connect() *user {
	r.t.Helper()
	c, err := client.Dial(r.t.Context(), r.home, client.Options{Release: release.Version()})
	must(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	return &user{c, r}
}

// workers are this process's children: of one test at a time.
func (r *rig) workers() []int {
	r.t.Helper()
	kids, err := proc.Children(os.Getpid())
	must(r.t, err)
	return slices.DeleteFunc(kids, func(pid int) bool { return !proc.Alive(pid) })
}

func (r *rig) engines() []int {
	r.t.Helper()
	return slices.DeleteFunc(r.workers(), func(pid int) bool {
		s, err := proc.ReadStatus(pid)
		return err != nil || !strings.HasPrefix(s.Name, workerspec.EngineProgram)
	})
}

func (r *rig) engine() int {
	r.t.Helper()
	es := r.engines()
	if len(es) != 1 {
		r.t.Fatalf("%d engines", len(es))
	}
	return es[0]
}

// halt stops a process, and returns when each of its threads has stopped: one
// that runs on another processor goes on for a moment after the signal was sent,
// and an engine that answers in that moment was not stopped yet.
func (r *rig) halt(pid int) {
	r.t.Helper()
	must(r.t, unix.Kill(pid, unix.SIGSTOP))
	r.until("all threads to stop", func() bool {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		must(r.t, err)
		for _, path := range stats {
			b, err := os.ReadFile(path)
			must(r.t, err)
			// The name before the state may hold anything but ends with the last ")".
			if at := bytes.LastIndexByte(b, ')'); at < 0 || !bytes.HasPrefix(b[at:], []byte(") T ")) {
				return false
			}
		}
		return len(stats) > 0
	})
}

func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(wait)
	for !ok() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (u *user) task(verb string) string {
	u.r.t.Helper()
	t, err := u.Core.BeginTask(u.r.t.Context(), &corev1.BeginTaskRequest{Verb: verb})
	must(u.r.t, err)
	return t.Task
}

func (u *user) end(task string) {
	u.r.t.Helper()
	_, err := u.Core.EndTask(u.r.t.Context(), &corev1.EndTaskRequest{Task: task, Outcome: corev1.Outcome_OUTCOME_OK})
	must(u.r.t, err)
}

// permit proposes wants and says yes to all.
func (u *user) permit(task string, wants ...*grantv1.Want) ([]*grantv1.Granted, *grantv1.ProposeResponse, error) {
	ctx := u.r.t.Context()
	p, err := u.Grant.Propose(ctx, &grantv1.ProposeRequest{Task: task, Wants: wants})
	if err != nil {
		return nil, nil, err
	}
	d := &grantv1.DecideRequest{Proposal: p.Proposal, ActionHash: p.ActionHash, DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE}
	for i := range wants {
		d.Accepted = append(d.Accepted, uint32(i))
	}
	g, err := u.Grant.Decide(ctx, d)
	return g.GetGrants(), p, err
}

func run1(name string) *grantv1.Want {
	return &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: name}
}

// run gets the grant of a model in a task of its own.
func (u *user) run(name string) (task string, g *grantv1.Granted) {
	u.r.t.Helper()
	task = u.task("chat")
	gs, _, err := u.permit(task, run1(name))
	must(u.r.t, err)
	return task, gs[0]
}

// pull brings a generated model in and pins it.
func (u *user) pull(name string, f *gguf.File) {
	u.r.t.Helper()
	t := u.r.t
	path := filepath.Join(u.r.base, name+".gguf")
	w, err := os.Create(path)
	must(t, err)
	must(t, errors.Join(f.Write(w), w.Close()))
	task := u.task("pull")
	defer u.end(task)
	staged, err := u.stage(task, path)
	must(t, err)
	want := &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: "staged:" + fmt.Sprintf("%x", staged.Id), Remember: true}
	_, p, err := u.permit(task, want)
	must(t, err)
	if !p.Ask || p.Rows[0].Model.GetName() != name || p.Rows[0].Remembered {
		t.Fatalf("an unknown model is not asked for: %v", p)
	}
}

func (u *user) stage(task, path string) (*modelv1.Staged, error) {
	in, err := u.Model.Pull(u.r.t.Context(), &modelv1.PullRequest{Task: task, Path: []byte(path)})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	for {
		m, err := in.Recv()
		if err != nil {
			return nil, err
		}
		if s := m.GetStaged(); s != nil {
			return s, nil
		}
	}
}

// say makes one whole call.
func (u *user) say(handle []byte, text string) (string, error) {
	in, err := u.Engine.Generate(u.r.t.Context(), &enginev1.GenerateRequest{Grant: handle, Text: text})
	if err != nil {
		return "", err
	}
	defer in.Close()
	return rest(in)
}

func rest(in *enginev1.EngineServiceGenerateStream) (string, error) {
	var b strings.Builder
	for {
		m, err := in.Recv()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		b.WriteString(m.GetPiece().GetText())
	}
}

// talk begins an endless answer, and returns when something of it was said.
func (u *user) talk(handle []byte, text string) *enginev1.EngineServiceGenerateStream {
	u.r.t.Helper()
	in, err := u.Engine.Generate(u.r.t.Context(), &enginev1.GenerateRequest{Grant: handle, Text: text})
	must(u.r.t, err)
	u.r.t.Cleanup(func() { in.Close() })
	_, err = in.Recv()
	must(u.r.t, err)
	return in
}

func is(err error, c errs.Code) bool { return errors.Is(err, errs.New(c, "")) }

// tiny is a chat model of the smallest kind; n makes others.
func tiny(n uint64) *gguf.File { return gguf.Llama(gguf.Small(n)) }
