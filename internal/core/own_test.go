package core

import (
	"log/slog"
	"os"
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	coreservice "github.com/bailey-run/bailey/internal/service/core"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/corev1"
)

// A task that is stopped while it begins has a begin and an end on the record, in
// that order.
func TestStoppedWhileItBegins(t *testing.T) {
	home := t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := safefile.OpenDir(home)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	log, err := audit.Open(t.Context(), audit.Config{Home: dir, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Release: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c := &Core{cfg: Config{Audit: log, Clock: clock.System{}}, sessions: session.NewRegistry(clock.System{}), table: grant.NewTable(clock.System{})}
	for name, stop := range map[string]struct{ before, after bool }{"before": {before: true}, "after": {after: true}} {
		s := &coreservice.Service{Sessions: c.sessions, Log: log, Began: func(task *session.Task) {
			if stop.before {
				c.sessions.Stop(task.ID)
			}
			c.taskBegan(task)
			if stop.after {
				c.sessions.Stop(task.ID)
			}
		}}
		sess, err := c.sessions.Open(cliApp, cliSurface, 1)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.BeginTask(session.With(t.Context(), sess), &corev1.BeginTaskRequest{Verb: "ask"})
		if err != nil {
			t.Fatal(err)
		}
		var kinds []audit.Kind
		if err := log.Read(t.Context(), audit.Filter{Task: r.Task}, func(r audit.Record) error { kinds = append(kinds, r.Kind); return nil }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(kinds, []audit.Kind{auditlog.TaskBegin, auditlog.TaskEnd}) {
			t.Errorf("stopped %s: %v", name, kinds)
		}
	}
}
