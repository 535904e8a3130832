package core

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

const cardNode = "/dev/dri/renderD128"

func (c *Core) mint(t *testing.T, k policyv1.Kind, s capability.Scope, q capability.Quota) *grant.Grant {
	t.Helper()
	g, _, err := c.table.Mint(capability.Row{Kind: k, Holder: capability.Holder{App: "one", Channel: 1, Task: "t"}, Scope: s, Quota: q},
		func(capability.Row) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// onCard is a grant of a model with one of a card.
func (c *Core) onCard(t *testing.T, role modelv1.Role, vram uint64) (*lease, *grant.Grant) {
	t.Helper()
	k := c.mint(t, policyv1.Kind_KIND_GPU_USE, capability.Scope{Path: cardNode}, capability.Quota{VRAM: vram})
	g := c.mint(t, policyv1.Kind_KIND_MODEL_RUN, capability.Scope{Name: "m", Digest: capability.Digest{1}}, capability.Quota{})
	c.assignModel(g, &modelv1.Model{Name: "m", Facts: &modelv1.Facts{Role: role}}, k)
	return c.lease(g.Row.ID), k
}

// An engine with a card is that task's alone; who makes vectors gets none.
func TestCardIsOfOneTask(t *testing.T) {
	c := bare()
	plain := c.mintModel(t, "one", 1, capability.Digest{1}, capability.Quota{})
	one, k := c.onCard(t, modelv1.Role_ROLE_CHAT, 5)
	two, _ := c.onCard(t, modelv1.Role_ROLE_CHAT, 0)
	if one.at() == plain.at() || one.at() == two.at() || one.at().key.card != k.Row.ID {
		t.Error("an engine with a card is shared")
	}
	if got, _ := one.at().onCard(); got == nil || *got != (card{cardNode, 5}) {
		t.Errorf("%+v", got)
	}
	if got, _ := two.at().onCard(); got == nil || got.vram < 1<<60 {
		t.Errorf("without a cap: %+v", got)
	}
	if vectors, _ := c.onCard(t, modelv1.Role_ROLE_EMBEDDING, 5); vectors.at() != plain.at() {
		t.Error("a model that makes vectors is given a card")
	}
}

// A card that is withdrawn leaves the model its own grant, on the processor; one
// whose model is withdrawn leaves nothing.
func TestCardWithdrawn(t *testing.T) {
	c := bare()
	l, k := c.onCard(t, modelv1.Role_ROLE_CHAT, 5)
	old := l.at()
	if _, err := c.table.Revoke(k.Row.ID); err != nil {
		t.Fatal(err)
	}
	if now := l.at(); now == old || now.key.card != "" || now.leases[l.grant.Row.ID] != l || len(old.leases) != 0 || c.engines[old.key] != nil {
		t.Errorf("it is at %+v, the old one has %d grants", now.key, len(old.leases))
	}
	if l.grant.Context().Err() != nil {
		t.Error("the model's grant ended too")
	}
	l, _ = c.onCard(t, modelv1.Role_ROLE_CHAT, 5)
	old = l.at()
	if _, err := c.table.Revoke(l.grant.Row.ID); err != nil {
		t.Fatal(err)
	}
	if c.engines[old.key] != nil || len(old.leases) != 0 {
		t.Error("an engine of nobody stays")
	}
}

// Card and model are withdrawn at once, as by "Revoke all": no engine keeps a grant
// that is over, which would never let it go.
func TestCardAndModelWithdrawn(t *testing.T) {
	c := bare()
	for range 10 {
		l, k := c.onCard(t, modelv1.Role_ROLE_CHAT, 5)
		var both sync.WaitGroup
		// The card's end is held up between its look at the model's grant and the
		// other engine; the model's end comes in there.
		c.mu.Lock()
		for _, g := range []*grant.Grant{k, l.grant} {
			both.Go(func() { _, _ = c.table.Revoke(g.Row.ID) })
			<-g.Context().Done()
			<-time.After(5 * time.Millisecond)
		}
		c.mu.Unlock()
		both.Wait()
		for key, e := range c.engines {
			if len(e.leases) != 0 || key.card != "" {
				t.Fatalf("%+v keeps %d", key, len(e.leases))
			}
		}
	}
}

// What is refused once stays so for the grant, with the reason as it may be shown.
func TestCardRefused(t *testing.T) {
	c := bare()
	l, k := c.onCard(t, modelv1.Role_ROLE_CHAT, 5)
	e := l.at()
	e.refuse(errs.New(errs.MemoryUsedUp, "test").With("no room\x1b[31m"))
	e.give(k)
	if got, why := e.onCard(); got != nil || why != "no room?[31m" {
		t.Errorf("%+v %q", got, why)
	}
	e.refuse(errs.New(errs.EngineHung, "test"))
	if _, why := e.onCard(); why == "" || len(why) > limits.EngineReason {
		t.Errorf("%q", why)
	}
}

// What is the card's fault is tried again without it, and nothing else is.
func TestCardFailed(t *testing.T) {
	for code, want := range map[errs.Code]bool{
		errs.MemoryUsedUp: true, errs.NotSupported: true, errs.EngineMissing: true, errs.EngineCrashed: true, errs.EngineHung: true,
		errs.ModelRefused: false, errs.ModelChanged: false, errs.GrantRevoked: false, errs.Cancelled: false, errs.TemplateRefused: false,
	} {
		if cardFailed(errs.New(code, "test")) != want {
			t.Errorf("%s: %v", code, !want)
		}
	}
	if cardFailed(errors.New("other")) {
		t.Error("any error is a card's")
	}
	if !outOfCard("terminate: vk::device::allocatememory: erroroutofdevicememory") || outOfCard("segmentation fault") {
		t.Error("a card that is full is not told from another end")
	}
}
