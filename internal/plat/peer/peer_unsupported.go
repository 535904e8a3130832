//go:build !linux

package peer

import (
	"context"
	"net"

	"github.com/bailey-run/bailey/internal/errs"
)

// Of refuses: not supported here.
func Of(*net.UnixConn) (Peer, error) { return Peer{}, errs.New(errs.NotSupported, "peer.of") }

// Dial refuses: not supported here.
func Dial(context.Context, string) (*net.UnixConn, Peer, error) {
	return nil, Peer{}, errs.New(errs.NotSupported, "peer.dial")
}

// End refuses: not supported here.
func End(context.Context, *net.UnixConn) error { return errs.New(errs.NotSupported, "peer.end") }
