package main

import (
	"context"
	"fmt"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/launch"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/wire/corev1"
)

func (c *cli) homeOptions(call *call) home.Options {
	return home.Options{Dir: call.value("home"), Env: c.env}
}

// dial opens the home and connects to its core; start says whether one may be
// started.
func (c *cli) dial(ctx context.Context, call *call, start bool) (*client.Client, error) {
	h, err := home.Open(c.homeOptions(call))
	if err != nil {
		return nil, err
	}
	o := client.Options{Release: release.Version(), Env: c.env.ForCore()}
	if start {
		self, err := launch.Self()
		if err != nil {
			return nil, err
		}
		if o.Core, err = client.FindCore(self); err != nil {
			return nil, err
		}
	}
	return client.Dial(ctx, h, o)
}

// stopJSON is `stop --json`.
type stopJSON struct {
	Running bool   `json:"running"`
	Tasks   uint32 `json:"tasks"`
}

// stop ends the tasks as the core's own client, so that each is on the record,
// and then the core. One of another release, or one that does not answer, is
// ended all the same.
func stop(ctx context.Context, c *cli, call *call) error {
	h, err := home.Open(c.homeOptions(call))
	if err != nil {
		return err
	}
	var said stopJSON
	polite, cancel := context.WithTimeout(ctx, limits.CoreAnswer)
	if cl, err := client.Dial(polite, h, client.Options{Release: release.Version()}); err == nil {
		if r, err := cl.Core.StopTask(polite, &corev1.StopTaskRequest{}); err == nil {
			said.Tasks = r.GetStopped()
		}
		_ = cl.Close()
	}
	cancel()
	ctx, cancel = context.WithTimeout(ctx, limits.CoreGone)
	defer cancel()
	if said.Running, err = client.Stop(ctx, h); err != nil {
		if errs.CodeOf(err) == errs.Deadline {
			return errs.Wrap(errs.CoreUnavailable, "cli.stop", err).With("the core does not end, not even killed").WithHint("its process hangs in the system: see `ps`, and the disk")
		}
		return err
	}
	return c.stopped(said)
}

func (c *cli) stopped(said stopJSON) error {
	if c.json {
		return c.printJSON(said)
	}
	switch {
	case !said.Running && said.Tasks == 0:
		c.out.WriteString("Nothing was running.\n")
	case said.Tasks == 0:
		c.out.WriteString("Stopped.\n")
	default:
		fmt.Fprintf(c.out, "Stopped, with %s.\n", count(uint64(said.Tasks), "task"))
	}
	return nil
}
