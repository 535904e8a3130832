package audit

import (
	"bytes"
	"log/slog"
	"os"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
)

// The answer is held to the schema, good or bad.
func TestVerify(t *testing.T) {
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
