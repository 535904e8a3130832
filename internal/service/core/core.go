// Package core answers bailey.core.v1: who the core is, and its tasks.
// Handlers only translate; what they do stands in session and in the
// functions that package core gives them.
package core

import (
	"context"
	"fmt"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/corev1"
)

// Service implements corev1.CoreServiceServer.
type Service struct {
	Release  string
	PID      int
	StateDir string
	Sessions *session.Registry
	Log      *audit.Log
	// Began is called for each new task, once it is on the record and before its id
	// is told.
	Began func(*session.Task)
	// Stop ends the task of an id, or all when it is empty, and returns how many.
	Stop func(id string) int
	// Examine starts each worker kind once and says what was seen.
	Examine func(context.Context) *corev1.DoctorResponse
	// Examining, of capacity 1, holds who is at it.
	Examining chan struct{}
}

// Hello implements corev1.CoreServiceServer.
func (s *Service) Hello(ctx context.Context, in *corev1.HelloRequest) (*corev1.HelloResponse, error) {
	if in.Release != s.Release {
		return nil, errs.New(errs.ReleaseMismatch, "core.hello").With(fmt.Sprintf("the core is %s, you are %s", s.Release, printable(in.Release)))
	}
	if !session.From(ctx).Greet() {
		return nil, errs.New(errs.Malformed, "core.hello")
	}
	return &corev1.HelloResponse{Release: s.Release, Pid: uint32(s.PID), StateDir: []byte(s.StateDir)}, nil
}

// printable keeps a peer's release from carrying anything but a name.
func printable(s string) string {
	if auditlog.ValidToken(s) {
		return s
	}
	return "of another kind"
}

// BeginTask implements corev1.CoreServiceServer.
func (s *Service) BeginTask(ctx context.Context, in *corev1.BeginTaskRequest) (*corev1.BeginTaskResponse, error) {
	if !auditlog.ValidToken(in.Verb) {
		return nil, errs.New(errs.Usage, "core.begin-task").With("the verb is not a word")
	}
	sess := session.From(ctx)
	t, err := s.Sessions.Begin(sess, in.Verb)
	if err != nil {
		return nil, err
	}
	if err := s.Log.Note(audit.Event{Kind: auditlog.TaskBegin, Actor: Actor(t)}); err != nil {
		_ = s.Sessions.End(sess, t.ID, session.Failed)
		return nil, err
	}
	s.Began(t)
	return &corev1.BeginTaskResponse{Task: t.ID}, nil
}

// Actor is how a task stands in the log.
func Actor(t *session.Task) audit.Actor {
	return audit.Actor{App: t.Session.App, Surface: t.Session.Surface, Task: t.ID, Verb: t.Verb}
}

// EndTask implements corev1.CoreServiceServer.
func (s *Service) EndTask(ctx context.Context, in *corev1.EndTaskRequest) (*corev1.EndTaskResponse, error) {
	o := session.Failed
	switch in.Outcome {
	case corev1.Outcome_OUTCOME_OK:
		o = session.OK
	case corev1.Outcome_OUTCOME_CANCELLED:
		o = session.Cancelled
	}
	if err := s.Sessions.End(session.From(ctx), in.Task, o); err != nil {
		return nil, err
	}
	return &corev1.EndTaskResponse{}, nil
}

// ListTasks implements corev1.CoreServiceServer.
func (s *Service) ListTasks(context.Context, *corev1.ListTasksRequest) (*corev1.ListTasksResponse, error) {
	out := &corev1.ListTasksResponse{}
	tasks := s.Sessions.List()
	for _, t := range tasks[max(0, len(tasks)-limits.TasksListed):] {
		out.Tasks = append(out.Tasks, &corev1.Task{Id: t.ID, Verb: t.Verb, StartedMs: t.Started.UnixMilli()})
	}
	return out, nil
}

// OwnSurface is the surface of what the core does of its own accord.
const OwnSurface = "core"

// StopTask implements corev1.CoreServiceServer. Where all are stopped, those are
// counted that a client began: nobody asked for an engine to be kept. Who stopped
// whose task is on the record before its end is, and a record that cannot be written
// keeps no task alive.
func (s *Service) StopTask(ctx context.Context, in *corev1.StopTaskRequest) (*corev1.StopTaskResponse, error) {
	begun, open := 0, in.Task == ""
	for _, t := range s.Sessions.List() {
		if t.Session.Surface != OwnSurface {
			begun++
		}
		open = open || t.ID == in.Task
	}
	if !open {
		return nil, errs.New(errs.NotFound, "core.stop-task").With("the task is not open")
	}
	sess := session.From(ctx)
	err := s.Log.Note(audit.Event{
		Kind: auditlog.Call, Actor: audit.Actor{App: sess.App, Surface: sess.Surface, Task: in.Task}, Method: corev1.CoreServiceStopTaskMethod().Name,
	})
	n := s.Stop(in.Task)
	if in.Task == "" {
		n = begun
	}
	return &corev1.StopTaskResponse{Stopped: uint32(n)}, err
}

// Doctor implements corev1.CoreServiceServer. One examination is at work at a time: it
// starts a worker of each kind.
func (s *Service) Doctor(ctx context.Context, _ *corev1.DoctorRequest) (*corev1.DoctorResponse, error) {
	select {
	case s.Examining <- struct{}{}:
		defer func() { <-s.Examining }()
		return s.Examine(ctx), nil
	case <-ctx.Done():
		return nil, errs.Wrap(errs.Cancelled, "core.doctor", ctx.Err())
	}
}
