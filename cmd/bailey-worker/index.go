package main

import (
	"log/slog"
	"runtime/debug"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/worker/index"
	"github.com/bailey-run/bailey/internal/worker/index/serve"
)

// indexService serves the one folder of the worker's root.
func indexService(log *slog.Logger) ([]rpc.Route, func(), error) {
	debug.SetMemoryLimit(limits.IndexHeap)
	s := serve.New(index.Config{
		Root: func() (*dirfd.Dir, error) { return dirfd.Open("/grant") }, DB: "/db", Remembered: true,
		Clock: clock.System{}, Log: log,
	})
	return indexv1.IndexServiceRoutes(s), func() { _ = s.Close() }, nil
}
