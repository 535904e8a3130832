package main

import (
	"log/slog"

	// It makes this program one that can load libraries.
	_ "github.com/ebitengine/purego"

	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// engineService loads the libraries and returns the routes of the engine.
func engineService(*slog.Logger) ([]rpc.Route, func(), error) {
	return nil, func() {}, nil
}
