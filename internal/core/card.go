package core

import (
	"context"
	"math"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/graphics"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// card is a graphics card that an engine is given, under a grant of its own.
type card struct {
	node string
	// vram is how much of its memory may be used, bytes.
	vram uint64
}

// card implements the Graphics of service/grant: a card that could be opened, on
// a machine that has the library for it. Whether its driver works is only known
// when a model is loaded.
func (c *Core) card() (string, error) {
	const op = "core.card"
	node, err := graphics.Find()
	if err != nil {
		return "", errs.Wrap(errs.GraphicsMissing, op, err).With(errs.From(err).Detail)
	}
	if err := c.workers.Ready(workerspec.GraphicsKind); err != nil {
		e := errs.From(err)
		return "", errs.Wrap(errs.GraphicsMissing, op, err).With(e.Detail).WithHint(e.HintText())
	}
	return node, nil
}

// give notes the card that an engine is for.
func (e *engine) give(g *grant.Grant) {
	k := &card{node: g.Row.Scope.Path, vram: g.Row.Quota.VRAM}
	if k.vram == 0 {
		k.vram = math.MaxInt64 // what is free, as the engine finds
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.card == nil && e.refused == "" {
		e.card = k
	}
}

// refuse takes the card from an engine for good, and keeps why.
func (e *engine) refuse(err error) {
	x := errs.From(err)
	why := x.Detail
	if why == "" {
		why = x.Message()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.card, e.refused = nil, plain(why, limits.EngineReason)
}

func (e *engine) onCard() (*card, string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.card, e.refused
}

// drop takes an engine that was for one grant of a card out of the core's map.
func (c *Core) drop(e *engine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.engines[e.key] == e {
		delete(c.engines, e.key)
	}
}

// loseCard is the end of the grant of a card: whatever the engine does, it is gone
// when this returns, since it holds the device. The model's own grant goes on with
// the processor.
func (l *lease) loseCard(k *grant.Grant) {
	old := l.at()
	if old.key.card == "" {
		return
	}
	if l.grant.Context().Err() == nil {
		key := old.key
		key.card = ""
		next := l.core.engine(key)
		l.mu.Lock()
		l.engine = next
		l.mu.Unlock()
		next.join(l)
		if l.grant.Context().Err() != nil {
			l.end() // withdrawn meanwhile, when it had not joined
		}
		old.mu.Lock()
		delete(old.leases, l.grant.Row.ID)
		old.mu.Unlock()
	}
	l.core.drop(old)
	// The end of a task is no withdrawal.
	var why *errs.Error
	if errs.CodeOf(context.Cause(k.Context())) != errs.Cancelled {
		why = errs.New(errs.GrantRevoked, "core.card").With("the graphics card was withdrawn")
	}
	old.evict(why)
}

// cardFailed reports whether an error of a load is the card's, its driver's or its
// library's, so that the processor may do better.
func cardFailed(err error) bool {
	switch errs.CodeOf(err) {
	case errs.MemoryUsedUp, errs.NotSupported, errs.EngineMissing, errs.EngineCrashed, errs.EngineHung, errs.WorkerCrashed, errs.SandboxMissing, errs.PostureFailed:
		return true
	}
	return false
}

// cardWords are what a driver's library says last when the card has no memory left
// in the middle of its work.
func cardWords() []string { return []string{"erroroutofdevicememory", "device memory allocation"} }

func outOfCard(words string) bool {
	for _, s := range cardWords() {
		if strings.Contains(words, s) {
			return true
		}
	}
	return false
}
