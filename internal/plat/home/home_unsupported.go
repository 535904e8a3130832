//go:build !linux

package home

import "github.com/bailey-run/bailey/internal/errs"

func open(Options) (*Home, error) { return nil, errs.New(errs.NotSupported, "home.open") }

func unusable(path, why string, cause error) *errs.Error {
	return errs.Wrap(errs.HomeUnusable, "home.open", cause).With(path + ": " + why)
}
