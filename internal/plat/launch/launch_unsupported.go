//go:build !linux

package launch

import (
	"context"

	"github.com/bailey-run/bailey/internal/errs"
)

// Start refuses: not supported here.
func Start(context.Context, Command) (Outcome, error) {
	return 0, errs.New(errs.NotSupported, "launch.start")
}

// Self refuses: not supported here.
func Self() (string, error) { return "", errs.New(errs.NotSupported, "launch.self") }

// Executable refuses: not supported here.
func Executable(string) bool { return false }
