//go:build !linux

package desktop

import (
	"context"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/dbus"
)

// Check is for Linux only. Errors: errs.NotSupported.
func (d Display) Check(context.Context, ...string) error {
	return errs.New(errs.NotSupported, "desktop.display")
}

// Cookie is for Linux only. Errors: errs.NotSupported.
func (d Display) Cookie() ([]byte, error) { return nil, errs.New(errs.NotSupported, "desktop.cookie") }

// Proxy is for Linux only.
type Proxy struct{ Path string }

// StartA11yProxy is for Linux only. Errors: [ErrNoAccessibility].
func StartA11yProxy(context.Context, Display, string, *os.File) (*Proxy, error) {
	return nil, ErrNoAccessibility
}

// Line is for Linux only.
func Line([]string) (bool, error) { return false, nil }

func dialPortal(ctx context.Context, d Display) (*dbus.Conn, error) {
	return dbus.Dial(ctx, d.SessionBus)
}

// PID is for Linux only.
func (*Proxy) PID() int { return 0 }

// Done is for Linux only.
func (*Proxy) Done() <-chan struct{} { return nil }

// Close does nothing.
func (*Proxy) Close() error { return nil }
