package audit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
)

// Verify implements auditv1.AuditServiceServer.
func (s *Service) Verify(ctx context.Context, _ *auditv1.VerifyRequest) (*auditv1.VerifyResponse, error) {
	rep, err := s.Log.Verify(ctx)
	if err != nil {
		return nil, err
	}
	root, err := base64.StdEncoding.DecodeString(rep.Root)
	if err != nil || len(root) != sha256.Size && len(root) != 0 {
		return nil, errs.New(errs.Internal, "audit.verify")
	}
	out := &auditv1.VerifyResponse{Ok: rep.OK, Size: rep.Size, Root: root, Reason: rep.Reason[:min(len(rep.Reason), limits.AuditReason)]}
	if rep.FirstBad != nil {
		out.FirstBad = *rep.FirstBad
	}
	return out, nil
}
