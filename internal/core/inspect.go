package core

import (
	"context"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/inspectv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

const inspectKind = "inspect"

// inspect has a worker of its own read the header of one model, and ends it. A
// worker that the file brought down costs nothing but its answer, and is on the
// record.
func (c *Core) inspect(ctx context.Context, f *modelfile.File) (*modelv1.Facts, error) {
	const op = "core.inspect"
	ctx, cancel := context.WithTimeout(ctx, limits.InspectTime)
	defer cancel()
	w, err := c.workers.Start(ctx, inspectKind, supervise.Options{})
	if err != nil {
		return nil, err
	}
	defer w.Kill()
	r, err := inspectv1.NewInspectServiceClient(w.Conn).Model(ipc.WithFiles(ctx, f.File), &inspectv1.ModelRequest{Size: f.Identity.Size})
	if err == nil {
		return r.Facts, nil
	}
	switch e := errs.From(err); e.Code {
	case errs.ModelRefused:
		// The reason is of a process that has read a hostile file: it is shown, and
		// can draw nothing.
		return nil, errs.New(errs.ModelRefused, op).With(plain(e.Detail, limits.InspectReason)).WithHint(refusedHint(e.Detail))
	case errs.Cancelled:
		return nil, errs.Wrap(errs.Cancelled, op, err)
	case errs.Deadline:
		return nil, errs.Wrap(errs.WorkerHung, op, err)
	case errs.WorkerCrashed:
		<-w.Done()
		exit := w.Exit()
		ev := audit.Event{
			Kind: auditlog.WorkerCrash, Actor: audit.Actor{App: cliApp}, Code: string(errs.WorkerCrashed),
			Detail: map[string]string{"kind": inspectKind, "exit": strconv.Itoa(exit.Code), "signal": strconv.Itoa(exit.Signal), "forbidden-call": strconv.FormatBool(exit.Forbidden)},
		}
		counted(w, &ev)
		if lerr := c.cfg.Audit.Note(ev); lerr != nil {
			return nil, lerr
		}
		return nil, errs.Wrap(errs.ModelRefused, op, err).With("what read its header in the sandbox ended on it")
	}
	return nil, errs.Wrap(errs.Internal, op, err)
}

// refusedHint says what to do about a reason of package gguf; empty is the code's
// own. A worker that was taken over can choose one of these, and write none.
func refusedHint(reason string) string {
	switch {
	case strings.Contains(reason, "the file ends inside"), strings.Contains(reason, "beyond the end of the file"), strings.Contains(reason, "the file became shorter"):
		return "it is not whole: compare its size with the one where it is published, and get it again"
	case strings.HasPrefix(reason, "it is not GGUF"), strings.HasPrefix(reason, "it does not begin like GGUF"):
		return "name a GGUF file: most models are published in that form too, and the names end with .gguf"
	}
	return ""
}
