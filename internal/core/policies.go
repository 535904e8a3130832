package core

import (
	"context"
	"log/slog"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/grant"
)

// policiesKey names, in the sealed detail of a remember, forget, refuse or unblock record, the
// digest that the store has from then on.
const policiesKey = "policies"

// CheckPolicies holds the store of remembered permissions against the log: a file that is not the one that the log spoke of last is
// an older one that was put back, or one that somebody wrote. Everything in it
// is forgotten, on the record, and will be asked again. A core that was killed
// between the record and the file pays the same price.
func CheckPolicies(ctx context.Context, p *grant.Policies, log *audit.Log, say *slog.Logger) error {
	if p.Empty() {
		return nil
	}
	last := ""
	newest := audit.Filter{Last: 1, Kinds: []audit.Kind{auditlog.Remember, auditlog.Forget, auditlog.Refuse, auditlog.Unblock}}
	err := log.Read(ctx, newest, func(r audit.Record) error {
		last = r.Detail[policiesKey]
		return nil
	})
	if err != nil {
		return err
	}
	if last == p.Digest() {
		return nil
	}
	say.Warn("the file of remembered permissions is not the one of the log; all are forgotten")
	return p.Clear(func(digest string) error {
		_, err := log.Append(ctx, audit.Event{
			Kind: auditlog.Forget, Actor: audit.Actor{App: cliApp}, Decision: "deny", DecidedBy: "policy",
			Detail: map[string]string{policiesKey: digest, "reason": "the file did not match the log"},
		})
		return err
	})
}
