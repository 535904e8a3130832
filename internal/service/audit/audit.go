// Package audit answers bailey.audit.v1: it reads the log and never writes it.
package audit

import (
	"context"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
)

// Service implements auditv1.AuditServiceServer.
type Service struct {
	Log *audit.Log

	networked networked
}

// Show implements auditv1.AuditServiceServer.
func (s *Service) Show(ctx context.Context, in *auditv1.ShowRequest, out *auditv1.AuditServiceShowSender) error {
	done, err := session.From(ctx).Reading()
	if err != nil {
		return err
	}
	defer done()
	return s.Log.Read(ctx, audit.Filter{Last: in.Last, Task: in.Task}, func(r audit.Record) error {
		b, err := r.JSON()
		if err != nil {
			return err
		}
		return out.Send(&auditv1.ShowResponse{Seq: r.Seq, TimeMs: r.Time.UnixMilli(), Json: b})
	})
}
