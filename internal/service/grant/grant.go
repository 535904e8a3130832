// Package grant answers bailey.grant.v1: it turns what a client wants into a
// question, an answer into grants, and shows and withdraws them. What may be
// granted is decided in capability and consent; the table and the log are in
// grant and audit.
package grant

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// Service implements grantv1.GrantServiceServer.
type Service struct {
	Clock    clock.Clock
	Sessions *session.Registry
	Table    *grant.Table
	Policies *grant.Policies
	Desk     *consent.Desk
	Log      *audit.Log
	// Own are Bailey's own directories: nothing in them can be granted.
	Own []string
	// UserDir is the person's home folder without links, or "": a question says what holds it.
	UserDir string
	// Wanted finds the model that a want names: a name, a digest or its first
	// digits, or "staged:HEX" of one that the task has pulled. pin says that the
	// want asks for a pin. Errors: errs.ModelMissing, errs.ModelAmbiguous,
	// errs.ModelQuarantine where no pin is asked for.
	Wanted func(t *session.Task, ref string, pin bool) (*Wanted, error)
	// Model returns a model of the store.
	Model func(capability.Digest) (*modelv1.Model, bool)
	// Assign gives the minted grant of a folder its worker, which is told its row
	// before the client gets the handle. It takes the folder over.
	Assign func(context.Context, *grant.Grant, *folder.Folder) error
	// AssignModel ties the minted grant of a model to the engine that it shares; card
	// is the one of a graphics card from the same question, or nil.
	AssignModel func(g *grant.Grant, m *modelv1.Model, card *grant.Grant)
	// Forgotten is called when a remembered permission is gone.
	Forgotten func(grant.Remembered)
	// Progress is how far the background work under a remembered permission is, in
	// thousandths; 0 = there is none.
	Progress func(capability.ID) uint32
	// Line is where the prompts of all apps stand, and Prompter shows the one whose
	// turn it is. Name is what an app is called, and Allows whether it may ask for a
	// kind at all.
	Line     *consent.Line
	Prompter Prompter
	Name     func(app string) string
	Allows   func(app string, k policyv1.Kind) bool
	// Picked opens again what a person picked for a page or dropped on it: a token
	// of the window's, worth nothing on another. The caller closes the folder.
	// errs.NotFound where it stands for nothing.
	Picked func(s *session.Session, token []byte) (*folder.Folder, error)
	// Graphics looks for a graphics card that an engine could be given, and returns
	// its device node. errs.GraphicsMissing, with the reason.
	Graphics func() (string, error)
	// remembering is held from the look at what is remembered until it is more.
	remembering sync.Mutex
	// Pins is held from when a model becomes one of the store until its pin is
	// remembered: what collects models without a pin holds the other side of it.
	Pins sync.Locker
}

func actor(t *session.Task) audit.Actor {
	return audit.Actor{App: t.Session.App, Surface: t.Session.Surface, Task: t.ID, Verb: t.Verb}
}

// Propose implements grantv1.GrantServiceServer.
func (s *Service) Propose(ctx context.Context, in *grantv1.ProposeRequest) (*grantv1.ProposeResponse, error) {
	sess := session.From(ctx)
	task, err := s.Sessions.Task(sess, in.Task)
	if err != nil {
		return nil, err
	}
	q := &consent.Question{App: sess.App, Surface: sess.Surface, Channel: sess.Channel, Task: task.ID, Verb: task.Verb}
	out := &grantv1.ProposeResponse{InertMs: uint32(limits.PromptInert.Milliseconds())}
	for _, w := range in.Wants {
		if len(w.Picked) > 0 {
			q.Close()
			return nil, s.refused(task, w, errs.New(errs.Malformed, "grant.propose").With("only a page names what was picked"))
		}
		row, err := s.resolve(task, w, len(in.Wants) == 1)
		if err != nil {
			q.Close()
			return nil, s.refused(task, w, err)
		}
		if twice(q.Rows, row) {
			row.Close()
			q.Close()
			return nil, s.refused(task, w, errs.New(errs.Usage, "grant.propose").With("the same is asked for twice").WithHint("name each folder and each model once"))
		}
		q.Rows = append(q.Rows, row)
		shown := &grantv1.Row{
			Kind: row.Kind, Path: []byte(row.Scope.Path), Renamed: row.Folder != nil && row.Folder.Renamed,
			TtlSeconds: row.TTLSeconds, Remember: row.Remember || row.Again, Remembered: !row.Asks(), Model: row.Model,
		}
		if row.Quota != (capability.Quota{}) {
			shown.Quota = &grantv1.Quota{Tokens: row.Quota.Tokens, Milliseconds: row.Quota.Milliseconds, Parallel: row.Quota.Parallel, Vram: row.Quota.VRAM}
		}
		out.Rows = append(out.Rows, shown)
	}
	if err := s.Desk.Put(q); err != nil {
		return nil, s.refused(task, in.Wants[0], err)
	}
	out.Proposal, out.ActionHash, out.Ask = q.ID[:], q.Hash[:], q.Ask
	if err := s.Log.Note(audit.Event{Kind: auditlog.Call, Actor: actor(task), Method: grantv1.GrantServiceProposeMethod().Name}); err != nil {
		return nil, err
	}
	return out, nil
}

// resolve opens what is wanted. alone says that it is wanted by itself.
func (s *Service) resolve(t *session.Task, w *grantv1.Want, alone bool) (consent.Row, error) {
	const op = "grant.resolve"
	if w.Kind == policyv1.Kind_KIND_GPU_USE && s.Graphics != nil {
		return s.resolveCard(t, w, alone)
	}
	if !capability.Grantable(w.Kind) {
		return consent.Row{}, errs.New(errs.Denied, op).With(capability.Name(w.Kind) + " cannot be granted in this release").WithHint("reading a folder can be, and running a model")
	}
	if w.Kind == policyv1.Kind_KIND_MODEL_RUN {
		return s.resolveModel(t, w, alone)
	}
	f, err := s.open(t, w)
	if err != nil {
		return consent.Row{}, err
	}
	for _, own := range s.Own {
		if f.Path == own || strings.HasPrefix(f.Path, own+"/") || f.Within(own) {
			f.Close()
			return consent.Row{}, errs.New(errs.Denied, op).With("the folder is Bailey's own").WithHint("its log can be read with `bailey audit show`")
		}
	}
	row := consent.Row{Folder: f, WithModels: w.Remember, Asked: capability.Asked{
		Kind: w.Kind, TTLSeconds: w.TtlSeconds, Remember: w.Remember,
		Scope: capability.Scope{Path: f.Path, Object: f.Object},
	}}
	if !s.recall(t.Session.App, &row) && w.Remember && f.Object.FileHandle == "" {
		f.Close()
		return consent.Row{}, errs.New(errs.NotSupported, op).With("a folder of this file system cannot be remembered").WithHint("leave --remember out")
	}
	return row, nil
}

// twice reports whether a question has a row of the same object already. A second
// grant of it would give nothing but a second worker.
func twice(rows []consent.Row, row consent.Row) bool {
	return slices.ContainsFunc(rows, func(o consent.Row) bool {
		same := o.Scope.Object == row.Scope.Object || folder.Same(o.Scope.Object, row.Scope.Object)
		return same && o.Kind == row.Kind && o.Scope.Digest == row.Scope.Digest
	})
}

// resolveCard finds the graphics card that is wanted. Nobody is asked for one that
// is not there, nor for one that nothing would use.
func (s *Service) resolveCard(t *session.Task, w *grantv1.Want, alone bool) (consent.Row, error) {
	if alone {
		return consent.Row{}, errs.New(errs.Denied, "grant.card").With("a graphics card is given to a model, and none is asked for").
			WithHint("ask for both in one question")
	}
	node, err := s.Graphics()
	if err != nil {
		return consent.Row{}, err
	}
	row := consent.Row{Asked: capability.Asked{
		Kind: w.Kind, TTLSeconds: w.TtlSeconds, Remember: w.Remember,
		Scope: capability.Scope{Path: node}, Quota: capability.Quota{VRAM: w.Quota.GetVram()},
	}}
	s.recall(t.Session.App, &row)
	return row, nil
}

// policy is what is remembered of a row, if anything is.
func (s *Service) policy(app string, row *consent.Row) (grant.Remembered, bool) {
	switch {
	case row.Model != nil:
		return s.Policies.FindModel(app, row.Scope.Digest)
	case row.Kind == policyv1.Kind_KIND_GPU_USE:
		return s.Policies.FindCard(app, row.Scope.Path)
	}
	return s.Policies.Find(app, capability.Name(row.Kind), row.Scope.Object, folder.Same)
}

// recall notes in a row what is remembered of it, and reports whether anything is.
func (s *Service) recall(app string, row *consent.Row) bool {
	p, ok := s.policy(app, row)
	if ok {
		row.Policy, row.Remember = p.ID, false
	}
	return ok
}

// open opens the folder of a want: a page's by what was picked, a command's by its
// path.
func (s *Service) open(t *session.Task, w *grantv1.Want) (*folder.Folder, error) {
	if len(w.Picked) == 0 {
		return folder.Open(string(w.Path))
	}
	if s.Picked == nil {
		return nil, errs.New(errs.NotFound, "grant.open")
	}
	return s.Picked(t.Session, w.Picked)
}

// refused records a refusal and returns its error.
func (s *Service) refused(t *session.Task, w *grantv1.Want, err error) error {
	return s.refusedTo(t, w, grantv1.GrantServiceProposeMethod().Name, err)
}

// refusedTo is refused for any method that a want came by.
func (s *Service) refusedTo(t *session.Task, w *grantv1.Want, method string, err error) error {
	e := errs.From(err)
	if lerr := s.Log.Note(refusalOf(t, w, method, e)); lerr != nil {
		return lerr
	}
	return e
}

func refusalOf(t *session.Task, w *grantv1.Want, method string, e *errs.Error) audit.Event {
	ev := audit.Event{
		Kind: auditlog.Deny, Actor: actor(t), Method: method, Decision: "deny", Code: string(e.Code),
		Detail: map[string]string{"kind": capability.Name(w.Kind)}, Tagged: string(w.Path),
	}
	if w.Kind == policyv1.Kind_KIND_MODEL_RUN {
		// A name that means nothing here: there is no digest to find it by.
		ev.Detail["model"], ev.Tagged = w.Model, w.Model
	} else if len(w.Path) > 0 {
		ev.Detail["path"] = string(w.Path)
	}
	return ev
}

// Decide implements grantv1.GrantServiceServer.
func (s *Service) Decide(ctx context.Context, in *grantv1.DecideRequest) (*grantv1.DecideResponse, error) {
	const op = "grant.decide"
	by := capability.ByCommandLine
	if in.DecidedBy == grantv1.DecidedBy_DECIDED_BY_TERMINAL {
		by = capability.ByTerminal
	} else if in.DecidedBy != grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE {
		return nil, errs.New(errs.Malformed, op)
	}
	sess := session.From(ctx)
	q, err := s.Desk.Take(sess.Channel, in.Proposal, in.ActionHash, by)
	if err != nil {
		e := errs.From(err)
		lerr := s.Log.Note(audit.Event{
			Kind: auditlog.Deny, Actor: audit.Actor{App: sess.App, Surface: sess.Surface}, Method: grantv1.GrantServiceDecideMethod().Name,
			Decision: "deny", DecidedBy: "policy", Code: string(e.Code), Detail: map[string]string{"reason": e.Detail},
		})
		if lerr != nil {
			return nil, lerr
		}
		return nil, e
	}
	task, err := s.Sessions.Task(sess, q.Task)
	if err != nil {
		q.Close()
		return nil, cmp.Or(lapsed(s.Log, q, "its task has ended"), err)
	}
	granted, err := s.settle(ctx, task, q, in.Accepted, by)
	if err != nil {
		return nil, err
	}
	return &grantv1.DecideResponse{Grants: granted}, nil
}

// settle mints the rows that were accepted and records the others as denied. When
// one fails, none is left, nor is it remembered.
func (s *Service) settle(ctx context.Context, task *session.Task, q *consent.Question, accepted []uint32, by capability.Decision) ([]*grantv1.Granted, error) {
	if !q.Unchanged() {
		q.Close()
		const reason = "the action is not the one that was shown"
		return nil, cmp.Or(lapsed(s.Log, q, reason), error(errs.New(errs.Denied, "grant.settle").With(reason)))
	}
	yes := make([]bool, len(q.Rows))
	for _, i := range accepted {
		if int(i) >= len(q.Rows) || yes[i] {
			q.Close()
			return nil, cmp.Or(lapsed(s.Log, q, "the answer is none to this question"), error(errs.New(errs.Malformed, "grant.settle")))
		}
		yes[i] = true
	}
	var out []*grantv1.Granted
	var err error
	var models []func()
	var card *grant.Grant
	var remembered []capability.ID
	for i, row := range q.Rows {
		if !yes[i] {
			row.Close()
			if err = s.denied(task, q, row, by); err != nil {
				break
			}
			continue
		}
		g, h, merr := s.mint(task, q, row, by, &remembered)
		if merr != nil {
			row.Close()
			err = merr
			break
		}
		// Before it is assigned: undo has to find it.
		out = append(out, &grantv1.Granted{Id: string(g.Row.ID), Handle: h[:], Row: uint32(i), Remembered: string(g.Row.Policy)})
		switch {
		case row.Model != nil:
			// When it is known whether there is a card for it.
			models = append(models, func() { s.AssignModel(g, row.Model, card) })
		case row.Kind == policyv1.Kind_KIND_GPU_USE:
			card = g
		default:
			q.Rows[i].Folder = nil // it is the worker's: whoever closes the question leaves it open
			err = s.Assign(ctx, g, row.Folder)
		}
		if err != nil {
			break
		}
	}
	for _, assign := range models {
		if err == nil {
			assign()
		}
	}
	if err == nil {
		err = s.together(task, q, yes, out, by)
	}
	if err != nil {
		// All or nothing: what was minted goes with the failure. The folders of
		// rows that were not reached are closed; closing twice is harmless.
		q.Close()
		s.undo(task, out)
		for _, id := range remembered {
			if _, ferr := s.Forget(ctx, id); ferr != nil && errs.CodeOf(ferr) != errs.NotFound {
				err = errors.Join(err, ferr)
			}
		}
		return nil, err
	}
	return out, nil
}

// mint records and mints one accepted row, and remembers it when asked to.
func (s *Service) mint(t *session.Task, q *consent.Question, row consent.Row, by capability.Decision, remembered *[]capability.ID) (*grant.Grant, capability.Handle, error) {
	if row.Model != nil {
		s.Pins.Lock()
		defer s.Pins.Unlock()
		if err := s.accept(t, row, by); err != nil {
			return nil, capability.Handle{}, err
		}
	}
	if !row.Asks() {
		by = capability.ByRemembered
	}
	r := capability.Row{
		Kind: row.Kind, Scope: row.Scope, Quota: row.Quota, Policy: row.Policy, ActionHash: q.Hash, By: by,
		Holder: capability.Holder{App: t.Session.App, Channel: t.Session.Channel, Task: t.ID, Surface: t.Session.Surface, Verb: t.Verb},
	}
	if row.TTLSeconds > 0 {
		ttl := time.Duration(row.TTLSeconds) * time.Second
		r.Expiry = capability.Expiry{Wall: s.Clock.Wall().Add(ttl), Boot: s.Clock.Boot() + ttl}
	}
	switch p, ok := s.policy(t.Session.App, &row); {
	case ok && row.Model != nil:
		r.Policy = p.ID // perhaps since it was proposed
	case row.Model == nil && row.Policy != "" && !s.remembers(row.Policy):
		return nil, capability.Handle{}, withdrawn()
	case row.Model != nil && row.Policy != "" && !row.Remember:
		return nil, capability.Handle{}, errs.New(errs.GrantRevoked, "grant.mint").With("the model's permission was withdrawn meanwhile")
	case row.Remember:
		p, made, err := s.remember(t, row, by)
		if made && remembered != nil {
			*remembered = append(*remembered, p)
		}
		if err != nil {
			return nil, capability.Handle{}, err
		}
		r.Policy = p
	}
	g, h, err := s.Table.Mint(r, func(r capability.Row) error {
		detail := scopeDetail(r.Kind, r.Scope)
		detail["action"] = hex.EncodeToString(r.ActionHash[:])
		if row.TTLSeconds > 0 {
			detail["expires"] = r.Expiry.Wall.UTC().Format(time.RFC3339)
		}
		if r.Policy != "" {
			detail["remembered"] = string(r.Policy)
		}
		_, err := s.Log.Append(context.Background(), audit.Event{
			Kind: auditlog.Grant, Actor: actor(t), Grant: string(r.ID), Decision: "allow", DecidedBy: string(r.By),
			Detail: detail, Tagged: tagged(r.Kind, r.Scope),
		})
		return err
	})
	if err == nil && r.Policy != "" {
		if !s.remembers(r.Policy) {
			// What was remembered was withdrawn since the question was put. Forget ends
			// the live grants under the lock that Get takes, so it has either seen this
			// one or is seen here.
			s.takeBack(t, g.Row.ID)
			return nil, h, withdrawn()
		}
	}
	if err == nil && t.Ended() {
		// Its end did not see the grant, so nothing would end it.
		s.takeBack(t, g.Row.ID)
		return nil, h, errs.New(errs.Cancelled, "grant.mint")
	}
	return g, h, err
}

func withdrawn() error {
	return errs.New(errs.GrantRevoked, "grant.mint").With("the permission was withdrawn meanwhile")
}

func (s *Service) remembers(id capability.ID) bool { _, ok := s.Policies.Get(id); return ok }

// remember returns the policy that a row is remembered by, which another question
// may have made since this one was put: of two, a person would withdraw one. made
// says that it was this one.
func (s *Service) remember(t *session.Task, row consent.Row, by capability.Decision) (id capability.ID, made bool, err error) {
	s.remembering.Lock()
	defer s.remembering.Unlock()
	p, ok := s.policy(t.Session.App, &row)
	if ok {
		return p.ID, false, nil
	}
	if row.Model != nil {
		p = s.pin(t, row, by)
	} else {
		o := row.Scope.Object
		p = grant.Remembered{
			ID: grant.NewID(), App: t.Session.App, Kind: capability.Name(row.Kind), Path: row.Scope.Path,
			FS: hex.EncodeToString(o.FS[:]), Inode: o.Inode, Handle: o.FileHandle,
			Since: s.Clock.Wall().UTC().Truncate(time.Second), By: string(by),
		}
	}
	err = s.Policies.Remember(p, func(digest string) error {
		detail := scopeDetail(row.Kind, row.Scope)
		detail["policies"] = digest
		_, err := s.Log.Append(context.Background(), audit.Event{
			Kind: auditlog.Remember, Actor: actor(t), Grant: string(p.ID), Decision: "allow", DecidedBy: string(by),
			Detail: detail, Tagged: tagged(row.Kind, row.Scope),
		})
		return err
	})
	return p.ID, err == nil, err
}

func (s *Service) denied(t *session.Task, q *consent.Question, row consent.Row, by capability.Decision) error {
	s.Desk.Deny(q, []consent.Row{row})
	if by == capability.ByPrompt && row.Asks() {
		if err := s.refuse(t, row, by); err != nil {
			return err
		}
	}
	return s.Log.Note(audit.Event{
		Kind: auditlog.Deny, Actor: actor(t), Decision: "deny", DecidedBy: string(by), Code: string(errs.Denied),
		Detail: scopeDetail(row.Kind, row.Scope), Tagged: tagged(row.Kind, row.Scope),
	})
}

// Unanswered records a question that nobody answered.
func Unanswered(log *audit.Log, q *consent.Question) { _ = lapsed(log, q, "nobody answered") }

// lapsed records a question of which nothing came.
func lapsed(log *audit.Log, q *consent.Question, reason string) (err error) {
	for _, row := range q.Rows {
		detail := scopeDetail(row.Kind, row.Scope)
		detail["reason"] = reason
		err = errors.Join(err, log.Note(audit.Event{
			Kind: auditlog.Deny, Actor: audit.Actor{App: q.App, Surface: q.Surface, Task: q.Task, Verb: q.Verb}, Decision: "deny", DecidedBy: "policy", Code: string(errs.Denied),
			Detail: detail, Tagged: tagged(row.Kind, row.Scope),
		}))
	}
	return err
}

func (s *Service) undo(t *session.Task, granted []*grantv1.Granted) {
	for _, g := range granted {
		s.takeBack(t, capability.ID(g.Id))
	}
}

// takeBack ends a grant whose handle nobody has got. Its channel may be gone, so no
// key may stay behind to tell why.
func (s *Service) takeBack(t *session.Task, id capability.ID) {
	s.noteEnded(auditlog.Revoke, actor(t), s.Table.Finish(id))
}

// noteEnded records the end of grants. It cannot fail the caller: the grants
// are gone already, and the log's own error shows at the next act.
func (s *Service) noteEnded(kind auditlog.Kind, a audit.Actor, ended []grant.Ended) {
	for _, e := range ended {
		_ = s.Log.Note(Ended(kind, a, e))
	}
}

// HolderActor is how a grant's holder stands in the log.
func HolderActor(h capability.Holder) audit.Actor {
	return audit.Actor{App: h.App, Surface: h.Surface, Task: h.Task, Verb: h.Verb}
}

// Ended is the record of a grant that has ended.
func Ended(kind auditlog.Kind, a audit.Actor, e grant.Ended) audit.Event {
	return audit.Event{
		Kind: kind, Actor: a, Grant: string(e.Row.ID),
		Detail: scopeDetail(e.Row.Kind, e.Row.Scope),
	}
}

// FindRemembered implements grantv1.GrantServiceServer.
func (s *Service) FindRemembered(ctx context.Context, in *grantv1.FindRememberedRequest) (*grantv1.FindRememberedResponse, error) {
	path := filepath.Clean(string(in.Path))
	p, ok := s.Policies.Above(session.From(ctx).App, capability.Name(policyv1.Kind_KIND_FILE_READ), path)
	if !ok {
		return &grantv1.FindRememberedResponse{}, nil
	}
	return &grantv1.FindRememberedResponse{Path: []byte(p.Path), Models: s.modelsOf(p)}, nil
}
