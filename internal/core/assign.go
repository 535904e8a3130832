package core

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	grantservice "github.com/bailey-run/bailey/internal/service/grant"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Where the index worker finds its directories.
const (
	grantMount = "/grant"
	dataMount  = "/db"
	indexKind  = "index"
)

// assignment is the worker of one grant. A grant of a directory has a worker
// of its own, whose only view of the user's files is that directory.
type assignment struct {
	core   *Core
	grant  *grant.Grant
	folder *folder.Folder
	data   *datadir.Dir
	// own is the task when it is the core's own: it gives way to a client's.
	own *session.Task
	// keep is the policy whose data directory this is, if it is kept; released
	// is closed when it no longer is.
	keep     capability.ID
	released chan struct{}
	// withdrawn: a model of the same task was, and the core's mutex guards it.
	withdrawn bool

	mu      sync.Mutex
	worker  *supervise.Worker
	handle  capability.Handle
	crashes int
	ended   bool
	// pdf is the pdf worker that reads for the index worker pdfOf.
	pdf, pdfOf *supervise.Worker

	// connecting is held while a channel to an engine is made.
	connecting sync.Mutex
	channels   []*channel
}

// assign implements the Assign of service/grant: it starts the grant's worker,
// so that a sandbox that does not hold shows before the client has a handle.
func (c *Core) assign(ctx context.Context, g *grant.Grant, f *folder.Folder) error {
	return c.assignTo(ctx, g, f, nil)
}

// assignTo is assign for a task of the core's own, or for a client's when own is
// nil.
func (c *Core) assignTo(ctx context.Context, g *grant.Grant, f *folder.Folder, own *session.Task) error {
	a := &assignment{core: c, grant: g, folder: f, own: own, released: make(chan struct{})}
	if err := a.openData(ctx); err != nil {
		f.Close()
		return err
	}
	c.mu.Lock()
	c.assigned[g.Row.ID] = a
	c.mu.Unlock()
	g.OnEnd(a.end)
	_, _, err := a.use(ctx)
	return err
}

// openData makes the directory that the worker may write. One remembered
// folder has one directory that is kept; while a task uses it, another task
// over the same folder gets one of its own. A task that is ending is waited
// for: reading the folder anew takes a thousand times as long. Work of the core's
// own gives way.
func (a *assignment) openData(ctx context.Context) (err error) {
	c := a.core
	for p := a.grant.Row.Policy; p != "" && a.keep == ""; {
		c.mu.Lock()
		holder := c.kept[p]
		if holder == nil {
			c.kept[p] = a
			a.keep = p
		}
		c.mu.Unlock()
		if holder == nil {
			break
		}
		if a.own != nil {
			return errs.New(errs.CoreBusy, "core.assign")
		}
		if holder.own != nil {
			c.sessions.Finish(holder.own, session.Cancelled)
		} else if holder.grant.Context().Err() == nil {
			break
		}
		select {
		case <-holder.released:
		case <-ctx.Done():
			return errs.Wrap(errs.Cancelled, "core.assign", ctx.Err())
		}
	}
	name := datadir.TaskPrefix + string(a.grant.Row.ID)
	if a.keep != "" {
		name = datadir.KeptPrefix + string(a.keep)
	}
	if a.data, err = c.cfg.Data.Make(name); err != nil {
		a.unkeep()
	}
	return err
}

func (a *assignment) unkeep() {
	if a.keep != "" {
		a.core.mu.Lock()
		delete(a.core.kept, a.keep)
		a.core.mu.Unlock()
		close(a.released)
	}
}

// use returns the running worker and the grant's handle on its channel,
// starting it when need be. After a crash it waits a little longer each time,
// and gives up after limits.WorkerRestarts in a row.
func (a *assignment) use(ctx context.Context) (*supervise.Worker, capability.Handle, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return nil, a.handle, context.Cause(a.grant.Context())
	}
	// A grant that ends while its worker ends or starts ends the wait: whoever
	// ends it waits for this lock.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(a.grant.Context(), func() { cancel(context.Cause(a.grant.Context())) })()
	if a.worker != nil {
		select {
		case <-a.worker.Conn.Done():
		default:
			return a.worker, a.handle, nil
		}
		// Its connection is gone, so it was killed.
		select {
		case <-a.worker.Done():
		case <-ctx.Done():
			return nil, a.handle, context.Cause(ctx)
		}
		if a.worker.Crashed() {
			a.crashes++
		}
		a.worker = nil
	}
	if a.crashes >= limits.WorkerRestarts {
		return nil, a.handle, errs.New(errs.WorkerCrashed, "core.use").With("it crashed " + strconv.Itoa(a.crashes) + " times in a row")
	}
	if a.crashes > 0 {
		t := time.NewTimer(limits.WorkerBackoff << (a.crashes - 1))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, a.handle, context.Cause(ctx)
		}
	}
	w, err := a.core.workers.Start(ctx, indexKind, supervise.Options{Mounts: []sandbox.Mount{
		{Target: grantMount, Dir: a.folder.Dir, Path: a.folder.Path, Hide: a.core.within(a.folder)},
		{Target: dataMount, Dir: a.data.Dir, Path: a.data.Path, Write: true},
	}})
	if err != nil {
		if cause := context.Cause(a.grant.Context()); cause != nil {
			err = cause
		}
		return nil, a.handle, err
	}
	h, err := w.Put(ctx, a.grant.Row, grantMount, a.core.cfg.Clock.Boot())
	if err == nil {
		err = a.core.noteStart(w, a.actor(), a.grant.Row.ID)
	}
	if err != nil {
		w.Kill()
		return nil, a.handle, err
	}
	a.worker, a.handle = w, h
	a.grant.RunsAt(w.Level())
	a.core.background.Go(func() { a.core.noteEnd(w, a.actor(), a.grant.Row.ID) })
	a.core.background.Go(func() { a.readers(w) })
	return w, h, nil
}

func (a *assignment) actor() audit.Actor { return grantservice.HolderActor(a.grant.Row.Holder) }

// noteStart records a worker's start.
func (c *Core) noteStart(w *supervise.Worker, actor audit.Actor, id capability.ID) error {
	detail := withLevel(map[string]string{"kind": w.Kind, "pid": strconv.Itoa(w.PID())}, w)
	return c.cfg.Audit.Note(audit.Event{
		Kind: auditlog.WorkerStart, Actor: actor, Grant: string(id), Milliseconds: uint64(w.Ready.Milliseconds()), Detail: detail,
	})
}

// withLevel adds to what is recorded of a worker's start its level, where that is not
// the full one.
func withLevel(detail map[string]string, w *supervise.Worker) map[string]string {
	if level := w.Level(); level != workerspec.FullLevel {
		detail["level"] = level
	}
	return detail
}

// noteEnd records a worker's end, when it has come. A crash is a security event.
func (c *Core) noteEnd(w *supervise.Worker, actor audit.Actor, id capability.ID) {
	<-w.Done()
	ev := audit.Event{Kind: auditlog.WorkerEnd, Actor: actor, Grant: string(id), Detail: map[string]string{"kind": w.Kind, "pid": strconv.Itoa(w.PID())}}
	c.ended(w, &ev, errs.WorkerCrashed)
	_ = c.cfg.Audit.Note(ev)
}

// ended completes the record of a worker's end. code is what a crash is.
func (c *Core) ended(w *supervise.Worker, ev *audit.Event, code errs.Code) {
	if words := w.Words(); words != "" {
		// Not the words: one that was taken over, or crashed, may say what it has read.
		c.cfg.Log.Info("worker said", "kind", w.Kind, "bytes", len(words), "lines", strings.Count(words, "\n"))
	}
	if !w.Crashed() {
		return
	}
	e := w.Exit()
	if w.OutOfMemory() && code == errs.WorkerCrashed {
		code = errs.WorkerMemory
	}
	ev.Kind, ev.Code = auditlog.WorkerCrash, string(code)
	ev.Detail["exit"] = strconv.Itoa(e.Code)
	ev.Detail["signal"] = strconv.Itoa(e.Signal)
	ev.Detail["forbidden-call"] = strconv.FormatBool(e.Forbidden)
	counted(w, ev)
	if reason := w.Broke(); reason != "" {
		ev.Kind, ev.Code = auditlog.MalformedPeer, string(errs.Malformed)
		ev.Detail["reason"] = reason
	}
	c.cfg.Log.Warn("worker crashed", "kind", w.Kind, "exit", e.Code, "signal", e.Signal)
}

// within lists Bailey's own directories below a folder, by their names
// relative to it: a grant of a person's home does not show a worker the keys of
// the log and what is remembered. Names alone would miss a home that is mounted
// a second time. With them goes where the system's own state is mounted: a grant
// of / gives no processes. Those that are missing are made first, where that can be:
// a worker would see them as soon as another core made them.
func (c *Core) within(f *folder.Folder) []string {
	_ = c.claim(f)
	out := slices.Clone(f.System)
	for _, own := range c.cfg.Own {
		if rel, ok := below(f, own); ok {
			out = append(out, rel)
		}
	}
	return out
}

// below finds a directory in a folder, and its name there.
func below(f *folder.Folder, dir string) (string, bool) {
	if rel, ok := strings.CutPrefix(dir, strings.TrimSuffix(f.Path, "/")+"/"); ok {
		return rel, true
	}
	return f.Find(dir)
}

// trusted says what of Bailey's own keeps a folder from being given for writing, empty
// for nothing: the core executes its programs before they are in a sandbox.
func (c *Core) trusted(f *folder.Folder) string {
	for _, d := range c.cfg.ProgramDirs {
		if _, ok := below(f, d); ok || f.Is(d) {
			return "Bailey's own programs lie there"
		}
	}
	return ""
}

// worked notes that a call went through, so that crashes are counted in a row.
func (a *assignment) worked() {
	a.mu.Lock()
	a.crashes = 0
	a.mu.Unlock()
}

// end kills the worker at once and gives the rest back behind the caller's
// back: removing an index may take a while, and whoever revokes must not wait
// for it.
func (a *assignment) end() {
	a.mu.Lock()
	w, p := a.worker, a.pdf
	a.ended = true
	a.mu.Unlock()
	if w != nil {
		w.Kill()
	}
	if p != nil {
		p.Kill() // it may hold a file of the folder's
	}
	a.core.mu.Lock()
	delete(a.core.assigned, a.grant.Row.ID)
	// Whoever withdraws a grant does not want its folder read on in the background,
	// nor by the model that was withdrawn.
	resume := a.own == nil && a.core.quiet == 0 && !a.withdrawn && errs.CodeOf(context.Cause(a.grant.Context())) != errs.GrantRevoked
	a.core.mu.Unlock()
	a.core.background.Go(func() {
		a.connecting.Lock()
		for _, ch := range a.channels {
			ch.close()
		}
		a.channels = nil
		a.connecting.Unlock()
		a.folder.Close()
		if a.keep != "" {
			a.data.Close()
			a.unkeep()
			if resume {
				a.core.resume(a.keep)
			}
			return
		}
		if err := a.data.Remove(); err != nil {
			a.core.cfg.Log.Warn("a data directory could not be removed", "error", err)
		}
	})
}
