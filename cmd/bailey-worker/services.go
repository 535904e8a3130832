package main

import (
	"log/slog"

	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// service opens what a kind needs, before the seal, and returns its routes.
type service func(log *slog.Logger) (routes []rpc.Route, stop func(), err error)

// serviceOf has one line for each kind of worker; nil for any other.
func serviceOf(kind string) service {
	switch kind {
	case "index":
		return indexService
	}
	return nil
}
