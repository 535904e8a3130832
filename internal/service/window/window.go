// Package window answers bailey.window.v1: a client has the core show an app.
// Handlers only translate; what they do stands in package window of the
// subsystems.
package window

import (
	"context"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/window"
	"github.com/bailey-run/bailey/internal/wire/windowv1"
)

// Service implements windowv1.WindowServiceServer.
type Service struct {
	Windows *window.Manager
	Clock   clock.Clock
	Record  window.Recorder
}

// Open implements windowv1.WindowServiceServer.
func (s *Service) Open(ctx context.Context, in *windowv1.OpenRequest, out *windowv1.WindowServiceOpenSender) error {
	began := s.Clock.Wall()
	if err := s.note(ctx, auditlog.Call, in.App, "", 0); err != nil {
		return err
	}
	err := s.open(ctx, in, out)
	code := "ok"
	if err != nil {
		code = string(errs.CodeOf(err))
	}
	if lerr := s.note(ctx, auditlog.CallEnd, in.App, code, s.Clock.Wall().Sub(began)); err == nil {
		err = lerr
	}
	return err
}

func (s *Service) open(ctx context.Context, in *windowv1.OpenRequest, out *windowv1.WindowServiceOpenSender) error {
	w, raised, err := s.Windows.Open(ctx, in.App, in.View, display(in.Display))
	if err != nil {
		return err
	}
	err = out.Send(&windowv1.OpenResponse{Event: &windowv1.OpenResponse_Opened{Opened: &windowv1.Opened{Raised: raised, Pid: uint32(w.PID())}}})
	if raised {
		return err
	}
	defer s.Windows.Following()()
	shown := w.Shown()
	for err == nil {
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-shown:
			shown = nil
			err = out.Send(&windowv1.OpenResponse{Event: &windowv1.OpenResponse_Shown{Shown: &windowv1.Shown{}}})
		case <-w.Done():
			why, werr := w.Why()
			if werr != nil {
				return werr
			}
			return out.Send(&windowv1.OpenResponse{Event: &windowv1.OpenResponse_Closed{Closed: &windowv1.Closed{Why: why}}})
		}
	}
	// The client gave it up, or is gone: so is the window.
	w.Close(window.Stopped)
	<-w.Done()
	return err
}

func display(d *windowv1.Display) desktop.Display {
	return desktop.Display{
		Wayland: string(d.GetWayland()), X11: d.GetX11(), XAuthority: string(d.GetXauthority()),
		SessionBus: d.GetSessionBus(), Language: d.GetLanguage(),
	}
}

func (s *Service) note(ctx context.Context, kind auditlog.Kind, app, code string, took time.Duration) error {
	sess := session.From(ctx)
	ev := audit.Event{
		Kind: kind, Actor: audit.Actor{App: sess.App, Surface: sess.Surface}, Method: windowv1.WindowServiceOpenMethod().Name,
		Code: code, Milliseconds: uint64(max(took.Milliseconds(), 0)),
	}
	if kind == auditlog.Call {
		ev.Detail = map[string]string{"app": app}
	}
	return s.Record.Note(ev)
}
