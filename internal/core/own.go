package core

import (
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	coreservice "github.com/bailey-run/bailey/internal/service/core"
	"github.com/bailey-run/bailey/internal/session"
)

// ownSurface stands in the log for what the core does of its own accord.
const ownSurface = coreservice.OwnSurface

// beginOwn opens a task of the core's own for an app. It is listed, stopped and
// recorded like any other, and keeps the core alive.
func (c *Core) beginOwn(app, verb string) *session.Task {
	t := c.sessions.Own(app, ownSurface, verb)
	// The hook that runs last: nothing is left that has the channel.
	t.OnEnd(func(session.Outcome) {
		c.table.Forget(t.Session.Channel)
		c.signal()
	})
	_ = c.cfg.Audit.Note(audit.Event{Kind: auditlog.TaskBegin, Actor: coreservice.Actor(t)})
	c.taskBegan(t)
	return t
}

// finishOwn ends one.
func (c *Core) finishOwn(t *session.Task, ok bool) {
	o := session.OK
	if !ok {
		o = session.Failed
	}
	c.sessions.Finish(t, o)
}

// stopTasks ends the task of an id, or all, with what they would leave behind:
// no engine is kept for what is being stopped, and no work goes on in the
// background.
func (c *Core) stopTasks(id string) int {
	c.mu.Lock()
	c.quiet++
	c.mu.Unlock()
	n := c.sessions.Stop(id)
	c.mu.Lock()
	c.quiet--
	c.mu.Unlock()
	return n
}
