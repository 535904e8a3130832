package audit

import (
	"context"
	"errors"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// verified is a good report, and the files that it is about.
type verified struct {
	report      Report
	log, halves safefile.Stamp
}

// Verify is the package's Verify of the log that is being written, at its present
// length: what Note took before is written first. The writer goes on meanwhile.
// What it has signed last stands as an anchor, so that a log and a checkpoint file
// that were cut back together below a running core are found. Damage is in the
// report, and ends the use of the log as with [Log.Read]; damage that was found
// before stays damage. A good report is given again as long as neither file has
// changed. One at a time verifies.
func (l *Log) Verify(ctx context.Context) (Report, error) {
	var last *verified
	select {
	case last = <-l.verified:
	case <-ctx.Done():
		return Report{}, ctxErr("audit.verify", ctx.Err())
	}
	defer func() { l.verified <- last }()
	l.flush(ctx)
	l.mu.Lock()
	size, root, damage := l.size, l.root, l.damage
	l.mu.Unlock()
	before, err := l.stamps()
	if err != nil && errs.CodeOf(err) != errs.NotFound {
		return Report{}, err
	}
	if last != nil && damage == nil && err == nil && last.log == before.log && last.halves == before.halves {
		return last.report, nil
	}
	last = nil
	var anchors []Point
	if size > 0 {
		anchors = []Point{{size, root.String()}}
	}
	rep, err := verifyAll(ctx, l.dir, anchors)
	if err != nil {
		return Report{}, err
	}
	var known *auditlog.Bad
	switch {
	case rep.OK && errors.As(damage, &known):
		rep.OK, rep.FirstBad, rep.Reason = false, &known.Seq, known.Reason
	case !rep.OK:
		l.breakOff(badLog(&auditlog.Bad{Seq: *rep.FirstBad, Last: *rep.FirstBad, Reason: rep.Reason}))
	default:
		if after, err := l.stamps(); err == nil && after == before {
			before.report = rep
			last = &before
		}
	}
	return rep, nil
}

// stamps are those of the log and the checkpoint file.
func (l *Log) stamps() (v verified, err error) {
	for name, into := range map[string]*safefile.Stamp{auditlog.LogFile: &v.log, auditlog.CheckpointFile: &v.halves} {
		f, err := l.dir.Open(name)
		if err != nil {
			return v, err
		}
		*into, err = f.Stamp()
		f.Close()
		if err != nil {
			return v, err
		}
	}
	return v, nil
}
