// Package sandbox answers bailey.sandbox.v1: it runs a program of the person's own
// in the sandbox of a kind of worker. What the program is given is granted by the
// command line, on the record before it starts, listed while it runs, and gone with
// it; withdrawing any of it kills the program at once.
//
// It refuses every caller but the command line, every stream that is no pipe, and
// what the kind's own worker could not be given. What a sandbox is stands in
// package plat/sandbox; nothing here looks into the program.
package sandbox

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/sandboxv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Service implements sandboxv1.SandboxServiceServer.
type Service struct {
	Clock    clock.Clock
	Sessions *session.Registry
	Table    *grant.Table
	Log      *audit.Log
	// App and Surface are those of the one client that may call.
	App, Surface string
	// Own are Bailey's own directories, of which none can be given; Hidden are
	// those of them below a folder, by their names there.
	Own    []string
	Hidden func(*folder.Folder) []string
	// Trusted says what of Bailey's own keeps a folder from being given for writing,
	// empty for nothing.
	Trusted func(*folder.Folder) string
	// Claim makes those of Own that are missing below a folder that is given for
	// writing, so that they can be hidden.
	Claim func(*folder.Folder) error
	// Files takes the descriptors that came with a call.
	Files func(context.Context) []*os.File
	// Data makes a directory that the program may write, and Start starts it.
	Data  func(name string) (*datadir.Dir, error)
	Start func(context.Context, string, supervise.RunOptions) (*supervise.Program, error)

	running atomic.Int32
}

// run is one call.
type run struct {
	*Service
	task    *session.Task
	in      *sandboxv1.RunRequest
	out     *sandboxv1.SandboxServiceRunSender
	spec    workerspec.Spec
	file    *os.File
	streams []*os.File
	// program is the copy of file, nil for one of the system's, which is executed
	// by its path.
	program *sandbox.Program
	digest  capability.Digest
	size    uint64
	// still says of one of the system's, once it was executed, that it is what was
	// hashed.
	still   func() error
	folders []*folder.Folder
	mounts  []sandbox.Mount
	grants  []*grant.Grant
	closers []func()
	// detail is of the records of the start and the end.
	detail map[string]string
}

// Run implements sandboxv1.SandboxServiceServer.
func (s *Service) Run(ctx context.Context, in *sandboxv1.RunRequest, out *sandboxv1.SandboxServiceRunSender) (err error) {
	const op = "sandbox.run"
	files := s.Files(ctx)
	defer closeAll(files)
	sess := session.From(ctx)
	if sess.App != s.App || sess.Surface != s.Surface {
		return s.denied(audit.Actor{App: sess.App, Surface: sess.Surface}, in, errs.New(errs.Denied, op).With("only the command line runs programs"))
	}
	task, err := s.Sessions.Task(sess, in.Task)
	if err != nil {
		return err
	}
	r := &run{Service: s, task: task, in: in, out: out}
	defer r.close()
	if len(files) != 4 {
		return s.denied(r.actor(), in, errs.New(errs.Malformed, op).With("four descriptors come with the call"))
	}
	r.streams, r.file = files[:3], files[3]
	if s.running.Add(1) > limits.ProgramRuns {
		s.running.Add(-1)
		return s.denied(r.actor(), in, errs.New(errs.CoreBusy, op).With("as many programs run as may"))
	}
	defer s.running.Add(-1)
	if err := r.look(ctx); err != nil {
		return s.denied(r.actor(), in, err)
	}
	return r.do(ctx)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

func (r *run) actor() audit.Actor {
	return audit.Actor{App: r.task.Session.App, Surface: r.task.Session.Surface, Task: r.task.ID, Verb: r.task.Verb}
}

// close gives back what the run held, in reverse.
func (r *run) close() {
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i]()
	}
}

// denied records a refusal before anything was granted, and returns its error.
func (s *Service) denied(a audit.Actor, in *sandboxv1.RunRequest, err error) error {
	e := errs.From(err)
	lerr := s.Log.Note(audit.Event{
		Kind: auditlog.Deny, Actor: a, Method: sandboxv1.SandboxServiceRunMethod().Name, Decision: "deny", DecidedBy: string(capability.ByPolicy), Code: string(e.Code),
		Detail: map[string]string{"kind": capability.Name(policyv1.Kind_KIND_EXEC_RUN), "path": string(in.Program)}, Tagged: string(in.Program),
	})
	if lerr != nil {
		return lerr
	}
	return e
}

// look opens and checks all that the run is to be given.
func (r *run) look(ctx context.Context) error {
	const op = "sandbox.look"
	spec, ok := workerspec.For(r.in.Worker)
	if !ok || spec.Class == workerspec.Host {
		return errs.New(errs.Usage, op).With("no kind of worker has that name")
	}
	r.spec = spec
	if !filepath.IsAbs(string(r.in.Program)) || filepath.Clean(string(r.in.Program)) != string(r.in.Program) {
		return errs.New(errs.Malformed, op).With("the program's path is not absolute")
	}
	size := 0
	for _, a := range r.in.Args {
		if size += len(a) + 1; strings.IndexByte(string(a), 0) >= 0 {
			return errs.New(errs.Malformed, op).With("an argument holds a zero byte")
		}
	}
	if size > limits.ProgramArgBytes {
		return errs.New(errs.Usage, op).With("the arguments are too long").WithHint("they may have " + strconv.Itoa(limits.ProgramArgBytes) + " bytes; pass the rest by standard input")
	}
	if err := sandbox.CheckStreams(r.streams[0], r.streams[1], r.streams[2]); err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	return r.take(ctx)
}

// open opens the folders, each at the next place that the kind has for one.
func (r *run) open() error {
	const op = "sandbox.open"
	places := workerspec.Folders(r.spec)
	if len(r.in.Folders) > len(places) {
		return errs.New(errs.Usage, op).With("the kind " + r.spec.Kind + " has " + count(len(places)) + " for folders").WithHint("`bailey sandbox run --help` says which kinds have one")
	}
	for i, want := range r.in.Folders {
		f, err := folder.Open(string(want.Path))
		if err != nil {
			return err
		}
		r.closers = append(r.closers, func() { f.Close() })
		for _, own := range r.Own {
			if f.Path == own || strings.HasPrefix(f.Path, own+"/") || f.Within(own) {
				return errs.New(errs.Denied, op).With("the folder is Bailey's own").WithHint("its log can be read with `bailey audit show`")
			}
		}
		if want.Write {
			if why := r.Trusted(f); why != "" {
				return errs.New(errs.Denied, op).With(why).WithHint("for writing, give a folder without them")
			}
			if err := r.Claim(f); err != nil {
				return err
			}
		}
		if want.Write && !places[i].Write {
			return errs.New(errs.Usage, op).With("the kind " + r.spec.Kind + " changes no folder").WithHint("allow reading it: --allow-read")
		}
		if !want.Write && places[i].Write && !places[i].Choice {
			return errs.New(errs.Usage, op).With("the kind " + r.spec.Kind + " is given a folder to change it").WithHint("allow that: --allow-write")
		}
		r.folders = append(r.folders, f)
		r.mounts = append(r.mounts, sandbox.Mount{Target: places[i].Target, Dir: f.Dir, Path: f.Path, Write: want.Write, Hide: r.Hidden(f)})
	}
	return nil
}

func count(n int) string {
	if n == 0 {
		return "no place"
	}
	return strconv.Itoa(n) + " places"
}

// take takes the program: a copy, or where it is one of the system's that the kind
// sees too, what stands there.
func (r *run) take(ctx context.Context) (err error) {
	if path := string(r.in.Program); sandbox.SeesProgram(r.spec, path) {
		sum, size, still, err := sandbox.SystemProgram(ctx, r.file, path)
		r.digest, r.size, r.still = sum, uint64(size), still
		return err
	}
	if r.program, err = sandbox.TakeProgram(ctx, r.file, r.spec); err != nil {
		return err
	}
	if err := sandbox.CheckPlace(r.file, string(r.in.Program)); err != nil {
		r.program.Close()
		return err
	}
	r.closers = append(r.closers, func() { r.program.Close() })
	r.digest, r.size = r.program.Digest, uint64(r.program.Size)
	return nil
}

// do records, grants, starts and waits.
func (r *run) do(ctx context.Context) (err error) {
	const op = "sandbox.do"
	began := r.Clock.Wall()
	r.detail = map[string]string{"worker": r.spec.Kind, "path": string(r.in.Program), "argv": r.argv()}
	ev := audit.Event{Kind: auditlog.Intent, Actor: r.actor(), Method: sandboxv1.SandboxServiceRunMethod().Name, Detail: r.detail, Tagged: string(r.in.Program)}
	if _, err := r.Log.Append(ctx, ev); err != nil {
		return err
	}
	defer func() {
		ev.Kind, ev.Code = auditlog.CallEnd, "ok"
		if err != nil {
			ev.Code = string(errs.CodeOf(err))
		}
		ev.Milliseconds = uint64(max(0, r.Clock.Wall().Sub(began).Milliseconds()))
		if lerr := r.Log.Note(ev); err == nil {
			err = lerr
		}
	}()
	defer r.finish()
	if err := r.grant(); err != nil {
		return err
	}
	ev.Grant = string(r.grants[0].Row.ID)
	if err := r.tell(); err != nil {
		return err
	}
	// Whatever was given ends the start, and later the program.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, g := range r.grants {
		defer context.AfterFunc(g.Context(), func() { cancel(context.Cause(g.Context())) })()
	}
	if err := r.data(); err != nil {
		return err
	}
	p, err := r.start(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && errs.CodeOf(err) == errs.Cancelled {
			return cause
		}
		return err
	}
	// Who withdraws a grant is answered when the program is gone.
	for _, g := range r.grants {
		g.RunsAt(p.Level())
		g.OnEnd(p.Kill)
	}
	if level := p.Level(); level != workerspec.FullLevel {
		r.detail["level"] = level
	}
	defer p.Kill()
	if err := r.out.Send(&sandboxv1.RunResponse{Event: &sandboxv1.RunResponse_Started{Started: &sandboxv1.Started{Level: p.Level()}}}); err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Kill()
	}
	exit := p.Exit()
	r.detail["exit"], r.detail["signal"] = strconv.Itoa(exit.Code), strconv.Itoa(exit.Signal)
	r.detail["forbidden-call"] = strconv.FormatBool(exit.Forbidden)
	if cause := context.Cause(ctx); cause != nil {
		return errs.From(ended(op, cause))
	}
	return r.out.Send(&sandboxv1.RunResponse{Event: &sandboxv1.RunResponse_Ended{Ended: &sandboxv1.Ended{
		ExitCode: int32(exit.Code), Signal: uint32(exit.Signal), Layer: p.Layer(), Milliseconds: uint64(max(0, r.Clock.Wall().Sub(began).Milliseconds())),
	}}})
}

// ended is why a context did, as an error with a code.
func ended(op string, cause error) error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return errs.Wrap(errs.Deadline, op, cause)
	}
	if errors.Is(cause, context.Canceled) {
		return errs.Wrap(errs.Cancelled, op, cause)
	}
	return cause
}

// argv is the program's arguments in the sealed detail of a record, cut to what fits
// there.
func (r *run) argv() string {
	var words []string
	for _, a := range r.in.Args {
		words = append(words, strconv.Quote(string(a)))
	}
	s := strings.Join(words, " ")
	if len(s) > limits.ProgramArgsShown {
		s = strings.ToValidUTF8(s[:limits.ProgramArgsShown], "") + " …"
	}
	return s
}

// grant mints what the command line gives, the program first: what ends that ends
// the rest.
func (r *run) grant() error {
	rows := []capability.Row{{Kind: policyv1.Kind_KIND_EXEC_RUN, Scope: capability.Scope{Path: string(r.in.Program), Digest: r.digest}}}
	for i, f := range r.folders {
		kind := policyv1.Kind_KIND_FILE_READ
		if r.mounts[i].Write {
			kind = policyv1.Kind_KIND_FILE_WRITE
		}
		rows = append(rows, capability.Row{Kind: kind, Scope: capability.Scope{Path: f.Path, Object: f.Object}})
	}
	if !r.spec.Requires(workerspec.NetNamespace) {
		rows = append(rows, capability.Row{Kind: policyv1.Kind_KIND_NET_FETCH, Scope: capability.Scope{Name: anyHost}})
	}
	var asked []capability.Asked
	for _, row := range rows {
		asked = append(asked, capability.Asked{Kind: row.Kind, Scope: row.Scope})
	}
	hash := capability.ActionHash(r.task.ID, r.task.Verb, asked)
	for _, row := range rows {
		row.By, row.Run, row.ActionHash = capability.ByCommandLine, true, hash
		row.Holder = capability.Holder{App: r.task.Session.App, Channel: r.task.Session.Channel, Task: r.task.ID, Surface: r.task.Session.Surface, Verb: r.task.Verb}
		if len(r.grants) > 0 {
			row.Parent = r.grants[0].Row.ID
		}
		g, _, err := r.Table.Mint(row, r.record)
		if err != nil {
			return err
		}
		r.grants = append(r.grants, g)
	}
	if r.task.Ended() {
		// Its end did not see the grants.
		return errs.New(errs.Cancelled, "sandbox.grant")
	}
	return nil
}

// anyHost is the scope of a program that has a network: nothing in its sandbox tells
// one host from another.
const anyHost = "any host"

// record is the durable record of a grant.
func (r *run) record(row capability.Row) error {
	detail := map[string]string{"kind": capability.Name(row.Kind)}
	switch row.Kind {
	case policyv1.Kind_KIND_EXEC_RUN:
		detail["path"], detail["sha256"] = row.Scope.Path, hex.EncodeToString(row.Scope.Digest[:])
	case policyv1.Kind_KIND_NET_FETCH:
		detail["host"] = row.Scope.Name
	default:
		detail["path"] = row.Scope.Path
	}
	_, err := r.Log.Append(context.Background(), audit.Event{
		Kind: auditlog.Grant, Actor: r.actor(), Grant: string(row.ID), Decision: "allow", DecidedBy: string(row.By), Detail: detail, Tagged: row.Scope.Path,
	})
	return err
}

// finish ends the grants, the first with all the others.
func (r *run) finish() {
	if len(r.grants) > 0 {
		r.Table.Finish(r.grants[0].Row.ID)
	}
}

// tell says what is going to be run, before it is.
func (r *run) tell() error {
	granted := &sandboxv1.Granted{Sha256: r.digest[:], Size: r.size}
	var taken []workerspec.Taken
	for _, m := range r.mounts {
		taken = append(taken, workerspec.Taken{Target: m.Target, Write: m.Write})
	}
	for i, g := range r.grants {
		row := &sandboxv1.Given{Id: string(g.Row.ID), Kind: g.Row.Kind, Scope: []byte(g.Row.Scope.Path)}
		if g.Row.Kind == policyv1.Kind_KIND_NET_FETCH {
			row.Scope = []byte(g.Row.Scope.Name)
		} else if i > 0 {
			row.Target = r.mounts[i-1].Target
		}
		granted.Grants = append(granted.Grants, row)
	}
	for _, d := range r.spec.Differences(taken...) {
		granted.Differences = append(granted.Differences, &sandboxv1.Difference{Name: d.Name, Worker: d.Worker, Program: d.Program})
	}
	return r.out.Send(&sandboxv1.RunResponse{Event: &sandboxv1.RunResponse_Granted{Granted: granted}})
}

// data makes what the kind's worker has of its own, empty, for as long as the
// program runs. What may be left out is.
func (r *run) data() error {
	own := 0
	for _, m := range r.spec.Mounts {
		if !m.Own || m.Optional {
			continue
		}
		d, err := r.Data(datadir.TaskPrefix + string(r.grants[0].Row.ID) + strings.Repeat("+", own))
		if err != nil {
			return err
		}
		own++
		r.closers = append(r.closers, func() { _ = d.Remove() })
		r.mounts = append(r.mounts, sandbox.Mount{Target: m.Target, Dir: d.Dir, Path: d.Path, Write: m.Write})
	}
	return nil
}

func (r *run) start(ctx context.Context) (*supervise.Program, error) {
	f := &sandbox.Foreign{Stdin: r.streams[0], Stdout: r.streams[1]}
	for _, a := range r.in.Args {
		f.Argv = append(f.Argv, string(a))
	}
	o := supervise.RunOptions{Program: r.file, Foreign: f, Stderr: r.streams[2], Mounts: sandbox.InOrder(r.spec, r.mounts)}
	if r.program != nil {
		o.Program = r.program.File
	} else {
		f.Path = string(r.in.Program)
	}
	p, err := r.Start(ctx, r.spec.Kind, o)
	if err == nil && r.still != nil {
		if err = r.still(); err != nil {
			p.Kill()
		}
	}
	// The program's own ends alone may hold its streams open.
	closeAll(r.streams)
	return p, err
}
