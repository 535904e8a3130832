package supervise

import (
	"context"

	"github.com/bailey-run/bailey/internal/plat/cgroup"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Group returns the control group in which workers get theirs, or says why there
// is none.
func (s *Supervisor) Group(ctx context.Context) (*cgroup.Group, error) {
	if s.cfg.Groups == nil {
		return nil, nil
	}
	return s.cfg.Groups.Group(ctx)
}

// leaf makes a worker's control group, nil where there can be none: what the group
// bounds is worth having, and no reason to do without the worker.
func (s *Supervisor) leaf(ctx context.Context, spec workerspec.Spec, swap bool) *cgroup.Leaf {
	g, err := s.Group(ctx)
	if g == nil || err != nil {
		return nil
	}
	l := cgroup.For(spec)
	l.Swap = swap
	leaf, err := g.Leaf(spec.Kind, l)
	if err != nil {
		s.cfg.Log.Warn("a worker has no control group", "kind", spec.Kind, "error", err)
		return nil
	}
	return leaf
}

// endGroup ends what the worker left running and keeps what its group counted.
func (w *Worker) endGroup() {
	var err error
	if w.ended, err = w.leaf.End(); err != nil {
		w.log.Warn("a worker's control group is left", "kind", w.Kind, "error", err)
	}
}

// OutOfMemory reports whether the worker is gone because its group had used up its
// memory.
func (w *Worker) OutOfMemory() bool {
	select {
	case <-w.done:
		return w.ended.Killed > 0 && w.exit.Signal != 0
	default:
		return false
	}
}

// Counted is, after Done, what its group counted.
func (w *Worker) Counted() cgroup.Ended { return w.ended }
