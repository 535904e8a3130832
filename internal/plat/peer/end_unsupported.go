//go:build !linux

package peer

import (
	"context"
	"net"

	"github.com/bailey-run/bailey/internal/errs"
)

// End refuses: not supported here.
func End(context.Context, *net.UnixConn) error { return errs.New(errs.NotSupported, "peer.end") }

// EndPID refuses too.
func EndPID(context.Context, int, func() bool) (bool, error) {
	return false, errs.New(errs.NotSupported, "peer.end-pid")
}
