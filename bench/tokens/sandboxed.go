package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// sandboxed is Bailey as it is used: client, core, engine.
type sandboxed struct {
	home  *live.Home
	c     *client.Client
	names map[string]string
	task  string
	// handle of the grant.
	handle []byte
}

func newSandboxed(ctx context.Context, s live.Stage, dir string) (*sandboxed, error) {
	h, err := s.NewHome(ctx, dir)
	if err != nil {
		return nil, err
	}
	c, err := h.Dial(ctx)
	return &sandboxed{home: h, c: c, names: map[string]string{}}, err
}

func (b *sandboxed) name() string { return "bailey" }

// pid of the engine.
func (b *sandboxed) pid(context.Context) (int, error) {
	pids, err := proc.Descendants(b.c.PID)
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		if args, err := proc.Cmdline(pid); err == nil && len(args) > 0 && strings.HasSuffix(args[0], "bailey-engine") {
			return pid, nil
		}
	}
	return 0, errors.New("no engine runs")
}

func (b *sandboxed) begin(ctx context.Context, verb string) (string, error) {
	t, err := b.c.Core.BeginTask(ctx, &corev1.BeginTaskRequest{Verb: verb})
	return t.GetTask(), err
}

func (b *sandboxed) permit(ctx context.Context, task string, w *grantv1.Want) ([]byte, error) {
	p, err := b.c.Grant.Propose(ctx, &grantv1.ProposeRequest{Task: task, Wants: []*grantv1.Want{w}})
	if err != nil {
		return nil, err
	}
	d, err := b.c.Grant.Decide(ctx, &grantv1.DecideRequest{
		Proposal: p.Proposal, ActionHash: p.ActionHash, DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE, Accepted: []uint32{0},
	})
	if err != nil || len(d.Grants) == 0 {
		return nil, err
	}
	return d.Grants[0].Handle, nil
}

func (b *sandboxed) end(ctx context.Context, task string) error {
	_, err := b.c.Core.EndTask(ctx, &corev1.EndTaskRequest{Task: task, Outcome: corev1.Outcome_OUTCOME_OK})
	return err
}

// pull brings a model in, and says how long it took to copy, hash and inspect.
func (b *sandboxed) pull(ctx context.Context, path string) (took time.Duration, err error) {
	task, err := b.begin(ctx, "pull")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.end(ctx, task)) }()
	begin := time.Now()
	in, err := b.c.Model.Pull(ctx, &modelv1.PullRequest{Task: task, Path: []byte(path)})
	if err != nil {
		return 0, err
	}
	defer in.Close()
	for {
		m, err := in.Recv()
		if err != nil {
			return 0, err
		}
		if s := m.GetStaged(); s != nil {
			took = time.Since(begin)
			b.names[path] = strings.TrimSuffix(filepath.Base(path), ".gguf")
			_, err := b.permit(ctx, task, &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: fmt.Sprintf("staged:%x", s.Id), Remember: true})
			return took, err
		}
	}
}

// use begins a task with a grant of the model.
func (b *sandboxed) use(ctx context.Context, path string) (err error) {
	if b.names[path] == "" {
		if _, err := b.pull(ctx, path); err != nil {
			return err
		}
	}
	if b.task, err = b.begin(ctx, "chat"); err != nil {
		return err
	}
	b.handle, err = b.permit(ctx, b.task, &grantv1.Want{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: b.names[path]})
	return err
}

func (b *sandboxed) do(ctx context.Context, o order) (a answer, err error) {
	begin := time.Now()
	switch o.Do {
	case "load", "start":
		// "start" has its grant already.
		if o.Do == "load" {
			if err := b.use(ctx, o.Path); err != nil {
				return a, err
			}
			begin = time.Now()
		}
		in, err := b.c.Model.Load(ctx, &modelv1.LoadRequest{Grant: b.handle, Context: uint32(o.Context), Parallel: uint32(o.Parallel), Threads: uint32(o.Threads)})
		if err != nil {
			return a, err
		}
		defer in.Close()
		for {
			m, err := in.Recv()
			if err == io.EOF {
				return a, nil
			}
			if err != nil {
				return a, err
			}
			if l := m.GetLoaded(); l != nil {
				a = answer{Threads: int(l.Threads), Took: since(begin)}
			}
		}
	case "unload":
		// The engine too, not only the grant.
		_, err := b.c.Core.StopTask(ctx, &corev1.StopTaskRequest{})
		return a, err
	case "generate":
		return b.generate(ctx, o.Prompt, o.Most, begin)
	case "parallel":
		return together(o.Prompts, func(p string) (answer, error) { return b.generate(ctx, p, o.Most, begin) })
	case "cancel":
		one, stop := context.WithCancel(ctx)
		defer stop()
		asked := make(chan time.Time, 1)
		time.AfterFunc(time.Duration(o.After*float64(time.Millisecond)), func() { asked <- time.Now(); stop() })
		if _, err := b.generate(one, o.Prompt, o.Most, begin); err == nil {
			return a, errors.New("it was not cancelled")
		}
		t := <-asked
		// The client is told at once; what counts is when the engine is free again.
		for {
			s, err := b.c.Engine.Stats(ctx, &enginev1.StatsRequest{Grant: b.handle})
			if err != nil {
				return a, err
			}
			if s.Running == 0 {
				return answer{Took: since(t)}, nil
			}
		}
	case "embed":
		in, err := b.c.Engine.Embed(ctx, &enginev1.EmbedRequest{Grant: b.handle, Texts: o.Prompts})
		if err != nil {
			return a, err
		}
		defer in.Close()
		for {
			m, err := in.Recv()
			if err == io.EOF {
				a.Last = since(begin)
				return a, nil
			}
			if err != nil {
				return a, err
			}
			a.Prompt += int(m.Tokens)
		}
	}
	return a, errors.New("no such order: " + o.Do)
}

func (b *sandboxed) generate(ctx context.Context, text string, most int, begin time.Time) (a answer, err error) {
	in, err := b.c.Engine.Generate(ctx, &enginev1.GenerateRequest{Grant: b.handle, Text: text, MaxTokens: uint32(most), Sampling: &enginev1.Sampling{Greedy: true}})
	if err != nil {
		return a, err
	}
	defer in.Close()
	ahead := 0
	for {
		m, err := in.Recv()
		if err == io.EOF {
			return a, nil
		}
		if err != nil {
			return a, err
		}
		if p := m.GetPiece(); p != nil {
			a.Last = since(begin)
			if a.First == 0 {
				a.First = a.Last
				ahead = int(p.Tokens) - 1
			}
			a.Out += int(p.Tokens)
		}
		if d := m.GetDone(); d != nil {
			a.Prompt, a.Reused, a.Out = int(d.PromptTokens), int(d.ReusedTokens), int(d.OutputTokens)
			if a.Out > 1 {
				// What came in one piece with the first token was not written at once.
				a.First -= float64(ahead) * float64(d.OutputUs) / 1e3 / float64(a.Out-1)
			}
		}
	}
}

// background makes vectors of texts as background work until ctx ends.
func (b *sandboxed) background(ctx context.Context, handle []byte, texts []string) (n int, err error) {
	for ctx.Err() == nil {
		in, err := b.c.Engine.Embed(ctx, &enginev1.EmbedRequest{Grant: handle, Texts: texts, Background: true})
		for err == nil {
			if _, err = in.Recv(); err == nil {
				n++
			}
		}
		if in != nil {
			in.Close()
		}
		if err != io.EOF && ctx.Err() == nil {
			return n, err
		}
	}
	return n, nil
}

func (b *sandboxed) close() error {
	ctx := context.Background()
	_, err := b.c.Core.StopTask(ctx, &corev1.StopTaskRequest{})
	err = errors.Join(err, b.c.Close())
	c := b.home.Command(ctx, "stop")
	c.Stdout, c.Stderr = nil, os.Stderr
	return errors.Join(err, c.Run())
}
