package core

import (
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

type still struct{}

func (still) Wall() time.Time     { return time.Unix(1, 0) }
func (still) Boot() time.Duration { return 1 }

// bare is a core without workers.
func bare() *Core {
	return &Core{cfg: Config{Clock: still{}}, table: grant.NewTable(still{}), leases: map[capability.ID]*lease{}, engines: map[engineKey]*engine{}}
}

func (c *Core) mintModel(t *testing.T, app string, channel uint64, d capability.Digest, q capability.Quota) *lease {
	t.Helper()
	g, _, err := c.table.Mint(capability.Row{
		Kind: policyv1.Kind_KIND_MODEL_RUN, Holder: capability.Holder{App: app, Channel: channel, Task: "t"},
		Scope: capability.Scope{Name: "m", Digest: d}, Quota: q,
	}, func(capability.Row) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	c.assignModel(g, &modelv1.Model{Name: "m", Facts: &modelv1.Facts{}}, nil)
	return c.lease(g.Row.ID)
}

// Two apps never share an engine, whatever else is the same (S18); two grants of
// one app do. The app is what the core says of a connection.
func TestAppsShareNoEngine(t *testing.T) {
	c := bare()
	d := capability.Digest{1}
	one, again := c.mintModel(t, "one", 1, d, capability.Quota{}), c.mintModel(t, "one", 2, d, capability.Quota{})
	other, model := c.mintModel(t, "two", 1, d, capability.Quota{}), c.mintModel(t, "one", 1, capability.Digest{2}, capability.Quota{})
	if one.engine != again.engine {
		t.Error("control: one app's grants do not share")
	}
	if one.engine == other.engine {
		t.Error("two apps share an engine")
	}
	if one.engine == model.engine {
		t.Error("two models share an engine")
	}
	for _, l := range []*lease{one, again, other, model} {
		if l.engine.key != (engineKey{app: l.grant.Row.Holder.App, digest: l.grant.Row.Scope.Digest}) {
			t.Errorf("%+v serves %+v", l.engine.key, l.grant.Row)
		}
		if l.engine.leases[l.grant.Row.ID] != l {
			t.Error("an engine does not know its grant")
		}
	}
	if _, err := c.table.Revoke(one.grant.Row.ID); err != nil {
		t.Fatal(err)
	}
	if c.lease(one.grant.Row.ID) != nil || len(one.engine.leases) != 1 {
		t.Error("a revoked grant stays with its engine")
	}
}

// A quota is not given twice: not on two ways, and not to a second channel.
func TestQuotaIsGivenOnce(t *testing.T) {
	c := bare()
	q := capability.Quota{Tokens: 10, Milliseconds: 1000}
	l := c.mintModel(t, "one", 1, capability.Digest{1}, q)
	used := func(err error) bool { return errs.CodeOf(err) == errs.QuotaUsedUp }
	if got, err := l.take(directWay, true); err != nil || got != q {
		t.Fatalf("%+v %v", got, err)
	}
	l.spent(4, 300*time.Millisecond)
	if got, err := l.take(directWay, true); err != nil || got != (capability.Quota{Tokens: 6, Milliseconds: 700}) {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := l.take("index a", false); !used(err) {
		t.Fatalf("on another way: %v", err)
	}
	l.spent(6, 0)
	if _, err := l.take(directWay, true); !used(err) {
		t.Fatalf("used up: %v", err)
	}
	l = c.mintModel(t, "one", 1, capability.Digest{1}, q)
	if _, err := l.take("index a", false); err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"index a", "index b", directWay} {
		if _, err := l.take(way, way == directWay); !used(err) {
			t.Errorf("%s: %v", way, err)
		}
	}
	// Without a quota nothing is counted.
	l = c.mintModel(t, "one", 1, capability.Digest{1}, capability.Quota{})
	for _, way := range []string{"index a", "index b", directWay, "index a"} {
		if _, err := l.take(way, false); err != nil {
			t.Errorf("%s: %v", way, err)
		}
	}
}

// What is loaded does for less, never for more.
func TestCovers(t *testing.T) {
	for _, c := range []struct {
		have, want loadOptions
		ok         bool
	}{
		{loadOptions{}, loadOptions{}, true},
		{loadOptions{}, loadOptions{parallel: 1}, true},
		{loadOptions{}, loadOptions{context: 1}, false},
		{loadOptions{context: limits.EngineContext}, loadOptions{}, true},
		{loadOptions{context: 128}, loadOptions{}, false},
		{loadOptions{context: 4096}, loadOptions{context: 4096}, true},
		{loadOptions{context: 4096}, loadOptions{context: 4097}, false},
		{loadOptions{parallel: 4}, loadOptions{parallel: 4}, true},
		{loadOptions{parallel: 4}, loadOptions{parallel: 5}, false},
		{loadOptions{}, loadOptions{parallel: 2}, false},
		{loadOptions{threads: 2}, loadOptions{threads: 2}, true},
		{loadOptions{threads: 4}, loadOptions{threads: 2}, false},
		{loadOptions{threads: 4}, loadOptions{}, true},
	} {
		if got := c.have.covers(c.want); got != c.ok {
			t.Errorf("%+v for %+v: %v", c.have, c.want, got)
		}
	}
}
