package llama

import (
	"slices"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// mend puts the context right after a batch that was not decoded.
func (w *writer) mend(code int32) {
	for _, s := range w.slots {
		if s.job != nil || len(s.held) > 0 {
			held := len(s.held)
			all := slices.Clone(s.held)
			if w.keep(s, held) != held && s.job != nil {
				s.job.again(all)
			}
		}
	}
	const aborted = 2
	if code == aborted {
		for _, s := range w.slots {
			w.wronged = w.wronged || s.job != nil && !s.job.stop.Load()
		}
		return
	}
	err := w.m.lib.failure("generate", errs.Internal)
	for _, s := range w.slots {
		if s.job != nil {
			w.leave(s, 0, err)
		}
	}
}

// again lets a job whose sequence was lost read it once more.
func (j *job) again(held []engine.Token) {
	if j.writes {
		held = append(held, j.next)
		j.writes = false
		j.request.Prompt = held
	}
}
