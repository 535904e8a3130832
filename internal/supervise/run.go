package supervise

import (
	"context"
	"os"
	"slices"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/cgroup"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/plat/syslibs"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// RunOptions are what is run in the sandbox of a kind that is no worker of
// Bailey's.
type RunOptions struct {
	// Program is the file to execute: the copy of [sandbox.TakeProgram], or one of
	// the system's.
	Program *os.File
	// Foreign has its arguments and streams, Stderr is its standard error.
	Foreign *sandbox.Foreign
	Stderr  *os.File
	// Mounts are the directories of the spec; what is code the supervisor finds
	// itself.
	Mounts []sandbox.Mount
}

// Program is what was started by [Supervisor.Run].
type Program struct {
	proc *sandbox.Process
	done chan struct{}
	exit sandbox.Exit
	// ended is what its control group counted, nothing without one.
	ended cgroup.Ended
}

// Run starts anyone's program in the sandbox of a kind, and returns once it was
// executed, or leaves nothing and fails. Nothing is asked of it: it is no worker.
// The files stay the caller's, who closes those of the streams, or their ends will
// not show.
func (s *Supervisor) Run(ctx context.Context, kind string, o RunOptions) (*Program, error) {
	const op = "supervise.run"
	spec, ok := workerspec.For(kind)
	if !ok || spec.Class == workerspec.Host {
		return nil, errs.New(errs.NotSupported, op).With("no worker of kind " + kind)
	}
	code, err := syslibs.Open(spec, s.cfg.EngineDir)
	if err != nil {
		return nil, err
	}
	defer code.Close()
	// Descriptor 3 is a socket, as a worker has one, and nobody is at its other end.
	ours, conn, err := ipc.Socket()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ours.Close()
	leaf := s.leaf(ctx, spec, false)
	proc, err := sandbox.Start(ctx, sandbox.Config{
		Spec: spec.Foreign(), Worker: o.Program, Stub: s.cfg.Programs[workerspec.WorkerProgram], Conn: conn, Stderr: o.Stderr,
		Mounts: slices.Concat(code.Mounts, o.Mounts), Foreign: o.Foreign, Group: leaf.Dir(),
	})
	if err != nil {
		_, _ = leaf.End()
		return nil, err
	}
	p := &Program{proc: proc, done: make(chan struct{})}
	go func() {
		<-proc.Done()
		p.exit, _ = proc.Wait(context.Background())
		if p.ended, err = leaf.End(); err != nil {
			s.cfg.Log.Warn("a program's control group is left", "kind", kind, "error", err)
		}
		close(p.done)
	}()
	return p, nil
}

// Level is that of its sandbox, for people.
func (p *Program) Level() string { return p.proc.Spec().Level() }

// Done is closed when it is gone, with all that it started.
func (p *Program) Done() <-chan struct{} { return p.done }

// Exit is how it ended; valid after Done.
func (p *Program) Exit() sandbox.Exit { return p.exit }

// Layer is what killed it, empty where that is not known: that it died by a signal
// says nothing else.
func (p *Program) Layer() string {
	switch {
	case p.exit.Forbidden:
		return "seccomp"
	case p.exit.Signal != 0 && p.ended.Killed > 0:
		return string(workerspec.ControlGroup)
	case p.exit.Signal == fileTooLarge:
		return string(workerspec.ResourceLimits)
	}
	return ""
}

// fileTooLarge is SIGXFSZ, which the kernel sends for the limit of a file's size.
const fileTooLarge = 25

// Kill ends it at once, with all that it started, and returns when it is gone.
// Idempotent.
func (p *Program) Kill() {
	if err := p.proc.Kill(); err != nil {
		panic("BUG: a program cannot be killed: " + err.Error())
	}
	<-p.done
}
