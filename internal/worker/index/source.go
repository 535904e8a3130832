package index

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/store"
	"github.com/bailey-run/bailey/internal/worker/index/text"
	"github.com/bailey-run/bailey/internal/worker/index/walk"
)

// Source returns the text of a file that Update read, decoded and unpacked as
// then, so that its lines are those of citations. changed says that the file is
// not what it was. errs.NotFound for every other path: what was skipped, what is
// gone, and what is no path of a file at all.
func (x *Index) Source(ctx context.Context, path string) (source string, changed bool, err error) {
	const op = "index.source"
	missing := errs.New(errs.NotFound, op).With("no file of that name was read")
	var row store.File
	var found bool
	if err := x.read(ctx, op, func() (err error) {
		row, found, err = x.store.ByPath(ctx, path)
		return err
	}); err != nil {
		return "", false, err
	}
	if !found || row.Reason != "" {
		return "", false, missing
	}
	// The row is no more than a hint: what is opened is what walking would open.
	root, err := x.root(op)
	if err != nil {
		return "", false, err
	}
	defer root.Close()
	sum := sha256.New()
	read := doc.Read
	why, err := walk.Open(root, path, func(e *walk.Entry) error {
		l := text.Loader{Beat: ctx.Err}
		var t doc.Text
		if walk.PDF(e.Name) {
			if err := digest(ctx, sum, e, func() {}); err != nil {
				read = doc.IOError
				return ctx.Err()
			}
			t, read = x.readPDF(ctx, e, func() {})
		} else {
			t, read = x.load(&l, io.TeeReader(e, sum), e)
		}
		source = t.Source
		return ctx.Err()
	})
	switch {
	case err != nil:
		return "", false, typed(op, err)
	case why != doc.Read, read != doc.Read:
		return "", false, missing
	}
	return source, !bytes.Equal(sum.Sum(nil), row.Hash), nil
}
