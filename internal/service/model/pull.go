package model

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/models"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

type stageID [16]byte

// stage is a model that waits for an answer.
type stage struct {
	id     stageID
	task   *session.Task
	file   *models.Staged
	name   string
	facts  *modelv1.Facts
	source []byte
	// named says that the name was asked for: it is the model's from the yes on,
	// also where the same bytes are here by another one then.
	named bool
}

// Pull implements modelv1.ModelServiceServer.
func (s *Service) Pull(ctx context.Context, in *modelv1.PullRequest, out *modelv1.ModelServicePullSender) (err error) {
	task, err := s.Sessions.Task(session.From(ctx), in.Task)
	if err != nil {
		return err
	}
	detail := map[string]string{"path": string(in.Path)}
	if in.Name != "" {
		detail["model"] = in.Name
	}
	event := audit.Event{Kind: auditlog.Intent, Actor: actor(task), Method: modelv1.ModelServicePullMethod().Name, Detail: detail, Tagged: string(in.Path)}
	if _, err := s.Log.Append(ctx, event); err != nil {
		return err
	}
	p := &pull{service: s, task: task, in: in, out: out}
	began := s.Clock.Wall()
	defer func() {
		event.Kind, event.Code, event.Milliseconds = auditlog.CallEnd, "ok", uint64(max(0, s.Clock.Wall().Sub(began).Milliseconds()))
		if p.digest != (models.Digest{}) {
			detail["digest"] = p.digest.String()
		}
		if err != nil {
			event.Code = string(errs.CodeOf(err))
		}
		if lerr := s.Log.Note(event); err == nil {
			err = lerr
		}
	}()
	return p.run(ctx)
}

func actor(t *session.Task) audit.Actor {
	return audit.Actor{App: t.Session.App, Surface: t.Session.Surface, Task: t.ID, Verb: t.Verb}
}

// pull is one call.
type pull struct {
	service *Service
	task    *session.Task
	in      *modelv1.PullRequest
	out     *modelv1.ModelServicePullSender
	said    time.Time
	digest  models.Digest
}

func (p *pull) run(ctx context.Context) error {
	const op = "model.pull"
	s := p.service
	if err := s.Store.Ready(); err != nil {
		return err
	}
	if n := len(p.in.Sha256); n != 0 && n != len(p.digest) {
		return errs.New(errs.Malformed, op)
	}
	name := p.in.Name
	if name == "" {
		name = models.NameOf(string(p.in.Path))
	}
	if err := models.CheckName(name); err != nil {
		return err
	}
	src, err := modelfile.OpenSource(string(p.in.Path))
	if err != nil {
		return err
	}
	defer src.Close()
	for _, own := range s.Own {
		if strings.HasPrefix(src.Path, own+"/") {
			return errs.New(errs.Denied, op).With("the file is Bailey's own").WithHint("`bailey model list` shows the models that are here")
		}
	}
	size := src.Identity.Size
	// Another size is another model: no need to read it all to know that the name
	// is taken.
	if m, err := s.Store.Find(name); err == nil && m.Name == name && m.Facts.GetSize() != size {
		return taken(m)
	}
	if err := s.Store.Room(size); err != nil {
		return err
	}
	// A look at the header first: what is no model is not copied. What counts is
	// the look at the copy.
	if err := p.progress("checking", 0, size, true); err != nil {
		return err
	}
	if _, err := s.Inspect(ctx, src); err != nil {
		return err
	}
	copying, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	st, err := s.Store.Import(copying, src, func(done uint64) {
		if err := p.progress("copying", done, size, done == size); err != nil {
			cancel(err)
		}
	})
	if err != nil {
		return err
	}
	keep := false
	defer func() {
		if !keep {
			st.Discard()
		}
	}()
	p.digest = st.Digest
	if want := p.in.Sha256; len(want) > 0 && string(want) != string(st.Digest[:]) {
		return errs.New(errs.DigestWrong, op).With("it is " + st.Digest.Hex() + ", not " + hex.EncodeToString(want))
	}
	if st.Known != nil {
		// The bytes are kept once. A name that was asked for is the model's from now
		// on; that of the file counts only for what is new.
		called := *st.Known
		if p.in.Name != "" && p.in.Name != called.Name {
			if m, err := s.Store.Find(p.in.Name); err == nil && m.Name == p.in.Name {
				return taken(m)
			}
			called.Name = p.in.Name
		}
		known := s.wire(p.task.Session.App, called)
		if known.PinnedBy != "" && !known.Quarantined {
			if called.Name != st.Known.Name {
				if _, err := s.Store.Rename(st.Digest, called.Name); err != nil {
					return err
				}
			}
			return p.out.Send(staged(stageID{}, known, true))
		}
		// It is here and nobody allows it: then that is asked.
		stg := &stage{task: p.task, file: st, name: called.Name, facts: called.Facts, source: called.Source, named: p.in.Name != ""}
		keep = true
		return p.stage(stg, known)
	}
	// The same bytes may have come by another pull meanwhile; then its model is what
	// is published.
	if m, err := s.Store.Find(name); err == nil && m.Name == name && m.Digest != st.Digest {
		return taken(m)
	}
	if err := p.progress("checking", size, size, true); err != nil {
		return err
	}
	facts, err := s.Inspect(ctx, st.File())
	if err != nil {
		return err
	}
	facts.Sha256, facts.Size = append([]byte(nil), st.Digest[:]...), st.Size
	keep = true
	return p.stage(&stage{task: p.task, file: st, name: name, facts: facts, source: p.in.Path, named: p.in.Name != ""},
		&modelv1.Model{Name: name, Facts: facts, Source: p.in.Path})
}

func taken(m models.Model) error {
	return errs.New(errs.ModelNameTaken, "model.pull").With(m.Name + " is " + m.Digest.String())
}

func staged(id stageID, m *modelv1.Model, known bool) *modelv1.PullResponse {
	return &modelv1.PullResponse{Event: &modelv1.PullResponse_Staged{Staged: &modelv1.Staged{Id: id[:], Model: m, Known: known}}}
}

func (p *pull) progress(stage string, done, total uint64, always bool) error {
	now := p.service.Clock.Wall()
	if !always && now.Sub(p.said) < limits.ModelProgress && !now.Before(p.said) {
		return nil
	}
	p.said = now
	return p.out.Send(&modelv1.PullResponse{Event: &modelv1.PullResponse_Progress{Progress: &modelv1.PullProgress{Stage: stage, Bytes: done, Total: total}}})
}

// stage keeps st for the task's answer and tells the client.
func (p *pull) stage(st *stage, m *modelv1.Model) error {
	const op = "model.stage"
	s := p.service
	_, _ = rand.Read(st.id[:])
	s.mu.Lock()
	n := 0
	for _, o := range s.staged {
		if o.task == p.task {
			n++
		}
	}
	if s.staged == nil {
		s.staged = map[stageID]*stage{}
	}
	if n < limits.ModelStaged {
		s.staged[st.id] = st
	}
	s.mu.Unlock()
	if n >= limits.ModelStaged {
		st.file.Discard()
		return errs.New(errs.CoreBusy, op).With("too many models of this task wait for an answer")
	}
	if !p.task.OnEnd(func(session.Outcome) { s.unstage(st) }) {
		s.unstage(st)
		return errs.New(errs.Cancelled, op)
	}
	return p.out.Send(staged(st.id, m, false))
}

func (s *Service) unstage(st *stage) {
	s.mu.Lock()
	_, mine := s.staged[st.id]
	delete(s.staged, st.id)
	s.mu.Unlock()
	if mine {
		st.file.Discard()
	}
}

// stagedPrefix begins the name of a staged model in a want.
const stagedPrefix = "staged:"

// Wanted is a model that a want names.
type Wanted struct {
	// Model is what a person is shown.
	Model  *modelv1.Model
	Digest models.Digest
	// Again says that a person has to be asked although a pin is remembered: the
	// model was set aside.
	Again bool

	service *Service
	stage   *stage
}

// Resolve finds the model that a want of KIND_MODEL_RUN names: a name, a digest
// or first digits of it, or "staged:HEX" of one that the task has pulled.
// remember says that the want asks for a pin. Errors: errs.ModelMissing,
// errs.ModelAmbiguous, errs.ModelQuarantine where no pin is asked for.
func (s *Service) Resolve(task *session.Task, ref string, remember bool) (*Wanted, error) {
	const op = "model.resolve"
	if digits, ok := strings.CutPrefix(ref, stagedPrefix); ok {
		st := s.stagedBy(task, digits)
		if st == nil {
			return nil, errs.New(errs.ModelMissing, op).With("nothing of this task waits under that id")
		}
		return &Wanted{
			Model: &modelv1.Model{Name: st.name, Facts: st.facts, Source: st.source}, Digest: st.file.Digest, Again: true,
			service: s, stage: st,
		}, nil
	}
	m, err := s.Store.Find(ref)
	if err != nil {
		return nil, err
	}
	if m.Quarantined && !remember {
		return nil, errs.New(errs.ModelQuarantine, op).With(m.Name)
	}
	return &Wanted{Model: s.wire(task.Session.App, m), Digest: m.Digest, Again: m.Quarantined, service: s}, nil
}

func (s *Service) stagedBy(task *session.Task, digits string) *stage {
	var id stageID
	if b, err := hex.DecodeString(digits); err != nil || len(b) != len(id) {
		return nil
	} else {
		copy(id[:], b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.staged[id]; st != nil && st.task == task {
		return st
	}
	return nil
}

// Accept makes what a person has allowed usable: a staged model becomes one of
// the store, and one that was set aside gets another chance. It is called before
// the pin is remembered: a model without a pin is never loaded.
func (w *Wanted) Accept() (models.Model, error) {
	s := w.service
	if w.stage == nil {
		if !w.Again {
			return s.Store.Get(w.Digest)
		}
		return s.Store.Restore(w.Digest)
	}
	m, err := w.stage.file.Publish(w.stage.name, w.stage.facts, w.stage.source)
	if err != nil {
		return m, err
	}
	s.unstage(w.stage)
	if w.stage.named && m.Name != w.stage.name {
		if m, err = s.Store.Rename(m.Digest, w.stage.name); err != nil {
			return m, err
		}
	}
	if m.Quarantined {
		return s.Store.Restore(m.Digest)
	}
	return m, nil
}

// tooLarge shows the sums.
func tooLarge(m models.Model, fit *modelv1.Fit) error {
	e := errs.New(errs.ModelTooLarge, "model.fit").With(fmt.Sprintf("%s takes %s at a context of %d tokens (weights %s, cache %s, scratch %s), and %s are available",
		m.Name, models.Size(models.Need(fit)), fit.Context, models.Size(fit.Weights), models.Size(fit.Cache), models.Size(fit.Compute), models.Size(fit.Available)))
	if fit.LongestContext > 0 {
		return e.WithHint(fmt.Sprintf("--context %d would fit; --over-memory loads it all the same, slowly", fit.LongestContext))
	}
	return e
}
