package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/mod/sumdb/note"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// suspectFile marks a log whose history was found damaged while a core ran: the
// next start checks all of it before anything else. It only closes the gap that
// a check in the background leaves; without it the damage is found again.
const suspectFile = "suspect"

// Check reads the whole log, as far as it is durable now, and holds every
// record against the checkpoints and the tree that the writer goes on from.
// Open has done it for a short log; then, and the second time, Check returns nil
// or the damage at once. Damage ends the use of the log: see [Log.Broken].
// What cannot be read counts as damage, for it is not known to be whole.
// Errors: errs.LogBroken, errs.Cancelled or errs.Deadline. Memory does not grow
// with the log, and the goroutine yields between blocks of records.
func (l *Log) Check(ctx context.Context) error {
	l.mu.Lock()
	checked, damage := l.checked, l.damage
	l.mu.Unlock()
	if damage != nil {
		return damage
	}
	if checked {
		return nil
	}
	err := l.history(ctx)
	if err == nil {
		return nil
	}
	switch errs.CodeOf(err) {
	case errs.Cancelled, errs.Deadline:
		return err
	case errs.LogBroken:
	default:
		err = errs.Wrap(errs.LogBroken, "audit.check", err).With("it cannot be read to its end")
	}
	l.breakOff(err)
	return err
}

// Broken is closed when the log was found damaged after it was opened, by
// Check or Read. From then on Append and Note give errs.LogBroken. The owner
// ends what was allowed on the strength of the log.
func (l *Log) Broken() <-chan struct{} { return l.broken }

// history is Check without its consequences, and with the error of a file that
// cannot be read as it is.
func (l *Log) history(ctx context.Context) error {
	l.mu.Lock()
	size, root, end := l.size, l.root, l.end
	l.mu.Unlock()
	err := l.whole(ctx, auditlog.NewChecker(l.key, false), size, root, end)
	var bad *auditlog.Bad
	if errors.As(err, &bad) {
		// Again with every signature, which names the place more exactly when
		// someone recomputed the trees.
		_ = errors.As(l.whole(ctx, auditlog.NewChecker(l.key, true), size, root, end), &bad)
		return badLog(bad)
	}
	if err == nil {
		l.mu.Lock()
		l.checked = true
		l.mu.Unlock()
	}
	return err
}

// whole follows the log from its first byte to end. The last checkpoint's
// signature need not be checked: its root is compared with that of the writer.
func (l *Log) whole(ctx context.Context, c *auditlog.Checker, size uint64, root auditlog.Hash, end int64) error {
	file, err := l.dir.Open(auditlog.LogFile)
	if err != nil {
		return err
	}
	defer file.Close()
	n := 0
	_, err = lines(io.NewSectionReader(file, 0, end), limits.AuditLine, func(line []byte) error {
		if n++; n%limits.AuditPause == 0 {
			if ctx.Err() != nil {
				return ctxErr("audit.check", ctx.Err())
			}
			runtime.Gosched()
		}
		_, _, err := c.Line(line)
		return err
	})
	if err != nil {
		return err
	}
	if last, at := c.Last(); size > 0 && (last.Size != size || last.Root != root || at != uint64(end)) {
		return &auditlog.Bad{Seq: c.Seq(), Last: size, Reason: "the log is not the one that the newest checkpoint signed"}
	}
	return nil
}

// breakOff ends the use of a log that was found damaged.
func (l *Log) breakOff(damage error) {
	l.mu.Lock()
	if l.damage != nil {
		l.mu.Unlock()
		return
	}
	l.damage = damage
	if l.failed == nil {
		l.failed = damage
	}
	rest := l.queue
	l.queue = nil
	l.changed.Broadcast()
	l.mu.Unlock()
	close(l.broken)
	l.log.Error("audit log: damage was found, nothing is granted any more", "cause", damage)
	for _, e := range rest {
		e.answer(result{err: damage})
	}
	if err := l.dir.Publish(suspectFile, []byte("damage-found\n")); err != nil {
		l.log.Error("audit log: cannot mark the log", "cause", err)
	}
}

// badLog is the error for a log with a bad record.
func badLog(bad *auditlog.Bad) error {
	return errs.Wrap(errs.LogBroken, "audit.check", bad).With(bad.Reason)
}

// batch holds the records of a batch back until the checkpoint line behind
// them has vouched for them: its leaf hashes are in the log.
type batch struct {
	leaves []auditlog.Hash
	held   []held
	// size is where the last checkpoint stood; open is true before the first,
	// where reading may have begun in the middle of a batch.
	size uint64
	open bool
}

type held struct {
	at  int // its place in leaves
	rec auditlog.Record
}

func badRecord(seq uint64, format string, args ...any) *auditlog.Bad {
	return &auditlog.Bad{Seq: seq, Last: seq, Reason: fmt.Sprintf(format, args...)}
}

// next is the number of the record that comes next, where that is known.
func (b *batch) next() uint64 { return b.size + uint64(len(b.leaves)) }

func (b *batch) add(line []byte) *auditlog.Bad {
	if len(b.leaves) == limits.AuditBatchRecords {
		return badRecord(b.next(), "no checkpoint stands behind the records before number %d", b.next())
	}
	b.leaves = append(b.leaves, auditlog.LeafHash(line))
	return nil
}

// checkpoint holds the batch against its checkpoint line and returns the
// records that are what was signed, up to the first that is not, and what is
// wrong with that one.
func (b *batch) checkpoint(line []byte) (good []held, bad *auditlog.Bad) {
	_, cp, leaves, err := auditlog.ParseCheckpointLine(line)
	if err != nil {
		return nil, badRecord(max(b.next(), 1)-1, "the checkpoint line behind record %d was changed", max(b.next(), 1)-1)
	}
	first := cp.Size - uint64(len(leaves))
	if b.open && len(b.leaves) < len(leaves) {
		first += uint64(len(leaves) - len(b.leaves))
		leaves = leaves[len(leaves)-len(b.leaves):]
	}
	if !b.open && first != b.size {
		return nil, badRecord(b.size, "record %d stands where record %d belongs", first, b.size)
	}
	n := 0
	for n < len(leaves) && n < len(b.leaves) && leaves[n] == b.leaves[n] {
		n++
	}
	if n < max(len(leaves), len(b.leaves)) {
		seq := first + uint64(n)
		bad = badRecord(seq, "record %d is not what the checkpoint of size %d signed", seq, cp.Size)
	}
	for _, h := range b.held {
		if h.at < n {
			good = append(good, h)
		}
	}
	b.size, b.open = cp.Size, false
	b.leaves, b.held = b.leaves[:0], b.held[:0]
	return good, bad
}

// keyUnusable is the error for a log that cannot be signed on. It says nothing
// about the records: they may be whole.
func keyUnusable(state string) error {
	return errs.New(errs.LogUnwritable, "audit.open").
		With("its signing key, " + KeysName + "/" + signerName + ", is " + state + "; the records are not touched by that").
		WithHint("put the key back from a backup, or begin a new log with `bailey audit set-aside`")
}

// publicOf returns the public side of the signing key.
func publicOf(signer string) (public string, key note.Verifier, err error) {
	if public, err = auditlog.PublicKey(signer); err == nil {
		key, err = auditlog.ParseKey(public)
	}
	if err != nil {
		return "", nil, keyUnusable("damaged")
	}
	return public, key, nil
}
