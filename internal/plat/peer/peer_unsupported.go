//go:build !linux

package peer

import (
	"net"

	"github.com/bailey-run/bailey/internal/errs"
)

// Listener is the core's listening socket.
type Listener struct{}

// Listen refuses: this port cannot check its peers yet.
func Listen(string) (*Listener, error) { return nil, errs.New(errs.NotSupported, "peer.listen") }

// Accept refuses.
func (*Listener) Accept(func(*net.UnixConn, Credentials)) (*net.UnixConn, Credentials, error) {
	return nil, Credentials{}, errs.New(errs.NotSupported, "peer.accept")
}

// Lost is never asked.
func (*Listener) Lost() bool { return true }

// Close does nothing.
func (*Listener) Close() error { return nil }

// Dial refuses.
func Dial(string) (*net.UnixConn, Credentials, error) {
	return nil, Credentials{}, errs.New(errs.NotSupported, "peer.dial")
}

// Of refuses.
func Of(*net.UnixConn) (Credentials, error) {
	return Credentials{}, errs.New(errs.NotSupported, "peer.of")
}
