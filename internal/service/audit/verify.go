package audit

import (
	"context"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
)

// Verify implements auditv1.AuditServiceServer.
func (s *Service) Verify(context.Context, *auditv1.VerifyRequest) (*auditv1.VerifyResponse, error) {
	return nil, errs.New(errs.NotSupported, "audit.verify")
}
