//go:build !linux

package memory

import "github.com/bailey-run/bailey/internal/errs"

// Available refuses with errs.NotSupported.
func Available() (uint64, error) { return 0, errs.New(errs.NotSupported, "memory.available") }
