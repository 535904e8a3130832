//go:build !linux

package folder

import (
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
)

// Open refuses: this port has no way yet to bind a grant to an object.
func Open(string) (*Folder, error) { return nil, errs.New(errs.NotSupported, "folder.open") }

// Make refuses.
func Make(string) error { return errs.New(errs.NotSupported, "folder.make") }

// Same reports false: nothing can be remembered on this port.
func Same(capability.Object, capability.Object) bool { return false }

// Still reports false.
func Still(capability.Object, capability.Object) bool { return false }

// Automounted reports false.
func Automounted(string) bool { return false }

// Within reports false: there is no folder on this port.
func (*Folder) Within(string) bool { return false }

// Is reports false: there is no folder on this port.
func (*Folder) Is(string) bool { return false }

// Find finds nothing.
func (*Folder) Find(string) (string, bool) { return "", false }
