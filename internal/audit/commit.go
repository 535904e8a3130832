package audit

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/keystore"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// entry is a record on its way to the file: encoded but for its number. done is
// nil for a buffered one.
type entry struct {
	rest []byte
	done chan result
}

// own is the entry of a record that the log itself writes.
func (l *Log) own(kind auditlog.Kind) *entry {
	r := auditlog.Record{Time: l.clock.Wall(), Kind: kind}
	rest, err := r.AppendRest(nil)
	if err != nil {
		panic("BUG: a record without fields does not encode: " + err.Error())
	}
	return &entry{rest: rest}
}

type result struct {
	seq uint64
	err error
}

func (e *entry) answer(r result) {
	if e.done != nil {
		e.done <- r // has room for the one answer
	}
}

// Log is an open audit log with its one writer goroutine. It is safe for
// concurrent use. Open makes one.
type Log struct {
	clock  clock.Clock
	log    *slog.Logger
	anchor Anchor
	after  func(time.Duration) <-chan time.Time

	dir    *safefile.Dir
	keys   *keystore.Store
	lock   *safefile.Lock
	sealer *sealer
	signer note.Signer
	key    note.Verifier // of the signer; nil in a log that was just made
	origin string

	// Owned by the writer goroutine.
	file   *safefile.File
	slots  *safefile.File
	half   int64 // the half of the checkpoint file that is written next
	tree   auditlog.Tree
	offset int64 // length of the log that is durable
	buf    []byte
	slot   []byte
	leaves []auditlog.Hash

	wake chan struct{}
	ask  chan chan struct{} // settle now, then close the answer
	quit chan struct{}
	done chan struct{}
	// broken is closed by breakOff.
	broken chan struct{}

	// verified is held by the one who verifies; it keeps the last good report.
	verified chan *verified

	closeOnce sync.Once
	closeErr  error

	mu       sync.Mutex
	changed  *sync.Cond // room in the queue, failure, close
	queue    []*entry
	busy     int         // entries that the writer has taken
	linger   *time.Timer // running when buffered records wait
	full     error       // the last write met a full disk
	attempts uint64      // writes that were tried
	failed   error       // the file is used no more
	damage   error       // what Check or Read found
	checked  bool        // all that stood in the file at the start is whole
	closed   bool
	size     uint64
	root     auditlog.Hash
	end      int64 // offset, for readers
	anchored *bool // what became of the last anchor; nil before the first
}

// push queues an entry; it waits for room.
func (l *Log) push(ctx context.Context, e *entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue)+l.busy >= limits.AuditQueue {
		stop := context.AfterFunc(ctx, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.changed.Broadcast()
		})
		defer stop()
		retried := false
		for len(l.queue)+l.busy >= limits.AuditQueue && l.failed == nil && !l.closed && ctx.Err() == nil {
			if l.full != nil && retried {
				break
			}
			seen := l.attempts
			if l.full != nil {
				// There may be room by now: one more try, then the caller is told.
				l.signal()
			}
			l.changed.Wait()
			retried = l.attempts != seen
		}
	}
	switch {
	case l.failed != nil:
		return l.failed
	case l.closed:
		return errs.Wrap(errs.LogUnwritable, "audit.append", errors.New("the log is closed"))
	case ctx.Err() != nil:
		return ctxErr("audit.append", ctx.Err())
	case len(l.queue)+l.busy >= limits.AuditQueue:
		return l.full
	}
	l.queue = append(l.queue, e)
	if e.done != nil {
		l.signal()
	} else if l.linger == nil {
		l.linger = time.AfterFunc(limits.AuditNoteLinger, l.signal)
	}
	return nil
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run is the writer: the only goroutine that touches the file.
func (l *Log) run() {
	defer close(l.done)
	beat := l.after(limits.AuditHeartbeat)
	for {
		select {
		case <-l.wake:
			l.drain()
		case <-beat:
			l.mu.Lock()
			l.queue = append(l.queue, l.own(auditlog.Heartbeat))
			l.mu.Unlock()
			l.drain()
			l.settle()
			beat = l.after(limits.AuditHeartbeat)
		case done := <-l.ask:
			l.settle()
			close(done)
		case <-l.quit:
			l.drain()
			l.settle()
			return
		}
	}
}

// drain writes batches until nothing waits or the file cannot be written.
func (l *Log) drain() {
	for {
		l.gather()
		batch := l.take()
		if len(batch) == 0 {
			return
		}
		if err := l.commit(batch); err != nil {
			return
		}
	}
}

// gather lets callers that can run join the batch: those whom the last commit
// answered are about to append again. It ends when a turn of the scheduler
// brought nobody, at once for a single caller. With 16 writers it doubles the
// records under one fsync.
func (l *Log) gather() {
	n := -1
	for range limits.AuditGather {
		l.mu.Lock()
		now := len(l.queue)
		l.mu.Unlock()
		if now == n || now == 0 || now >= limits.AuditBatchRecords {
			return
		}
		n = now
		runtime.Gosched()
	}
}

// take removes one batch from the queue.
func (l *Log) take() []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.linger != nil {
		l.linger.Stop()
		l.linger = nil
	}
	if l.failed != nil {
		return nil
	}
	n, size := 0, 0
	for n < len(l.queue) && n < limits.AuditBatchRecords && size < limits.AuditBatchBytes {
		size += len(l.queue[n].rest)
		n++
	}
	batch := append([]*entry(nil), l.queue[:n]...)
	l.queue = append(l.queue[:0], l.queue[n:]...)
	l.busy = n
	return batch
}

// commit makes one batch durable and answers its callers.
func (l *Log) commit(batch []*entry) error {
	tree := l.tree
	buf, leaves := l.buf[:0], l.leaves[:0]
	first := tree.Size()
	for _, e := range batch {
		from := len(buf)
		var err error
		if buf, err = auditlog.AppendSeq(buf, tree.Size()); err != nil {
			return l.fail(batch, err)
		}
		buf = append(buf, e.rest...)
		leaf := auditlog.LeafHash(buf[from:])
		leaves = append(leaves, leaf)
		tree.Add(leaf)
		buf = append(buf, '\n')
	}
	root := tree.Root()
	msg, err := auditlog.Sign(auditlog.Checkpoint{Origin: l.origin, Size: tree.Size(), Root: root}, l.signer)
	if err != nil {
		return l.fail(batch, err)
	}
	buf = auditlog.AppendCheckpointLine(buf, msg, leaves)
	buf = append(buf, '\n')
	l.buf, l.leaves = buf, leaves

	if _, err := l.file.Write(buf); err != nil {
		if errs.CodeOf(err) != errs.NoSpace {
			return l.fail(batch, err)
		}
		// Nobody was told that any of it is written: take it back.
		if terr := l.file.Truncate(l.offset); terr != nil {
			return l.fail(batch, errors.Join(err, terr))
		}
		return l.noSpace(batch, err)
	}
	if err := l.file.Sync(); err != nil {
		return l.fail(batch, err)
	}
	l.tree = tree
	l.offset += int64(len(buf))

	l.mu.Lock()
	l.busy, l.full = 0, nil
	l.attempts++
	l.size, l.root, l.end = tree.Size(), root, l.offset
	l.changed.Broadcast()
	l.mu.Unlock()
	for i, e := range batch {
		e.answer(result{seq: first + uint64(i)})
	}
	// Behind the answers: the log vouches for the batch, and this write, which
	// may wait for a file system's journal, goes on while the callers do.
	if err := l.writeSlot(msg); err != nil && errs.CodeOf(err) != errs.NoSpace {
		return l.fail(nil, err)
	}
	return nil
}

// writeSlot puts the newest checkpoint into the half of the checkpoint file
// that is older. It is not synced here: the log is durable, so a power loss can
// at most leave an older checkpoint in this file, which the log goes beyond. So
// does a full disk, where a file system writes nothing in its place: the half that
// holds is the other, and the next batch tries again.
func (l *Log) writeSlot(msg []byte) error {
	s := auditlog.Slot{Note: msg, Offset: uint64(l.offset), Frontier: l.tree.Frontier()}
	l.slot = s.Append(l.slot[:0])
	if _, err := l.slots.WriteAt(l.slot, l.half*limits.AuditSlot); err != nil {
		return err
	}
	l.half = 1 - l.half
	return nil
}

// noSpace answers all who wait, in the batch and behind it, and keeps buffered
// records for later.
func (l *Log) noSpace(batch []*entry, err error) error {
	var keep, told []*entry
	l.mu.Lock()
	for _, e := range append(batch, l.queue...) {
		if e.done == nil {
			keep = append(keep, e)
		} else {
			told = append(told, e)
		}
	}
	l.queue = keep
	l.busy, l.full = 0, err
	l.attempts++
	if len(keep) > 0 && !l.closed {
		l.linger = time.AfterFunc(limits.AuditRetry, l.signal)
	}
	l.changed.Broadcast()
	l.mu.Unlock()
	l.log.Error("audit log: no space", "waiting", len(keep))
	for _, e := range told {
		e.answer(result{err: err})
	}
	return err
}

// retiredFile marks a log whose file is used no more, for the next start.
const retiredFile = "retired"

// fail ends the use of the file.
func (l *Log) fail(batch []*entry, cause error) error {
	err := errs.Wrap(errs.LogUnwritable, "audit.commit", cause)
	if errs.CodeOf(cause) == errs.NoSpace {
		err = err.WithHint(errs.New(errs.NoSpace, "").HintText())
	}
	l.log.Error("audit log: the file is used no more", "cause", cause)
	l.mu.Lock()
	if l.damage != nil {
		// A damaged log is not set aside by itself, which the mark would do.
		err = errs.From(l.damage)
		l.mu.Unlock()
		for _, e := range batch {
			e.answer(result{err: err})
		}
		return err
	}
	l.mu.Unlock()
	// Best effort, on a disk that just failed: without the mark the next start
	// reads the file again and believes what it finds there.
	if merr := l.dir.Publish(retiredFile, []byte("write-failed\n")); merr != nil {
		l.log.Error("audit log: cannot mark the file", "cause", merr)
	}
	l.mu.Lock()
	l.failed = err
	rest := l.queue
	l.queue, l.busy = nil, 0
	l.changed.Broadcast()
	l.mu.Unlock()
	for _, e := range append(batch, rest...) {
		e.answer(result{err: err})
	}
	return err
}

// settle makes the checkpoint file durable and anchors the checkpoint.
func (l *Log) settle() {
	l.mu.Lock()
	failed, size, root := l.failed, l.size, l.root
	l.mu.Unlock()
	if failed != nil {
		return
	}
	if err := l.slots.Sync(); err != nil {
		// Same rule as for the log: what a failed fsync left is not trusted.
		_ = l.fail(nil, err)
		return
	}
	err := l.anchor.Put(l.origin, size, root.String())
	l.mu.Lock()
	first := l.anchored == nil || *l.anchored
	ok := err == nil
	l.anchored = &ok
	l.mu.Unlock()
	if err != nil && first {
		l.log.Info("audit log: checkpoints are not anchored outside this account", "cause", err)
	}
}

// Status tells where the log stands.
func (l *Log) Status() Status {
	p := l.keys.Protection()
	l.mu.Lock()
	defer l.mu.Unlock()
	return Status{
		Origin: l.origin, Size: l.size, Root: l.root.String(), Anchored: l.anchored != nil && *l.anchored,
		Checked: l.checked, Broken: l.failed, Keyring: p.Keyring, KeyDetail: p.Detail,
	}
}

// Close writes what waits and a core-stop record, makes all of it durable and
// releases the log. It may be called more than once. An error means that
// records which Note took are not in the log.
func (l *Log) Close() error {
	l.closeOnce.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.queue = append(l.queue, l.own(auditlog.CoreStop))
		l.changed.Broadcast()
		l.mu.Unlock()
		close(l.quit)
		<-l.done
		l.mu.Lock()
		if l.linger != nil {
			l.linger.Stop()
		}
		err := l.failed
		if err == nil && len(l.queue) > 0 {
			err = l.full
		}
		l.mu.Unlock()
		l.closeErr = errors.Join(err, l.release())
	})
	return l.closeErr
}

// release closes what Open opened.
func (l *Log) release() error {
	var all []error
	for _, f := range []*safefile.File{l.slots, l.file} {
		if f != nil {
			all = append(all, f.Close())
		}
	}
	if l.lock != nil {
		all = append(all, l.lock.Close())
	}
	if l.keys != nil {
		all = append(all, l.keys.Close())
	}
	if l.dir != nil {
		all = append(all, l.dir.Close())
	}
	return errors.Join(all...)
}
