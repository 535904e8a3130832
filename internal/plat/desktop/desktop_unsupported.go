//go:build !linux

package desktop

import (
	"context"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

// Check is for Linux only. Errors: errs.NotSupported.
func (d Display) Check(context.Context) error { return errs.New(errs.NotSupported, "desktop.display") }

// Cookie is for Linux only. Errors: errs.NotSupported.
func (d Display) Cookie() ([]byte, error) { return nil, errs.New(errs.NotSupported, "desktop.cookie") }

// Same is for Linux only. Errors: errs.NotSupported.
func Same(_, _ *os.File) error { return errs.New(errs.NotSupported, "desktop.same") }
