package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// order is what an arm is asked to do, a line of JSON where it is a process.
type order struct {
	Do        string `json:"do"`
	Path      string `json:"path,omitempty"`
	Threads   int    `json:"threads,omitempty"`
	Context   int    `json:"context,omitempty"`
	Parallel  int    `json:"parallel,omitempty"`
	Embedding bool   `json:"embedding,omitempty"`
	// Prompt and Most tokens of one generation; Prompts of several at once.
	Prompt  string   `json:"prompt,omitempty"`
	Prompts []string `json:"prompts,omitempty"`
	Most    int      `json:"most,omitempty"`
	// Keep lets the arm use what it has of the prompt.
	Keep bool `json:"keep,omitempty"`
	// After so many milliseconds the generation is cancelled.
	After float64 `json:"after,omitempty"`
}

// answer of an arm; times in milliseconds from the order.
type answer struct {
	Error   string  `json:"error,omitempty"`
	Threads int     `json:"threads,omitempty"`
	Prompt  int     `json:"prompt,omitempty"`
	Reused  int     `json:"reused,omitempty"`
	Out     int     `json:"out,omitempty"`
	First   float64 `json:"first,omitempty"`
	Last    float64 `json:"last,omitempty"`
	// Took is how long a cancelled call went on, or a whole order.
	Took float64 `json:"took,omitempty"`
	// RSS in bytes: before the library was opened, and now.
	Before int64 `json:"before,omitempty"`
	RSS    int64 `json:"rss,omitempty"`
}

// read and wrote are tokens a second.
func (a answer) read() float64  { return float64(a.Prompt-a.Reused) / a.First * 1e3 }
func (a answer) wrote() float64 { return float64(a.Out-1) / (a.Last - a.First) * 1e3 }

// arm is one way to run a model.
type arm interface {
	name() string
	do(ctx context.Context, o order) (answer, error)
	// pid of the process that holds the model; 0 = none.
	pid(ctx context.Context) (int, error)
	close() error
}

// process is an arm behind a pipe.
type process struct {
	called string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
}

func start(called string, cmd *exec.Cmd) (*process, error) {
	p := &process{called: called, cmd: cmd}
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	p.out = bufio.NewScanner(out)
	p.out.Buffer(nil, 1<<20)
	return p, cmd.Start()
}

func (p *process) name() string                     { return p.called }
func (p *process) pid(context.Context) (int, error) { return p.cmd.Process.Pid, nil }

func (p *process) do(ctx context.Context, o order) (a answer, err error) {
	b, err := json.Marshal(o)
	if err != nil {
		return a, err
	}
	// A peer that does not come back is ended, not waited for.
	stop := context.AfterFunc(ctx, func() { p.cmd.Process.Kill() })
	defer stop()
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		return a, err
	}
	if !p.out.Scan() {
		return a, fmt.Errorf("%s ended: %w", p.called, errors.Join(p.out.Err(), ctx.Err()))
	}
	if err := json.Unmarshal(p.out.Bytes(), &a); err != nil {
		return a, fmt.Errorf("%s: %q: %w", p.called, p.out.Text(), err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s: %s", p.called, a.Error)
	}
	return a, nil
}

func (p *process) close() error {
	p.in.Close()
	t := time.AfterFunc(10*time.Second, func() { p.cmd.Process.Kill() })
	defer t.Stop()
	return p.cmd.Wait()
}
