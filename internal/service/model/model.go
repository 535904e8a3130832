// Package model answers bailey.model.v1: it brings models in, lists, checks and
// removes them, and says what fits. Bytes and names are in package models; that
// a model may be run is a remembered permission, in package grant. What parses a
// header is [Service.Inspect], a sandboxed worker; what loads a model is
// [Service.Start]. Neither is this package's.
//
// A pulled file is staged: it belongs to the task that brought it, and goes with
// it. The service of grants turns it into a model of the store: its Propose asks
// [Service.Resolve] what a want names, and its Decide, when a person said yes,
// calls [Wanted.Accept] before it remembers the pin.
package model

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/models"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// Service implements modelv1.ModelServiceServer.
type Service struct {
	Clock    clock.Clock
	Sessions *session.Registry
	Store    *models.Store
	Policies *grant.Policies
	Log      *audit.Log
	// Own are Bailey's own directories: no model is taken from them.
	Own []string
	// Inspect has a worker read a file's header. The result is held to the schema;
	// sha256 and size in it are not believed.
	Inspect func(ctx context.Context, f *modelfile.File) (*modelv1.Facts, error)
	// Memory is what can be taken without swapping, in bytes.
	Memory func() (uint64, error)
	// Engines knows what is loaded.
	Engines Engines
	// Unpin forgets the pin of a model that is removed, with every grant of it, on
	// the record.
	Unpin func(ctx context.Context, d models.Digest) error
	// Start loads the model of a grant, and sends its progress.
	Start func(ctx context.Context, in *modelv1.LoadRequest, out *modelv1.ModelServiceLoadSender) error
	// Pins is held while models without a pin are collected: a yes that makes a
	// model one of the store and then remembers its pin holds the other side of it.
	Pins sync.Locker

	mu     sync.Mutex
	staged map[stageID]*stage
}

// Engines are the running engines, as far as models care.
type Engines interface {
	// Loaded reports whether an engine holds the model.
	Loaded(models.Digest) bool
	// EndIdle ends those that hold it and that no grant uses, and returns when they
	// have released it.
	EndIdle(models.Digest)
	// End ends the engines that hold it, and returns when they are gone and have
	// released it.
	End(models.Digest) error
}

// CheckFit refuses what the machine would have to swap for: errs.ModelTooLarge,
// with the sums. What loads a model asks it before.
func (s *Service) CheckFit(m models.Model, context, parallel uint32) error {
	fit, err := s.fit(m.Facts, context, parallel)
	if err != nil || fit.Fits {
		return err
	}
	return tooLarge(m, fit)
}

func (s *Service) fit(f *modelv1.Facts, context, parallel uint32) (*modelv1.Fit, error) {
	available, err := s.Memory()
	if err != nil {
		return nil, err
	}
	return models.Fit(f, context, parallel, available), nil
}

// List implements modelv1.ModelServiceServer.
func (s *Service) List(ctx context.Context, in *modelv1.ListRequest, out *modelv1.ModelServiceListSender) error {
	if err := s.Store.Ready(); err != nil {
		return err
	}
	all := s.Store.List()
	if in.Name != "" {
		m, err := s.Store.Find(in.Name)
		if err != nil {
			return err
		}
		all = []models.Model{m}
	}
	sess := session.From(ctx)
	for _, m := range all {
		row := s.wire(sess.App, m)
		if apps.Untrusted(sess.Surface) {
			// Where a file came from tells of the person's folders.
			row.Source = nil
		}
		row.Changed = row.Changed || s.Store.Lost(m)
		if err := out.Send(&modelv1.ListResponse{Model: row, Loaded: s.Engines.Loaded(m.Digest)}); err != nil {
			return err
		}
	}
	return nil
}

// wire is a model with who allowed it for an app.
func (s *Service) wire(app string, m models.Model) *modelv1.Model {
	out := &modelv1.Model{
		Name: m.Name, Facts: m.Facts, Source: m.Source, LastUsedMs: millis(m.LastUsed),
		Crashes: uint32(m.Crashes), Quarantined: m.Quarantined, Changed: m.Changed,
	}
	if p, ok := s.Policies.FindModel(app, capability.Digest(m.Digest)); ok {
		out.PinnedBy, out.PinnedMs = p.By, millis(p.Since)
	}
	return out
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(0, t.UnixMilli())
}

// Fit implements modelv1.ModelServiceServer.
func (s *Service) Fit(ctx context.Context, in *modelv1.FitRequest) (*modelv1.FitResponse, error) {
	m, err := s.Store.Find(in.Name)
	if err != nil {
		return nil, err
	}
	fit, err := s.fit(m.Facts, in.Context, in.Parallel)
	if err != nil {
		return nil, err
	}
	return &modelv1.FitResponse{Model: s.wire(session.From(ctx).App, m), Fit: fit}, nil
}

// Verify implements modelv1.ModelServiceServer. A model that is not what it was, or
// that cannot be read, is an answer, not an error: the others are still looked at.
func (s *Service) Verify(ctx context.Context, in *modelv1.VerifyRequest, out *modelv1.ModelServiceVerifySender) error {
	if err := s.Store.Ready(); err != nil {
		return err
	}
	all := s.Store.List()
	if in.Name != "" {
		m, err := s.Store.Find(in.Name)
		if err != nil {
			return err
		}
		all = []models.Model{m}
	}
	for _, m := range all {
		found, err := s.Store.Verify(ctx, m.Digest, nil)
		if ctx.Err() != nil {
			return err
		}
		if errs.CodeOf(err) == errs.ModelMissing && in.Name == "" {
			continue // it was removed meanwhile
		}
		r := &modelv1.VerifyResponse{Name: m.Name, Ok: err == nil && found == m.Digest, Sha256: m.Digest[:]}
		code := "ok"
		if err == nil {
			r.Found = found[:]
		} else {
			e := errs.From(err)
			r.Why = cmp.Or(e.Detail, e.Message())
		}
		if !r.Ok {
			code = string(errs.ModelChanged)
		}
		if err := s.note(ctx, auditlog.Call, modelv1.ModelServiceVerifyMethod(), code, about(m)); err != nil {
			return err
		}
		if err := out.Send(r); err != nil {
			return err
		}
	}
	return nil
}

// about is what a record says of a model.
func about(m models.Model) map[string]string {
	return map[string]string{"model": m.Name, "digest": m.Digest.String()}
}

func (s *Service) note(ctx context.Context, kind audit.Kind, m *rpc.Method, code string, detail map[string]string) error {
	sess := session.From(ctx)
	return s.Log.Note(audit.Event{Kind: kind, Actor: audit.Actor{App: sess.App, Surface: sess.Surface}, Method: m.Name, Code: code, Detail: detail, Tagged: detail["digest"]})
}

// intend records, durably, what is about to be done.
func (s *Service) intend(ctx context.Context, m *rpc.Method, detail map[string]string) error {
	sess := session.From(ctx)
	_, err := s.Log.Append(ctx, audit.Event{Kind: auditlog.Intent, Actor: audit.Actor{App: sess.App, Surface: sess.Surface}, Method: m.Name, Detail: detail, Tagged: detail["digest"]})
	return err
}

// Remove implements modelv1.ModelServiceServer.
func (s *Service) Remove(ctx context.Context, in *modelv1.RemoveRequest) (*modelv1.RemoveResponse, error) {
	m, err := s.Store.Find(in.Name)
	if err != nil {
		return nil, err
	}
	// One that is only kept for the next question holds nobody up.
	s.Engines.EndIdle(m.Digest)
	if s.Store.InUse(m.Digest) && !in.Force {
		return nil, errs.New(errs.ModelInUse, "model.remove").With(m.Name)
	}
	if err := s.intend(ctx, modelv1.ModelServiceRemoveMethod(), about(m)); err != nil {
		return nil, err
	}
	// The permission first: a file that nobody may use is harmless.
	if err := s.Unpin(ctx, m.Digest); err != nil {
		return nil, err
	}
	if err := s.Engines.End(m.Digest); err != nil {
		return nil, err
	}
	freed, err := s.Store.Remove(m.Digest)
	if err != nil {
		return nil, err
	}
	return &modelv1.RemoveResponse{Freed: freed}, s.note(ctx, auditlog.CallEnd, modelv1.ModelServiceRemoveMethod(), "ok", about(m))
}

// Gc implements modelv1.ModelServiceServer.
func (s *Service) Gc(ctx context.Context, in *modelv1.GcRequest) (*modelv1.GcResponse, error) {
	s.Pins.Lock()
	defer s.Pins.Unlock()
	pinned := map[models.Digest]bool{}
	for _, p := range s.Policies.List() {
		if d, ok := p.Model(); ok {
			pinned[models.Digest(d)] = true
		}
	}
	var loose []models.Model
	g, err := s.Store.Gc(func(m models.Model) bool {
		if !pinned[m.Digest] {
			loose = append(loose, m)
		}
		return pinned[m.Digest]
	}, true)
	if err == nil && !in.DryRun {
		g, err = s.collect(ctx, loose)
	}
	if err != nil {
		return nil, err
	}
	out := &modelv1.GcResponse{Freed: g.Freed, Removed: uint32(g.Removed)}
	for _, m := range loose {
		// What is in use stays.
		if !s.Store.InUse(m.Digest) {
			out.Names = append(out.Names, m.Name)
		}
	}
	return out, nil
}

// collect removes models that nobody allowed, but for those that are in use, and what
// nothing refers to. Each is on the record by name before; on a full disk, which this
// may be the way out of, behind it.
func (s *Service) collect(ctx context.Context, loose []models.Model) (models.Garbage, error) {
	m := modelv1.ModelServiceRemoveMethod()
	going := map[models.Digest]bool{}
	for _, l := range loose {
		if s.Store.InUse(l.Digest) {
			continue
		}
		if err := s.intend(ctx, m, about(l)); err != nil && errs.CodeOf(err) != errs.NoSpace {
			return models.Garbage{}, err
		}
		going[l.Digest] = true
	}
	g, err := s.Store.Gc(func(k models.Model) bool { return !going[k.Digest] }, false)
	for _, l := range loose {
		if _, missing := s.Store.Find(l.Digest.String()); going[l.Digest] && missing != nil {
			err = errors.Join(err, s.note(ctx, auditlog.CallEnd, m, "ok", about(l)))
		}
	}
	return g, err
}

// Load implements modelv1.ModelServiceServer.
func (s *Service) Load(ctx context.Context, in *modelv1.LoadRequest, out *modelv1.ModelServiceLoadSender) error {
	return s.Start(ctx, in, out)
}

var _ modelv1.ModelServiceServer = (*Service)(nil)
