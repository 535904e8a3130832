package core

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
)

// readers asks for a folder with a PDF, whose worker was taken over.
func (r *rig) readers() (*user, *grantv1.Granted) {
	r.t.Helper()
	u := r.connect()
	dir := r.folder(0)
	must(r.t, os.WriteFile(filepath.Join(dir, "a.pdf"), []byte("%PDF-1.7"), 0o644))
	gs, _, err := u.permit(u.task("ask"), read1(dir))
	must(r.t, err)
	return u, gs[0]
}

// started reports whether so many readers of PDFs were.
func (r *rig) started(want int) func() bool {
	return func() bool {
		n := 0
		for _, rec := range r.records(auditlog.WorkerStart) {
			if rec.Detail["kind"] == "pdf" {
				n++
			}
		}
		return n == want
	}
}

// No reader of PDFs outlives the folder's grant: not one of an index worker that ended
// while the reader was made ready, and another stands in its place by then.
func TestReadersEnd(t *testing.T) {
	r := startWith(t, 0, badIndex)
	u, g := r.readers()
	r.until("a reader", r.started(1))
	if _, err := u.askFor("end", g.Handle); !is(err, errs.WorkerCrashed) {
		t.Fatal(err)
	}
	_, err := u.askFor("nothing", g.Handle)
	r.until("the reader of a second index worker", r.started(2))
	_, failed := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: g.Id})
	must(t, errors.Join(err, failed))
	r.until("all of them to end", func() bool { return len(r.workers()) == 0 })
}

// A worker that gave an engine its end of the pipe for its last words holds up nobody
// who ends it, though the engine lives on and the pipe shows no end.
func TestWordsWithoutAnEnd(t *testing.T) {
	const keeps = 1005
	r := startWith(t, 0, badIndex)
	u := r.connect()
	u.pull("finder", gguf.Embedding(7))
	_, gs := u.both(r.folder(0), "finder", false)
	u.load(gs[1].Handle, keeps)
	if a, err := u.askFor("nothing", gs[0].Handle, gs[1].Handle); err != nil {
		t.Fatalf("%+v %v", a, err)
	}
	ctx, stop := context.WithTimeout(t.Context(), wait/2)
	defer stop()
	_, err := u.Grant.Revoke(ctx, &grantv1.RevokeRequest{Id: gs[0].Id})
	must(t, err)
	if left := r.workers(); !slices.Equal(left, r.engines()) || len(left) != 1 {
		t.Errorf("%v are left, and the engines are %v", left, r.engines())
	}
}
