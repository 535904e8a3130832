// Package live runs the real programs for the benchmarks: it copies them to a
// place that every user can read, gives each run a home of its own, reaches
// the core as a client does, and looks at the memory of the processes from
// outside. As root it also runs a benchmark again as an ordinary user.
package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// gone is how long a process may take to end before a run fails.
const gone = 20 * time.Second

// Stage is a directory that every user can read, with the programs, the
// collections and the running benchmark itself.
type Stage struct{ Dir string }

// Program is the path of one of the programs.
func (s Stage) Program(name string) string { return filepath.Join(s.Dir, "bin", name) }

// Self is the path of the running benchmark.
func (s Stage) Self() string { return s.Program("bench") }

// Collections is the directory of text.
func (s Stage) Collections() string { return filepath.Join(s.Dir, "collections") }

// Model is the path of the model that the benchmark was given.
func (s Stage) Model() string { return filepath.Join(s.Dir, "model.gguf") }

// Release asks the programs what they are.
func (s Stage) Release(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, s.Program("bailey"), "version").Output()
	return strings.TrimSpace(string(out)), err
}

// NewStage copies the programs of bin and the collections to a new directory
// below work.
func NewStage(work, bin, collections string) (s Stage, err error) {
	if s.Dir, err = os.MkdirTemp(work, "bailey-bench-"); err != nil {
		return s, err
	}
	self, err := os.Executable()
	if err == nil {
		err = errors.Join(os.Chmod(s.Dir, 0o755), os.Mkdir(filepath.Dir(s.Self()), 0o755))
	}
	for _, name := range []string{"bailey", "bailey-core", "bailey-worker"} {
		if err == nil {
			err = copyFile(s.Program(name), filepath.Join(bin, name))
		}
	}
	if err == nil {
		err = copyFile(s.Self(), self)
	}
	// What runs models is there when it was built, and its libraries when they
	// could be had.
	if _, missing := os.Stat(filepath.Join(bin, "bailey-engine")); err == nil && missing == nil {
		err = copyFile(s.Program("bailey-engine"), filepath.Join(bin, "bailey-engine"))
	}
	if engine := filepath.Join(bin, "engine"); err == nil {
		if _, missing := os.Stat(engine); missing == nil {
			err = os.CopyFS(s.Program("engine"), os.DirFS(engine))
		}
	}
	if err == nil && collections != "" {
		err = os.CopyFS(s.Collections(), os.DirFS(collections))
	}
	if err != nil {
		return s, errors.Join(err, s.Remove())
	}
	return s, nil
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

// Remove removes it with all that is in it.
func (s Stage) Remove() error { return os.RemoveAll(s.Dir) }

// Home is one Bailey: its state, and the programs that serve it.
type Home struct {
	stage   Stage
	release string
	Dir     string
}

// NewHome makes a home below dir.
func (s Stage) NewHome(ctx context.Context, dir string) (*Home, error) {
	release, err := s.Release(ctx)
	if err != nil {
		return nil, err
	}
	d, err := os.MkdirTemp(dir, "home-")
	if err != nil {
		return nil, err
	}
	return &Home{stage: s, release: release, Dir: d}, nil
}

// Command is the command line on this home.
func (h *Home) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, h.stage.Program("bailey"), append(args, "--home", h.Dir)...)
	cmd.Dir = "/"
	return cmd
}

// Dial connects to the home's core, starting it when need be.
func (h *Home) Dial(ctx context.Context) (*client.Client, error) {
	p, err := home.Open(home.Options{Dir: h.Dir, Env: env.Read()})
	if err != nil {
		return nil, err
	}
	return client.Dial(ctx, p, client.Options{Release: h.release, Core: h.stage.Program("bailey-core"), Env: env.Read().ForCore()})
}

// Question is a proposal that waits for its answer.
type Question struct {
	Task string
	q    *grantv1.ProposeResponse
}

// Propose begins a task and asks for a folder.
func Propose(ctx context.Context, c *client.Client, verb, folder string) (*Question, error) {
	t, err := c.Core.BeginTask(ctx, &corev1.BeginTaskRequest{Verb: verb})
	if err != nil {
		return nil, err
	}
	q, err := c.Grant.Propose(ctx, &grantv1.ProposeRequest{Task: t.Task, Wants: []*grantv1.Want{{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(folder)}}})
	return &Question{t.Task, q}, err
}

// Yes answers it as --allow-read does, and returns with the worker ready.
func (q *Question) Yes(ctx context.Context, c *client.Client) (*grantv1.Granted, error) {
	d, err := c.Grant.Decide(ctx, &grantv1.DecideRequest{
		Proposal: q.q.Proposal, ActionHash: q.q.ActionHash, DecidedBy: grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE, Accepted: []uint32{0},
	})
	if err != nil {
		return nil, err
	}
	if len(d.Grants) != 1 {
		return nil, fmt.Errorf("%d grants for one question", len(d.Grants))
	}
	return d.Grants[0], nil
}

// End ends the question's task.
func (q *Question) End(ctx context.Context, c *client.Client) error {
	_, err := c.Core.EndTask(ctx, &corev1.EndTaskRequest{Task: q.Task, Outcome: corev1.Outcome_OUTCOME_OK})
	return err
}

// Ended waits until a process is gone.
func Ended(ctx context.Context, pid int) error {
	return Until(ctx, fmt.Sprintf("process %d to end", pid), func() (bool, error) { return !proc.Alive(pid), nil })
}

// Until polls for a state outside this process.
func Until(ctx context.Context, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, gone)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}
