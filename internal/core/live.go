package core

import (
	"context"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/models"
	"github.com/bailey-run/bailey/internal/plat/cores"
	"github.com/bailey-run/bailey/internal/plat/graphics"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

const engineKind = "engine"

// live is one engine process, from its start to its end.
type live struct {
	engine  *engine
	options loadOptions
	// use is the model's file, held under a lease.
	use    *models.Use
	loaded *modelv1.Loaded
	// gone is closed when the process is gone, the file given back and the crash,
	// if it was one, counted.
	gone chan struct{}
	// cause is why the core ended it, if it did and somebody has to be told.
	cause atomic.Pointer[errs.Error]
	// counted says that the core ended it for a fault of its own, which counts
	// like a crash.
	counted atomic.Bool
	// card is the graphics card that it is given; nil = none.
	card *card

	mu     sync.Mutex
	worker *supervise.Worker
	// stopped is set when it has to end, perhaps before it has begun.
	stopped bool
	// rows are the handles that the engine knows, by grant.
	rows map[capability.ID][]placed
}

// placed is one row of a grant at the engine: one for calls of clients, and one
// for each index worker that has a channel.
type placed struct {
	way    string
	handle capability.Handle
}

// start starts the process and loads the model: with the graphics card that the
// engine is for, and without it where that fails for the card's sake. The record
// then says so, and the one who loads it is told why.
func (e *engine) start(ctx context.Context, o loadOptions, progress func(uint32)) (*live, error) {
	if k, _ := e.onCard(); k != nil {
		v, err := e.startOn(ctx, k, o, progress)
		if err == nil || ctx.Err() != nil || !cardFailed(err) {
			return v, err
		}
		e.refuse(err)
		e.core.cfg.Log.Info("a model goes to the processor", "error", err)
	}
	return e.startOn(ctx, nil, o, progress)
}

// startOn is start on a card, or on none.
func (e *engine) startOn(ctx context.Context, k *card, o loadOptions, progress func(uint32)) (_ *live, err error) {
	const op = "core.engine-start"
	c := e.core
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	v := &live{engine: e, options: o, card: k, gone: make(chan struct{}), rows: map[capability.ID][]placed{}}
	v.use, err = c.cfg.Models.Use(ctx, models.Digest(e.key.digest), func() {
		changed := errs.New(errs.ModelChanged, op)
		cancel(changed)
		v.stop(changed, false)
	})
	if err != nil {
		return nil, err
	}
	if err := v.run(ctx); err != nil {
		if v.worker == nil {
			v.use.Release()
			close(v.gone)
		} else {
			v.stop(nil, false)
			<-v.gone
		}
		return nil, cause(ctx, err)
	}
	if err := e.pinned(ctx); err != nil {
		return nil, cause(ctx, v.failed(err))
	}
	if err := v.load(ctx, progress); err != nil {
		return nil, cause(ctx, v.failed(err))
	}
	return v, nil
}

// pinned asks that the model's permission is still remembered, or that a live
// grant needs no such permission, because it was given for its task alone. It is
// asked after the attempt was registered with the engine: what forgets a
// permission evicts afterwards, so it either meets the attempt or has forgotten
// before the question; and the end of the last grant gives the attempt up.
func (e *engine) pinned(ctx context.Context) error {
	const op = "core.engine-pinned"
	e.mu.Lock()
	for _, l := range e.leases {
		if l.forTask() && l.grant.Context().Err() == nil {
			e.mu.Unlock()
			return nil
		}
	}
	e.mu.Unlock()
	found := make(chan bool, 1)
	// Whoever forgets holds the lock of what is remembered while it waits for this
	// attempt to be given up.
	e.core.background.Go(func() {
		_, ok := e.core.cfg.Policies.FindModel(e.key.app, e.key.digest)
		found <- ok
	})
	select {
	case ok := <-found:
		if !ok {
			return errs.New(errs.GrantRevoked, op)
		}
		return nil
	case <-ctx.Done():
		return errs.Wrap(errs.Cancelled, op, ctx.Err())
	}
}

// cause prefers why a context of the core's own ended over what that led to.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil && errs.CodeOf(why) != errs.Internal {
		return why
	}
	return err
}

// run starts the process. After crashes in a row it waits a little longer each
// time; the store of models sets one aside that crashed too often.
func (v *live) run(ctx context.Context) error {
	const op = "core.engine-run"
	e, c, m := v.engine, v.engine.core, v.use.Model
	if n := m.Crashes; n > 0 {
		t := time.NewTimer(limits.WorkerBackoff << (n - 1))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return errs.Wrap(errs.Cancelled, op, ctx.Err())
		}
	}
	available, err := c.models.Memory()
	if err != nil {
		return err
	}
	if !v.options.overMemory {
		if err := c.models.CheckFit(m, v.options.context, v.options.parallel); err != nil {
			return err
		}
	}
	fit := models.Fit(m.Facts, v.options.context, v.options.parallel, available)
	kind, opt := engineKind, supervise.Options{Memory: limits.EngineMemory + models.Need(fit), Swap: v.options.overMemory}
	if v.card != nil {
		kind = workerspec.GraphicsKind
		opt.Memory += limits.GraphicsMemory
		opt.Devices = graphics.Nodes(v.card.node)
	}
	w, err := c.workers.Start(ctx, kind, opt)
	if err != nil {
		return err
	}
	v.mu.Lock()
	v.worker = w
	stopped := v.stopped
	v.mu.Unlock()
	c.background.Go(v.watch)
	if stopped {
		w.Kill()
	}
	return c.cfg.Audit.Note(audit.Event{
		Kind: auditlog.WorkerStart, Actor: e.actor(), Milliseconds: uint64(w.Ready.Milliseconds()), Detail: withLevel(v.detail(), w),
	})
}

func (e *engine) actor() audit.Actor { return audit.Actor{App: e.key.app, Surface: ownSurface} }

func (v *live) detail() map[string]string {
	d := map[string]string{
		"kind": v.worker.Kind, "pid": strconv.Itoa(v.worker.PID()),
		"model": v.use.Model.Name, "sha256": hex.EncodeToString(v.engine.key.digest[:]),
	}
	if level := v.worker.Level(); level != workerspec.FullLevel {
		d["level"] = level
	}
	if v.card != nil {
		d["card"] = v.card.node
	}
	if _, why := v.engine.onCard(); why != "" {
		d["card-refused"] = why
	}
	return d
}

// load hands the model over. An engine that reports no progress for too long
// has hung.
func (v *live) load(ctx context.Context, progress func(uint32)) error {
	const op = "core.engine-load"
	m := v.use.Model
	threads := v.options.threads
	if threads == 0 {
		// An engine's own root does not say which processors share a core.
		threads = uint32(min(cores.Default(), limits.EngineThreads))
	}
	silence := time.AfterFunc(limits.EngineLoadSilence, func() { v.hang(op) })
	defer silence.Stop()
	q := &enginev1.LoadRequest{
		Size: m.Facts.GetSize(), Role: m.Facts.GetRole(),
		Context: v.options.context, Parallel: v.options.parallel, Threads: threads,
	}
	if v.card != nil {
		q.Vram = v.card.vram
	}
	in, err := enginev1.NewEngineServiceClient(v.worker.Conn).Load(ipc.WithFiles(ctx, v.use.File.File), q)
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		r, err := in.Recv()
		switch {
		// Exactly: the error of a peer that went away is around io.EOF too.
		case err == io.EOF && v.loaded != nil:
			return nil
		case err == io.EOF:
			return errs.New(errs.Malformed, op)
		case err != nil:
			return err
		}
		silence.Reset(limits.EngineLoadSilence)
		if p := r.GetProgress(); p != nil {
			progress(p.Thousandths)
		} else {
			v.loaded = r.GetLoaded()
			// An engine's own words, which a person may be shown.
			for _, s := range []*string{&v.loaded.Engine, &v.loaded.Variant, &v.loaded.Card} {
				*s = plain(*s, limits.EngineSays)
			}
			_, v.loaded.CardRefused = v.engine.onCard()
			if v.card == nil {
				v.loaded.Card, v.loaded.CardLayers, v.loaded.Vram = "", 0, 0
			}
			if d := v.loaded.ChatRefused; d != "" && !said(errs.TemplateRefused, d) {
				v.loaded.ChatRefused = quoted(d)
			}
		}
	}
}

// failed ends an engine that did not load, and says why.
func (v *live) failed(err error) error {
	err = v.why(err)
	var why *errs.Error
	if v.card != nil {
		why = errs.From(err) // stands with the process's end in the record
	}
	v.stop(why, false)
	<-v.gone
	return err
}

// over reports whether the process is gone or about to be.
func (v *live) over() bool {
	select {
	case <-v.worker.Conn.Done():
		return true
	case <-v.gone:
		return true
	default:
		return v.cause.Load() != nil
	}
}

// suits reports whether what is loaded does for what is wanted.
func (v *live) suits(want loadOptions) bool {
	asked := want
	if trained := v.loaded.GetTrainedContext(); want.context == 0 && trained > 0 {
		want.context = min(limits.EngineContext, trained)
	}
	have := loadOptions{context: v.loaded.GetContext(), parallel: v.loaded.GetParallel(), threads: v.loaded.GetThreads()}
	// What was asked for once and could not be had is not asked for again.
	return have.covers(want) || v.options.covers(asked)
}

// usedBesides reports whether another grant has a row here.
func (v *live) usedBesides(id capability.ID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for other := range v.rows {
		if other != id {
			return true
		}
	}
	return false
}

// stop ends the process at once and returns when it is gone. why, which may be
// nil, is what calls that run are told; count says that it is the model's fault.
func (v *live) stop(why *errs.Error, count bool) {
	if why != nil {
		v.cause.CompareAndSwap(nil, why)
	}
	if count {
		v.counted.Store(true)
	}
	v.mu.Lock()
	w := v.worker
	v.stopped = true
	v.mu.Unlock()
	if w != nil {
		w.Kill()
	}
}

// hang ends an engine that says nothing.
func (v *live) hang(op string) { v.stop(errs.New(errs.EngineHung, op), true) }

// watch sees the process's end, gives the file back and counts a crash.
func (v *live) watch() {
	c, e, w := v.engine.core, v.engine, v.worker
	<-w.Done()
	v.use.Release()
	ev := audit.Event{Kind: auditlog.WorkerEnd, Actor: e.actor(), Detail: v.detail()}
	if why := v.cause.Load(); why != nil {
		ev.Code = string(why.Code)
	}
	c.ended(w, &ev, v.died().Code)
	if v.card != nil && (w.Crashed() || v.counted.Load()) {
		// The driver may be to blame, and not the model: the next start has none.
		e.refuse(errs.New(v.died().Code, "core.card").With("its driver, or the engine with it, ended in the middle of its work"))
	} else if w.Crashed() || v.counted.Load() {
		if m, err := c.cfg.Models.Crashed(models.Digest(e.key.digest)); err != nil {
			c.cfg.Log.Warn("a crash could not be counted", "error", err)
		} else if m.Quarantined {
			ev.Detail["quarantined"] = "true"
		}
	}
	_ = c.cfg.Audit.Note(ev)
	e.mu.Lock()
	if e.live == v {
		e.live = nil
	}
	kept := e.kept
	if e.live == nil {
		e.kept = nil
	}
	e.mu.Unlock()
	close(v.gone)
	if kept != nil {
		c.finishOwn(kept, false)
	}
}

// memoryWords are what a library or a runtime says last when it gets no memory.
// They only choose between two codes, both of which an engine may say itself.
func memoryWords() []string {
	return []string{"out of memory", "bad_alloc", "cannot allocate memory", "failed to allocate"}
}

// died is what a call is told that was under way when the process ended by
// itself.
func (v *live) died() *errs.Error {
	const op = "core.engine-died"
	if v.worker.OutOfMemory() {
		return errs.New(errs.MemoryUsedUp, op)
	}
	words := strings.ToLower(v.worker.Words())
	if v.card != nil && outOfCard(words) {
		return errs.New(errs.MemoryUsedUp, op).With("the graphics card is out of memory").WithHint("try again: the model then runs on the processor")
	}
	for _, s := range memoryWords() {
		if strings.Contains(words, s) {
			return errs.New(errs.MemoryUsedUp, op)
		}
	}
	return errs.New(errs.EngineCrashed, op)
}

// why is what a failed call of the engine means to its caller.
func (v *live) why(err error) error {
	if errs.CodeOf(err) == errs.WorkerCrashed {
		// The process is gone, or is about to be; how, is known in a moment.
		t := time.NewTimer(limits.EngineDying)
		defer t.Stop()
		select {
		case <-v.gone:
		case <-t.C:
		}
	}
	if why := v.cause.Load(); why != nil {
		return why
	}
	if errs.CodeOf(err) == errs.WorkerCrashed {
		return v.died()
	}
	return fromWorker(err)
}

// put returns the grant's handle at the engine for one way of using it, telling
// the engine the row when it does not have it.
func (v *live) put(ctx context.Context, l *lease, way string) (capability.Handle, error) {
	id := l.grant.Row.ID
	v.mu.Lock()
	for _, p := range v.rows[id] {
		if p.way == way {
			v.mu.Unlock()
			return p.handle, nil
		}
	}
	v.mu.Unlock()
	quota, err := l.take(way, way == directWay)
	if err != nil {
		return capability.Handle{}, err
	}
	row := l.grant.Row
	row.Quota = quota
	// It is answered at once, whatever the engine is at work on; one that does not
	// answer has hung, and nobody is to wait for it.
	within, stop := context.WithTimeoutCause(ctx, limits.EngineJoin, errs.New(errs.EngineHung, "core.put"))
	defer stop()
	h, err := v.worker.Put(within, row, "", v.engine.core.cfg.Clock.Boot())
	if err != nil {
		if ctx.Err() == nil && within.Err() != nil {
			v.hang("core.put")
		}
		return h, v.why(err)
	}
	v.mu.Lock()
	for _, p := range v.rows[id] {
		if p.way == way {
			// Another call was quicker; this row is not used.
			v.mu.Unlock()
			v.tellDrop(within, h)
			return p.handle, nil
		}
	}
	v.rows[id] = append(v.rows[id], placed{way, h})
	v.mu.Unlock()
	// The grant's end either sees the row or is seen here.
	if why := context.Cause(l.grant.Context()); why != nil {
		v.forget(v.take(id), limits.EngineDrop)
		return h, why
	}
	return h, nil
}

// directWay is a client's own calls. Any other way is the channel of an index
// worker.
const directWay = "client"

// take removes the rows of a grant from those that the core would use.
func (v *live) take(id capability.ID) []placed {
	v.mu.Lock()
	defer v.mu.Unlock()
	rows := v.rows[id]
	delete(v.rows, id)
	return rows
}

// takeWay is take for one way alone.
func (v *live) takeWay(id capability.ID, way string) []placed {
	var rows []placed
	v.mu.Lock()
	defer v.mu.Unlock()
	all := v.rows[id]
	for i, p := range all {
		if p.way == way {
			rows = append(rows, p)
			v.rows[id] = append(append([]placed(nil), all[:i]...), all[i+1:]...)
			break
		}
	}
	if len(v.rows[id]) == 0 {
		delete(v.rows, id)
	}
	return rows
}

// forget has the engine drop rows and end their calls. One that does not confirm
// within d is killed.
func (v *live) forget(rows []placed, d time.Duration) {
	if len(rows) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for _, p := range rows {
		if !v.tellDrop(ctx, p.handle) {
			v.stop(errs.New(errs.EngineHung, "core.drop"), false)
			return
		}
	}
}

// tellDrop reports whether the engine confirmed, or is gone.
func (v *live) tellDrop(ctx context.Context, h capability.Handle) bool {
	_, err := workerv1.NewWorkerServiceClient(v.worker.Conn).DropGrant(ctx, &workerv1.DropGrantRequest{Handle: h[:]})
	return err == nil || v.over()
}

// worked notes that the engine did what it was asked to, so that crashes are
// counted in a row.
func (v *live) worked() {
	if err := v.engine.core.cfg.Models.Worked(models.Digest(v.engine.key.digest)); err != nil {
		v.engine.core.cfg.Log.Warn("a model's success could not be noted", "error", err)
	}
	v.used()
}

// used notes that a call of the model has ended.
func (v *live) used() { v.engine.core.cfg.Models.Used(models.Digest(v.engine.key.digest)) }
