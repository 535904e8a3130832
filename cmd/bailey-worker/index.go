package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/worker/index"
	"github.com/bailey-run/bailey/internal/worker/index/serve"
)

// indexService serves the one folder of the worker's root.
func indexService() ([]rpc.Route, func(), error) {
	x, err := index.Open(context.Background(), index.Config{
		Root: func() (*dirfd.Dir, error) { return dirfd.Open("/grant") }, DB: "/db", Remembered: true,
		Clock: clock.System{}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return nil, nil, err
	}
	return indexv1.IndexServiceRoutes(serve.New(x)), func() { _ = x.Close() }, nil
}
