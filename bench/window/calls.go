package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/test/window/desk"
)

// What the page of armCalls does, see page/app.js.
const (
	callRounds  = 5
	warmCalls   = 200
	callCount   = 2000
	sourceCount = 1000
	revokeCount = 50

	modelName = "bench"
	smallDir  = "/home/bailey-desk/small"
	largeDir  = "/home/bailey-desk/large"
)

// plan is what the page is told, as JSON.
func plan() string {
	b, err := json.Marshal(map[string]any{"model": modelName, "rounds": callRounds, "calls": callCount, "sources": sourceCount, "small": smallDir, "large": largeDir, "revokes": revokeCount})
	if err != nil {
		panic("BUG: a plan does not encode: " + err.Error())
	}
	return string(b)
}

// floorFigures are what the floor prints at its end.
type floorFigures struct {
	Call struct {
		P50 float64 `json:"p50"`
		P99 float64 `json:"p99"`
	} `json:"call_us"`
	Evaluate float64 `json:"evaluate_per_s"`
	Stream   float64 `json:"stream_per_s"`
}

func (b *bench) floor() (f floorFigures, err error) {
	p, err := b.run(true, b.path("webview-floor"))
	if err != nil {
		return f, err
	}
	l, err := p.await("call_us")
	if err != nil {
		return f, err
	}
	<-p.ended
	if err := json.Unmarshal([]byte(l.text), &f); err != nil {
		return f, err
	}
	b.raw("floor call p50", f.Call.P50)
	b.raw("floor call p99", f.Call.P99)
	b.raw("floor evaluate per s", f.Evaluate)
	b.raw("floor stream per s", f.Stream)
	return f, nil
}

// hop is the bare relay, at the pace of the floor's calls.
func (b *bench) hop(pause float64) error {
	out, err := exec.Command(b.path("hop-floor"), fmt.Sprint(int(pause))).Output()
	if err != nil {
		return err
	}
	var f struct {
		BackToBack []float64 `json:"back_to_back"`
		Paced      []float64 `json:"paced"`
	}
	if err := json.Unmarshal(out, &f); err != nil {
		return err
	}
	for _, q := range []struct {
		name string
		xs   []float64
	}{{"back to back", f.BackToBack}, {"paced", f.Paced}} {
		b.raw("hop "+q.name+" p50", rows.Median(q.xs))
		b.raw("hop "+q.name+" p99", rows.Quantile(q.xs, 0.99))
	}
	return nil
}

// calls is a call of the page, through the core, to a worker and back; and, with
// the same page, from a press in the panel until a worker is dead and the page
// knows it.
func (b *bench) calls() error {
	h, err := b.newHome(armCalls)
	if err != nil {
		return err
	}
	if err := b.library(); err != nil {
		return err
	}
	if err := h.pull(); err != nil {
		return err
	}
	core, err := h.core()
	if err != nil {
		return err
	}
	if err := h.direct(); err != nil {
		return err
	}
	s, err := h.open(core)
	if err != nil {
		return err
	}
	if err := b.called(h, core, s); err != nil {
		return fmt.Errorf("%w; the command said %v", err, s.out)
	}
	return h.stop()
}

func (b *bench) called(h *home, core int, s *shown) error {
	told := 0
	for range callRounds {
		told++
		w, err := b.answering(fmt.Sprintf("ready %d", told))
		if err != nil {
			return err
		}
		f, err := b.floor()
		if err != nil {
			return err
		}
		if err := b.hop(f.Call.P50); err != nil {
			return err
		}
		b.press(w)
		for _, what := range []string{"worker", "core", "bytes"} {
			if err := b.dumped(what); err != nil {
				return err
			}
		}
	}
	for _, what := range []string{"task", "source"} {
		if err := b.dumped(what); err != nil {
			return err
		}
	}
	b.callRows()
	if err := b.revokes(h, core, told); err != nil {
		return err
	}
	return s.close(os.Interrupt)
}

func (b *bench) callRows() {
	floor50, floor99 := b.median("floor call p50"), b.median("floor call p99")
	hop50, hop99 := b.median("hop paced p50"), b.median("hop paced p99")
	got50, got99 := b.median("call worker p50"), b.median("call worker p99")
	sum50 := floor50 + hop50
	b.row(b.most("call, page to worker and back, p50", got50, "us", sum50+20, ": floor + relay + 20").Beside("webview-floor's reply + hop-floor, paced", sum50))
	b.row(b.most("call, page to worker and back, p99", got99, "us", 1.5*(floor99+hop99), ": 1.5 x (floor + relay)").Beside("webview-floor's reply + hop-floor, paced", floor99+hop99))
	b.row(rows.New("call, page to core and back, p50", b.median("call core p50"), "us", "").Beside("webview-floor's reply", floor50))
	b.row(rows.New("call, page to core and back, without the SDK, p50", b.median("call bytes p50"), "us", "").Beside("webview-floor's reply", floor50))
	b.row(rows.New("call, a client to worker and back, p50", b.median("call by a client us"), "us", "").Beside("hop-floor, back to back", b.median("hop back to back p50")))
	b.row(rows.New("call, a task begun or ended, p50", b.median("call task p50"), "us", "").Beside("webview-floor's reply", floor50))
	b.row(rows.New("call, three lines of a source as a stream, p50", b.median("call source p50"), "us", ""))
	b.row(rows.New("relay, two hops, back to back, p50", b.median("hop back to back p50"), "us", ""))
	b.row(rows.New("relay, two hops, paced as the floor's calls, p50", hop50, "us", ""))
}

// dumped reads what the page's window noted of its calls, and has it go on.
func (b *bench) dumped(what string) error {
	w, err := b.answering(what + " ")
	if err != nil {
		return err
	}
	ns, err := numbers(w.Title)
	if err != nil || len(ns) < 100 {
		return fmt.Errorf("%d figures of %s: %w", len(ns), what, err)
	}
	us := make([]float64, 0, len(ns))
	for _, n := range ns[1:] {
		us = append(us, n/10)
	}
	if what == "source" {
		// Of each: the call, and the acknowledgement or not; what counts is from one
		// call to the next.
		b.note("source calls noted", len(us))
	}
	b.raw("call "+what+" p50", rows.Median(us))
	b.raw("call "+what+" p99", rows.Quantile(us, 0.99))
	b.raw("call "+what+" us", us...)
	b.press(w)
	return nil
}

// answering waits for a title, and meanwhile says yes to whatever is asked.
func (b *bench) answering(words string) (desk.Window, error) {
	for over := time.Now().Add(patience); time.Now().Before(over); time.Sleep(5 * time.Millisecond) {
		for _, w := range b.d.Windows() {
			switch {
			case strings.HasPrefix(w.Title, words):
				return w, nil
			case strings.HasPrefix(w.Title, "failed"):
				return w, errors.New(w.Title)
			case w.Class == "bailey-prompt":
				if err := b.yes(); err != nil {
					return w, err
				}
			}
		}
	}
	var titles []string
	for _, w := range b.d.Windows() {
		titles = append(titles, fmt.Sprintf("%.60s", w.Title))
	}
	return desk.Window{}, fmt.Errorf("waited in vain for %q, there are %q", words, titles)
}

// yes answers the prompt on the screen; too early is no answer, so it is pressed
// again.
func (b *bench) yes() error {
	const fromRight, fromBottom = 77, 38
	return until("the prompt to be answered", func() bool {
		for _, w := range b.d.Windows() {
			if w.Class == "bailey-prompt" {
				time.Sleep(900 * time.Millisecond)
				v := w.Visible()
				b.d.Click(v.Max.X-fromRight, v.Max.Y-fromBottom)
				time.Sleep(100 * time.Millisecond)
				return false
			}
		}
		return true
	})
}

// library writes the two folders.
func (b *bench) library() error {
	if err := errors.Join(os.RemoveAll(smallDir), os.RemoveAll(largeDir), os.MkdirAll(smallDir, 0o700), os.MkdirAll(largeDir, 0o700)); err != nil {
		return err
	}
	if err := os.WriteFile(smallDir+"/release.md", []byte("# Release\n\nA release is signed by two people.\nIt is kept for ten years.\n"), 0o600); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 2))
	var text bytes.Buffer
	for i := range 600 {
		text.Reset()
		for j := range 400 {
			fmt.Fprintf(&text, "Paragraph %d of file %d speaks of subject %d, which differs from subject %d in number %d.\n\n", j, i, r.IntN(9973), r.IntN(9967), i*j)
		}
		if err := os.WriteFile(fmt.Sprintf("%s/%03d.txt", largeDir, i), text.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// pull brings the least model in, by the terminal's way.
func (h *home) pull() (err error) {
	ctx := context.Background()
	path := filepath.Join(h.b.d.Home, modelName+".gguf")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(gguf.Llama(gguf.Small(1)).Write(f), f.Close()); err != nil {
		return err
	}
	c, err := h.home.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	t, err := c.Core.BeginTask(ctx, &corev1.BeginTaskRequest{Verb: "pull"})
	if err != nil {
		return err
	}
	in, err := c.Model.Pull(ctx, &modelv1.PullRequest{Task: t.Task, Path: []byte(path)})
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		m, err := in.Recv()
		if err != nil {
			return err
		}
		s := m.GetStaged()
		if s == nil {
			continue
		}
		p, err := c.Grant.Propose(ctx, &grantv1.ProposeRequest{Task: t.Task, Wants: []*grantv1.Want{{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: fmt.Sprintf("staged:%x", s.Id), Remember: true}}})
		if err != nil {
			return err
		}
		_, err = c.Grant.Decide(ctx, &grantv1.DecideRequest{Proposal: p.Proposal, ActionHash: p.ActionHash, DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE, Accepted: []uint32{0}})
		if err != nil {
			return err
		}
		_, err = c.Core.EndTask(ctx, &corev1.EndTaskRequest{Task: t.Task, Outcome: corev1.Outcome_OUTCOME_OK})
		return err
	}
}

// direct is the same call by a client of the socket, without a window: what the
// core and the worker take of it.
func (h *home) direct() error {
	ctx := context.Background()
	c, err := h.home.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	t, err := c.Core.BeginTask(ctx, &corev1.BeginTaskRequest{Verb: "bench"})
	if err != nil {
		return err
	}
	p, err := c.Grant.Propose(ctx, &grantv1.ProposeRequest{Task: t.Task, Wants: []*grantv1.Want{{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: modelName}}})
	if err != nil {
		return err
	}
	g, err := c.Grant.Decide(ctx, &grantv1.DecideRequest{Proposal: p.Proposal, ActionHash: p.ActionHash, DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE, Accepted: []uint32{0}})
	if err != nil || len(g.Grants) != 1 {
		return fmt.Errorf("no grant of the model: %w", err)
	}
	for i := range warmCalls + callCount {
		at := time.Now()
		if _, err := c.Engine.Stats(ctx, &enginev1.StatsRequest{Grant: g.Grants[0].Handle}); err != nil {
			return err
		}
		if i >= warmCalls {
			h.b.raw("call by a client us", float64(time.Since(at).Nanoseconds())/1e3)
		}
	}
	_, err = c.Core.EndTask(ctx, &corev1.EndTaskRequest{Task: t.Task, Outcome: corev1.Outcome_OUTCOME_OK})
	return err
}

// revokes measures from the panel's call until the worker is dead, and until the
// page knows.
func (b *bench) revokes(h *home, core, told int) error {
	panel, err := h.open(0, "--panel", "permissions")
	if err != nil {
		return err
	}
	pw, err := b.answering("ready 1")
	if err != nil {
		return err
	}
	for i := range revokeCount {
		told++
		w, err := b.answering(fmt.Sprintf("working %d", told))
		if err != nil {
			return err
		}
		worker, err := atWork(core)
		if err != nil {
			return err
		}
		fd, err := unix.PidfdOpen(worker, 0)
		if err != nil {
			return err
		}
		died := make(chan int64, 1)
		go func() {
			defer unix.Close(fd)
			for {
				n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patience.Milliseconds()))
				if n > 0 || err != nil && err != unix.EINTR {
					died <- monotonic()
					return
				}
			}
		}()
		b.press(pw)
		at, err := b.answering(fmt.Sprintf("withdrawn-%d ", i+2))
		if err != nil {
			return err
		}
		knew, err := b.answering(fmt.Sprintf("told-%d ", i))
		if err != nil {
			return err
		}
		called, err := numbers(at.Title)
		if err != nil || len(called) == 0 {
			return fmt.Errorf("no time in %q: %w", at.Title, err)
		}
		page, err := numbers(knew.Title)
		if err != nil || len(page) == 0 {
			return fmt.Errorf("no time in %q: %w", knew.Title, err)
		}
		// Of the page's calls since the reset the last is the one that says so.
		last := 0.0
		for _, d := range page {
			last += d
		}
		b.raw("revoke to death ms", (float64(<-died)/100-called[0])/1e4)
		b.raw("revoke to page ms", (last-called[0])/1e4)
		b.press(w)
	}
	b.row(rows.New("revoke, from the panel's call to the worker's death, p50", b.median("revoke to death ms"), "ms", ""))
	b.row(b.most("revoke, from the panel's call to the worker's death, p99 of 50", rows.Quantile(b.got("revoke to death ms"), 0.99), "ms", 10, ""))
	b.row(rows.New("revoke, from the panel's call until the page knows, p50", b.median("revoke to page ms"), "ms", ""))
	b.row(b.most("revoke, from the panel's call until the page knows, p99 of 50", rows.Quantile(b.got("revoke to page ms"), 0.99), "ms", 250, ""))
	return panel.close(os.Interrupt)
}

// atWork waits for the worker that reads the folder, which uses a processor.
func atWork(core int) (worker int, err error) {
	before := map[int]time.Duration{}
	err = until("a worker at work", func() bool {
		kids, _ := proc.Children(core)
		for _, pid := range kids {
			args, err := proc.Cmdline(pid)
			if err != nil || len(args) == 0 || filepath.Base(args[0]) != "bailey-worker" {
				continue
			}
			t, err := processorTime(pid)
			if err != nil {
				continue
			}
			if last, ok := before[pid]; ok && t-last > time.Millisecond {
				worker = pid
				return true
			}
			before[pid] = t
		}
		return false
	})
	return worker, err
}

func processorTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var ns int64
	_, err = fmt.Sscan(string(b), &ns)
	return time.Duration(ns), err
}
