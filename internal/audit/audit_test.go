package audit

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

func TestMain(m *testing.M) {
	if step := os.Getenv(crashEnv); step != "" {
		crashChild(step)
		return
	}
	goleak.VerifyTestMain(m)
}

// fakeClock is a wall clock that tests move.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)}
}

func (c *fakeClock) Wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}
func (c *fakeClock) Boot() time.Duration { return time.Duration(c.Wall().UnixNano()) }

// memAnchor remembers what was anchored.
type memAnchor struct {
	mu     sync.Mutex
	points []Point
	err    error
}

func (a *memAnchor) Put(_ string, size uint64, root string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.points = append(a.points, Point{size, root})
	}
	return a.err
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// env is a home with a log.
type env struct {
	t      testing.TB
	home   string
	hook   safefile.Hook
	clock  *fakeClock
	anchor *memAnchor
}

func newEnv(t testing.TB) *env {
	t.Helper()
	return &env{t: t, home: filepath.Join(t.TempDir(), "home"), clock: newClock(), anchor: &memAnchor{}}
}

func (e *env) dir() string { return filepath.Join(e.home, DirName) }

func (e *env) config() Config {
	e.t.Helper()
	d, err := safefile.MakeDir(e.home)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { d.Close() })
	if e.hook != nil {
		d = d.WithHook(e.hook)
	}
	return Config{Home: d, Clock: e.clock, Log: quiet(), Anchor: e.anchor, Release: "0.1.0+test"}
}

func (e *env) open() *Log {
	e.t.Helper()
	l, err := Open(context.Background(), e.config())
	if err != nil {
		e.t.Fatalf("Open: %v", err)
	}
	e.t.Cleanup(func() { l.Close() })
	return l
}

func (e *env) openErr() error {
	e.t.Helper()
	l, err := Open(context.Background(), e.config())
	if err == nil {
		l.Close()
	}
	return err
}

func (e *env) verify(anchors ...Point) Report {
	e.t.Helper()
	rep, err := Verify(context.Background(), e.dir(), anchors...)
	if err != nil {
		e.t.Fatalf("Verify: %v", err)
	}
	return rep
}

func (e *env) mustVerify() Report {
	e.t.Helper()
	rep := e.verify()
	if !rep.OK {
		e.t.Fatalf("does not verify: %s", rep.Reason)
	}
	return rep
}

func (e *env) file(name string) []byte {
	e.t.Helper()
	b, err := os.ReadFile(filepath.Join(e.dir(), name))
	if err != nil {
		e.t.Fatal(err)
	}
	return b
}

func (e *env) write(name string, b []byte) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir(), name), b, 0o600); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) records(l *Log, f Filter) []Record {
	e.t.Helper()
	var out []Record
	if err := l.Read(context.Background(), f, func(r Record) error { out = append(out, r); return nil }); err != nil {
		e.t.Fatalf("Read: %v", err)
	}
	return out
}

func sample(i int) Event {
	return Event{
		Kind: auditlog.Grant, Actor: Actor{App: "bailey", Surface: "cli", Task: fmt.Sprintf("t%d", i%3), Verb: "ask"},
		Method: "bailey.grant.v1.GrantService/Decide", Decision: "allow", DecidedBy: "terminal",
		Grant: fmt.Sprintf("g%d", i), Code: "ok", RequestBytes: uint64(i), Milliseconds: 3, Correlation: "c1",
		Detail: map[string]string{"path": fmt.Sprintf("/home/ada/secret plans/%d", i)}, Tagged: "/home/ada/secret plans",
	}
}

// settle returns when the checkpoint file holds the newest checkpoint: it is
// written behind the answer to Append.
func settle(l *Log) {
	done := make(chan struct{})
	l.ask <- done
	<-done
}

func appendN(t testing.TB, l *Log, n int) {
	t.Helper()
	for i := range n {
		if _, err := l.Append(context.Background(), sample(i)); err != nil {
			t.Fatalf("Append %d: %v", i, err)
		}
	}
}

func kinds(rs []Record) (s []auditlog.Kind) {
	for _, r := range rs {
		s = append(s, r.Kind)
	}
	return s
}

func TestAppendReadVerifyExport(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	for i := range 5 {
		seq, err := l.Append(context.Background(), sample(i))
		if err != nil || seq != uint64(i+1) {
			t.Fatalf("Append = %d, %v", seq, err)
		}
	}
	if err := l.Note(Event{Kind: auditlog.Call, Actor: Actor{App: "bailey", Task: "t1"}}); err != nil {
		t.Fatal(err)
	}
	all := e.records(l, Filter{})
	if got := fmt.Sprint(kinds(all)); got != "[core-start grant grant grant grant grant call]" {
		t.Fatal(got)
	}
	if all[2].Detail["path"] != "/home/ada/secret plans/1" || all[2].Tag == "" || all[2].Tag != all[3].Tag {
		t.Fatalf("%+v", all[2])
	}
	last := e.records(l, Filter{Last: 2})
	if len(last) != 2 || last[1].Seq != 6 {
		t.Fatalf("%+v", last)
	}
	task := e.records(l, Filter{Last: 2, Task: "t1"})
	if len(task) != 2 || task[0].Seq != 5 || task[1].Seq != 6 {
		t.Fatalf("%+v", task)
	}
	rare := e.records(l, Filter{Last: 1, Kinds: []Kind{auditlog.CoreStart, auditlog.Erased}})
	if len(rare) != 1 || rare[0].Seq != 0 {
		t.Fatalf("%+v", rare)
	}
	if none := e.records(l, Filter{Last: 1, Kinds: []Kind{auditlog.Erased}}); len(none) != 0 {
		t.Fatalf("%+v", none)
	}
	if two := e.records(l, Filter{Task: "t0", Kinds: []Kind{auditlog.Grant}}); len(two) != 2 {
		t.Fatalf("%+v", two)
	}
	if rep := e.mustVerify(); rep.Size != 7 {
		t.Fatalf("%+v", rep)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(context.Background(), sample(0)); errs.CodeOf(err) != errs.LogUnwritable {
		t.Fatal(err)
	}
	rep := e.mustVerify()
	if rep.Size != 8 || rep.Unfinished != 0 {
		t.Fatalf("%+v", rep)
	}
	var out bytes.Buffer
	if err := Export(context.Background(), e.dir(), &out); err != nil {
		t.Fatal(err)
	}
	xr, err := VerifyExport(context.Background(), bytes.NewReader(out.Bytes()))
	if err != nil || !xr.OK || xr.Size != 8 || xr.Root != rep.Root || xr.Key != rep.Key {
		t.Fatalf("%+v, %v", xr, err)
	}
	l = e.open()
	all = e.records(l, Filter{Last: 2})
	if all[0].Kind != auditlog.CoreStop || all[1].Kind != auditlog.CoreStart || all[1].Code != codeClean {
		t.Fatalf("%+v", all)
	}
}
