package main

import (
	"log/slog"
	"runtime/debug"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/inspectv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/worker/inspect"
)

// inspectService reads the file whose descriptor comes with a call.
func inspectService(*slog.Logger) ([]rpc.Route, func(), error) {
	debug.SetMemoryLimit(limits.InspectHeap)
	return inspectv1.InspectServiceRoutes(inspect.Service{}), func() {}, nil
}
