package grant

import (
	"cmp"
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// Wanted is a model that a want names.
type Wanted struct {
	Model *modelv1.Model
	// Again says that a person has to be asked although a pin is remembered: the
	// model was just brought in, or it was set aside.
	Again bool
	// Accept makes it one that can be loaded, before its pin is remembered.
	Accept func() error
}

// resolveModel finds the model that is wanted. One that is pinned needs no
// question; any other asks. A yes pins it where that was asked for, and else lasts
// as long as the task: what was withdrawn comes back only for who says so.
func (s *Service) resolveModel(t *session.Task, w *grantv1.Want, alone bool) (consent.Row, error) {
	// Asking for a pin, and for nothing else, is the way out of quarantine.
	m, err := s.Wanted(t, w.Model, w.Remember && alone)
	if err != nil {
		return consent.Row{}, err
	}
	facts := m.Model.GetFacts()
	if len(facts.GetSha256()) != len(capability.Digest{}) {
		panic("BUG: a model without a digest")
	}
	row := consent.Row{Model: m.Model, Again: m.Again, Accept: m.Accept, Asked: capability.Asked{
		Kind: w.Kind, TTLSeconds: w.TtlSeconds, Remember: w.Remember || m.Again,
		Scope: capability.Scope{Name: m.Model.Name, Digest: capability.Digest(facts.Sha256)},
		Quota: capability.Quota{Tokens: w.Quota.GetTokens(), Milliseconds: w.Quota.GetMilliseconds(), Parallel: w.Quota.GetParallel()},
	}}
	s.recall(t.Session.App, &row)
	return row, nil
}

// accept makes an accepted model one that can be loaded: what was staged
// becomes part of the store, and a quarantine ends. The intent stands in the log
// before.
func (s *Service) accept(t *session.Task, row consent.Row, by capability.Decision) error {
	if !row.Again {
		return nil
	}
	_, err := s.Log.Append(context.Background(), audit.Event{
		Kind: auditlog.Intent, Actor: actor(t), Method: grantv1.GrantServiceDecideMethod().Name, DecidedBy: string(by),
		Detail: scopeDetail(row.Kind, row.Scope), Tagged: tagged(row.Kind, row.Scope),
	})
	if err != nil {
		return err
	}
	return row.Accept()
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

// MintOwn mints grants for a task of the core's own, from rows that are remembered,
// on the record like any other. When one fails, none is left.
func (s *Service) MintOwn(t *session.Task, rows ...consent.Row) ([]*grant.Grant, error) {
	q := &consent.Question{App: t.Session.App, Channel: t.Session.Channel, Task: t.ID, Verb: t.Verb, Rows: rows}
	asked := make([]capability.Asked, len(rows))
	for i, row := range rows {
		if row.Asks() {
			panic("BUG: the core asks nobody for a task of its own")
		}
		asked[i] = row.Asked
	}
	q.Hash = capability.ActionHash(q.Task, q.Verb, asked)
	var out []*grant.Grant
	for _, row := range rows {
		g, _, err := s.mint(t, q, row, capability.ByRemembered, nil)
		if err != nil {
			s.noteEnded(auditlog.Revoke, actor(t), s.Table.EndTask(t.Session.Channel, t.ID))
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

// scopeDetail is how a scope stands in the sealed detail of a record.
func scopeDetail(k policyv1.Kind, s capability.Scope) map[string]string {
	d := map[string]string{"kind": capability.Name(k)}
	if k == policyv1.Kind_KIND_MODEL_RUN {
		d["model"], d["sha256"] = s.Name, hex.EncodeToString(s.Digest[:])
		return d
	}
	if k == policyv1.Kind_KIND_NET_FETCH {
		d["host"] = s.Name
		return d
	}
	if s.Digest != (capability.Digest{}) {
		d["sha256"] = hex.EncodeToString(s.Digest[:])
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
// with the first digits of its digest. It is cut to what the schema allows: one row
// that cannot be sent would hide those behind it.
func scopeText(path, name, digest string) []byte {
	text, sum := cmp.Or(name, path), ""
	if digest == "" {
		text = path
	} else {
		sum = " sha256:" + digest[:min(len(digest), shortDigits)]
	}
	if most := limits.PathBytes - len(sum); len(text) > most {
		const cut = "…"
		text = text[:most-len(cut)] + cut
	}
	return []byte(text + sum)
}

// modelsOf are the names of the models that a folder was remembered with, and
// that can be used now.
func (s *Service) modelsOf(p grant.Remembered) []string {
	var names []string
	for _, digits := range p.Models {
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) != len(capability.Digest{}) {
			continue
		}
		d := capability.Digest(b)
		if _, ok := s.Policies.FindModel(p.App, d); !ok {
			continue
		}
		if m, ok := s.Model(d); ok && !m.Quarantined {
			names = append(names, m.Name)
		}
	}
	return names
}
