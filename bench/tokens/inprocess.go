package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/llama"
)

// child is the arm in-process: the binding called by the program that asks, with
// neither sandbox nor wire.
type child struct {
	libs   string
	before int64
	lib    engine.Library
	model  engine.Model
}

func runChild(libs string, in io.Reader, out io.Writer) error {
	before, err := live.Memory(os.Getpid(), "VmRSS")
	if err != nil {
		return err
	}
	c := &child{libs: libs, before: before}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		begin := time.Now()
		a, err := c.do(o, begin)
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if a.Took == 0 {
			a.Took = since(begin)
		}
		b, err := json.Marshal(a)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return lines.Err()
}

func since(t time.Time) float64 { return float64(time.Since(t).Nanoseconds()) / 1e6 }

func (c *child) do(o order, begin time.Time) (a answer, err error) {
	ctx := context.Background()
	switch o.Do {
	case "load":
		if c.lib == nil {
			if c.lib, err = llama.Open(c.libs); err != nil {
				return a, err
			}
		}
		f, err := os.Open(o.Path)
		if err != nil {
			return a, err
		}
		c.model, err = c.lib.Load(ctx, f, engine.Options{Context: o.Context, Parallel: o.Parallel, Threads: o.Threads, Embedding: o.Embedding}, nil)
		if err != nil {
			return a, err
		}
		return answer{Threads: c.model.Info().Threads}, nil
	case "unload":
		return a, c.model.Close()
	case "generate":
		return c.generate(ctx, o.Prompt, o.Most, begin)
	case "parallel":
		return together(o.Prompts, func(p string) (answer, error) { return c.generate(ctx, p, o.Most, begin) })
	case "cancel":
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		asked := time.Time{}
		time.AfterFunc(time.Duration(o.After*float64(time.Millisecond)), func() { asked = time.Now(); stop() })
		_, err := c.generate(ctx, o.Prompt, o.Most, begin)
		if !errors.Is(err, errs.New(errs.Cancelled, "")) {
			return a, errors.Join(err, errors.New("it was not cancelled"))
		}
		return answer{Took: since(asked)}, nil
	case "embed":
		n := 0
		err := c.model.Embed(ctx, o.Prompts, false, func(_ []float32, tokens, _ int) error { n += tokens; return nil })
		return answer{Prompt: n, Last: since(begin)}, err
	case "memory":
		rss, err := live.Memory(os.Getpid(), "VmRSS")
		return answer{Before: c.before, RSS: rss}, err
	}
	return a, errors.New("no such order: " + o.Do)
}

func (c *child) generate(ctx context.Context, text string, most int, begin time.Time) (a answer, err error) {
	p, err := c.model.Tokenize(text, true)
	if err != nil {
		return a, err
	}
	if i := c.model.Info(); i.AddBOS && i.BOS != "" {
		b, err := c.model.Tokenize(i.BOS, true)
		if err != nil {
			return a, err
		}
		p = append(b, p...)
	}
	r, err := c.model.Generate(ctx, engine.Request{Owner: 1, Prompt: p, Sampling: engine.Sampling{Greedy: true}, MaxTokens: most}, func(e engine.Event) error {
		if e.Out == nil {
			return nil
		}
		a.Last = since(begin)
		if a.Out++; a.Out == 1 {
			a.First = a.Last
		}
		return nil
	})
	a.Prompt, a.Reused = r.Prompt, r.Reused
	return a, err
}

// together runs several generations at once: the tokens of all, the first's
// first and the last's last.
func together(prompts []string, one func(string) (answer, error)) (all answer, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, p := range prompts {
		wg.Go(func() {
			a, e := one(p)
			mu.Lock()
			defer mu.Unlock()
			err = errors.Join(err, e)
			all.Prompt, all.Reused, all.Out = all.Prompt+a.Prompt, all.Reused+a.Reused, all.Out+a.Out
			all.Last = max(all.Last, a.Last)
			if all.First == 0 || a.First < all.First {
				all.First = a.First
			}
		})
	}
	wg.Wait()
	return all, err
}
