package index

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/store"
	"github.com/bailey-run/bailey/internal/worker/index/walk"
)

// pdf is visit for a PDF, which another process reads. The file is hashed here: one
// that is the same bytes is not read again.
func (u *updater) pdf(e *walk.Entry, old store.File, had bool, stamp store.Stamp) error {
	u.sum.Reset()
	err := digest(u.ctx, u.sum, e, func() { u.report(false) })
	file := store.File{Path: e.Path, Stamp: stamp, Hash: u.sum.Sum(nil)}
	if had {
		file.ID = old.ID
	}
	if err := u.ctx.Err(); err != nil {
		return err
	}
	if had && err == nil && bytes.Equal(old.Hash, file.Hash) && !again(old.Reason) {
		file.Reason, file.Hint, file.Bytes = old.Reason, old.Hint, old.Bytes
		u.count(file.Reason, file.Hint, e.Path, file.Bytes)
		return u.hand(done{entry: &store.Entry{File: file}, touch: true}, limits.IndexFileWeight)
	}
	var text doc.Text
	reason := doc.IOError
	if errors.Is(err, errGrew) {
		reason = doc.TooLarge
	}
	if err == nil {
		text, reason = u.x.readPDF(u.ctx, e, func() { u.report(false) })
	}
	if err := u.ctx.Err(); err != nil {
		return err
	}
	file.Bytes = int64(len(text.Source))
	if reason != doc.Read {
		s := doc.Skip(e.Path, reason)
		file.Reason, file.Hint = string(s.Reason), s.Hint
		text = doc.Text{}
	}
	if again(file.Reason) {
		file.Stamp.ModTime = -1
	}
	u.count(file.Reason, file.Hint, e.Path, file.Bytes)
	weight := min(text.Weight()+limits.IndexFileWeight, limits.IndexInFlight)
	if err := u.acquire(weight); err != nil {
		return err
	}
	return pass(u, u.jobs, job{file: file, old: old, text: text, weight: weight})
}

var errGrew = errors.New("index: it became too large while it was read")

// digest hashes a PDF, which may be on a slow disk, and may grow: piece by piece, with
// a beat between them, and no more than the size that is read.
func digest(ctx context.Context, sum io.Writer, r io.Reader, beat func()) error {
	for left := int64(limits.PDFFile); ; left -= limits.PDFPiece {
		if err := ctx.Err(); err != nil {
			return err
		}
		beat()
		n, err := io.CopyN(sum, r, min(limits.PDFPiece, left+1))
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case n > left:
			return errGrew
		}
	}
}

// again reports a reason that may be none another time: such a file's stamp is not
// believed.
func again(reason string) bool {
	return reason == string(doc.NoReader) || reason == string(doc.Faulty)
}

// hand passes on what needs no more work.
func (u *updater) hand(d done, weight int64) error {
	if err := u.acquire(weight); err != nil {
		return err
	}
	d.weight = weight
	return pass(u, u.out, d)
}

// readPDF has a PDF read.
func (x *Index) readPDF(ctx context.Context, e *walk.Entry, beat func()) (doc.Text, doc.Reason) {
	if x.cfg.PDF == nil {
		return doc.Text{}, doc.NoReader
	}
	var text doc.Text
	reason := doc.Faulty
	x.guarded(e.Path, func() { text, reason = x.cfg.PDF.Read(ctx, e.File(), beat) })
	text.Name = e.Name
	return text, reason
}
