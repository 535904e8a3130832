package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/journal"
	"github.com/bailey-run/bailey/internal/plat/keystore"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

const (
	signerName = "audit-log" // the signing key's name in the key store
	lockFile   = "lock"
)

// Codes of core-start, recovered and history-break records.
const (
	codeFirst       = "first"
	codeClean       = "clean"
	codeUnclean     = "unclean"
	codeTail        = "unfinished-batch"
	codeHalf        = "checkpoint-half"
	codeSetAside    = "set-aside"
	codeWriteFailed = "write-failed"
	codeMissing     = "log-missing"
)

// damaged is the error for a log that is not what was signed.
func damaged(format string, args ...any) error {
	return errs.New(errs.LogBroken, "audit.open").With(fmt.Sprintf(format, args...))
}

// systemJournal anchors in systemd's journal.
type systemJournal struct{}

func (systemJournal) Put(origin string, size uint64, root string) error {
	return journal.Send(journal.Socket,
		journal.Field{Name: "MESSAGE", Value: fmt.Sprintf("audit checkpoint: %s has %d records, root %s", origin, size, root)},
		journal.Field{Name: "PRIORITY", Value: "6"},
		journal.Field{Name: "SYSLOG_IDENTIFIER", Value: "bailey-core"},
		journal.Field{Name: "BAILEY_AUDIT_ORIGIN", Value: origin},
		journal.Field{Name: "BAILEY_AUDIT_SIZE", Value: fmt.Sprint(size)},
		journal.Field{Name: "BAILEY_AUDIT_ROOT", Value: root},
	)
}

// Open takes the log of a home over, makes one where there is none, and writes
// core-start. What it checks takes bounded time: the newest checkpoint's
// signature, its place in the log, and every record behind it; all of a log of
// at most limits.AuditCheckAtStart records, and of one that was found damaged
// before. The owner calls [Log.Check] for the rest. Errors: errs.CoreBusy
// (another process holds the log), errs.LogBroken, errs.LogUnwritable (the
// signing key is missing, too), errs.HomeUnusable, errs.NoSpace.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	l := &Log{
		clock: cfg.Clock, log: cfg.Log, anchor: cfg.Anchor, after: cfg.After,
		wake: make(chan struct{}, 1), ask: make(chan chan struct{}), quit: make(chan struct{}), done: make(chan struct{}),
		broken: make(chan struct{}), verified: make(chan *verified, 1),
	}
	l.verified <- nil
	if l.anchor == nil {
		l.anchor = systemJournal{}
	}
	if l.after == nil {
		l.after = time.After
	}
	l.changed = sync.NewCond(&l.mu)
	first, err := l.prepareFiles(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, l.release())
	}
	go l.run()
	for _, rec := range first {
		rec.Time = l.clock.Wall()
		rest, err := rec.AppendRest(nil)
		if err != nil {
			return nil, errors.Join(errs.Wrap(errs.Malformed, "audit.open", err), l.Close())
		}
		e := &entry{rest: rest, done: make(chan result, 1)}
		err = l.push(ctx, e)
		if err == nil {
			err = (<-e.done).err
		}
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	settled := make(chan struct{})
	l.ask <- settled
	<-settled
	return l, nil
}

// prepareFiles opens or makes everything and returns the records to begin with.
func (l *Log) prepareFiles(ctx context.Context, cfg Config) (first []auditlog.Record, err error) {
	if l.dir, err = cfg.Home.Sub(DirName); err != nil {
		return nil, err
	}
	if l.lock, err = l.dir.Lock(lockFile); err != nil {
		return nil, err
	}
	keyDir, err := cfg.Home.Sub(KeysName)
	if err != nil {
		return nil, err
	}
	l.keys = keystore.Open(keyDir)
	l.sealer = &sealer{keys: l.keys, apps: map[string]*appKeys{}}

	names, err := present(l.dir)
	if err != nil {
		return nil, err
	}
	// Not one that was found damaged: only a person sets that aside.
	if names[retiredFile] && !names[suspectFile] {
		if err := setAside(l.dir); err != nil {
			return nil, err
		}
		if names, err = present(l.dir); err != nil {
			return nil, err
		}
	}
	start := auditlog.Record{Kind: auditlog.CoreStart, Code: codeFirst, Method: cfg.Release}
	if !names[auditlog.LogFile] && !names[auditlog.CheckpointFile] {
		existed, err := l.create()
		if err != nil {
			return nil, err
		}
		rec, is, err := breakRecord(l.dir)
		if err != nil {
			return nil, err
		}
		if !is && existed {
			// There was a log before this one, and nothing is left of it.
			rec, is = auditlog.Record{Kind: auditlog.HistoryBreak, Code: codeMissing}, true
		}
		if is {
			first = append(first, rec)
		}
		return append(first, start), nil
	}
	if first, err = l.resume(start); err != nil {
		return nil, err
	}
	l.size, l.root, l.end = l.tree.Size(), l.tree.Root(), l.offset
	if l.size <= limits.AuditCheckAtStart || names[suspectFile] {
		if err := l.history(ctx); err != nil {
			return nil, err
		}
	}
	if names[suspectFile] {
		// It is whole again: a person put the records back.
		return first, l.dir.Remove(suspectFile)
	}
	return first, nil
}

// present lists what stands in a log's directory.
func present(dir *safefile.Dir) (map[string]bool, error) {
	list, err := dir.List()
	if err != nil {
		return nil, err
	}
	m := map[string]bool{}
	for _, n := range list {
		m[n] = true
	}
	return m, nil
}

// create makes a new log: key, public key, a checkpoint of nothing, an empty
// file. After a crash in between, a later start goes on from the last step.
// existed tells that the key store held the key of an earlier log.
func (l *Log) create() (existed bool, err error) {
	_, err = l.keys.Get(signerName)
	if err != nil && errs.CodeOf(err) != errs.NotFound {
		return false, err
	}
	existed = err == nil
	signer, public, err := auditlog.NewKey()
	if err != nil {
		return false, errs.Wrap(errs.Internal, "audit.create", err)
	}
	if err := l.keys.Put(signerName, []byte(signer)); err != nil {
		return false, err
	}
	if err := l.dir.Publish(auditlog.KeyFile, []byte(public+"\n")); err != nil {
		return false, err
	}
	if err := l.useKey(signer); err != nil {
		return false, err
	}
	msg, err := auditlog.Sign(auditlog.Checkpoint{Origin: l.origin, Root: l.tree.Root()}, l.signer)
	if err != nil {
		return false, errs.Wrap(errs.Internal, "audit.create", err)
	}
	s := auditlog.Slot{Note: msg}
	if err := l.dir.Publish(auditlog.CheckpointFile, s.Append(s.Append(nil))); err != nil {
		return false, err
	}
	l.root, l.checked = l.tree.Root(), true
	return existed, l.openFiles()
}

func (l *Log) useKey(signer string) (err error) {
	if l.signer, err = note.NewSigner(signer); err != nil {
		return keyUnusable("damaged")
	}
	l.origin = l.signer.Name()
	return nil
}

func (l *Log) openFiles() (err error) {
	if l.slots, err = l.dir.OpenWrite(auditlog.CheckpointFile); err != nil {
		return err
	}
	l.file, _, err = l.dir.OpenAppend(auditlog.LogFile)
	return err
}

// resume opens an existing log.
func (l *Log) resume(start auditlog.Record) (first []auditlog.Record, err error) {
	signer, err := l.keys.Get(signerName)
	if errs.CodeOf(err) == errs.NotFound {
		return nil, keyUnusable("missing")
	}
	if err != nil {
		return nil, err
	}
	if err := l.useKey(string(signer)); err != nil {
		return nil, err
	}
	public, key, err := publicOf(string(signer))
	if err != nil {
		return nil, err
	}
	l.key = key
	// The public key file is derived; one that is missing or differs is made anew.
	if b, err := l.dir.Read(auditlog.KeyFile, limits.AuditPublicKey); err != nil || string(b) != public+"\n" {
		if err := l.dir.Publish(auditlog.KeyFile, []byte(public+"\n")); err != nil {
			return nil, err
		}
	}
	h, err := readHalves(l.dir, key)
	if err != nil {
		return nil, err
	}
	if h.best == nil {
		return nil, damaged("%s", h.why())
	}
	names, err := present(l.dir)
	if err != nil {
		return nil, err
	}
	if !names[auditlog.LogFile] && h.tree.Size() > 0 {
		return nil, damaged("the log file is missing; its last checkpoint stood at %d records", h.tree.Size())
	}
	if err := l.openFiles(); err != nil {
		return nil, err
	}
	l.half = 1 - h.bestHalf
	tail, err := l.replay(key, h)
	if err != nil {
		return nil, err
	}
	if tail.removed > 0 {
		first = append(first, auditlog.Record{Kind: auditlog.Recovered, Code: codeTail, Size: tail.removed})
	}
	if h.damaged > 0 {
		first = append(first, auditlog.Record{Kind: auditlog.Recovered, Code: codeHalf})
		l.half = 1 - h.bestHalf // the damaged one is written first
	}
	switch {
	case l.tree.Size() == 0:
		rec, is, err := breakRecord(l.dir)
		if err != nil {
			return nil, err
		}
		if is {
			first = append(first, rec)
		}
	case tail.lastKind == auditlog.CoreStop:
		start.Code = codeClean
	default:
		start.Code = codeUnclean
	}
	return append(first, start), nil
}

type tail struct {
	removed  uint64
	lastKind auditlog.Kind
}

// replay checks the log from the newest checkpoint of the checkpoint file on,
// cuts an unfinished batch off, and sets tree and offset.
func (l *Log) replay(key note.Verifier, h *halves) (tail, error) {
	var t tail
	size, err := l.file.Size()
	if err != nil {
		return t, err
	}
	at := int64(h.best.Offset)
	if size < at {
		return t, damaged("the log is shorter than it was: its last checkpoint stood at %d records, %d bytes, and %d bytes are left", h.tree.Size(), at, size)
	}
	if t.lastKind, err = l.checkLastBatch(h); err != nil {
		return t, err
	}
	c := auditlog.ResumeChecker(key, h.best, h.tree)
	kind := t.lastKind
	bad, err := follow(l.file, at, size, c, func(r auditlog.Record, cp bool) {
		if cp {
			t.lastKind = kind
		} else {
			kind = r.Kind
		}
	})
	if err != nil {
		return t, err
	}
	_, end := c.Last()
	if bad != nil {
		later, err := laterCheckpoint(l.file, int64(end), size, key, c)
		if err != nil {
			return t, err
		}
		if later {
			return t, damaged("%s", bad.Reason)
		}
	}
	t.removed = uint64(size) - end
	if t.removed > 0 {
		if err := l.file.Truncate(int64(end)); err != nil {
			return t, err
		}
		if err := l.file.Sync(); err != nil {
			return t, errs.Wrap(errs.LogUnwritable, "audit.open", err)
		}
	}
	l.tree, l.offset = c.Tree(), int64(end)
	return t, nil
}

// checkLastBatch checks that the checkpoint of the checkpoint file stands in
// the log where it says, behind the records that it covers.
func (l *Log) checkLastBatch(h *halves) (last auditlog.Kind, err error) {
	at := int64(h.best.Offset)
	if h.tree.Size() == 0 {
		if at != 0 {
			return "", damaged("the checkpoint file is damaged")
		}
		return "", nil
	}
	from := max(0, at-4*limits.AuditLine)
	b := make([]byte, at-from)
	if _, err := l.file.ReadAt(b, from); err != nil {
		return "", err
	}
	wrong := func() (auditlog.Kind, error) {
		return "", damaged("the log does not hold the checkpoint of %d records where it stood", h.tree.Size())
	}
	body, ok := bytes.CutSuffix(b, []byte("\n"))
	i := bytes.LastIndexByte(body, '\n')
	if !ok || i < 0 {
		return wrong()
	}
	msg, _, leaves, err := auditlog.ParseCheckpointLine(body[i+1:])
	if err != nil || !bytes.Equal(msg, h.best.Note) {
		return wrong()
	}
	body = body[:i]
	// As much of the batch as was read; with four of the largest lines, most often
	// all of it.
	for n := len(leaves) - 1; n >= 0; n-- {
		i := bytes.LastIndexByte(body, '\n')
		if i < 0 && from > 0 {
			break
		}
		line := body[i+1:]
		seq := h.tree.Size() - uint64(len(leaves)-n)
		rec, err := auditlog.ParseRecord(line)
		if err != nil || rec.Seq != seq || auditlog.LeafHash(line) != leaves[n] {
			return "", damaged("record %d is not what was signed", seq)
		}
		if last == "" {
			last = rec.Kind
		}
		if body = body[:max(i, 0)]; i < 0 && n > 0 {
			return wrong()
		}
	}
	return last, nil
}
