// Package index is the engine of the index worker: it walks a granted
// directory, keeps a database of what the files say, answers questions and
// summarises, always in the documents' own words with exact citations.
//
//	walk → text → extract, sentence → fold → store → answer, summary
//
// It opens nothing itself but the directory and the database that its
// configuration names, writes only the database, and follows no link. Memory is
// bounded by constants, not by the folder. A damaged database is made again. Only
// the index worker calls it.
package index

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/answer"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/store"
	"github.com/bailey-run/bailey/internal/worker/index/summary"
)

// Engine is the name of what writes answers and summaries.
const Engine = "bailey-extract/1"

// Config says what an Index works on.
type Config struct {
	// Root opens the granted directory; it is called once for each Update.
	Root func() (*dirfd.Dir, error)
	// DB is a private directory for the database.
	DB string
	// Remembered keeps the database between runs; else Close deletes it.
	Remembered bool
	Clock      clock.Clock
	Log        *slog.Logger
	// PDF reads PDFs; nil skips them.
	PDF PDF
	// Workers is how many files are read into passages at the same time; 0
	// means two.
	Workers int
}

// PDF reads the text of PDFs. Package pdf implements it.
type PDF interface {
	// Read returns the text of a file, or why it has none. It calls beat now and
	// then. When ctx has ended the answer means nothing.
	Read(ctx context.Context, f *dirfd.File, beat func()) (doc.Text, doc.Reason)
}

// Progress is how far an Update is.
type Progress struct {
	Files, Bytes int64
	// Total is the number of files when known from the last run, else 0.
	Total int64
}

// Usage is what an Update came by.
type Usage struct {
	Files     int64 // files with text
	Bytes     int64 // of text, decoded and unpacked
	Chunks    int64
	Skipped   int64
	Unchanged int64 // files whose entry was still good
	Elapsed   time.Duration
}

// Index is an open index. Its methods may be called from several goroutines;
// they take turns.
type Index struct {
	cfg Config
	// parses is called before a file's bytes are parsed; tests alone set it.
	parses func(path string)
	// wanted counts the calls that wait for a turn, for whom the background
	// makes way.
	wanted atomic.Int32

	mu     sync.Mutex
	store  *store.Store
	closed bool
}

// Open opens or makes the database. It returns an *errs.Error: errs.NoSpace,
// errs.HomeUnusable, errs.CoreBusy when another process holds the database.
func Open(ctx context.Context, cfg Config) (*Index, error) {
	if cfg.Root == nil || cfg.DB == "" || cfg.Clock == nil || cfg.Log == nil {
		panic("BUG: index.Open: incomplete configuration")
	}
	if cfg.Workers == 0 {
		cfg.Workers = limits.IndexWorkers
	}
	x := &Index{cfg: cfg}
	if err := x.open(ctx); err != nil {
		return nil, err
	}
	return x, nil
}

func (x *Index) open(ctx context.Context) error {
	s, err := store.Open(ctx, x.cfg.DB, x.cfg.Remembered)
	if errors.Is(err, store.ErrDamaged) {
		x.cfg.Log.Warn("index: the database is of another version or damaged, and is made again")
		if err := store.Remove(x.cfg.DB); err != nil {
			return err
		}
		s, err = store.Open(ctx, x.cfg.DB, x.cfg.Remembered)
	}
	if err != nil {
		return typed("index.open", err)
	}
	x.store = s
	return nil
}

// rebuild throws a damaged database away and opens a new one.
func (x *Index) rebuild(ctx context.Context) error {
	x.cfg.Log.Warn("index: the database is damaged and is made again")
	x.store.Close()
	x.store = nil
	if err := store.Remove(x.cfg.DB); err != nil {
		return err
	}
	return x.open(ctx)
}

func typed(op string, err error) error {
	switch {
	case errors.Is(err, store.ErrBusy):
		return errs.Wrap(errs.CoreBusy, op, err).WithHint("another task is reading this folder; try again when it is done")
	case errors.Is(err, store.ErrDamaged):
		return errs.Wrap(errs.Internal, op, err)
	case errors.Is(err, context.Canceled):
		return errs.Wrap(errs.Cancelled, op, err)
	case errors.Is(err, context.DeadlineExceeded):
		return errs.Wrap(errs.Deadline, op, err)
	}
	return errs.From(err)
}

// Update brings the database up to date with the directory. It calls progress at
// most ten times a second and skipped with files that were not read, both from
// its own goroutine. On an error, and after a crash, what was read is kept.
func (x *Index) Update(ctx context.Context, progress func(Progress), skipped func([]doc.Skipped)) (Usage, error) {
	x.lock()
	defer x.mu.Unlock()
	if x.closed {
		return Usage{}, errs.New(errs.Cancelled, "index.update")
	}
	if x.store == nil {
		if err := x.open(ctx); err != nil {
			return Usage{}, err
		}
	}
	usage, err := x.update(ctx, progress, skipped)
	if errors.Is(err, store.ErrDamaged) {
		if err := x.rebuild(ctx); err != nil {
			return Usage{}, err
		}
		usage, err = x.update(ctx, progress, skipped)
	}
	if err != nil {
		return Usage{}, typed("index.update", err)
	}
	return usage, nil
}

// Ask answers a question in at most max sentences, from what Update found. An
// answer without sentences says that nothing was found.
func (x *Index) Ask(ctx context.Context, question string, max int) (answer.Answer, error) {
	var a answer.Answer
	err := x.read(ctx, "index.ask", func() (err error) {
		a, err = answer.Find(ctx, x.store, question, max)
		return err
	})
	return a, err
}

// Summarize says in at most max sentences what the directory holds.
func (x *Index) Summarize(ctx context.Context, max int) (summary.Summary, error) {
	var s summary.Summary
	err := x.read(ctx, "index.summarize", func() (err error) {
		s, err = summary.Make(ctx, x.store, max)
		return err
	})
	return s, err
}

// lock waits for a turn.
func (x *Index) lock() {
	x.wanted.Add(1)
	x.mu.Lock()
	x.wanted.Add(-1)
}

// read runs f on the database; if that turns out to be damaged, the database is
// made again first.
func (x *Index) read(ctx context.Context, op string, f func() error) error {
	x.lock()
	defer x.mu.Unlock()
	if x.closed || x.store == nil {
		return errs.New(errs.Cancelled, op)
	}
	err := f()
	if errors.Is(err, store.ErrDamaged) {
		if err := x.rebuild(ctx); err != nil {
			return err
		}
		if _, err := x.update(ctx, func(Progress) {}, func([]doc.Skipped) {}); err != nil {
			return typed(op, err)
		}
		err = f()
	}
	if err != nil {
		return typed(op, err)
	}
	return nil
}

// Close ends the index. Idempotent.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	if x.store == nil {
		return nil
	}
	if err := x.store.Close(); err != nil {
		return typed("index.close", err)
	}
	return nil
}
