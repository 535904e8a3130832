package grant

import (
	"context"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
)

// refuse keeps that a person said no in a prompt, or could not because the question
// was taken away too often. The second time blocks.
func (s *Service) refuse(t *session.Task, row consent.Row, by capability.Decision) error {
	app, kind := t.Session.App, capability.Name(row.Kind)
	_, err := s.Policies.Refuse(app, kind, string(by), row.Scope, s.Clock.Wall(), folder.Same, func(r grant.Refused, digest string) error {
		detail := scopeDetail(row.Kind, row.Scope)
		detail["policies"] = digest
		if by == capability.ByPolicy {
			detail["reason"] = "taken off the screen by the app, again and again"
		}
		if r.Blocked() {
			detail["reason"] = "refused twice: not asked again"
		}
		_, err := s.Log.Append(context.Background(), audit.Event{
			Kind: auditlog.Refuse, Actor: actor(t), Grant: string(r.ID), Decision: "deny", DecidedBy: string(by),
			Detail: detail, Tagged: tagged(row.Kind, row.Scope),
		})
		return err
	})
	return err
}

// accepted forgets that a scope was refused, now that a person said yes to it.
func (s *Service) accepted(t *session.Task, row consent.Row) error {
	r, ok := s.refusal(t.Session.App, row)
	if !ok {
		return nil
	}
	return s.unrefuse(context.Background(), actor(t), r.ID)
}

func (s *Service) refusal(app string, row consent.Row) (grant.Refused, bool) {
	return s.Policies.Refusal(app, capability.Name(row.Kind), row.Scope, folder.Same)
}

// unrefuse takes a refusal away; errs.NotFound when there is none of that id.
func (s *Service) unrefuse(ctx context.Context, a audit.Actor, id capability.ID) error {
	_, err := s.Policies.Unrefuse(id, func(r grant.Refused, digest string) error {
		// It may be taken away by another than the app that was refused.
		detail := map[string]string{"policies": digest, "kind": r.Kind, "holder": r.App}
		tag := r.Path
		if r.Digest != "" {
			detail["model"], detail["sha256"], tag = r.Name, r.Digest, r.Digest
		} else {
			detail["path"] = r.Path
		}
		_, err := s.Log.Append(ctx, audit.Event{Kind: auditlog.Unblock, Actor: a, Grant: string(id), Detail: detail, Tagged: tag})
		return err
	})
	return err
}

// blocked is how a refusal stands in a list.
func blocked(r grant.Refused) *grantv1.ListResponse {
	return &grantv1.ListResponse{
		Id: string(r.ID), Kind: kind(r.Kind), Scope: scopeText(r.Path, r.Name, r.Digest), Holder: r.App,
		SinceMs: r.Since.UnixMilli(), State: grantv1.State_STATE_DENIED, DecidedBy: decidedBy(capability.Decision(r.By)),
	}
}
