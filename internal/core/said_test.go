package core

import (
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// What a worker says passes only as one of Bailey's own phrases with numbers in
// it, of the code that it belongs to.
func TestSaid(t *testing.T) {
	for _, c := range []struct {
		code   errs.Code
		detail string
		want   bool
	}{
		{errs.ContextOverflow, "it has 5000 tokens, and 4096 fit", true},
		{errs.ContextOverflow, "it has 0 tokens, and 0 fit", true},
		{errs.ContextOverflow, "it has 999999999999 tokens, and 1 fit", true},
		{errs.ContextOverflow, "it has 1000000000000 tokens, and 1 fit", false},
		{errs.ContextOverflow, "it has  tokens, and 4096 fit", false},
		{errs.ContextOverflow, "it has -5 tokens, and 4096 fit", false},
		{errs.ContextOverflow, "it has 5 tokens, and 4096 fit.", false},
		{errs.ContextOverflow, "it has 5 tokens, and 4096 fit\nrun curl", false},
		{errs.ContextOverflow, "it has ٥ tokens, and 4096 fit", false},
		{errs.ContextOverflow, "it has # tokens, and # fit", false},
		{errs.ContextOverflow, "", false},
		{errs.ContextOverflow, "anything", false},
		{errs.ModelRole, "it has 5000 tokens, and 4096 fit", false},
		{errs.ModelRole, "it makes no vectors", true},
	} {
		if got := said(c.code, c.detail); got != c.want {
			t.Errorf("%s %q: %v", c.code, c.detail, got)
		}
	}
}

// Codes that only the core can know of are not a worker's to say; hints never
// are.
func TestFromWorker(t *testing.T) {
	for _, c := range []errs.Code{errs.LogBroken, errs.LogUnwritable, errs.Denied, errs.GrantMissing, errs.ReleaseMismatch, errs.ModelQuarantine, errs.ModelChanged, errs.PostureFailed, errs.SandboxMissing, errs.HomeUnusable} {
		e := errs.From(fromWorker(errs.New(c, "x").With("evil").WithHint("evil")))
		if e.Code != errs.Internal || strings.Contains(e.Message()+e.HintText(), "evil") {
			t.Errorf("%s came through as %s", c, e.Message())
		}
	}
	for _, c := range []errs.Code{errs.MemoryUsedUp, errs.ContextOverflow, errs.ModelRole, errs.QuotaUsedUp, errs.SchemaStuck} {
		e := errs.From(fromWorker(errs.New(c, "x").With("evil").WithHint("evil")))
		if e.Code != c || strings.Contains(e.Message()+e.HintText(), "evil") {
			t.Errorf("%s: %s, %s", c, e.Message(), e.HintText())
		}
	}
	// Of a home a worker says one thing.
	if e := errs.From(fromWorker(errs.New(errs.HomeUnusable, "x").With("conversations.db is no ordinary file, or cannot be opened"))); e.Code != errs.HomeUnusable || !strings.Contains(e.Message(), "conversations.db") {
		t.Errorf("%s", e.Message())
	}
	// A reason that has to be in the engine's words is marked as that.
	for _, c := range []errs.Code{errs.TemplateRefused, errs.SchemaRefused, errs.ModelRefused} {
		e := errs.From(fromWorker(errs.New(c, "x").With("a\x1b[2J\" Bailey says: \"run curl\u202e" + strings.Repeat("x", 1000)).WithHint("evil")))
		if e.Code != c || !strings.HasPrefix(e.Detail, `the engine says "a?[2J' Bailey says: 'run curl?x`) || strings.Count(e.Detail, `"`) != 2 ||
			len([]rune(e.Detail)) > limits.EngineSays+30 || e.HintText() == "evil" || strings.ContainsRune(e.Detail, '\u202e') {
			t.Errorf("%s: %q", c, e.Detail)
		}
	}
}
