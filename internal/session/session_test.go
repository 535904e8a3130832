package session

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

type fixed struct{}

func (fixed) Wall() time.Time     { return time.Unix(1, 0) }
func (fixed) Boot() time.Duration { return 1 }

func open(t *testing.T, r *Registry) *Session {
	t.Helper()
	s, err := r.Open("cli", "terminal", 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func is(err error, c errs.Code) bool { return errors.Is(err, errs.New(c, "")) }

func TestTaskEndsOnceAndHooksRunBackwards(t *testing.T) {
	r := NewRegistry(fixed{})
	s := open(t, r)
	task, err := r.Begin(s, "ask")
	if err != nil {
		t.Fatal(err)
	}
	var ran []string
	task.OnEnd(func(o Outcome) { ran = append(ran, "first "+string(o)) })
	task.OnEnd(func(o Outcome) {
		ran = append(ran, "second "+string(o))
		if r.Idle() {
			t.Error("idle while a task is wound up")
		}
	})
	if err := r.End(s, task.ID, OK); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ran, []string{"second ok", "first ok"}) {
		t.Fatal(ran)
	}
	if err := r.End(s, task.ID, OK); !is(err, errs.NotFound) {
		t.Fatalf("ended twice: %v", err)
	}
	if task.OnEnd(func(Outcome) {}) {
		t.Fatal("a hook was taken by an ended task")
	}
}

// A task belongs to its connection: no other may use or end it by its id, and
// it does not outlive it.
func TestTasksBelongToTheirConnection(t *testing.T) {
	r := NewRegistry(fixed{})
	a, b := open(t, r), open(t, r)
	if a.Channel == b.Channel {
		t.Fatal("two connections share a channel")
	}
	task, err := r.Begin(a, "ask")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Task(b, task.ID); !is(err, errs.NotFound) {
		t.Fatalf("another connection found the task: %v", err)
	}
	if err := r.End(b, task.ID, OK); !is(err, errs.NotFound) {
		t.Fatalf("another connection ended the task: %v", err)
	}
	var got Outcome
	task.OnEnd(func(o Outcome) { got = o })
	r.Close(a)
	if got != Cancelled {
		t.Fatalf("outcome %q", got)
	}
	if _, err := r.Begin(a, "ask"); !is(err, errs.Cancelled) {
		t.Fatalf("a task was begun on a closed connection: %v", err)
	}
	r.Close(b)
	if !r.Idle() {
		t.Fatal("not idle")
	}
}

// What a connection still asks for while its tasks are wound up does not outlive it.
func TestNothingBeginsWhileClosing(t *testing.T) {
	r := NewRegistry(fixed{})
	s := open(t, r)
	task, err := r.Begin(s, "ask")
	if err != nil {
		t.Fatal(err)
	}
	task.OnEnd(func(Outcome) {
		if _, err := r.Begin(s, "ask"); !is(err, errs.Cancelled) {
			t.Errorf("a task was begun on a connection that closes: %v", err)
		}
		if r.Idle() {
			t.Error("idle while a task is wound up")
		}
	})
	r.Close(s)
	if !r.Idle() {
		t.Fatal("not idle")
	}
}

func TestStop(t *testing.T) {
	r := NewRegistry(fixed{})
	a, b := open(t, r), open(t, r)
	t1, _ := r.Begin(a, "ask")
	_, _ = r.Begin(a, "ask")
	_, _ = r.Begin(b, "ask")
	if n := r.Stop(t1.ID); n != 1 || len(r.List()) != 2 {
		t.Fatal(n, r.List())
	}
	if n := r.Stop(""); n != 2 || len(r.List()) != 0 {
		t.Fatal(n, r.List())
	}
	if n := r.Stop("none"); n != 0 {
		t.Fatal(n)
	}
}

func TestCaps(t *testing.T) {
	r := NewRegistry(fixed{})
	s := open(t, r)
	for range limits.TasksPerClient {
		if _, err := r.Begin(s, "ask"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Begin(s, "ask"); !is(err, errs.CoreBusy) {
		t.Fatal(err)
	}
}

// One process cannot keep the others out; and where many processes hold all that
// they may, one that has none gets in.
func TestConnectionCaps(t *testing.T) {
	r := NewRegistry(fixed{})
	fill := func(pid int) (last *Session, n int) {
		for {
			s, err := r.Open("cli", "terminal", pid)
			if err != nil {
				if !is(err, errs.CoreBusy) {
					t.Fatal(err)
				}
				return last, n
			}
			last, n = s, n+1
		}
	}
	last, n := fill(1)
	if n != limits.ClientsPerProcess {
		t.Fatalf("one process has %d", n)
	}
	r.Close(last)
	if _, n := fill(1); n != 1 {
		t.Fatalf("%d instead of the one that was closed", n)
	}
	all := limits.ClientsPerProcess
	for pid := 2; all < limits.Clients-limits.ClientsReserved; pid++ {
		_, n := fill(pid)
		all += n
	}
	for pid := range limits.ClientsReserved {
		if _, n := fill(100 + pid); n != 1 {
			t.Fatalf("process %d has %d of those that are kept", pid, n)
		}
	}
	if _, n := fill(1000); n != 0 {
		t.Fatalf("%d beyond all", n)
	}
}

func TestGreet(t *testing.T) {
	s := open(t, NewRegistry(fixed{}))
	if s.Greeted() || !s.Greet() || s.Greet() || !s.Greeted() {
		t.Fatal("greeting is not once")
	}
	if From(With(t.Context(), s)) != s {
		t.Fatal("lost in the context")
	}
}

// A task of the core's own keeps the core, is listed and can be stopped, and no
// client's session may use or end it.
func TestOwnTasks(t *testing.T) {
	r := NewRegistry(fixed{})
	s := open(t, r)
	own := r.Own("cli", "core", "engine")
	r.Close(s)
	if r.Idle() {
		t.Fatal("idle with a task of its own")
	}
	if got := r.List(); len(got) != 1 || got[0] != own || own.Session.Channel == s.Channel || own.Session.App != "cli" {
		t.Fatalf("%+v", got)
	}
	s = open(t, r)
	if _, err := r.Task(s, own.ID); !is(err, errs.NotFound) {
		t.Fatalf("a client may use it: %v", err)
	}
	if err := r.End(s, own.ID, OK); !is(err, errs.NotFound) {
		t.Fatalf("a client may end it: %v", err)
	}
	r.Close(s)
	var how Outcome
	own.OnEnd(func(o Outcome) {
		how = o
		if !own.Ended() {
			t.Error("a task that is wound up has not ended")
		}
	})
	if own.Ended() {
		t.Error("ended before its end")
	}
	if n := r.Stop(own.ID); n != 1 || how != Cancelled || !r.Idle() {
		t.Fatalf("stopped %d as %q", n, how)
	}
	r.Finish(own, OK)
	other := r.Own("cli", "core", "vectors")
	r.Finish(other, OK)
	if how != Cancelled || !r.Idle() {
		t.Fatal("ended twice, or not at all")
	}
}
