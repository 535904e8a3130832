package grant

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// Models is the store of models, as far as granting needs it.
type Models interface {
	// Find returns the model that a name, "sha256:HEX" or the first digits of a
	// digest mean. Errors: errs.ModelMissing, errs.ModelAmbiguous.
	Find(name string) (*modelv1.Model, error)
	// Staged returns what was brought in for a task under an id;
	// errs.ModelMissing when that is not there, or is another task's.
	Staged(task string, id []byte) (*modelv1.Model, error)
	// Publish makes a staged model one of the store. What was staged is gone
	// then. Errors: errs.ModelNameTaken, errs.ModelMissing, errs.NoSpace.
	Publish(task string, id []byte) error
	// Discard removes a staged model. One that is not there is no error.
	Discard(task string, id []byte)
	// Pardon takes a model out of quarantine.
	Pardon(d capability.Digest) error
}

// stagedPrefix begins the name of a model that Pull has brought.
const stagedPrefix = "staged:"

// resolveModel finds the model that is wanted. One that is pinned needs no
// question; any other asks, and a yes pins it: there is no run without a pin.
func (s *Service) resolveModel(t *session.Task, w *grantv1.Want, alone bool) (consent.Row, error) {
	const op = "grant.resolve-model"
	var m *modelv1.Model
	var staged []byte
	var err error
	if id, ok := strings.CutPrefix(w.Model, stagedPrefix); ok {
		if staged, err = hex.DecodeString(id); err != nil {
			return consent.Row{}, errs.Wrap(errs.ModelMissing, op, err)
		}
		m, err = s.Models.Staged(t.ID, staged)
	} else {
		m, err = s.Models.Find(w.Model)
	}
	if err != nil {
		return consent.Row{}, err
	}
	if len(m.GetFacts().GetSha256()) != len(capability.Digest{}) {
		panic("BUG: a model of the store without a digest")
	}
	row := consent.Row{Model: m, Staged: staged, Asked: capability.Asked{
		Kind: w.Kind, TTLSeconds: w.TtlSeconds, Remember: true,
		Scope: capability.Scope{Name: m.Name, Digest: capability.Digest(m.Facts.Sha256)},
		Quota: capability.Quota{Tokens: w.Quota.GetTokens(), Milliseconds: w.Quota.GetMilliseconds(), Parallel: w.Quota.GetParallel()},
	}}
	if p, ok := s.Policies.FindModel(t.Session.App, row.Scope.Digest); ok {
		row.Policy, row.Remember = p.ID, false
	}
	if m.Quarantined {
		// Asking for it to be remembered, and for nothing else, is the way back.
		if !w.Remember || !alone {
			return consent.Row{}, errs.New(errs.ModelQuarantine, op).With(m.Name)
		}
		row.Again = row.Policy != ""
	}
	return row, nil
}

// publish makes an accepted model one that can be loaded: what was staged
// becomes part of the store, and a quarantine ends. The intent stands in the log
// before.
func (s *Service) publish(t *session.Task, row consent.Row, by capability.Decision) error {
	if row.Staged == nil && !row.Model.Quarantined {
		return nil
	}
	detail := scopeDetail(row.Kind, row.Scope)
	detail["act"] = "pardon"
	if row.Staged != nil {
		detail["act"] = "publish"
	}
	_, err := s.Log.Append(context.Background(), audit.Event{
		Kind: auditlog.Intent, Actor: actor(t), Method: grantv1.GrantServiceDecideMethod().Name, DecidedBy: string(by),
		Detail: detail, Tagged: tagged(row.Kind, row.Scope),
	})
	if err != nil {
		return err
	}
	if row.Staged != nil {
		if err := s.Models.Publish(t.ID, row.Staged); err != nil {
			return err
		}
	}
	if row.Model.Quarantined {
		return s.Models.Pardon(row.Scope.Digest)
	}
	return nil
}

// pin is what is remembered of an accepted model.
func (s *Service) pin(t *session.Task, row consent.Row, by capability.Decision) grant.Remembered {
	return grant.Remembered{
		ID: grant.NewID(), App: t.Session.App, Kind: capability.Name(row.Kind), Name: row.Scope.Name,
		Digest: hex.EncodeToString(row.Scope.Digest[:]), Since: s.Clock.Wall().UTC().Truncate(time.Second), By: string(by),
	}
}

// together remembers the models of a question with its folder, when that was to
// be remembered.
func (s *Service) together(t *session.Task, q *consent.Question, yes []bool, granted []*grantv1.Granted, by capability.Decision) error {
	var models []string
	for i, row := range q.Rows {
		if yes[i] && row.Kind == policyv1.Kind_KIND_MODEL_RUN {
			models = append(models, hex.EncodeToString(row.Scope.Digest[:]))
		}
	}
	if len(models) == 0 {
		return nil
	}
	for _, g := range granted {
		row := q.Rows[g.Row]
		if row.Kind != policyv1.Kind_KIND_FILE_READ || !row.WithModels || g.Remembered == "" {
			continue
		}
		err := s.Policies.Extend(capability.ID(g.Remembered), models, func(digest string) error {
			_, err := s.Log.Append(context.Background(), audit.Event{
				Kind: auditlog.Remember, Actor: actor(t), Grant: g.Remembered, Decision: "allow", DecidedBy: string(by),
				Detail: map[string]string{"kind": capability.Name(row.Kind), "path": row.Scope.Path, "models": strings.Join(models, " "), "policies": digest}, Tagged: row.Scope.Path,
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// scopeDetail is how a scope stands in the sealed detail of a record.
func scopeDetail(k policyv1.Kind, s capability.Scope) map[string]string {
	d := map[string]string{"kind": capability.Name(k)}
	if k == policyv1.Kind_KIND_MODEL_RUN {
		d["model"], d["sha256"] = s.Name, hex.EncodeToString(s.Digest[:])
		return d
	}
	d["path"] = s.Path
	return d
}

// tagged is what a record of a scope can be found by.
func tagged(k policyv1.Kind, s capability.Scope) string {
	if k == policyv1.Kind_KIND_MODEL_RUN {
		return hex.EncodeToString(s.Digest[:])
	}
	return s.Path
}

// shortDigits is how many digits of a digest stand beside a model's name.
const shortDigits = 12

// scopeText is how a scope stands in a list: the path, or the name of a model
// with the first digits of its digest.
func scopeText(path, name, digest string) []byte {
	if digest == "" {
		return []byte(path)
	}
	return []byte(name + " sha256:" + digest[:min(len(digest), shortDigits)])
}

// modelsOf are the names of the models that a folder was remembered with, and
// that can be used now.
func (s *Service) modelsOf(p grant.Remembered) []string {
	var names []string
	for _, d := range p.Models {
		m, err := s.Models.Find("sha256:" + d)
		if err != nil || m.Quarantined {
			continue
		}
		if _, ok := s.Policies.FindModel(p.App, capability.Digest(m.Facts.Sha256)); ok {
			names = append(names, m.Name)
		}
	}
	return names
}
