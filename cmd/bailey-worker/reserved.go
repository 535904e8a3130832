package main

import (
	"log/slog"

	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// reservedService is that of a kind which has none yet: what every worker answers,
// so that its sandbox can be looked at and attacked.
func reservedService(*slog.Logger) ([]rpc.Route, func(), error) {
	return nil, func() {}, nil
}
