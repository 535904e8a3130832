package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// connectBad reaches a core beside which a taken-over worker lies.
func (p *place) connectBad() *client.Client { p.t.Helper(); return p.connectWith("bad") }

// connectWith reaches a core beside which the worker of test/e2e/WHICHworker lies.
func (p *place) connectWith(which string) *client.Client {
	p.t.Helper()
	h, err := home.Open(home.Options{Dir: p.home, Env: env.Read()})
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := client.Dial(p.t.Context(), h, client.Options{Release: release.Version(), Core: bins.path(which + "/bailey-core"), Env: env.Read().ForCore()})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	return c
}

func (p *place) tell(c *client.Client, handle []byte, order string) error {
	in, err := c.Index.Ask(p.t.Context(), &indexv1.AskRequest{Grant: handle, Question: order})
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		if _, err := in.Recv(); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// A worker that gives up or breaks its connection, but lives on, is ended at
// once: it would keep the folder, and hold up whoever revokes. So is one that hands
// the core its own end of the connection and of the pipe for its last words, neither
// of which would show an end then.
func TestWorkerWithoutItsConnectionIsEnded(t *testing.T) {
	for order, record := range map[string]string{"close": `"worker-crash"`, "garbage": `"malformed-peer"`, "give itself away": `"malformed-peer"`} {
		t.Run(order, func(t *testing.T) {
			p := newPlace(t)
			c := p.connectBad()
			_, g := p.grant(c)
			w := p.worker(c.PID)
			if err := p.tell(c, g.Handle, "well?"); err != nil {
				t.Fatalf("control: %v", err)
			}
			if !proc.Alive(w) {
				t.Fatal("control: it ended by itself")
			}
			if err := p.tell(c, g.Handle, order); err == nil {
				t.Error("the call succeeded")
			}
			p.until(wait, "the worker to be ended", func() bool { return !proc.Alive(w) })
			p.until(wait, "the record", func() bool {
				out, _, _ := p.bailey("audit", "show", "--json")
				return strings.Contains(out, record)
			})
			begin := time.Now()
			if _, err := c.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: g.Id}); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(begin); d > 2500*time.Millisecond {
				t.Errorf("revoking took %v", d)
			}
			p.verified()
		})
	}
}

// Revoking ends a worker that does nothing any more, while a call waits for it.
func TestRevokeOfAHangingWorker(t *testing.T) {
	p := newPlace(t)
	c := p.connectBad()
	_, g := p.grant(c)
	w := p.worker(c.PID)
	done := make(chan error, 1)
	go func() { done <- p.tell(c, g.Handle, "hang") }()
	p.until(wait, "the call to be on the record", func() bool {
		out, _, _ := p.bailey("audit", "show", "--json")
		return strings.Contains(out, `"kind":"call","app"`) && strings.Contains(out, "IndexService/Ask")
	})
	other := p.connectBad()
	if _, err := other.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: g.Id}); err != nil {
		t.Fatal(err)
	}
	if proc.Alive(w) {
		t.Error("the worker was alive when Revoke returned")
	}
	if err := <-done; errs.CodeOf(err) != errs.GrantRevoked {
		t.Errorf("the call ended with %v", err)
	}
}

// A worker's words are not Bailey's: no code that only the core can find, no
// sentence and no hint of its own reach the person.
func TestWorkerDoesNotSpeakForBailey(t *testing.T) {
	p := newPlace(t)
	c := p.connectBad()
	_, g := p.grant(c)
	err := p.tell(c, g.Handle, "lie")
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != errs.Internal || strings.Contains(e.Message()+e.HintText(), "disk") || strings.Contains(e.HintText(), "curl") {
		t.Fatalf("it says %v: %q, %q", err, e.Message(), e.HintText())
	}
	out, _, _ := p.bailey("audit", "show", "--json")
	if strings.Contains(out, "audit-log-broken") {
		t.Error("the worker's code is on the record")
	}
	p.verified()
}

// What a worker cites lies in the folder, or nothing of the answer is printed.
func TestWorkerCannotCiteAWayOut(t *testing.T) {
	p := newPlace(t)
	p.connectBad() // the command line meets the core beside which the bad worker lies
	for _, format := range [][]string{nil, {"--format", "md"}, {"--json"}} {
		out, said, code := p.bailey(append([]string{"ask", p.folder, "way out", "--allow-read", p.folder}, format...)...)
		if code != 1 || strings.Contains(out, "shadow") || strings.Contains(out, "look there") || !strings.Contains(out+said, "the worker broke the form") {
			t.Errorf("%v: %d, %q, %q", format, code, out, said)
		}
	}
}

// 20,000 skipped files with the longest names there are do not fill the memory
// of the command line: they are counted.
func TestWorkerCannotFillTheMemory(t *testing.T) {
	const most = 256 << 10 // kB, as getrusage(2) counts; without the limits it was 425 MB
	p := newPlace(t)
	p.connectBad()
	cmd := p.command("ask", p.folder, "flood", "--allow-read", p.folder, "--json")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Skipped []json.RawMessage
		More    int `json:"skipped_more"`
		Usage   struct{ Skipped int }
	}
	if err := errors.Join(json.NewDecoder(pipe).Decode(&answer), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	if answer.Usage.Skipped != 20_000 || answer.More == 0 || len(answer.Skipped)+answer.More != 20_000 {
		t.Errorf("%d listed, %d more, %d in all", len(answer.Skipped), answer.More, answer.Usage.Skipped)
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	t.Logf("%d kB", used)
	if used > most {
		t.Errorf("it took %d kB of memory, over %d", used, most)
	}
}

// Each refused answer is on the record: to no question, to another action, from
// another channel, too early; and a question that nobody answered.
func TestRefusedAnswersAreOnTheRecord(t *testing.T) {
	p := newPlace(t)
	c, other := p.connect(), p.connect()
	ask := func(c *client.Client) *grantv1.ProposeResponse {
		task := p.task(c)
		q, err := c.Grant.Propose(t.Context(), &grantv1.ProposeRequest{Task: task, Wants: p.want()})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	decide := func(c *client.Client, proposal, hash []byte, by grantv1.DecidedBy) {
		t.Helper()
		_, err := c.Grant.Decide(t.Context(), &grantv1.DecideRequest{Proposal: proposal, ActionHash: hash, DecidedBy: by, Accepted: []uint32{0}})
		if errs.CodeOf(err) != errs.Denied {
			t.Fatalf("gave %v", err)
		}
	}
	command, terminal := grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE, grantv1.DecidedBy_DECIDED_BY_TERMINAL
	q := ask(c)
	decide(c, make([]byte, 16), q.ActionHash, command)
	decide(other, q.Proposal, q.ActionHash, command)
	decide(c, q.Proposal, make([]byte, 32), command)
	q = ask(c)
	decide(c, q.Proposal, q.ActionHash, terminal) // before it could be read
	ask(other)
	other.Close()
	p.until(wait, "five denials on the record", func() bool {
		out, _, _ := p.bailey("audit", "show", "--json")
		return strings.Count(out, `"kind":"deny"`) == 5
	})
	if n := len(p.workers(c.PID)); n != 0 {
		t.Errorf("%d workers", n)
	}
}

// linkBad makes the directories of the core with each taken-over worker.
func linkBad(dir string) error {
	for _, which := range []string{"/bad", "/raw"} {
		if err := os.MkdirAll(dir+which, 0o755); err != nil {
			return err
		}
		if err := os.Link(dir+"/bailey-core", dir+which+"/bailey-core"); err != nil {
			return err
		}
	}
	return nil
}
