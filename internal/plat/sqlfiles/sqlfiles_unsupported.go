//go:build !linux

package sqlfiles

import "github.com/bailey-run/bailey/internal/errs"

// Use refuses on this system.
func Use() error { return errs.New(errs.NotSupported, "sqlfiles.use") }
