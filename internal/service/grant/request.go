package grant

import (
	"context"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
)

// Request implements grantv1.GrantServiceServer.
func (s *Service) Request(context.Context, *grantv1.RequestRequest, *grantv1.GrantServiceRequestSender) error {
	return errs.New(errs.NotSupported, "grant.request")
}
