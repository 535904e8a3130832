package audit

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// Export writes the log of an audit directory to w as JSON Lines: public key
// and newest checkpoint, then every record with its inclusion proof. Details
// stay sealed, so that no path, host or argument stands there in the clear. It
// verifies while it reads and returns errs.LogBroken, with nothing written,
// when the log is not what was signed.
func Export(ctx context.Context, dir string, w io.Writer) error {
	d, err := safefile.OpenCopy(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	rep, err := Verify(ctx, dir)
	if err != nil {
		return err
	}
	if err := rep.Err(); err != nil {
		return err
	}
	key, err := readKey(d)
	if err != nil {
		return errs.Wrap(errs.LogBroken, "audit.export", err)
	}
	h, err := readHalves(d, key)
	if err != nil {
		return err
	}
	if h.best == nil {
		return errs.Wrap(errs.LogBroken, "audit.export", errors.New(h.why()))
	}
	f, err := d.Open(auditlog.LogFile)
	if err != nil {
		return err
	}
	defer f.Close()

	out := bufio.NewWriter(w)
	e := exporter{f: f, end: int64(h.best.Offset), out: out}
	var tree auditlog.Tree
	if err := e.records(ctx, func(_ uint64, line []byte) error {
		leaf := auditlog.LeafHash(line)
		e.prover.Add(leaf)
		tree.Add(leaf)
		return nil
	}); err != nil {
		return err
	}
	if tree.Size() != h.tree.Size() || tree.Root() != h.tree.Root() {
		return errs.Wrap(errs.LogBroken, "audit.export", errors.New("the log changed while it was read"))
	}
	if err := e.write(auditlog.AppendExportHead(nil, rep.Key, h.best.Note)); err != nil {
		return err
	}
	if err := e.records(ctx, e.record); err != nil {
		return err
	}
	if err := e.flushBlock(); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return errs.Wrap(errs.Internal, "audit.export", err)
	}
	return nil
}

// exporter holds one block of records at a time.
type exporter struct {
	f      *safefile.File
	end    int64
	out    *bufio.Writer
	prover auditlog.Prover
	buf    []byte

	raw   [][]byte
	first uint64
}

func (e *exporter) records(ctx context.Context, f func(seq uint64, line []byte) error) error {
	seq := uint64(0)
	_, err := lines(io.NewSectionReader(e.f, 0, e.end), limits.AuditLine, func(line []byte) error {
		if auditlog.IsCheckpointLine(line) {
			return nil
		}
		if seq%limits.AuditPause == 0 && ctx.Err() != nil {
			return ctxErr("audit.export", ctx.Err())
		}
		err := f(seq, line)
		seq++
		return err
	})
	return err
}

func (e *exporter) record(seq uint64, line []byte) error {
	if len(e.raw) == limits.AuditProofBlock {
		if err := e.flushBlock(); err != nil {
			return err
		}
	}
	if len(e.raw) == 0 {
		e.first = seq
	}
	e.raw = append(e.raw, append([]byte(nil), line...))
	return nil
}

func (e *exporter) flushBlock() error {
	if len(e.raw) == 0 {
		return nil
	}
	leaves := make([]auditlog.Hash, len(e.raw))
	for i, r := range e.raw {
		leaves[i] = auditlog.LeafHash(r)
	}
	e.prover.Load(e.first/limits.AuditProofBlock, leaves)
	for i, r := range e.raw {
		proof, err := e.prover.Prove(e.first + uint64(i))
		if err != nil {
			return errs.Wrap(errs.Internal, "audit.export", err)
		}
		e.buf = auditlog.AppendExportLine(e.buf[:0], r, proof)
		if err := e.write(e.buf); err != nil {
			return err
		}
	}
	e.raw = e.raw[:0]
	return nil
}

func (e *exporter) write(line []byte) error {
	_, err := e.out.Write(line)
	if err == nil {
		err = e.out.WriteByte('\n')
	}
	if err != nil {
		return errs.Wrap(errs.Internal, "audit.export", err)
	}
	return nil
}

// VerifyExport checks an export with nothing but itself: the signature by the
// key in its head, each record's proof, and that all records are there. The
// error is for what cannot be read or is no export at all (errs.BadExport).
func VerifyExport(ctx context.Context, r io.Reader) (Report, error) {
	rep := Report{OK: true, Notice: noticeExport}
	var cp auditlog.Checkpoint
	var tree auditlog.Tree
	head := false
	whole, err := lines(r, limits.AuditExportLine, func(line []byte) error {
		if !head {
			public, key, c, err := auditlog.ParseExportHead(line)
			if err != nil {
				return errs.Wrap(errs.BadExport, "audit.verify", err).With("its first line is not a signed checkpoint with its key").WithHint("`bailey audit export` writes one; a log is verified by its directory")
			}
			head, cp = true, c
			rep.Origin, rep.Key = key.Name(), public
			rep.LastCheckpoint = Point{c.Size, c.Root.String()}
			return nil
		}
		if tree.Size()%limits.AuditPause == 0 && ctx.Err() != nil {
			return ctxErr("audit.verify", ctx.Err())
		}
		_, leaf, err := auditlog.CheckExportLine(line, cp, tree.Size())
		if err == nil {
			tree.Add(leaf)
		}
		return err
	})
	var bad *auditlog.Bad
	if err != nil && !errors.As(err, &bad) {
		return Report{}, err
	}
	if !head {
		return Report{}, errs.New(errs.BadExport, "audit.verify").With("it has no first line")
	}
	rep.Size, rep.Root = tree.Size(), tree.Root().String()
	seq := tree.Size()
	switch {
	case bad != nil:
		seq, rep.Reason = bad.Seq, bad.Reason
	case !whole:
		rep.Reason = "the export ends in the middle of a line"
	case tree.Size() < cp.Size:
		rep.Reason = "records are missing at the end: the checkpoint covers more"
	case tree.Root() != cp.Root:
		rep.Reason = "the records do not give the signed root"
	default:
		return rep, nil
	}
	rep.OK, rep.FirstBad = false, &seq
	return rep, nil
}
