package main

import (
	"log/slog"
	"runtime/debug"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/storev1"
	"github.com/bailey-run/bailey/internal/worker/store"
)

// storeService keeps the data of the one app whose directory is in the worker's
// root.
func storeService(log *slog.Logger) ([]rpc.Route, func(), error) {
	debug.SetMemoryLimit(limits.StoreHeap)
	s := store.New(store.Config{Dir: "/db", Clock: clock.System{}, Log: log})
	return storev1.StoreServiceRoutes(s), func() { _ = s.Close() }, nil
}
