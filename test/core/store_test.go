package core

import (
	"io"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

func (u *user) conversations() int {
	u.r.t.Helper()
	in, err := u.Store.List(u.r.t.Context(), &storev1.ListRequest{})
	must(u.r.t, err)
	defer in.Close()
	for n := 0; ; n++ {
		if _, err := in.Recv(); err == io.EOF {
			return n
		} else if err != nil {
			u.r.t.Fatal(err)
		}
	}
}

// An app's own data needs no grant, is served by one worker that starts with the
// first call, and outlives that worker.
func TestStore(t *testing.T) {
	r := start(t, 0)
	u, v := r.connect(), r.connect()
	if n := len(r.workers()); n != 0 {
		t.Fatalf("%d workers before the first call", n)
	}
	b, err := u.Store.Begin(t.Context(), &storev1.BeginRequest{Model: "m"})
	must(t, err)
	turn := &storev1.Turn{Number: 1, Speaker: storev1.Speaker_SPEAKER_USER, Text: "Hello."}
	if _, err := u.Store.Append(t.Context(), &storev1.AppendRequest{Id: b.Id, Turn: turn}); err != nil {
		t.Fatal(err)
	}
	if u.conversations() != 1 || v.conversations() != 1 {
		t.Fatal("two windows of one app see different things")
	}
	ws := r.workers()
	if len(ws) != 1 {
		t.Fatalf("%d workers", len(ws))
	}
	must(t, unix.Kill(ws[0], unix.SIGKILL))
	r.until("its end", func() bool { return len(r.workers()) == 0 })
	if u.conversations() != 1 {
		t.Fatal("a crash lost a conversation")
	}
	// It is no cache.
	if _, err := os.Stat(r.home.State + "/store/store-bailey"); err != nil {
		t.Error(err)
	}
	// What the worker says of a request reaches the client as a code.
	if _, err := u.Store.Append(t.Context(), &storev1.AppendRequest{Id: "none", Turn: turn}); err == nil {
		t.Error("a turn of no conversation was kept")
	}
	// What removes something stands in the log before it does.
	_, err = u.Store.Cut(t.Context(), &storev1.CutRequest{Id: b.Id, From: 1})
	must(t, err)
	_, err = u.Store.Erase(t.Context(), &storev1.EraseRequest{All: true})
	must(t, err)
	var said []string
	for _, rec := range r.records(auditlog.Intent, auditlog.CallEnd) {
		said = append(said, string(rec.Kind)+" "+rec.Method)
	}
	cut, erase := storev1.StoreServiceCutMethod().Name, storev1.StoreServiceEraseMethod().Name
	if want := []string{"intent " + cut, "call-end " + cut, "intent " + erase, "call-end " + erase}; !slices.Equal(said, want) {
		t.Errorf("on the record: %q", said)
	}
}

// A worker that ends when it has done what it was asked, and has not said so: the
// client hears that it is done, and it is done once.
func TestStoreDiesBeforeItsAnswer(t *testing.T) {
	r := startWith(t, 0, badIndex)
	u := r.connect()
	crashes := func() (n int) {
		must(t, r.log.Read(t.Context(), audit.Filter{Kinds: []audit.Kind{auditlog.WorkerCrash}}, func(audit.Record) error { n++; return nil }))
		return n
	}
	b, err := u.Store.Begin(t.Context(), &storev1.BeginRequest{Model: "m"})
	must(t, err)
	for n := range 2 {
		turn := &storev1.Turn{Number: uint32(n + 1), Speaker: storev1.Speaker_SPEAKER_USER, Text: "Hello."}
		if _, err := u.Store.Append(t.Context(), &storev1.AppendRequest{Id: b.Id, Turn: turn}); err != nil {
			t.Errorf("turn %d: %v", n+1, err)
		}
	}
	if n := u.conversations(); n != 1 {
		t.Errorf("%d conversations", n)
	}
	e, err := u.Store.Erase(t.Context(), &storev1.EraseRequest{Id: b.Id})
	if err != nil || e.GetConversations() != 1 || u.conversations() != 0 {
		t.Errorf("%v %v", e, err)
	}
	if n := crashes(); n != 2 {
		t.Errorf("control: %d crashes", n)
	}
	if _, err := u.Store.Erase(t.Context(), &storev1.EraseRequest{Id: b.Id}); !is(err, errs.NotFound) {
		t.Errorf("what was gone before: %v", err)
	}
}
