//go:build !linux

package peer

import (
	"context"
	"net"

	"github.com/bailey-run/bailey/internal/errs"
)

// End refuses: not supported here.
func End(context.Context, *net.UnixConn) error { return errs.New(errs.NotSupported, "peer.end") }
