package grant

import (
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
)

// TestWatch: the holder's channel, and no other, is told of the ends of its
// grants and why, before what used them is gone.
func TestWatch(t *testing.T) {
	tab, clk := table(t)
	var order []string
	stop := tab.Watch(1, func(id capability.ID, code errs.Code) { order = append(order, string(code)+" "+string(id)) })
	tab.Watch(2, func(capability.ID, errs.Code) { order = append(order, "the other channel") })
	a, _ := mint(t, tab, row(1))
	a.OnEnd(func() { order = append(order, "killed") })
	if _, err := tab.Revoke(a.Row.ID); err != nil {
		t.Fatal(err)
	}
	r := row(1)
	r.Expiry = capability.Expiry{Wall: clk.Wall().Add(1), Boot: clk.Boot() + 1}
	b, _ := mint(t, tab, r)
	clk.wall.Add(5)
	tab.Expire()
	c, _ := mint(t, tab, row(1))
	tab.EndTask(1, "t")
	want := []string{"grant-revoked " + string(a.Row.ID), "killed", "grant-expired " + string(b.Row.ID), "cancelled " + string(c.Row.ID)}
	if !slices.Equal(order, want) {
		t.Fatalf("%q, want %q", order, want)
	}
	stop()
	d, _ := mint(t, tab, row(1))
	if _, err := tab.Revoke(d.Row.ID); err != nil || len(order) != len(want) {
		t.Fatal(order, err)
	}
}
