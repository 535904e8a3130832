package serve

import (
	"context"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// Source implements indexv1.IndexServiceServer.
func (s *Service) Source(context.Context, *indexv1.SourceRequest, *indexv1.IndexServiceSourceSender) error {
	return errs.New(errs.NotSupported, "index.source")
}
