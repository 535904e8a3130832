//go:build !linux

package syslibs

import (
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Open refuses: nothing runs without a sandbox.
func Open(workerspec.Spec, string) (*Set, error) { return nil, errs.New(errs.NotSupported, "syslibs") }
