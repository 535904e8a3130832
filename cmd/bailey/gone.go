package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/hosts"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/launch"
	"github.com/bailey-run/bailey/internal/prompthost"
	"github.com/bailey-run/bailey/internal/wire/windowv1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// tellGone shows a notice that the core is gone. The window was killed with it, so
// that nothing of a page outlives the core, and who opened it is the only one left
// to tell the person. Where it cannot be shown there is the line on the terminal,
// which comes in any case.
func (c *cli) tellGone(ctx context.Context, call *call, on *windowv1.Display) {
	d := desktop.Display{
		Wayland: string(on.GetWayland()), X11: on.GetX11(), XAuthority: string(on.GetXauthority()), SessionBus: on.GetSessionBus(), Language: on.GetLanguage(),
	}
	h, err := home.Open(c.homeOptions(call))
	if err != nil {
		return
	}
	program, err := openBeside(workerspec.PromptProgram)
	if err != nil {
		return
	}
	defer program.Close()
	stub, err := openBeside(workerspec.WorkerProgram)
	if err != nil {
		return
	}
	defer stub.Close()
	accessibility := ""
	if p, err := desktop.StartA11yProxy(ctx, d, h.Runtime, stub); err == nil {
		defer p.Close()
		accessibility = p.Path
	}
	shown, err := hosts.Start(ctx, hosts.Prompt, hosts.Options{Display: d, Accessibility: accessibility, Runtime: h.Runtime, Program: program, Stub: stub})
	if err != nil {
		return
	}
	defer shown.Kill()
	defer shown.Conn.Close()
	// Whether it was closed or nobody saw it makes no difference.
	_, _ = prompthost.Ask(ctx, shown.Conn, goneSheet(prompt.LanguageOf(d.Language), settingsNow(ctx, d)))
}

// goneSheet has the words of the notice.
func goneSheet(l prompt.Language, s desktop.Settings) prompthost.Sheet {
	n := l.Gone()
	hash := sha256.Sum256([]byte(n.Heading + n.Text))
	return prompthost.Sheet{
		Title: n.Title, Heading: n.Heading, Denies: []string{n.Text}, No: n.Close, Timeout: limits.NoticeTimeout, Hash: hex.EncodeToString(hash[:]),
		Look: prompthost.Look{Scheme: s.Scheme, Scale: uint32(s.TextScale), Language: l.Tag(), HighContrast: s.Contrast != "", ReducedMotion: s.Motion != ""},
	}
}

// settingsNow asks the desktop how it wants windows to look, and does not wait
// long for it.
func settingsNow(ctx context.Context, d desktop.Display) desktop.Settings {
	ctx, stop := context.WithTimeout(ctx, limits.WindowSettings)
	defer stop()
	now := make(chan desktop.Settings, 1)
	go desktop.Watch(ctx, d, func(s desktop.Settings) {
		select {
		case now <- s:
		default:
		}
	})
	select {
	case s := <-now:
		return s
	case <-ctx.Done():
		return desktop.Defaults()
	}
}

// openBeside opens a program of this installation.
func openBeside(name string) (*os.File, error) {
	self, err := launch.Self()
	if err != nil {
		return nil, err
	}
	core, err := client.FindCore(self)
	if err != nil {
		return nil, err
	}
	return os.Open(filepath.Join(filepath.Dir(core), name))
}
