package core

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

type nowhere struct{}

func (nowhere) Put(string, uint64, string) error { return nil }

// A page loads nothing that the machine would have to swap for, and that it tried is
// on the record; a command line gets as far as the grant, which is missing here.
func TestPagesStayInMemory(t *testing.T) {
	c := bare()
	home, err := safefile.MakeDir(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	c.cfg.Audit, err = audit.Open(t.Context(), audit.Config{Home: home, Clock: still{}, Log: slog.New(slog.DiscardHandler), Release: "v0", Anchor: nowhere{}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.cfg.Audit.Close()
	sessions := session.NewRegistry(still{})
	load := func(app, surface string, over bool) errs.Code {
		s, err := sessions.Open(app, surface, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer sessions.Close(s)
		return errs.CodeOf(c.load(session.With(t.Context(), s), &modelv1.LoadRequest{OverMemory: over}, nil))
	}
	for _, w := range []struct {
		surface string
		over    bool
		code    errs.Code
	}{
		{apps.SurfaceWindow, true, errs.Denied}, {apps.SurfaceWindow, false, errs.GrantMissing}, {"terminal", true, errs.GrantMissing},
	} {
		if code := load("app", w.surface, w.over); code != w.code {
			t.Errorf("%+v: %s", w, code)
		}
	}
	denied := 0
	err = c.cfg.Audit.Read(t.Context(), audit.Filter{}, func(r audit.Record) error {
		if r.Kind == auditlog.Deny && r.Code == string(errs.Denied) {
			denied++
		}
		return nil
	})
	if err != nil || denied != 1 {
		t.Errorf("%d records, %v", denied, err)
	}
}

// An engine whose process ended before its start had said so is over, not waited for
// again and again.
func TestEnsureAfterEarlyEnd(t *testing.T) {
	c := bare()
	l := c.mintModel(t, "app", 1, capability.Digest{1}, capability.Quota{})
	e := l.at()
	dead := &live{engine: e, worker: &supervise.Worker{Conn: &ipc.Conn{}}, gone: make(chan struct{})}
	close(dead.gone)
	// What begins another start after it is not over, so that none begins here.
	e.live, e.starting = dead, &starting{abandoned: true, done: make(chan struct{})}
	ctx, stop := context.WithTimeout(t.Context(), time.Second/10)
	defer stop()
	if _, err := e.ensure(ctx, l, loadOptions{}, nil); e.live == dead || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it is still the live one: %v", err)
	}
}

// A call that has the old engine in its hand when the card is withdrawn, or the grant
// ends, starts nothing there.
func TestEnsureWithoutLease(t *testing.T) {
	c := bare()
	l := c.mintModel(t, "app", 1, capability.Digest{1}, capability.Quota{})
	old := l.at()
	next := c.engine(engineKey{app: "app", digest: capability.Digest{2}})
	next.join(l)
	delete(old.leases, l.grant.Row.ID)
	if _, err := old.ensure(t.Context(), l, loadOptions{}, nil); errs.CodeOf(err) != errs.GrantRevoked || old.starting != nil {
		t.Errorf("an engine that it has no part in: %v", err)
	}
	l.mu.Lock()
	l.engine = next
	l.mu.Unlock()
	next.leases = map[capability.ID]*lease{}
	if _, err := old.ensure(t.Context(), l, loadOptions{}, nil); errs.CodeOf(err) != errs.GrantRevoked || next.starting != nil || old.starting != nil {
		t.Errorf("nor in the next: %v", err)
	}
}
