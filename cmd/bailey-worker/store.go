package main

import (
	"log/slog"
	"runtime/debug"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/plat/sqlfiles"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/storev1"
	"github.com/bailey-run/bailey/internal/worker/store"
	"github.com/bailey-run/bailey/internal/workerkit"
)

// storeService keeps the data of the one app whose directory is in the worker's
// root.
func storeService(in sandbox.Inside) workerkit.Open {
	return func(log *slog.Logger) ([]rpc.Route, func(), error) {
		debug.SetMemoryLimit(limits.StoreHeap)
		if err := sqlfiles.Use(); err != nil {
			return nil, nil, err
		}
		s := store.New(store.Config{Dir: in.Dir("/db"), Clock: clock.System{}, Log: log})
		return storev1.StoreServiceRoutes(s), func() { _ = s.Close() }, nil
	}
}
