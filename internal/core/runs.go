package core

import (
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/folder"
	sandboxservice "github.com/bailey-run/bailey/internal/service/sandbox"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/sandboxv1"
)

// newRuns wires what runs programs of the person's own.
func (c *Core) newRuns() *sandboxservice.Service {
	return &sandboxservice.Service{
		Clock: c.cfg.Clock, Sessions: c.sessions, Table: c.table, Log: c.cfg.Audit, App: cliApp, Surface: cliSurface,
		Own: c.cfg.Own, Hidden: c.within, Trusted: c.trusted, Claim: c.claim, Files: ipc.TakeFiles, Data: c.cfg.Data.Make, Start: c.workers.Run,
	}
}

// claim makes those of Bailey's own directories below a folder that are not there
// yet, as those of the usual home under a core of another. What is not there cannot
// be hidden, and who may write there could leave a state behind, with grants that no
// person gave, which the next core of that home would believe.
func (c *Core) claim(f *folder.Folder) error {
	for _, own := range c.cfg.Own {
		if _, ok := below(f, own); !ok {
			continue
		}
		if err := folder.Make(own); err != nil {
			return errs.Wrap(errs.Denied, "core.claim", err).With("Bailey's own directories would lie there, and cannot be made").WithHint("for writing, give a folder below it")
		}
	}
	return nil
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
