package audit

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
)

// opened is a new log in a home of its own.
func opened(t *testing.T) (log *audit.Log, home string) {
	t.Helper()
	home = t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := safefile.OpenDir(home)
	if err != nil {
		t.Fatal(err)
	}
	log, err = audit.Open(t.Context(), audit.Config{Home: dir, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Release: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(); dir.Close() })
	return log, home
}

// stalled is a client that does not read.
type stalled struct {
	begun, over chan struct{}
}

func (s stalled) Send([]byte) error { s.begun <- struct{}{}; <-s.over; return nil }

// However often a client asks for the log and reads nothing, few readings wait for
// it; others read meanwhile.
func TestReadingsThatNobodyTakes(t *testing.T) {
	log, _ := opened(t)
	s := &Service{Log: log}
	sessions := session.NewRegistry(clock.System{})
	client := func() context.Context {
		one, err := sessions.Open("bailey", "terminal", 1)
		if err != nil {
			t.Fatal(err)
		}
		return session.With(t.Context(), one)
	}
	show := auditv1.AuditServiceRoutes(s)[0].Stream
	ctx, slow := client(), stalled{make(chan struct{}), make(chan struct{})}
	var all sync.WaitGroup
	for range limits.LogReads {
		all.Go(func() {
			if err := show(ctx, nil, slow); err != nil {
				t.Error(err)
			}
		})
		<-slow.begun
	}
	if err := show(ctx, nil, slow); errs.CodeOf(err) != errs.CoreBusy {
		t.Errorf("one more: %v", err)
	}
	free := stalled{make(chan struct{}, 1), make(chan struct{})}
	close(free.over)
	if err := show(client(), nil, free); err != nil || len(free.begun) != 1 {
		t.Errorf("another client: %v", err)
	}
	close(slow.over)
	all.Wait()
	<-free.begun
	if err := show(ctx, nil, free); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// What could send anything off this machine is counted, and counted anew when the log
// has grown.
func TestNetworkGrants(t *testing.T) {
	log, _ := opened(t)
	s := &Service{Log: log}
	var want uint64
	for _, kind := range []string{"file.read", "net.fetch", "model.run", "net.fetch"} {
		ev := audit.Event{Kind: auditlog.Grant, Actor: audit.Actor{App: "bailey"}, Decision: "allow", Detail: map[string]string{"kind": kind}}
		if err := log.Note(ev); err != nil {
			t.Fatal(err)
		}
		if kind == "net.fetch" {
			want++
		}
		for range 2 {
			if got, err := s.Verify(t.Context(), &auditv1.VerifyRequest{}); err != nil || !got.Ok || got.NetworkGrants != want {
				t.Fatalf("after %s: %v, %v; want %d", kind, got, err, want)
			}
		}
	}
}

// The answer is held to the schema, good or bad.
func TestVerify(t *testing.T) {
	log, home := opened(t)
	s := &Service{Log: log}
	for range 3 {
		if err := log.Note(audit.Event{Kind: auditlog.Deny, Actor: audit.Actor{App: "studio"}, Decision: "deny", Code: string(errs.Denied), Detail: map[string]string{"path": "/x"}}); err != nil {
			t.Fatal(err)
		}
	}
	good, err := s.Verify(t.Context(), &auditv1.VerifyRequest{})
	if err != nil || !good.Ok || good.Size != 4 || len(good.Root) != 32 || good.Reason != "" || good.Validate() != nil {
		t.Fatalf("%v, %v", good, err)
	}
	name := home + "/audit/" + auditlog.LogFile
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte(`"code":"denied"`))
	b[i+9] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	bad, err := s.Verify(t.Context(), &auditv1.VerifyRequest{})
	if err != nil || bad.Ok || bad.FirstBad != 1 || bad.Reason == "" || bad.Validate() != nil {
		t.Fatalf("%v, %v", bad, err)
	}
}
