//go:build !linux

package llama

import (
	"context"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// Library is not there on this system.
type Library struct{}

// Open refuses: no library was built for this system.
func Open(string) (*Library, error) { return nil, errs.New(errs.NotSupported, "llama.open") }

// Name is the library and its version.
func (*Library) Name() string { return "llama.cpp v" + Version }

// Variant is empty.
func (*Library) Variant() string { return "" }

// OpenGraphics refuses.
func (*Library) OpenGraphics(string) error { return errs.New(errs.NotSupported, "llama.open-graphics") }

// Load refuses.
func (*Library) Load(_ context.Context, f *os.File, _ engine.Options, _ func(float32)) (engine.Model, error) {
	f.Close()
	return nil, errs.New(errs.NotSupported, "llama.load")
}
