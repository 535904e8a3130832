package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// Point is a place in a log that a checkpoint or an anchor names.
type Point struct {
	Size uint64 `json:"size"`
	Root string `json:"root"`
}

// Report is what a verification found.
type Report struct {
	OK bool `json:"ok"`
	// Size is the number of records that the last good checkpoint vouches for,
	// and Root that checkpoint's root.
	Size uint64 `json:"size"`
	Root string `json:"root"`
	// FirstBad is the first record that is changed, missing or out of place;
	// nil when none is.
	FirstBad *uint64 `json:"first_bad"`
	// Reason is a sentence; empty when OK.
	Reason string `json:"reason"`
	// LastCheckpoint is where the newest checkpoint that was found anywhere
	// stood. It is beyond Size when the log was cut.
	LastCheckpoint Point `json:"last_checkpoint"`
	// Unfinished is the number of bytes behind the last checkpoint of a log that
	// is OK: a batch that a core is just writing, or that was never acknowledged
	// before the power went. It is no sign of tampering.
	Unfinished uint64 `json:"unfinished_bytes,omitempty"`
	// Origin and Key are the log's name and public key. Whoever can compare the
	// key with one that was noted before knows that it is the same log.
	Origin string `json:"origin"`
	Key    string `json:"key"`
	// Notice says what this verification cannot tell.
	Notice string `json:"notice"`
}

// The notices of a report. They are for people.
const (
	noticeLog    = "A log and its checkpoint file that were cut back together to an older checkpoint look whole; only an anchor kept elsewhere (the system journal, a noted size and root) shows that."
	noticeAnchor = "The log contains every anchor that was given. What was cut off behind the newest of them, log and checkpoint file together, cannot be seen."
	noticeExport = "Whether the log had more records than the checkpoint of this export covers, or whose key this is, only an anchor or a key noted elsewhere shows."
)

// Err is nil for a good report, else errs.LogBroken with the reason.
func (r Report) Err() error {
	if r.OK {
		return nil
	}
	return errs.New(errs.LogBroken, "audit.verify").With(r.Reason)
}

// Verify checks every record of the log in an audit directory against its
// checkpoints. It takes no lock, changes nothing, and works beside a core that
// appends and on a copy. anchors are checkpoints known from elsewhere, which the
// log must contain. The error is for what cannot be read; what was read and is
// wrong is in the report.
func Verify(ctx context.Context, dir string, anchors ...Point) (Report, error) {
	d, err := safefile.OpenCopy(dir)
	if err != nil {
		return Report{}, err
	}
	defer d.Close()
	return verifyAll(ctx, d, anchors)
}

func verifyAll(ctx context.Context, d *safefile.Dir, anchors []Point) (Report, error) {
	rep, err := verify(ctx, d, anchors, false)
	if err == nil && !rep.OK {
		// Look again with every signature, which names the place more exactly
		// when someone recomputed the trees.
		if each, err := verify(ctx, d, anchors, true); err == nil && !each.OK {
			return each, nil
		}
	}
	return rep, err
}

// readKey reads the public key file of an audit directory.
func readKey(d *safefile.Dir) (note.Verifier, error) {
	b, err := d.Read(auditlog.KeyFile, limits.AuditPublicKey)
	if err != nil {
		return nil, err
	}
	line, ok := bytes.CutSuffix(b, []byte("\n"))
	if !ok {
		return nil, errors.New("the public key file is damaged")
	}
	return auditlog.ParseKey(string(line))
}

// state is one verification.
type state struct {
	rep     Report
	halves  *halves
	anchors map[uint64]string
	checker *auditlog.Checker
}

func verify(ctx context.Context, d *safefile.Dir, anchors []Point, each bool) (Report, error) {
	s := state{rep: Report{OK: true, Notice: noticeLog}, anchors: map[uint64]string{}}
	key, err := readKey(d)
	if err != nil {
		return s.noKey(d, err)
	}
	s.rep.Origin = key.Name()
	b, err := d.Read(auditlog.KeyFile, limits.AuditPublicKey)
	if err != nil {
		return s.rep, err
	}
	s.rep.Key = string(bytes.TrimSuffix(b, []byte("\n")))
	for _, a := range anchors {
		if old, is := s.anchors[a.Size]; is && old != a.Root {
			s.bad(a.Size, "two anchors of %d records differ", a.Size)
			return s.rep, nil
		}
		s.anchors[a.Size] = a.Root
	}
	if len(anchors) > 0 {
		s.rep.Notice = noticeAnchor
	}
	// First the checkpoint file, then the log: one that grows meanwhile holds
	// at least what the file said.
	if s.halves, err = readHalves(d, key); err != nil {
		return s.rep, err
	}
	s.checker = auditlog.NewChecker(key, each)
	err = s.log(ctx, d, key)
	if !s.rep.OK {
		s.rep.Notice = noticeLog // it may lack an anchor
		// What stands behind the last good checkpoint was acknowledged, or cannot
		// be told from what was.
		s.rep.Unfinished = 0
	}
	return s.rep, err
}

// noKey reports on a log whose public key cannot be had.
func (s *state) noKey(d *safefile.Dir, cause error) (Report, error) {
	names, err := present(d)
	if err != nil {
		return s.rep, err
	}
	if !names[auditlog.LogFile] && !names[auditlog.CheckpointFile] {
		return Report{}, errs.Wrap(errs.NotFound, "audit.verify", cause).With("there is no audit log in this directory").WithHint("a log is the directory `audit` of a state directory (docs/directories.md), or what `bailey audit set-aside` left")
	}
	s.bad(0, "the public key file is missing or damaged, so that no checkpoint can be checked")
	return s.rep, nil
}

// bad ends the report, the first reason stays.
func (s *state) bad(seq uint64, format string, args ...any) {
	if s.rep.OK {
		s.rep.OK, s.rep.FirstBad = false, &seq
		s.rep.Reason = fmt.Sprintf(format, args...)
	}
}

func (s *state) log(ctx context.Context, d *safefile.Dir, key note.Verifier) error {
	h := s.halves
	file, err := d.Open(auditlog.LogFile)
	var size int64
	switch {
	case errs.CodeOf(err) == errs.NotFound:
		if h.best != nil {
			s.rep.LastCheckpoint = Point{h.tree.Size(), h.tree.Root().String()}
			if h.tree.Size() > 0 {
				s.bad(0, "the log file is missing; its last checkpoint stood at %d records, root %s", h.tree.Size(), h.tree.Root())
			}
		}
	case err != nil:
		return err
	default:
		defer file.Close()
		if size, err = file.Size(); err != nil {
			return err
		}
		if err := s.follow(ctx, file, size, key); err != nil {
			return err
		}
	}
	s.conclude(key, size)
	return nil
}

// follow checks the lines of the log and the points on the way.
func (s *state) follow(ctx context.Context, file *safefile.File, size int64, key note.Verifier) error {
	lastGood := func() { // what is good so far, for the report
		last, _ := s.checker.Last()
		s.rep.Size, s.rep.Root = last.Size, last.Root.String()
		s.rep.LastCheckpoint = Point{last.Size, s.rep.Root}
	}
	n := 0
	var stop error
	bad, err := follow(file, 0, size, s.checker, func(_ auditlog.Record, cp bool) {
		if n++; n%limits.AuditPause == 0 && ctx.Err() != nil && stop == nil {
			stop = ctxErr("audit.verify", ctx.Err())
		}
		if cp {
			s.at()
		}
	})
	if stop != nil {
		return stop
	}
	if err != nil {
		return err
	}
	lastGood()
	_, end := s.checker.Last()
	s.rep.Unfinished = uint64(size) - end
	if bad == nil {
		return nil
	}
	later, err := laterCheckpoint(file, int64(end), size, key, s.checker)
	if err != nil {
		return err
	}
	// A line that is whole and wrong below what was acknowledged is damage; a
	// log that just ends there was cut, which conclude says.
	last, _ := s.checker.Last()
	if later || (!bad.End && s.halves.best != nil && s.halves.tree.Size() > last.Size) {
		s.bad(bad.Seq, "%s", bad.Reason)
	}
	return nil
}

// at compares the checkpoint that was just read with what else is known.
func (s *state) at() {
	last, end := s.checker.Last()
	if h := s.halves; h.best != nil && h.tree.Size() == last.Size {
		if h.tree.Root() != last.Root {
			s.bad(last.Size-1, "the log's checkpoint of %d records is not the one of the checkpoint file", last.Size)
		} else if h.best.Offset != end {
			s.bad(last.Size-1, "the log's checkpoint of %d records stands at byte %d and not at %d", last.Size, end, h.best.Offset)
		}
	}
	if root, is := s.anchors[last.Size]; is {
		if root != last.Root.String() {
			s.bad(last.Size-1, "the log's root of %d records is not the anchored one: its history was rewritten", last.Size)
		}
		delete(s.anchors, last.Size)
	}
}

// conclude judges the end of the log.
func (s *state) conclude(key note.Verifier, size int64) {
	if err := s.checker.Confirm(); err != nil {
		var bad *auditlog.Bad
		if errors.As(err, &bad) {
			s.bad(bad.Seq, "%s", bad.Reason)
		}
	}
	last, _ := s.checker.Last()
	h := s.halves
	if h.best != nil && h.tree.Size() > last.Size {
		s.rep.LastCheckpoint = Point{h.tree.Size(), h.tree.Root().String()}
		s.bad(s.checker.Seq(), "the log was cut: it ends before record %d, and its last checkpoint stood at %d records, root %s",
			s.checker.Seq(), h.tree.Size(), h.tree.Root())
	}
	for n := range s.anchors {
		if n > last.Size {
			s.bad(last.Size, "the log was cut: it holds %d records, and an anchor names %d", last.Size, n)
		} else if n > 0 {
			s.bad(n-1, "the log has no checkpoint of %d records, which an anchor names: its history was rewritten", n)
		}
	}
	switch {
	case h.missing && size == 0:
		s.bad(0, "log and checkpoint file are missing or empty")
	case h.missing || h.best == nil:
		s.bad(last.Size, "%s", h.why())
	case h.damaged > 0:
		s.bad(last.Size, "one half of the checkpoint file is damaged: a log that was cut behind %d records could not be told", h.tree.Size())
	}
}
