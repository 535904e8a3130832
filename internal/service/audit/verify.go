package audit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"sync"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
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
		return out, nil
	}
	out.NetworkGrants, err = s.networked.count(ctx, s.Log, rep.Root)
	return out, err
}

// networked is how many grants of the network a log holds, as of a root: a panel asks
// again and again.
type networked struct {
	mu     sync.Mutex
	root   string
	grants uint64
}

func (n *networked) count(ctx context.Context, log *audit.Log, root string) (uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if root == n.root {
		return n.grants, nil
	}
	var grants uint64
	err := log.Read(ctx, audit.Filter{Kinds: []auditlog.Kind{auditlog.Grant}}, func(r audit.Record) error {
		if r.Erased || r.Detail["kind"] == capability.Name(policyv1.Kind_KIND_NET_FETCH) {
			grants++
		}
		return nil
	})
	if err == nil {
		n.root, n.grants = root, grants
	}
	return grants, err
}
