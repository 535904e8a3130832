package core

import (
	"github.com/bailey-run/bailey/internal/ipc"
	sandboxservice "github.com/bailey-run/bailey/internal/service/sandbox"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/sandboxv1"
)

// newRuns wires what runs programs of the person's own.
func (c *Core) newRuns() *sandboxservice.Service {
	return &sandboxservice.Service{
		Clock: c.cfg.Clock, Sessions: c.sessions, Table: c.table, Log: c.cfg.Audit, App: cliApp, Surface: cliSurface,
		Own: c.cfg.Own, Hidden: c.within, Files: ipc.TakeFiles, Data: c.cfg.Data.Make, Start: c.workers.Run,
	}
}

// runDescriptors are those of a program that is run: its streams and its file.
const runDescriptors = 4

// descriptors says how many descriptors a client's call may bring.
func descriptors(m *rpc.Method) int {
	if m == sandboxv1.SandboxServiceRunMethod() {
		return runDescriptors
	}
	return 0
}
