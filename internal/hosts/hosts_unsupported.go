//go:build !linux

package hosts

import (
	"context"

	"github.com/bailey-run/bailey/internal/errs"
)

// Start refuses: windows exist on Linux only so far.
func Start(context.Context, string, Options) (*Host, error) {
	return nil, errs.New(errs.NotSupported, "hosts.start")
}

// CheckTree refuses.
func CheckTree(int) error { return errs.New(errs.NotSupported, "hosts.tree") }
