//go:build !linux

package datadir

import (
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

func lock(*os.File) bool { return true }

func share(*os.File) {}

// Open refuses: no worker runs on this port yet.
func Open(string) (*Parent, error) { return nil, errs.New(errs.NotSupported, "datadir.open") }

// Make refuses.
func (*Parent) Make(string) (*Dir, error) { return nil, errs.New(errs.NotSupported, "datadir.make") }

// Show refuses.
func (*Dir) Show() error { return errs.New(errs.NotSupported, "datadir.show") }

// Remove refuses.
func (*Parent) Remove(string) error { return errs.New(errs.NotSupported, "datadir.remove") }
