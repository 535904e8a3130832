package core

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/cgroup"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// endOf is what a failed call of a worker means to its caller. Whether the kernel
// ended it for its memory is known a moment after its connection is gone.
func endOf(w *supervise.Worker) func(error) error {
	return func(err error) error {
		if errs.CodeOf(err) == errs.WorkerCrashed {
			t := time.NewTimer(limits.EngineDying)
			defer t.Stop()
			select {
			case <-w.Done():
			case <-t.C:
			}
			if w.OutOfMemory() {
				return errs.Wrap(errs.WorkerMemory, "core.worker-end", err)
			}
		}
		return fromWorker(err)
	}
}

// counted adds to the record of a crash what the worker's control group counted.
func counted(w *supervise.Worker, ev *audit.Event) {
	e := w.Counted()
	for _, n := range []struct {
		name  string
		value uint64
	}{{"killed-for-memory", e.Killed}, {"refused-processes", e.Refused}, {"throttled-periods", e.Throttled}} {
		if n.value > 0 {
			ev.Detail[n.name] = strconv.FormatUint(n.value, 10)
		}
	}
}

// groupCheck says what control groups workers get. It is never a fault: they are
// not required.
func (c *Core) groupCheck(ctx context.Context) *corev1.Check {
	k := &corev1.Check{Id: string(workerspec.ControlGroup), Ok: true}
	g, err := c.workers.Group(ctx)
	switch {
	case err != nil:
		e := errs.From(err)
		k.Detail, k.Hint = "none, so memory and processor time of all workers together are not bounded: "+e.Detail, e.HintText()
	case g == nil:
		k.Detail = "not looked for"
	default:
		lost, why, hint := g.Missing()
		k.Detail = g.How()
		if len(lost) > 0 {
			k.Detail, k.Hint = fmt.Sprintf("%s, without %s: %s", k.Detail, strings.Join(lost, ", "), why), hint
		}
	}
	return k
}

// groupLayer says what was read back of a live worker's control group.
func groupLayer(r cgroup.Report) *corev1.Layer {
	l := &corev1.Layer{Layer: string(workerspec.ControlGroup), State: "on", How: "seen from outside: " + r.String()}
	switch {
	case r.Path == "":
		l.State, l.How = "off", "it is not required; the check of that name says why and how to mend it"
	case !r.Enforced():
		l.State = "partly"
		l.How += "; missing: " + strings.Join(r.Missing, ", ")
	}
	return l
}
