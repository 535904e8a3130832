// Package supervise starts workers, sees from outside that they are confined
// before they get work, and ends them. A worker whose posture is not what its
// spec demands is killed before it is told anything.
//
// It decides nothing: which worker, with which directories and rows, is the
// caller's business. Only the core links it.
package supervise

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/cgroup"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/plat/syslibs"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Config is what every start needs.
type Config struct {
	// Programs are the workers' binaries by the names that specs have for them,
	// opened once by the core, so that a later change of the file on disk changes
	// nothing. bailey-worker is always there; a kind whose program is not cannot
	// be started.
	Programs map[string]*os.File
	// EngineDir is the directory of inference libraries.
	EngineDir string
	// Groups is where workers get control groups of their own; nil where they
	// share that of this process.
	Groups  *cgroup.Source
	Release string
	Log     *slog.Logger
}

// Supervisor starts workers. It has no state but its configuration; each
// [Worker] is owned by who started it.
type Supervisor struct{ cfg Config }

// New returns a Supervisor.
func New(cfg Config) *Supervisor { return &Supervisor{cfg: cfg} }

// Worker is one confined process.
type Worker struct {
	Kind string
	// Conn calls the worker; the worker may call nothing.
	Conn *ipc.Conn
	// Posture and Attempts are what was seen before the first work.
	Posture  sandbox.Posture
	Attempts []*workerv1.Attempt
	// Group is what was seen of its control group; the zero Report without one.
	Group cgroup.Report
	// Ready is the time from the start to the seal.
	Ready time.Duration

	spec    workerspec.Spec
	proc    *sandbox.Process
	stderr  *ring
	stopped atomic.Bool
	// broke is why the connection was ended, when the worker broke the form.
	broke atomic.Pointer[string]
	done  chan struct{}
	exit  sandbox.Exit
	// crashed is that it ended before it was told to. Whoever tells it once it is
	// ending changes nothing: what it did would not be on the record.
	crashed bool
	// leaf is its control group, nil without one; ended what that counted.
	leaf  *cgroup.Leaf
	ended cgroup.Ended
	log   *slog.Logger
}

// Options are what differs from start to start of one kind.
type Options struct {
	// Mounts are the directories of the spec; what is code the supervisor finds
	// itself.
	Mounts []sandbox.Mount
	// Memory replaces the spec's limit, bytes; 0 leaves it.
	Memory uint64
	// Swap lets it be swapped out, by the wish of the person who loads more than
	// the memory holds.
	Swap bool
	// Ready is how long the start may take; 0 = limits.WorkerReady.
	Ready time.Duration
	// Devices are the device nodes of a graphics card, for the one kind that is
	// given any.
	Devices []string
}

// Installed reports whether the program of a kind is there.
func (s *Supervisor) Installed(kind string) bool {
	spec, ok := workerspec.For(kind)
	return ok && s.cfg.Programs[spec.Program] != nil
}

// Ready returns nil when the files that a kind is made of are there:
// errs.EngineMissing otherwise.
func (s *Supervisor) Ready(kind string) error {
	const op = "supervise.ready"
	spec, ok := workerspec.For(kind)
	if !ok {
		return errs.New(errs.NotSupported, op)
	}
	if s.cfg.Programs[spec.Program] == nil {
		return errs.New(errs.EngineMissing, op).With(spec.Program + " is not beside bailey-core")
	}
	code, err := syslibs.Open(spec, s.cfg.EngineDir)
	if err != nil {
		return err
	}
	code.Close()
	return nil
}

// Start starts a worker of a kind and returns it sealed, or ends it and fails:
// errs.SandboxMissing, errs.PostureFailed, errs.FolderClosed,
// errs.FolderChanged, errs.WorkerCrashed, errs.EngineMissing, or the end of ctx.
func (s *Supervisor) Start(ctx context.Context, kind string, o Options) (*Worker, error) {
	const op = "supervise.start"
	begin := time.Now()
	spec, ok := workerspec.For(kind)
	if !ok {
		return nil, errs.New(errs.NotSupported, op).With("no worker of kind " + kind)
	}
	spec = spec.WithMemory(o.Memory).WithDevices(o.Devices)
	program := s.cfg.Programs[spec.Program]
	if program == nil {
		return nil, errs.New(errs.EngineMissing, op).With(spec.Program + " is not beside bailey-core")
	}
	code, err := syslibs.Open(spec, s.cfg.EngineDir)
	if err != nil {
		return nil, err
	}
	defer code.Close()
	conn, child, err := ipc.Pair()
	if err != nil {
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	defer child.Close()
	words, wordsW, err := os.Pipe()
	if err != nil {
		conn.Close()
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	defer wordsW.Close()
	leaf := s.leaf(ctx, spec, o.Swap)
	proc, err := sandbox.Start(ctx, sandbox.Config{
		Spec: spec, Worker: program, Stub: s.cfg.Programs[workerspec.WorkerProgram], Conn: child, Stderr: wordsW,
		Mounts: slices.Concat(code.Mounts, o.Mounts), Memory: o.Memory, Group: leaf.Dir(),
	})
	if err != nil {
		_, _ = leaf.End()
		conn.Close()
		words.Close()
		return nil, err
	}
	w := &Worker{Kind: kind, spec: proc.Spec(), proc: proc, leaf: leaf, log: s.cfg.Log, stderr: &ring{max: limits.WorkerStderr}, done: make(chan struct{})}
	if level := w.Level(); level != workerspec.FullLevel {
		s.cfg.Log.Warn("the system refuses user namespaces: a worker is at another level", "kind", kind, "level", level)
	}
	// The child's ends have to be closed here too, or its end would not show.
	child.Close()
	wordsW.Close()
	w.Conn = ipc.New(conn, ipc.Options{Gone: errs.WorkerCrashed, Log: s.cfg.Log, OnMalformed: func(reason string) {
		s.cfg.Log.Warn("worker broke the protocol", "kind", kind, "reason", reason)
		w.broke.Store(&reason)
	}})
	go w.watch(words)
	ready, cancel := context.WithTimeout(ctx, cmp.Or(o.Ready, limits.WorkerReady))
	defer cancel()
	if err := w.check(ready, s.cfg.Release); err != nil {
		// What is seen of a process that is dying says nothing of its sandbox.
		t := time.NewTimer(limits.WorkerDying)
		defer t.Stop()
		select {
		case <-w.proc.Done():
			err = errs.Wrap(errs.WorkerCrashed, op, err)
		case <-ready.Done():
		case <-t.C:
		}
		w.Kill()
		return nil, w.explain(op, err)
	}
	w.Ready = time.Since(begin)
	return w, nil
}

// check goes from the first word to the seal.
func (w *Worker) check(ctx context.Context, release string) error {
	const op = "supervise.check"
	c := workerv1.NewWorkerServiceClient(w.Conn)
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	hello, err := c.Hello(ctx, &workerv1.HelloRequest{Release: release, Kind: w.Kind, Nonce: nonce})
	if err != nil {
		return err
	}
	if hello.Release != release || !bytes.Equal(hello.Nonce, nonce) {
		return errs.New(errs.ReleaseMismatch, op)
	}
	if w.Posture, err = w.proc.Posture(); err != nil {
		return errs.Wrap(errs.PostureFailed, op, err)
	}
	if err := sandbox.Check(w.Posture, w.spec); err != nil {
		return err
	}
	if w.leaf != nil {
		if w.Group, err = w.leaf.Report(w.PID()); err != nil {
			return err
		}
	}
	probe, err := c.Probe(ctx, &workerv1.ProbeRequest{})
	if err != nil {
		return err
	}
	w.Attempts = probe.Attempts
	if err := held(w.spec, probe.Attempts); err != nil {
		return err
	}
	if _, err := c.Seal(ctx, &workerv1.SealRequest{}); err != nil {
		return err
	}
	return w.proc.SealedFromOutside()
}

// held checks that every probe of the spec was made and gave what it must: a
// worker that leaves one out has not passed it.
func held(spec workerspec.Spec, attempts []*workerv1.Attempt) error {
	got := map[string]*workerv1.Attempt{}
	for _, a := range attempts {
		got[a.Name] = a
	}
	for _, p := range spec.Probes {
		a := got[p.Name]
		if a == nil || !a.Held || a.Errno == 0 {
			return errs.New(errs.PostureFailed, "supervise.probe").With(p.Name + " was not refused as it must be")
		}
	}
	return nil
}

// explain prefers what is known of the worker's end over the error that a
// broken connection gave.
func (w *Worker) explain(op string, err error) error {
	if errs.CodeOf(err) != errs.WorkerCrashed {
		return err
	}
	if (w.spec.Class == workerspec.Engine || w.spec.Class == workerspec.Graphics) && w.exit.Code == errs.ExitUnavailable {
		return errs.Wrap(errs.EngineMissing, op, fmt.Errorf("%w: said %q", err, w.stderr.String())).With("its library cannot be loaded")
	}
	code := errs.WorkerCrashed
	if w.OutOfMemory() {
		code = errs.WorkerMemory
	}
	return errs.Wrap(code, op, fmt.Errorf("%w: exit %d, signal %d, said %q", err, w.exit.Code, w.exit.Signal, w.stderr.String()))
}

// watch collects the worker's last words and its end. A worker without its
// connection is ended at once: it could serve nobody, and would keep the folder.
func (w *Worker) watch(words *os.File) {
	var wg sync.WaitGroup
	var lost atomic.Bool
	wg.Go(func() {
		select {
		case <-w.Conn.Done():
			lost.Store(!w.stopped.Load())
			w.end()
		case <-w.proc.Done():
		}
	})
	wg.Go(func() {
		buf := make([]byte, limits.WorkerStderr)
		for {
			n, err := words.Read(buf)
			w.stderr.write(buf[:n])
			if err != nil {
				return
			}
		}
	})
	<-w.proc.Done()
	stopped := w.stopped.Load()
	w.exit, _ = w.proc.Wait(context.Background())
	w.endGroup()
	// Its words are there already. It may have sent its end of the pipe to another
	// process, or to us, so that the pipe does not end with it.
	_ = words.SetReadDeadline(time.Now().Add(limits.WorkerLastWords))
	wg.Wait()
	w.crashed = !stopped || lost.Load() || w.Broke() != ""
	words.Close()
	// What it said before it ended is still read: nobody else has its end of the socket,
	// but for one that it sent to us.
	read := time.NewTimer(limits.WorkerLastWords)
	defer read.Stop()
	select {
	case <-w.Conn.Done():
	case <-read.C:
	}
	w.Conn.Close()
	close(w.done)
}

// Put tells the worker a row and returns the handle for it on this channel.
func (w *Worker) Put(ctx context.Context, row capability.Row, mount string, boot time.Duration) (capability.Handle, error) {
	var h capability.Handle
	_, _ = rand.Read(h[:])
	q := &workerv1.PutGrantRequest{Handle: h[:], Kind: row.Kind, Mount: mount, MaxCalls: row.MaxCalls,
		MaxTokens: row.Quota.Tokens, MaxMilliseconds: row.Quota.Milliseconds, MaxParallel: row.Quota.Parallel}
	if row.Expiry != (capability.Expiry{}) {
		left := row.Expiry.Boot - boot
		if left <= 0 {
			return h, errs.New(errs.GrantExpired, "supervise.put")
		}
		q.ExpiresWallMs = row.Expiry.Wall.UnixMilli()
		q.ExpiresInMs = max(1, left.Milliseconds())
	}
	_, err := workerv1.NewWorkerServiceClient(w.Conn).PutGrant(ctx, q)
	return h, err
}

// Level is what a person reads of the level of its sandbox.
func (w *Worker) Level() string { return w.spec.Level() }

// May reports whether the core may route a method to the worker.
func (w *Worker) May(method uint32) bool { return w.spec.May(method) }

// Done is closed when the process is gone and all its pipes are.
func (w *Worker) Done() <-chan struct{} { return w.done }

// Crashed reports, after Done, whether the worker ended without being told to.
func (w *Worker) Crashed() bool { return w.crashed }

// Exit is how it ended; valid after Done.
func (w *Worker) Exit() sandbox.Exit { return w.exit }

// PID is the worker's process, as the core sees it.
func (w *Worker) PID() int { return w.proc.PID() }

// Words returns the last that the worker wrote to standard error, for reports.
func (w *Worker) Words() string { return w.stderr.String() }

// Kill ends the worker at once, with everything in its pid namespace, and
// returns when it is gone. Idempotent.
func (w *Worker) Kill() {
	w.stopped.Store(true)
	w.end()
	<-w.done
}

func (w *Worker) end() {
	if err := w.proc.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic("BUG: a worker cannot be killed: " + err.Error())
	}
	_ = w.leaf.Kill() // what is left of it is ended with the group
}

// Broke is how the worker broke the form of its connection, or of a message;
// empty when it did not.
func (w *Worker) Broke() string {
	if r := w.broke.Load(); r != nil {
		return *r
	}
	return ""
}

// ring keeps the last max bytes.
type ring struct {
	max int
	mu  sync.Mutex
	b   []byte
}

func (r *ring) write(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b = append(r.b, p...)
	if over := len(r.b) - r.max; over > 0 {
		r.b = append(r.b[:0], r.b[over:]...)
	}
}

func (r *ring) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.b)
}
