package main

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/windowv1"
)

// panelViews are what --panel takes.
func panelViews() []string { return []string{"permissions", "activity"} }

func studioVerb() *verb {
	return &verb{
		name: "studio", short: "open Bailey Studio in a window",
		long: []string{
			"Opens Studio on this desktop and waits until it is closed; Ctrl-C closes it, and so does `bailey stop`. Where it is open already, brings its window to the front and ends at once. Should the core crash or be killed meanwhile, a notice says so on the desktop and the command ends with code 5. The page runs in a sandbox without files or network: what it may read you choose in the window.",
			"It needs an ordinary user and a display of this machine (Wayland or X11). Everything else works on the terminal without.",
		},
		examples: []example{
			{"bailey studio", "opens Studio"},
			{"bailey studio --panel permissions", "opens Permissions alone: see and withdraw what is allowed"},
		},
		flags: []flag{
			{name: "panel", value: "PANEL", help: "open Permissions or Activity instead of Studio", words: panelViews()},
			flagJSON("JSON Lines: opened, shown, closed"), flagHome(),
		},
		run: studio,
	}
}

// windowJSON is a line of `studio --json`.
type windowJSON struct {
	Event string `json:"event"`
	// Raised and PID are of "opened".
	Raised *bool  `json:"raised,omitempty"`
	PID    uint32 `json:"pid,omitempty"`
	// Why is of "closed".
	Why string `json:"why,omitempty"`
}

func studio(ctx context.Context, c *cli, call *call) error {
	in := &windowv1.OpenRequest{App: "studio", Display: &windowv1.Display{
		Wayland: []byte(c.env.Wayland), X11: c.env.X11, Xauthority: []byte(c.env.XAuthority), SessionBus: c.env.SessionBus, Language: c.env.Language,
	}}
	if call.has("panel") {
		in.App, in.View = "panels", call.value("panel")
		if !slices.Contains(panelViews(), in.View) {
			return usage("there is no such panel", "the panels are "+strings.Join(panelViews(), " and "))
		}
	}
	if c.env.Wayland == "" && c.env.X11 == "" {
		return errs.New(errs.DisplayMissing, "cli.studio")
	}
	if _, err := os.Stat(c.env.XAuthority); err != nil {
		// A server that wants no cookie has none; Xlib goes without, too.
		in.Display.Xauthority = nil
	}
	cl, err := c.dial(ctx, call, true)
	if err != nil {
		return err
	}
	defer cl.Close()
	s, err := cl.Window.Open(ctx, in)
	if err != nil {
		return err
	}
	// What ends the call closes the window.
	defer s.Close()
	ours := false
	for {
		r, err := s.Recv()
		switch {
		// Exactly: the error of a core that went away is around io.EOF too.
		case err == io.EOF:
			return nil
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			if ours && errs.CodeOf(err) == errs.CoreUnavailable {
				c.tellGone(ctx, call, in.GetDisplay())
			}
			return err
		}
		// Of a window that was open already tells who opened it.
		ours = r.GetClosed() == nil && (ours || r.GetOpened() != nil && !r.GetOpened().GetRaised())
		if err := c.windowEvent(r); err != nil {
			return err
		}
	}
}

// windowEvent prints what became of the window; for people a line on a terminal,
// where otherwise nothing would be seen.
func (c *cli) windowEvent(r *windowv1.OpenResponse) error {
	var line windowJSON
	text := ""
	switch {
	case r.GetOpened() != nil:
		raised := r.GetOpened().GetRaised()
		line = windowJSON{Event: "opened", Raised: &raised, PID: r.GetOpened().GetPid()}
		text = "The window is open. Close it, or press Ctrl-C here.\n"
		if raised {
			text = "The window was open already; it was brought to the front.\n"
		}
	case r.GetShown() != nil:
		line = windowJSON{Event: "shown"}
	case r.GetClosed() != nil:
		line = windowJSON{Event: "closed", Why: r.GetClosed().GetWhy()}
	}
	if c.json {
		if err := c.printJSON(line); err != nil {
			return err
		}
	} else if c.screen.columns > 0 {
		c.out.WriteString(text)
	}
	return c.out.Flush()
}
