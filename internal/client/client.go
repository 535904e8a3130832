// Package client is the way from a client (the command line, later the window)
// to the core of its user and home: it connects, checks who is at the other end
// and that both are of one release, and starts the core when nobody listens.
//
// It refuses a socket that another user serves, a core of another release, and a
// core that is not part of this installation: bailey-core is looked for beside
// the running program and in ../libexec/bailey of it, never in PATH. It grants
// nothing and keeps no state; a connection's end ends its tasks in the core.
//
// Two clients that start the core at once both succeed: the lock in the state
// directory lets one core live, the other says "taken", and its client connects
// to the first.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/launch"
	"github.com/bailey-run/bailey/internal/plat/peer"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/sandboxv1"
	"github.com/bailey-run/bailey/internal/wire/storev1"
	"github.com/bailey-run/bailey/internal/wire/windowv1"
)

// Client is a connection to the core on which Hello has been said.
type Client struct {
	Core  *corev1.CoreServiceClient
	Grant *grantv1.GrantServiceClient
	Audit *auditv1.AuditServiceClient
	Index *indexv1.IndexServiceClient
	// Model is the store of models, Engine what runs one, Store what the app keeps.
	Model  *modelv1.ModelServiceClient
	Engine *enginev1.EngineServiceClient
	Store  *storev1.StoreServiceClient
	// Sandbox runs a program of the person's own.
	Sandbox *sandboxv1.SandboxServiceClient
	// Window shows apps.
	Window *windowv1.WindowServiceClient
	// PID is the core's process, by the kernel's word.
	PID int

	conn *ipc.Conn
}

// Options say how to reach the core.
type Options struct {
	// Release is this client's own, see package release.
	Release string
	// Core is the absolute path of bailey-core; empty = never start one.
	Core string
	// Env is what a started core gets, see [env.Env.ForCore].
	Env []string
	Log *slog.Logger
}

// NotRunning is the error of [Dial] when no core runs and none was to be
// started.
type NotRunning struct{}

func (NotRunning) Error() string { return "no core is running" }

// Dial returns a connection to the core of h, starting it when need be. Its
// errors are NotRunning, or have the codes core-unavailable,
// release-mismatch, or what kept the core from starting (home-unusable,
// audit-log-broken, …).
func Dial(ctx context.Context, h *home.Home, o Options) (_ *Client, err error) {
	deadline, cancel := context.WithTimeout(ctx, limits.CoreStart)
	defer cancel()
	lost, starts, wait, taken := 0, 0, time.Duration(0), false
	defer func() {
		if err != nil && taken && ctx.Err() == nil && deadline.Err() != nil {
			err = errs.Wrap(errs.CoreUnavailable, "client.dial", err).With("one of this home runs, and takes no connection").
				WithHint("run `bailey stop`, which ends it")
		}
	}()
	for {
		c, err := connect(deadline, h, o)
		if err != nil && errs.CodeOf(err) == errs.CoreUnavailable && !peer.Absent(err) && lost < limits.CoreLost {
			// It was about to end when we came: the next look finds nobody.
			lost++
			if err := pause(deadline, limits.CoreRetry); err != nil {
				return nil, orTimeout(ctx, deadline, err)
			}
			continue
		}
		if !peer.Absent(err) {
			return c, orTimeout(ctx, deadline, err)
		}
		if o.Core == "" {
			return nil, NotRunning{}
		}
		if starts == limits.CoreStarts {
			return nil, errs.New(errs.CoreUnavailable, "client.dial").
				With(fmt.Sprintf("it was started %d times and ended each time before it answered", starts))
		}
		if wait > 0 {
			// Another client's core holds the lock and does not listen yet, or
			// one that listened has just ended.
			if err := pause(deadline, wait); err != nil {
				return nil, orTimeout(ctx, deadline, err)
			}
		}
		wait = min(max(2*wait, limits.CoreRetry), limits.CoreRetryMost)
		outcome, err := launch.Start(deadline, launch.Command{Path: o.Core, Args: coreArgs(h), Env: o.Env})
		if err != nil {
			return nil, orTimeout(ctx, deadline, explain(err))
		}
		if taken = outcome == launch.Taken; !taken {
			starts++
		}
	}
}

// coreArgs is how a core is started for a home.
func coreArgs(h *home.Home) []string {
	args := []string{"--ready-fd", "3"}
	if h.Dir != "" {
		args = append(args, "--home", h.Dir)
	}
	return args
}

func connect(ctx context.Context, h *home.Home, o Options) (*Client, error) {
	sock, p, err := peer.Dial(h.Socket)
	if err != nil {
		return nil, err
	}
	conn := ipc.New(sock, ipc.Options{Gone: errs.CoreUnavailable, Log: o.Log})
	c := Over(conn)
	c.PID = p.PID
	reply, err := c.Core.Hello(ctx, &corev1.HelloRequest{Release: o.Release})
	if err == nil && reply.GetRelease() != o.Release {
		err = errs.New(errs.ReleaseMismatch, "client.hello").
			With(fmt.Sprintf("the core is %s, this is %s", reply.GetRelease(), o.Release))
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// Over is a client on a connection that is there already: that of a test, or one
// on which Hello is still to be said.
func Over(conn *ipc.Conn) *Client {
	return &Client{
		Core: corev1.NewCoreServiceClient(conn), Grant: grantv1.NewGrantServiceClient(conn),
		Audit: auditv1.NewAuditServiceClient(conn), Index: indexv1.NewIndexServiceClient(conn),
		Model: modelv1.NewModelServiceClient(conn), Engine: enginev1.NewEngineServiceClient(conn),
		Store: storev1.NewStoreServiceClient(conn), Window: windowv1.NewWindowServiceClient(conn),
		Sandbox: sandboxv1.NewSandboxServiceClient(conn), conn: conn,
	}
}

// Close ends the connection, and with it this client's tasks. Idempotent.
func (c *Client) Close() error { return c.conn.Close() }

// Stop ends the core of h, whatever its release, and waits until its process is
// gone. It reports false if none was running.
func Stop(ctx context.Context, h *home.Home) (bool, error) {
	sock, _, err := peer.Dial(h.Socket)
	if peer.Absent(err) {
		return stopHolder(ctx, h)
	}
	if err != nil {
		return false, err
	}
	defer sock.Close()
	return true, peer.End(ctx, sock)
}

// stopHolder is Stop for a core that does not listen where we look: one that is
// still starting, or has lost its socket. It holds the lock.
func stopHolder(ctx context.Context, h *home.Home) (bool, error) {
	state, err := safefile.OpenDir(h.State)
	if err != nil {
		return false, err
	}
	defer state.Close()
	for met := false; ; met = true {
		held, pid, err := state.Holder(home.LockName)
		if !held {
			return met, err
		}
		if err == nil && pid > 0 {
			ended, err := peer.EndPID(ctx, pid, func() bool { return isCore(pid, h) })
			if ended || err != nil {
				return true, err
			}
		}
		// It has not written its number yet, or is ending.
		if pause(ctx, limits.CoreRetryMost) != nil {
			return true, errs.Wrap(errs.CoreUnavailable, "client.stop", err).With("one of this home runs and cannot be ended: nothing tells which process it is").
				WithHint("look for bailey-core in `ps`, and end it")
		}
	}
}

// isCore reports whether a process is by its command line a core of h.
func isCore(pid int, h *home.Home) bool {
	args, err := proc.Cmdline(pid)
	if err != nil || len(args) == 0 || filepath.Base(args[0]) != coreName {
		return false
	}
	return slices.Contains(args, "--home") == (h.Dir != "") && (h.Dir == "" || slices.Contains(args, h.Dir))
}

const coreName = "bailey-core"

// FindCore returns the path of the bailey-core that belongs to the program at
// self: beside it, or in ../libexec/bailey.
func FindCore(self string) (string, error) {
	dir := filepath.Dir(self)
	for _, p := range []string{filepath.Join(dir, coreName), filepath.Join(dir, "..", "libexec", "bailey", coreName)} {
		if launch.Executable(p) {
			return p, nil
		}
	}
	return "", errs.New(errs.CoreUnavailable, "client.find-core").
		With("bailey-core is not beside bailey in " + dir).
		WithHint("install Bailey again: bailey, bailey-core and bailey-worker belong together")
}

// pause waits for d before the next look, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// orTimeout gives an error that came from the end of a context its code: the
// caller's own end is a cancellation, ours a core that did not come.
func orTimeout(outer, inner context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case outer.Err() != nil:
		return errs.Wrap(errs.Cancelled, "client.dial", err)
	case inner.Err() != nil:
		return errs.Wrap(errs.CoreUnavailable, "client.dial", err).With("it did not answer in time")
	}
	return err
}

// explain turns what a core that failed to start wrote into its error. Its last
// words are one JSON object as every command prints it for --json; anything
// else (a crash) is core-unavailable with the first line.
func explain(err error) error {
	var f *launch.Failed
	if !errors.As(err, &f) {
		return err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(f.Stderr), "\n")
	var said struct {
		Error struct{ Code, Message, Hint string }
	}
	if json.Unmarshal([]byte(first), &said) == nil && errs.Known(errs.Code(said.Error.Code)) {
		e := errs.Wrap(errs.Code(said.Error.Code), "client.start-core", err)
		e.Detail, _ = strings.CutPrefix(said.Error.Message, e.Message()+": ")
		if e.Detail == said.Error.Message {
			e.Detail = ""
		}
		e.Hint = said.Error.Hint
		return e
	}
	detail := fmt.Sprintf("it ended at once, with code %d", f.Exit)
	if first != "" {
		detail += ", saying: " + first
	}
	return errs.Wrap(errs.CoreUnavailable, "client.start-core", err).With(detail)
}
