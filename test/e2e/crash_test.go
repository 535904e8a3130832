package e2e

import (
	"context"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// asks makes one whole call and returns how it ended.
func asks(ctx context.Context, c *client.Client, handle []byte) error {
	in, err := c.Index.Ask(ctx, &indexv1.AskRequest{Grant: handle, Question: "how is a release signed?"})
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		if _, err := in.Recv(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// crashes waits until so many crashes are on the record: the core has seen them
// by then.
func (p *place) crashes(n int) {
	p.t.Helper()
	p.until(wait, "the crash to be on the record", func() bool {
		out, _, _ := p.bailey("audit", "show", "--json")
		return strings.Count(out, `"worker-crash"`) == n
	})
}

// A worker that dies between calls is started again for the next one, with its
// state; its death is on the record.
func TestWorkerIsStartedAgain(t *testing.T) {
	p := newPlace(t)
	c := p.connect()
	_, g := p.grant(c)
	first := p.worker(c.PID)
	if err := asks(t.Context(), c, g.Handle); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.crashes(1)
	if err := asks(t.Context(), c, g.Handle); err != nil {
		t.Fatalf("after a crash: %v", err)
	}
	if second := p.worker(c.PID); second == first {
		t.Fatal("it is the same process")
	}
	p.verified()
}

// One that dies in every call is given up: a typed error, no endless restarts,
// and the core and another task go on.
func TestWorkerThatKeepsDyingIsGivenUp(t *testing.T) {
	p := newPlace(t)
	p.many(2000)
	c := p.connect()
	_, g := p.grant(c)
	for i := range limits.WorkerRestarts {
		in, err := c.Index.Summarize(t.Context(), &indexv1.SummarizeRequest{Grant: g.Handle})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Recv(); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		if err := syscall.Kill(p.worker(c.PID), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for err = nil; err == nil; {
			_, err = in.Recv()
		}
		in.Close()
		if errs.CodeOf(err) != errs.WorkerCrashed {
			t.Fatalf("call %d ended with %v", i, err)
		}
		p.crashes(i + 1)
	}
	if err := asks(t.Context(), c, g.Handle); errs.CodeOf(err) != errs.WorkerCrashed {
		t.Fatalf("after %d crashes in a row: %v", limits.WorkerRestarts, err)
	}
	if n := len(p.workers(c.PID)); n != 0 {
		t.Fatalf("%d workers run", n)
	}
	if _, h := p.grant(c); asks(t.Context(), c, h.Handle) != nil {
		t.Fatal("a new task does not work")
	}
}
