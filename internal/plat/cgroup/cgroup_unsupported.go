//go:build !linux

package cgroup

import (
	"context"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

// Group does not exist here.
type Group struct{}

// Leaf does not exist here.
type Leaf struct{}

type system struct{}

func host() *system { return &system{} }

func (*system) take(context.Context, Options) (*Group, error) { return nil, unsupported() }

func (*Group) close() {}

// How is never asked.
func (*Group) How() string { return "" }

// Path is never asked.
func (*Group) Path() string { return "" }

// Missing is never asked.
func (*Group) Missing() (controllers []string, why, hint string) { return missing(nil), "", "" }

// Leaf refuses.
func (*Group) Leaf(string, Limits) (*Leaf, error) { return nil, unsupported() }

// Dir is nil.
func (*Leaf) Dir() *os.File { return nil }

// Report refuses.
func (*Leaf) Report(int) (Report, error) { return Report{}, unsupported() }

// Kill has nothing to do.
func (*Leaf) Kill() error { return nil }

// End has nothing to do.
func (*Leaf) End() (Ended, error) { return Ended{}, nil }

func unsupported() error { return errs.New(errs.NotSupported, "cgroup") }
