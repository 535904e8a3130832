package grant

import (
	"cmp"
	"context"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
)

// Revoke implements grantv1.GrantServiceServer. Withdrawing is never held up
// by a log that cannot be written: it happens first. Whoever gives the call up
// does not take the word back: what is withdrawn would have no record, or
// its record would stand for what is still remembered.
func (s *Service) Revoke(ctx context.Context, in *grantv1.RevokeRequest) (*grantv1.RevokeResponse, error) {
	ctx = context.WithoutCancel(ctx)
	sess := session.From(ctx)
	a := audit.Actor{App: sess.App, Surface: sess.Surface}
	id := capability.ID(in.Id)
	if ended, err := s.Table.Revoke(id); err == nil {
		var failed error
		for _, e := range ended {
			ev := Ended(auditlog.Revoke, a, e)
			ev.DecidedBy = decidedAt(sess)
			waits, err := s.record(ctx, ev)
			failed = cmp.Or(failed, err, waits)
		}
		if failed != nil {
			return nil, failed
		}
		return &grantv1.RevokeResponse{Ended: uint32(len(ended))}, nil
	}
	n, err := s.Forget(ctx, id)
	if errs.CodeOf(err) == errs.NotFound {
		// What an app was refused is taken away by the same word: it may ask again.
		return &grantv1.RevokeResponse{}, s.unrefuse(ctx, a, id)
	}
	if err != nil {
		return nil, err
	}
	return &grantv1.RevokeResponse{Ended: n + 1}, nil
}

// record puts what is withdrawn on the record; while the log has no room the record
// waits for some, and waits says so.
func (s *Service) record(ctx context.Context, ev audit.Event) (waits, err error) {
	if _, err = s.Log.Append(ctx, ev); err == nil || s.Log.Note(ev) != nil {
		return nil, err
	}
	return errs.Wrap(errs.CodeOf(err), "grant.record", err).With("it is withdrawn, and its record waits for room"), nil
}

// decidedAt says in the log that a person withdrew something in Permissions. What
// a program does on the command line need not be a person's.
func decidedAt(s *session.Session) string {
	if s.Surface == apps.SurfacePanel {
		return apps.SurfacePanel
	}
	return ""
}

// Forget ends what is remembered under an id, and returns how many live grants
// ended with it. errs.NotFound when there is none. As with Revoke, the end of ctx
// does not end it.
func (s *Service) Forget(ctx context.Context, id capability.ID) (ended uint32, err error) {
	ctx = context.WithoutCancel(ctx)
	sess := session.From(ctx)
	a := audit.Actor{App: sess.App, Surface: sess.Surface}
	recorded, waits := false, error(nil)
	gone, err := s.Policies.Forget(id, func(digest string) error {
		// The live grants that came of it go first.
		for _, live := range s.Table.List() {
			if live.Row.Policy != id {
				continue
			}
			if rows, err := s.Table.Revoke(live.Row.ID); err == nil {
				ended += uint32(len(rows))
				s.noteEnded(auditlog.Revoke, a, rows)
			}
		}
		waits, err = s.record(ctx, audit.Event{
			Kind: auditlog.Forget, Actor: a, DecidedBy: decidedAt(sess), Grant: string(id), Detail: map[string]string{"policies": digest},
		})
		recorded = err == nil
		return err
	})
	if recorded {
		s.Forgotten(gone)
	}
	if err != nil && recorded {
		err = errs.Wrap(errs.CodeOf(err), "grant.forget", err).With("it is withdrawn, and could not be saved: the next start asks about everything anew")
	}
	return ended, cmp.Or(waits, err)
}
