package core

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

func (u *user) source(handle []byte, path string) (string, error) {
	u.r.t.Helper()
	s, err := u.Index.Source(u.r.t.Context(), &indexv1.SourceRequest{Grant: handle, Path: []byte(path), From: 1})
	if err != nil {
		return "", err
	}
	defer s.Close()
	var text []string
	for {
		m, err := s.Recv()
		if err == io.EOF {
			return strings.Join(text, "\n"), nil
		}
		if err != nil {
			return "", err
		}
		text = append(text, m.GetText())
	}
}

// The text behind a citation is read by the worker that holds the folder, under
// its grant, on the record, and by nothing else.
func TestSource(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	dir := r.folder(0)
	must(t, os.WriteFile(filepath.Join(dir, "book.txt"), []byte("The book of boats.\nIt was written in 1904.\n"), 0o644))
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "out.txt")))
	task := u.task("ask")
	gs, _, err := u.permit(task, read1(dir))
	must(t, err)
	handle := gs[0].Handle
	if _, err := u.source(handle, "book.txt"); !is(err, errs.NotFound) {
		t.Errorf("before it was read: %v", err)
	}
	if _, err := u.askFor("When was the book of boats written?", handle); err != nil {
		t.Fatal(err)
	}
	if text, err := u.source(handle, "book.txt"); err != nil || text != "The book of boats.\nIt was written in 1904." {
		t.Errorf("%q, %v", text, err)
	}
	for _, path := range []string{"out.txt", "../home/audit/log.jsonl", "/etc/passwd", "no.txt"} {
		if text, err := u.source(handle, path); !is(err, errs.NotFound) || text != "" {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	other := r.connect()
	if _, err := other.source(handle, "book.txt"); !is(err, errs.GrantMissing) {
		t.Errorf("on another connection: %v", err)
	}
	if _, err := u.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: gs[0].Id}); err != nil {
		t.Fatal(err)
	}
	if _, err := u.source(handle, "book.txt"); err == nil {
		t.Error("after the grant was revoked")
	}
	calls := 0
	for _, rec := range r.records(auditlog.Call) {
		if rec.Method == indexv1.IndexServiceSourceMethod().Name && rec.Grant == gs[0].Id {
			calls++
		}
	}
	if calls != 6 {
		t.Errorf("%d calls on the record", calls)
	}
}

// What a client asks of the log is answered while the log is written.
func TestVerifyByTheCore(t *testing.T) {
	r := start(t, 0)
	u := r.connect()
	u.end(u.task("ask"))
	open := u.task("ask")
	v, err := u.Audit.Verify(t.Context(), &auditv1.VerifyRequest{})
	if err != nil || !v.GetOk() || v.GetSize() < 3 || len(v.GetRoot()) != 32 {
		t.Fatalf("%v, %v", v, err)
	}
	path := filepath.Join(r.home.State, audit.DirName, auditlog.LogFile)
	b, err := os.ReadFile(path)
	must(t, err)
	b[len(b)/2] ^= 1
	r.damaged = true
	must(t, os.WriteFile(path, b, 0o600))
	bad, err := u.Audit.Verify(t.Context(), &auditv1.VerifyRequest{})
	if err != nil || bad.GetOk() || bad.GetReason() == "" {
		t.Fatalf("%v, %v", bad, err)
	}
	// Nothing is granted on the strength of such a log.
	if _, err := u.Grant.Propose(t.Context(), &grantv1.ProposeRequest{Task: open, Wants: []*grantv1.Want{read1(r.folder(0))}}); !is(err, errs.LogBroken) {
		t.Errorf("a question was put: %v", err)
	}
}
