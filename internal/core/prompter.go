package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/hosts"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/prompthost"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/window"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// prompter shows questions: for each one process, which knows nothing but the
// sheet, is shown where the window of the asking page is, and is ended with the
// answer. What comes from it is checked here and again by the desk.
type prompter struct {
	// screen says where the window of a session is shown; nil where there are no
	// windows.
	screen func(*session.Session) (desktop.Display, window.Settings, string, bool)
	// start starts the process.
	start func(ctx context.Context, d desktop.Display, accessibility string) (*shown, error)
	log   *slog.Logger
}

// shown is a running prompt.
type shown struct {
	conn prompthost.Conn
	// kill ends it and returns when it is gone.
	kill func()
	// ended says how it did, for the log; valid after kill.
	ended func() []any
}

// Ask implements the Prompter of service/grant. It returns once the prompt is off
// the screen.
func (p *prompter) Ask(ctx context.Context, s *session.Session, q prompt.Question, hash [sha256.Size]byte) (consent.Said, error) {
	const op = "core.ask"
	if p.screen == nil {
		return consent.Said{}, errs.New(errs.DisplayMissing, op)
	}
	d, settings, accessibility, ok := p.screen(s)
	if !ok {
		return consent.Said{}, errs.New(errs.DisplayMissing, op)
	}
	q.Language = prompt.LanguageOf(d.Language)
	sheet, err := q.Sheet(hash, d.Wayland == "")
	if err != nil {
		return consent.Said{}, err
	}
	h, err := p.start(ctx, d, accessibility)
	if err != nil {
		p.log.Warn("a prompt did not start", "error", err)
		return consent.Said{}, err
	}
	r, err := prompthost.Ask(ctx, h.conn, onWire(sheet, settings))
	h.kill()
	if err != nil && ctx.Err() == nil {
		p.log.Warn("a prompt gave no answer", append(h.ended(), "error", err)...)
	}
	said := consent.Said{Rows: r.Rows, Hash: hash}
	switch {
	case err != nil && r.Word == prompthost.TimedOut:
		return consent.Said{Outcome: consent.Unanswered}, nil
	case err != nil:
		return consent.Said{}, err
	case r.Yes:
		said.Outcome = consent.Yes
	case r.Word == prompthost.Denied, r.Word == prompthost.Closed:
		said.Outcome = consent.No
	case r.Word == prompthost.TimedOut:
		said.Outcome = consent.Unanswered
	}
	return said, nil
}

// onWire adds to a sheet how the desktop wants it to look.
func onWire(s prompt.Sheet, look window.Settings) prompthost.Sheet {
	out := prompthost.Sheet{
		Title: s.Title, Heading: s.Heading, Denies: s.Denies, Stop: []string{s.Stop}, Yes: s.Yes, No: s.No,
		Inert: s.Inert, Timeout: s.Timeout, Hash: hex.EncodeToString(s.Hash[:]), NeverEnter: s.NoEnter,
		Unread: s.More, Wait: s.Delay, Warning: s.Warning,
		Look: prompthost.Look{Scale: look.Scale, Language: s.Language.Tag(), HighContrast: look.HighContrast, ReducedMotion: look.ReducedMotion},
	}
	switch look.Scheme {
	case surfacev1.Scheme_SCHEME_DARK:
		out.Scheme = "dark"
	case surfacev1.Scheme_SCHEME_LIGHT:
		out.Scheme = "light"
	}
	for _, g := range s.Groups {
		group := prompthost.Group{Heading: g.Heading}
		for _, r := range g.Rows {
			group.Rows = append(group.Rows, prompthost.Row{Ticked: r.Ticked, Fixed: r.Fixed, Object: r.Object, Details: r.Details})
		}
		out.Groups = append(out.Groups, group)
	}
	return out
}

// startPrompt starts bailey-prompt, confined.
func (c *Core) startPrompt(ctx context.Context, d desktop.Display, accessibility string) (*shown, error) {
	h, err := hosts.Start(ctx, hosts.Prompt, hosts.Options{
		Display: d, Accessibility: accessibility, Runtime: c.cfg.RuntimeDir, Program: c.cfg.Programs[workerspec.PromptProgram], Stub: c.cfg.Programs[workerspec.WorkerProgram],
	})
	if err != nil {
		return nil, err
	}
	return &shown{
		conn: h.Conn,
		kill: func() { h.Conn.Close(); h.Kill() },
		ended: func() []any {
			// Not the words: they may have a path in them.
			return []any{"code", h.Exit().Code, "signal", h.Exit().Signal, "bytes", len(h.Words())}
		},
	}, nil
}

// appName is what a person is told who asks.
func appName(id string) string {
	if a, ok := apps.Find(id); ok {
		return a.Name
	}
	return id
}

// appAllows is the ceiling of an app: a kind beyond it is not asked about.
func appAllows(id string, k policyv1.Kind) bool {
	a, ok := apps.Find(id)
	return ok && a.Allows(k)
}
