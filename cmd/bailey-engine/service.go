package main

import (
	"log/slog"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/plat/usage"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/worker/engine/llama"
	"github.com/bailey-run/bailey/internal/worker/engine/serve"
	"github.com/bailey-run/bailey/internal/workerkit"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Where llama.cpp stands in an engine's root, and its library for cards.
const (
	libraries = "/engine"
	graphics  = "/graphics"
)

// engineService loads the libraries, for a card the system's driver too, and
// returns the routes of the engine.
func engineService(in sandbox.Inside) workerkit.Open {
	return func(log *slog.Logger) ([]rpc.Route, func(), error) {
		lib, err := llama.Open(in.Dir(libraries))
		if err != nil {
			return nil, nil, err
		}
		if in.Spec.Kind == workerspec.GraphicsKind {
			// What is wrong is the answer to the load: that has room for the reason.
			_ = lib.OpenGraphics(graphics)
		}
		s := serve.New(serve.Config{Library: lib, Clock: clock.System{}, Memory: usage.Resident, Log: log})
		return enginev1.EngineServiceRoutes(s), func() { _ = s.Close() }, nil
	}
}
