// Command revoke measures how fast what was allowed ends: from a client's call
// to revoke a grant until the worker that reads with it is dead, as the kernel
// says on a pidfd, while the worker is busy in two threads or more; and from
// SIGINT to the exit of `bailey summarize` in the midst of its work. The peer is
// the floor: SIGKILL of a plain process that is busy in two threads, seen the
// same way, in turns.
//
//	cd bench/revoke && go run . [-n 250] [-o FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/bench/corpus"
	"github.com/bailey-run/bailey/bench/live"
	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// spinName is the argument that makes this program the busy one.
const spinName = "spin"

// busy is how many threads of a worker must be at work when it is ended.
const busy = 2

func main() {
	if len(os.Args) == 2 && os.Args[1] == spinName {
		spin()
	}
	var o options
	os.Exit(live.Main("revoke", func(f *flag.FlagSet) {
		f.IntVar(&o.n, "n", 250, "workers to end")
		f.IntVar(&o.interrupts, "interrupts", 60, "commands to interrupt")
		f.Int64Var(&o.mb, "mb", 200, "MB of text in the folder: what keeps a worker busy long enough")
	}, func(ctx context.Context, s live.Stage, dir string) (rows.Part, error) { return measure(ctx, s, dir, o) }))
}

type options struct {
	n, interrupts int
	mb            int64
}

// spin works in two threads until it is killed, or who started it is gone.
func spin() {
	for range busy {
		go func() {
			for n := 0; ; n++ {
				_ = n * n
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func measure(ctx context.Context, s live.Stage, dir string, o options) (p rows.Part, err error) {
	texts, err := corpus.Load(s.Collections())
	if err != nil {
		return p, err
	}
	folder := filepath.Join(dir, "folder")
	if _, err := corpus.Copies(folder, texts, o.mb*1e6); err != nil {
		return p, err
	}
	h, err := s.NewHome(ctx, dir)
	if err != nil {
		return p, err
	}
	c, err := h.Dial(ctx)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, c.Close(), live.Ended(ctx, c.PID)) }()
	p = rows.Part{Raw: map[string][]float64{}, Notes: map[string]any{"workers ended": o.n, "threads busy, at least": busy, "commands interrupted": o.interrupts}}
	keep := func(name string, d time.Duration) { p.Raw[name] = append(p.Raw[name], rows.Milliseconds(d)) }
	for range o.n {
		death, answer, err := revoke(ctx, c, folder)
		if err != nil {
			return p, err
		}
		keep("death, ms", death)
		keep("answer, ms", answer)
		bare, err := kill(ctx, s)
		if err != nil {
			return p, err
		}
		keep("bare, ms", bare)
	}
	for range o.interrupts {
		took, err := interrupt(ctx, h, c.PID, folder)
		if err != nil {
			return p, err
		}
		keep("interrupt, ms", took)
	}
	for _, q := range []struct {
		name              string
		q                 float64
		revoke, interrupt string
	}{{"p50", 0.5, "", ""}, {"p99", 0.99, "<= 10", "<= 200"}} {
		of := func(name string) float64 { return rows.Quantile(p.Raw[name+", ms"], q.q) }
		p.Rows = append(p.Rows,
			rows.New("revoke/from the call to the worker's death, "+q.name, of("death"), "ms", q.revoke).Beside("SIGKILL of a busy plain process", of("bare")),
			rows.New("revoke/from the call to its answer, on the record, "+q.name, of("answer"), "ms", ""),
			rows.New("revoke/from Ctrl-C to the command's exit, "+q.name, of("interrupt"), "ms", q.interrupt))
	}
	return p, nil
}

// revoke lets a worker read the folder and ends it.
func revoke(ctx context.Context, c *client.Client, folder string) (death, answer time.Duration, err error) {
	q, err := live.Propose(ctx, c, "summarize", folder)
	if err != nil {
		return 0, 0, err
	}
	g, err := q.Yes(ctx, c)
	if err != nil {
		return 0, 0, err
	}
	stream, err := c.Index.Summarize(ctx, &indexv1.SummarizeRequest{Grant: g.Handle, MaxSentences: 40})
	if err != nil {
		return 0, 0, err
	}
	defer stream.Close()
	reads := make(chan error, 1)
	go func() {
		for {
			if _, err := stream.Recv(); err != nil {
				reads <- err
				return
			}
		}
	}()
	kids, err := proc.Children(c.PID)
	if err != nil || len(kids) != 1 {
		return 0, 0, fmt.Errorf("the core has the workers %v: %w", kids, err)
	}
	if err := atWork(ctx, kids[0]); err != nil {
		return 0, 0, err
	}
	answered := make(chan error, 1)
	death, err = dies(kids[0], func(begin time.Time) error {
		go func() {
			_, err := c.Grant.Revoke(ctx, &grantv1.RevokeRequest{Id: g.Id})
			answer = time.Since(begin)
			answered <- err
		}()
		return nil
	})
	if err = errors.Join(err, <-answered); err != nil {
		return 0, 0, err
	}
	if err := <-reads; err == io.EOF {
		return 0, 0, errors.New("the worker had ended its work by itself")
	}
	return death, answer, q.End(ctx, c)
}

// kill ends the peer.
func kill(ctx context.Context, s live.Stage) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, s.Self(), spinName)
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if err := atWork(ctx, cmd.Process.Pid); err != nil {
		return 0, err
	}
	took, err := dies(cmd.Process.Pid, func(time.Time) error { return cmd.Process.Kill() })
	// The error is that it was killed.
	_ = cmd.Wait()
	return took, err
}

// dies calls end and returns how long after it the process is dead.
func dies(pid int, end func(begin time.Time) error) (time.Duration, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	begin := time.Now()
	if err := end(begin); err != nil {
		return 0, err
	}
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 5000)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, fmt.Errorf("process %d lives on", pid)
		default:
			return time.Since(begin), nil
		}
	}
}

// atWork waits until enough threads of a process use a processor.
func atWork(ctx context.Context, pid int) error {
	before, err := used(pid)
	if err != nil {
		return err
	}
	return live.Until(ctx, fmt.Sprintf("%d threads of %d to be at work", busy, pid), func() (bool, error) {
		now, err := used(pid)
		n := 0
		for t, d := range now {
			if d-before[t] >= time.Millisecond {
				n++
			}
		}
		if n < busy {
			return false, err
		}
		before = now
		return true, err
	})
}

// used is the processor time of each thread.
func used(pid int) (map[string]time.Duration, error) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	es, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := map[string]time.Duration{}
	for _, e := range es {
		b, err := os.ReadFile(filepath.Join(dir, e.Name(), "schedstat"))
		if err != nil {
			continue // ended meanwhile
		}
		first, _, _ := strings.Cut(string(b), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return nil, err
		}
		out[e.Name()] = time.Duration(ns)
	}
	return out, nil
}

// interrupt presses Ctrl-C in the midst of a command's work.
func interrupt(ctx context.Context, h *live.Home, core int, folder string) (time.Duration, error) {
	cmd := h.Command(ctx, "summarize", folder, "--allow-read", folder)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var worker int
	err := live.Until(ctx, "a worker", func() (bool, error) {
		kids, err := proc.Children(core)
		if err != nil || len(kids) != 1 {
			return false, err
		}
		worker = kids[0]
		return true, nil
	})
	if err == nil {
		err = atWork(ctx, worker)
	}
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		return 0, err
	}
	werr := cmd.Wait()
	took := time.Since(begin)
	if cmd.ProcessState.Success() {
		return 0, fmt.Errorf("the command was done: %w", werr)
	}
	return took, live.Ended(ctx, worker)
}
