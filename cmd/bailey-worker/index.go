package main

import (
	"log/slog"
	"runtime/debug"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/plat/sqlfiles"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/worker/index"
	"github.com/bailey-run/bailey/internal/worker/index/serve"
	"github.com/bailey-run/bailey/internal/workerkit"
)

// indexService serves the one folder that the worker was given.
func indexService(in sandbox.Inside) workerkit.Open {
	return func(log *slog.Logger) ([]rpc.Route, func(), error) {
		debug.SetMemoryLimit(limits.IndexHeap)
		if err := sqlfiles.Use(); err != nil {
			return nil, nil, err
		}
		s := serve.New(index.Config{Root: in.Grant, DB: in.Dir("/db"), Remembered: true, Clock: clock.System{}, Log: log})
		return indexv1.IndexServiceRoutes(s), func() { _ = s.Close() }, nil
	}
}
