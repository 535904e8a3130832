package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/codecache"
	"github.com/bailey-run/bailey/internal/plat/cores"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

const (
	pdfKind = "pdf"
	// codeMount is where a pdf worker finds the machine code of its reader.
	codeMount = "/cache"
)

// readers gives an index worker a pdf worker each time that it wants one, until the
// index worker or the grant ends. A pdf worker stands under the folder's grant: it
// gets no folder, and of it only the files that the index worker opened and hands
// over. One that is wanted while there is one takes its place.
func (a *assignment) readers(w *supervise.Worker) {
	c, ctx := a.core, a.grant.Context()
	defer a.dropPDF(w)
	client := indexv1.NewIndexServiceClient(w.Conn)
	in, err := client.Readers(ctx, &indexv1.ReadersRequest{})
	if err != nil {
		return
	}
	defer in.Close()
	for starts, failures := 0, 0; ; {
		m, err := in.Recv()
		if err != nil {
			return
		}
		if a.dropPDF(w) && m.GetWanted() {
			failures++
		}
		if !m.GetWanted() {
			continue
		}
		starts++
		err = errs.New(errs.WorkerCrashed, "core.readers").With("as often as it is started")
		if failures < limits.PDFFailures && starts <= limits.PDFStarts {
			err = a.startPDF(ctx, w, client)
		}
		if err == nil {
			continue
		}
		c.cfg.Log.Info("no pdf worker", "error", err)
		if _, err := client.Reader(ctx, &indexv1.ReaderRequest{}); err != nil {
			return
		}
	}
}

// dropPDF ends the pdf worker of an index worker, and reports whether there was one.
func (a *assignment) dropPDF(w *supervise.Worker) bool {
	a.mu.Lock()
	p := a.pdf
	if a.pdfOf != w {
		p = nil
	} else {
		a.pdf, a.pdfOf = nil, nil
	}
	a.mu.Unlock()
	if p != nil {
		p.Kill()
	}
	return p != nil
}

// takePDF makes p the pdf worker of the index worker w, unless that is gone, or the
// grant is. One of an index worker before it, which is still being joined, ends: nobody
// else would find it.
func (a *assignment) takePDF(p, w *supervise.Worker) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended || broken(w) {
		return false
	}
	if a.pdf != nil {
		a.pdf.Kill() // with the lock, so that whoever revokes waits for it
	}
	a.pdf, a.pdfOf = p, w
	return true
}

// startPDF starts a pdf worker and joins it with the index worker.
func (a *assignment) startPDF(ctx context.Context, w *supervise.Worker, index *indexv1.IndexServiceClient) error {
	c := a.core
	code := c.code(ctx)
	o := supervise.Options{Ready: limits.PDFReady}
	if code != nil {
		defer code.Close()
		o.Mounts = []sandbox.Mount{{Target: codeMount, Dir: code.Dir, Path: code.Path}}
	}
	p, err := c.workers.Start(ctx, pdfKind, o)
	if err != nil {
		return err
	}
	if !a.takePDF(p, w) {
		p.Kill()
		return cause(ctx, errs.New(errs.WorkerCrashed, "core.readers"))
	}
	if err := c.noteStart(p, a.actor(), a.grant.Row.ID); err != nil {
		p.Kill()
		return err
	}
	c.background.Go(func() { c.noteEnd(p, a.actor(), a.grant.Row.ID) })
	stale, err := a.join(ctx, p, index)
	if stale && code != nil {
		c.cfg.Code.Remove(codeKey())
	}
	return err
}

// join makes a socket, and hands one end to each of the two.
func (a *assignment) join(ctx context.Context, p *supervise.Worker, index *indexv1.IndexServiceClient) (stale bool, err error) {
	h, err := p.Put(ctx, a.grant.Row, "", a.core.cfg.Clock.Boot())
	if err != nil {
		return false, err
	}
	one, two, err := ipc.Socket()
	if err != nil {
		return false, err
	}
	defer one.Close()
	defer two.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, limits.EngineJoin, errs.New(errs.WorkerHung, "core.readers"))
	defer cancel()
	r, err := pdfv1.NewPdfServiceClient(p.Conn).Serve(ipc.WithFiles(ctx, one), &pdfv1.ServeRequest{Handle: h[:]})
	if err != nil {
		return false, fromWorker(err)
	}
	_, err = index.Reader(ipc.WithFiles(ctx, two), &indexv1.ReaderRequest{Handle: h[:]})
	return r.GetStale(), err
}

// codeKey names the machine code of the reader of PDFs: what it was made from, by
// what, and for which processor.
func codeKey() string {
	sum := sha256.Sum256([]byte(workerspec.PDFModule + "\n" + workerspec.PDFCompiler + "\n" + cores.Features()))
	return hex.EncodeToString(sum[:])
}

// code returns the directory with the machine code of the reader, and has it made
// when it is not there; nil when it cannot be had: a pdf worker then compiles its
// reader itself, and takes seconds for it.
func (c *Core) code(ctx context.Context) *codecache.Dir {
	if c.cfg.Code == nil {
		return nil
	}
	select {
	case c.coding <- struct{}{}:
		defer func() { <-c.coding }()
	case <-ctx.Done():
		return nil
	}
	d, err := c.cfg.Code.Get(codeKey())
	if err == nil && d == nil {
		if err = c.makeCode(ctx); err == nil {
			d, err = c.cfg.Code.Get(codeKey())
		}
	}
	if err != nil {
		c.cfg.Log.Warn("the reader of PDFs is compiled at each start", "error", err)
	}
	return d
}

// makeCode has a fresh pdf worker compile its reader and write the code into memory
// of the core's. It is never given anything else, and it is gone before the memory is
// sealed and kept: no worker that has seen a document has a way to what is kept.
func (c *Core) makeCode(ctx context.Context) error {
	const op = "core.make-code"
	w, err := c.workers.Start(ctx, pdfKind, supervise.Options{Ready: limits.PDFReady})
	if err != nil {
		return err
	}
	actor := audit.Actor{App: cliApp, Surface: ownSurface}
	c.background.Go(func() { c.noteEnd(w, actor, "") })
	defer w.Kill()
	if err := c.noteStart(w, actor, ""); err != nil {
		return err
	}
	memory, err := codecache.Blank()
	if err != nil {
		return err
	}
	defer memory.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, limits.EngineJoin, errs.New(errs.WorkerHung, op))
	defer cancel()
	r, err := pdfv1.NewPdfServiceClient(w.Conn).Code(ipc.WithFiles(ctx, memory), &pdfv1.CodeRequest{})
	if err != nil {
		return fromWorker(err)
	}
	w.Kill()
	return c.cfg.Code.Put(codeKey(), memory, r.GetSize())
}
