// Package surface answers bailey.surface.v1: what the page of a window says of
// itself. Handlers only translate; what they do stands in package window. Only
// documents of windows reach them, because no other session is one.
package surface

import (
	"context"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/window"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// Service implements surfacev1.SurfaceServiceServer.
type Service struct {
	Windows *window.Manager
	Record  window.Recorder
}

// Ack implements surfacev1.SurfaceServiceServer.
func (s *Service) Ack(ctx context.Context, in *surfacev1.AckRequest) (*surfacev1.AckResponse, error) {
	return &surfacev1.AckResponse{}, s.Windows.Ack(ctx, in.Stream, in.Bytes)
}

// Cancel implements surfacev1.SurfaceServiceServer.
func (s *Service) Cancel(ctx context.Context, in *surfacev1.CancelRequest) (*surfacev1.CancelResponse, error) {
	return &surfacev1.CancelResponse{}, s.Windows.CancelStream(ctx, in.Stream)
}

// Events implements surfacev1.SurfaceServiceServer.
func (s *Service) Events(ctx context.Context, _ *surfacev1.EventsRequest, out *surfacev1.SurfaceServiceEventsSender) error {
	return s.Windows.Events(ctx, out.Send)
}

// Pick implements surfacev1.SurfaceServiceServer. What was chosen stands in the
// log when it is asked for, not before: it grants nothing.
func (s *Service) Pick(ctx context.Context, _ *surfacev1.PickRequest) (*surfacev1.PickResponse, error) {
	token, object, err := s.Windows.Pick(ctx)
	sess := session.From(ctx)
	ev := audit.Event{
		Kind: auditlog.Call, Actor: audit.Actor{App: sess.App, Surface: sess.Surface}, Method: surfacev1.SurfaceServicePickMethod().Name, Code: "ok",
		Detail: map[string]string{"chosen": "nothing"},
	}
	if token != nil {
		ev.Detail["chosen"] = "folder"
	}
	if err != nil {
		ev.Code = string(errs.CodeOf(err))
	}
	if lerr := s.Record.Note(ev); lerr != nil {
		return nil, lerr
	}
	if err != nil {
		return nil, err
	}
	return &surfacev1.PickResponse{Picked: token, Object: object}, nil
}

// OpenPanel implements surfacev1.SurfaceServiceServer.
func (s *Service) OpenPanel(ctx context.Context, in *surfacev1.OpenPanelRequest) (*surfacev1.OpenPanelResponse, error) {
	return &surfacev1.OpenPanelResponse{}, s.Windows.OpenPanel(ctx, in.Panel)
}
