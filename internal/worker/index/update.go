package index

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/store"
	"github.com/bailey-run/bailey/internal/worker/index/text"
	"github.com/bailey-run/bailey/internal/worker/index/walk"
)

// job is a file on its way from the walker to a worker.
type job struct {
	file   store.File
	old    store.File
	text   doc.Text
	weight int64
}

// done is what a worker made of it, or a stamp to renew.
type done struct {
	entry  *store.Entry
	part   *store.Entry // some passages of a large file, of which entry follows
	old    store.File
	touch  bool
	weight int64
}

// updater is one run of Update. The walker owns known and usage; the writer
// goroutine owns the batch.
type updater struct {
	x        *Index
	ctx      context.Context
	known    map[string]store.File
	usage    Usage
	progress func(Progress)
	skipped  func([]doc.Skipped)
	pending  []doc.Skipped
	total    int64
	start    time.Duration
	last     time.Duration
	files    int64
	bytes    int64
	loader   text.Loader
	sum      hash.Hash
	budget   *semaphore.Weighted
	jobs     chan job
	out      chan done
	parts    chan struct{} // one for each part between worker and writer
	// beats tells the walker, when it waits, that the others go on.
	beats chan struct{}

	mu sync.Mutex
	// faults are files on which a worker failed, which the walker has counted as
	// read.
	faults []store.File
}

// root opens the granted directory.
func (x *Index) root(op string) (*dirfd.Dir, error) {
	root, err := x.cfg.Root()
	switch {
	case err == nil:
		return root, nil
	case dirfd.FailureOf(err) == dirfd.FailedGone:
		return nil, errs.Wrap(errs.FolderMissing, op, err)
	case dirfd.FailureOf(err) == dirfd.FailedKind:
		return nil, errs.Wrap(errs.FolderNotDir, op, err)
	}
	return nil, errs.Wrap(errs.FolderClosed, op, err)
}

func (x *Index) update(ctx context.Context, progress func(Progress), skipped func([]doc.Skipped)) (Usage, error) {
	root, err := x.root("index.update")
	if err != nil {
		return Usage{}, err
	}
	defer root.Close()
	u := &updater{x: x, known: map[string]store.File{}, progress: progress, skipped: skipped, sum: sha256.New(),
		start: x.cfg.Clock.Boot(), budget: semaphore.NewWeighted(limits.IndexInFlight),
		jobs: make(chan job, limits.IndexQueue), out: make(chan done, limits.IndexQueue),
		parts: make(chan struct{}, limits.IndexParts), beats: make(chan struct{}, 1)}
	u.last = u.start
	u.loader.Beat = func() error {
		u.report(false)
		return u.ctx.Err()
	}
	err = x.store.Each(ctx, func(f store.File) error {
		u.known[f.Path] = f
		return nil
	})
	if err != nil {
		return Usage{}, err
	}
	u.total = int64(len(u.known))
	if err := u.run(ctx, root); err != nil {
		return Usage{}, err
	}
	gone := len(u.known) > 0
	if err := u.forget(); err != nil {
		return Usage{}, err
	}
	if gone || u.usage.Unchanged < u.files {
		if err := x.store.Forget(ctx); err != nil {
			return Usage{}, err
		}
	}
	if err := x.store.Settle(ctx); err != nil {
		return Usage{}, err
	}
	_, chunks, err := x.store.Counts(ctx)
	if err != nil {
		return Usage{}, err
	}
	u.usage.Chunks = int64(chunks)
	u.report(true)
	u.usage.Elapsed = x.cfg.Clock.Boot() - u.start
	return u.usage, nil
}

// run walks the directory with workers and one writer behind.
func (u *updater) run(ctx context.Context, root *dirfd.Dir) error {
	g, ctx := errgroup.WithContext(ctx)
	u.ctx = ctx
	workers, wctx := errgroup.WithContext(ctx)
	for range u.x.cfg.Workers {
		workers.Go(func() error { return u.work(wctx) })
	}
	g.Go(func() error {
		if err := workers.Wait(); err != nil {
			return err // the walk, which sends too, may go on
		}
		close(u.out)
		return nil
	})
	g.Go(func() error { return u.write(ctx) })
	// The walk runs here: progress and skipped are called from the caller's
	// own goroutine.
	_, err := walk.Walk(ctx, root, walk.Options{}, u.visit, u.skip)
	close(u.jobs)
	ended := make(chan error, 1)
	go func() { ended <- g.Wait() }()
	for {
		select {
		case <-u.beats:
			u.report(false)
		case werr := <-ended:
			if werr != nil {
				return werr // what made the walk end early, if it did
			}
			return err
		}
	}
}

// beat notes that some work is done, so that what takes long is not taken for what
// hangs.
func (u *updater) beat() {
	select {
	case u.beats <- struct{}{}:
	default:
	}
}

// acquire waits for room for n bytes of text. Whoever gives some back beats after it.
func (u *updater) acquire(n int64) error {
	for !u.budget.TryAcquire(n) {
		select {
		case <-u.beats:
			u.report(false)
		case <-u.ctx.Done():
			return u.ctx.Err()
		}
	}
	return nil
}

// pass is send for the walker.
func pass[T any](u *updater, c chan<- T, v T) error {
	for {
		select {
		case c <- v:
			return nil
		case <-u.beats:
			u.report(false)
		case <-u.ctx.Done():
			return u.ctx.Err()
		}
	}
}

// visit takes one file from the walker: its entry is still good, or its text
// goes to a worker.
func (u *updater) visit(e *walk.Entry) error {
	old, had := u.known[e.Path]
	delete(u.known, e.Path)
	stamp := store.Stamp{Size: e.Size, ModTime: e.MTime, ChangeTime: e.CTime, Inode: e.Inode}
	if had && old.Stamp == stamp {
		u.usage.Unchanged++
		u.count(old.Reason, old.Hint, e.Path, old.Bytes)
		return nil
	}
	// A file that changed just now may change again without its times moving
	// on (git's "racy" entries): such a stamp is not believed next time.
	if now := u.x.cfg.Clock.Wall().UnixNano(); now-e.CTime < int64(limits.IndexRacy) {
		stamp.ModTime = -1
	}
	if walk.PDF(e.Name) {
		return u.pdf(e, old, had, stamp)
	}
	weight := min(e.Size+limits.IndexFileWeight, limits.IndexInFlight)
	if err := u.acquire(weight); err != nil {
		return err
	}
	u.sum.Reset()
	text, reason := u.x.load(&u.loader, io.TeeReader(e, u.sum), e)
	if err := u.ctx.Err(); err != nil {
		return err // and what was read may be half of it
	}
	file := store.File{Path: e.Path, Stamp: stamp, Hash: u.sum.Sum(nil), Bytes: int64(len(text.Source))}
	if reason != doc.Read {
		s := doc.Skip(e.Path, reason)
		file.Reason, file.Hint = string(s.Reason), s.Hint
		text = doc.Text{}
	}
	if again(file.Reason) {
		file.Stamp.ModTime = -1
	}
	if more := min(text.Weight()+limits.IndexFileWeight, limits.IndexInFlight); more > weight {
		// A packed file: what it holds counts. Giving back first cannot
		// deadlock; holding and asking for more could.
		u.budget.Release(weight)
		weight = more
		if err := u.acquire(weight); err != nil {
			return err
		}
	}
	u.count(file.Reason, file.Hint, e.Path, file.Bytes)
	if had {
		file.ID = old.ID
		if old.Reason == file.Reason && string(old.Hash) == string(file.Hash) {
			return pass(u, u.out, done{entry: &store.Entry{File: file}, touch: true, weight: weight})
		}
	}
	return pass(u, u.jobs, job{file: file, old: old, text: text, weight: weight})
}

// count adds a file to what is reported.
func (u *updater) count(reason, hint, path string, size int64) {
	u.files++
	u.bytes += size
	if reason == "" {
		u.usage.Files++
		u.usage.Bytes += size
	} else {
		u.skip(doc.Skipped{Path: []byte(path), Reason: doc.Reason(reason), Hint: hint})
	}
	u.report(false)
}

func (u *updater) skip(s doc.Skipped) {
	u.usage.Skipped++
	u.pending = append(u.pending, s)
	if len(u.pending) >= limits.IndexSkipBatch {
		u.report(true)
	}
}

// report tells the caller how far it is, ten times a second.
func (u *updater) report(now bool) {
	u.mu.Lock()
	faults := u.faults
	u.faults = nil
	u.mu.Unlock()
	for _, f := range faults {
		u.usage.Files--
		u.usage.Bytes -= f.Bytes
		u.skip(doc.Skip(f.Path, doc.Faulty))
	}
	if now && len(u.pending) > 0 {
		u.skipped(u.pending)
		u.pending = nil
	}
	if at := u.x.cfg.Clock.Boot(); at-u.last >= limits.IndexProgress {
		u.last = at
		u.progress(Progress{Files: u.files, Bytes: u.bytes, Total: max(u.total, u.files)})
	}
}

func (u *updater) work(ctx context.Context) error {
	b := newBuilder(u.beat)
	for {
		select {
		case j, ok := <-u.jobs:
			if !ok {
				return nil
			}
			e := &store.Entry{File: j.file}
			var err error
			if !u.x.guarded(j.file.Path, func() { err = u.build(ctx, b, e, &j) }) {
				b = newBuilder(u.beat)
				u.fail(e, j.file)
			}
			if err != nil {
				return err
			}
			if err := send(ctx, u.out, done{entry: e, old: j.old, weight: j.weight}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fail has e skipped after all, of which the writer may hold a part.
func (u *updater) fail(e *store.Entry, file store.File) {
	u.mu.Lock()
	u.faults = append(u.faults, file)
	u.mu.Unlock()
	s := doc.Skip(file.Path, doc.Faulty)
	e.ModTime = -1
	e.Fail(string(s.Reason), s.Hint)
}

func (u *updater) build(ctx context.Context, b *builder, e *store.Entry, j *job) error {
	if j.text.Source == "" {
		return nil
	}
	if j.weight < limits.IndexInFlight {
		return b.build(e, j.text, nil)
	}
	// Nothing else is in flight beside so large a file: its passages go to the
	// writer piece by piece, a few at a time.
	return b.build(e, j.text, func(part *store.Entry) error {
		if err := send(ctx, u.parts, struct{}{}); err != nil {
			return err
		}
		return send(ctx, u.out, done{entry: e, part: part, old: j.old})
	})
}

// write stores what the workers made, some megabytes or seconds to a batch.
func (u *updater) write(ctx context.Context) (err error) {
	var batch *store.Batch
	defer func() {
		if batch != nil {
			batch.Rollback()
		}
	}()
	size, began := 0, time.Duration(0)
	open := false // a large file is half written
	commit := func() error {
		if batch == nil {
			return nil
		}
		b := batch
		batch, size = nil, 0
		return b.Commit()
	}
	for {
		var d done
		var ok bool
		select {
		case d, ok = <-u.out:
		case <-ctx.Done():
			// What is whole is kept: the next run need not read it again.
			if open {
				return ctx.Err()
			}
			if err := commit(); err != nil {
				return err
			}
			return ctx.Err()
		}
		if !ok {
			return commit()
		}
		if batch == nil {
			if batch, err = u.x.store.Begin(); err != nil {
				return err
			}
			began = u.x.cfg.Clock.Boot()
		}
		if d.part != nil {
			err = batch.Part(d.entry, d.part, d.old)
			<-u.parts
			if err != nil {
				return err
			}
			open = true
			continue // the batch ends with a whole file
		}
		open = false
		if d.touch {
			err = batch.Touch(d.entry.ID, d.entry.Stamp)
		} else {
			err = batch.Put(d.entry, d.old)
		}
		if err != nil {
			return err
		}
		size += d.entry.Weight()
		u.budget.Release(d.weight)
		u.beat()
		if size >= limits.IndexBatch || u.x.cfg.Clock.Boot()-began >= limits.IndexBatchTime {
			if err := commit(); err != nil {
				return err
			}
		}
	}
}

// forget drops the files that the walk did not come by.
func (u *updater) forget() error {
	if len(u.known) == 0 {
		return nil
	}
	batch, err := u.x.store.Begin()
	if err != nil {
		return err
	}
	defer batch.Rollback()
	for _, f := range u.known {
		if err := batch.Delete(f); err != nil {
			return err
		}
	}
	return batch.Commit()
}

func send[T any](ctx context.Context, c chan<- T, v T) error {
	select {
	case c <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
