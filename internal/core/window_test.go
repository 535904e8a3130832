package core

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// A page is told of its grants that were withdrawn or have expired, not of those
// that ended with their task, and of nobody else's.
func TestWatchGrants(t *testing.T) {
	c := &Core{table: grant.NewTable(clock.System{})}
	var told []string
	stop := c.watchGrants(1, func(id capability.ID, s grantv1.State) { told = append(told, s.String()+" "+string(id)) })
	mint := func(channel uint64, task string, e capability.Expiry) capability.ID {
		t.Helper()
		g, _, err := c.table.Mint(capability.Row{
			Kind: policyv1.Kind_KIND_FILE_READ, Holder: capability.Holder{App: apps.Studio, Channel: channel, Task: task},
			Scope: capability.Scope{Path: "/d", Object: capability.Object{Inode: 1}}, Expiry: e,
		}, func(capability.Row) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return g.Row.ID
	}
	revoked, other := mint(1, "a", capability.Expiry{}), mint(2, "a", capability.Expiry{})
	for _, id := range []capability.ID{revoked, other} {
		if _, err := c.table.Revoke(id); err != nil {
			t.Fatal(err)
		}
	}
	expired := mint(1, "a", capability.Expiry{Wall: clock.System{}.Wall(), Boot: clock.System{}.Boot()})
	c.table.Expire()
	mint(1, "b", capability.Expiry{})
	c.table.EndTask(1, "b")
	stop()
	if want := []string{"STATE_REVOKED " + string(revoked), "STATE_EXPIRED " + string(expired)}; !slices.Equal(told, want) {
		t.Fatalf("%q, want %q", told, want)
	}
}

// A core that was linked without an app, or has lost its file, says what to do;
// it opens nothing that it has no digest of.
func TestBundlesThatAreNotThere(t *testing.T) {
	app, _ := apps.Find(apps.Studio)
	opened := 0
	for name, b := range map[string]*bundles{
		"no directory": {},
		"no digest":    {open: func(string) (io.ReadCloser, error) { opened++; return io.NopCloser(strings.NewReader("x")), nil }},
		"no file":      {open: func(string) (io.ReadCloser, error) { return nil, os.ErrNotExist }},
	} {
		_, err := b.get(app)
		if e := errs.From(err); errs.CodeOf(err) != errs.AppMissing || !strings.Contains(e.HintText(), "make apps") || !strings.Contains(e.Message(), app.Name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if opened != 0 {
		t.Error("a file without a digest was opened")
	}
	if err := apps.Missing(app); !errors.Is(err, errs.New(errs.AppMissing, "")) {
		t.Error(err)
	}
}
