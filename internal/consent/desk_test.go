package consent

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

type fakeClock struct{ boot atomic.Int64 }

func (c *fakeClock) Wall() time.Time         { return time.Unix(0, 0) }
func (c *fakeClock) Boot() time.Duration     { return time.Duration(c.boot.Load()) }
func (c *fakeClock) forward(d time.Duration) { c.boot.Add(int64(d)) }

func question(t *testing.T, channel uint64, inode uint64) *Question {
	t.Helper()
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Question{Channel: channel, Task: "t", Verb: "ask", Rows: []Row{{
		Asked:  capability.Asked{Kind: policyv1.Kind_KIND_FILE_READ, Scope: capability.Scope{Path: "/d", Object: capability.Object{Inode: inode}}},
		Folder: &folder.Folder{Dir: f},
	}}}
}

func put(t *testing.T, d *Desk, q *Question) {
	t.Helper()
	if err := d.Put(q); err != nil {
		t.Fatal(err)
	}
}

func closed(q *Question) bool { _, err := q.Rows[0].Folder.Dir.Stat(); return err != nil }

func is(err error, c errs.Code) bool { return errors.Is(err, errs.New(c, "")) }

func TestAnswer(t *testing.T) {
	other := make([]byte, 32)
	for _, c := range []struct {
		name    string
		by      capability.Decision
		after   time.Duration
		channel uint64
		hash    []byte
		ok      bool
	}{
		{"on the terminal, after a while", capability.ByTerminal, time.Second, 1, nil, true},
		{"exactly when it counts", capability.ByTerminal, limits.PromptInert, 1, nil, true},
		{"typed ahead", capability.ByTerminal, limits.PromptInert - 1, 1, nil, false},
		{"the command line needs no reading time", capability.ByCommandLine, 0, 1, nil, true},
		{"at the last moment", capability.ByTerminal, limits.PromptTimeout, 1, nil, true},
		{"too late", capability.ByTerminal, limits.PromptTimeout + 1, 1, nil, false},
		{"to another action", capability.ByTerminal, time.Second, 1, other, false},
		{"with no hash", capability.ByTerminal, time.Second, 1, []byte{}, false},
		{"from another channel", capability.ByTerminal, time.Second, 2, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			clk := &fakeClock{}
			d := NewDesk(clk, func(*Question) {})
			q := question(t, 1, 1)
			put(t, d, q)
			clk.forward(c.after)
			hash := c.hash
			if hash == nil {
				hash = q.Hash[:]
			}
			got, err := d.Take(c.channel, q.ID[:], hash, c.by)
			if c.ok != (err == nil) || !c.ok && !is(err, errs.Denied) {
				t.Fatalf("got %v", err)
			}
			if c.ok {
				if got != q || closed(q) {
					t.Fatal("the question was not handed over open")
				}
				got.Close()
			}
			if c.channel == 1 {
				if _, err := d.Take(1, q.ID[:], q.Hash[:], capability.ByCommandLine); err == nil {
					t.Fatal("a question was answered twice")
				}
			} else if _, err := d.Take(1, q.ID[:], q.Hash[:], capability.ByTerminal); err != nil {
				t.Fatal("an answer from another channel used the question up")
			}
			d.Drop(1)
			if !closed(q) && c.channel == 1 {
				t.Fatal("folders stayed open")
			}
			q.Close()
		})
	}
}

// Three wait; the fourth is no; a question that is over makes room.
func TestQueue(t *testing.T) {
	clk := &fakeClock{}
	lost := 0
	d := NewDesk(clk, func(*Question) { lost++ })
	var qs []*Question
	for i := range limits.ProposalsWaiting {
		qs = append(qs, question(t, 1, uint64(i)))
		put(t, d, qs[i])
	}
	extra := question(t, 1, 9)
	if err := d.Put(extra); !is(err, errs.PromptBusy) || !closed(extra) {
		t.Fatalf("got %v", err)
	}
	put(t, d, question(t, 2, 1))
	clk.forward(limits.PromptTimeout + 1)
	put(t, d, question(t, 1, 9))
	for _, q := range qs {
		if !closed(q) {
			t.Fatal("a late question kept its folder")
		}
	}
	d.Drop(1)
	d.Drop(2)
	if lost != limits.ProposalsWaiting+2 {
		t.Fatalf("%d lost questions were told", lost)
	}
}

// What was denied is not asked again in the same task; elsewhere it is.
func TestDenialIsRemembered(t *testing.T) {
	d := NewDesk(&fakeClock{}, func(*Question) {})
	q := question(t, 1, 1)
	put(t, d, q)
	got, err := d.Take(1, q.ID[:], q.Hash[:], capability.ByCommandLine)
	if err != nil {
		t.Fatal(err)
	}
	d.Deny(got, got.Rows)
	got.Close()
	if err := d.Put(question(t, 1, 1)); !is(err, errs.Denied) {
		t.Fatalf("asked again: %v", err)
	}
	put(t, d, question(t, 1, 2))
	other := question(t, 1, 1)
	other.Task = "t2"
	put(t, d, other)
	d.Drop(1)
	put(t, d, question(t, 1, 1))
	d.Drop(1)
}

func TestRememberedRowsNeedNobody(t *testing.T) {
	d := NewDesk(&fakeClock{}, func(*Question) {})
	q := question(t, 1, 1)
	q.Rows[0].Policy = "p"
	put(t, d, q)
	if q.Ask {
		t.Fatal("a person is asked for what is remembered")
	}
	d.Drop(1)
}
