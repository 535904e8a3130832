package rule_test

import (
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/rule"
)

func TestPath(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{rule.Broken("f", "bytes.len").Error("M"), "M.f: bytes.len"},
		{rule.Broken("", "unknown field").Error("M"), "M: unknown field"},
		{rule.Broken("id", "string.min_len").At("tasks", 3).In("list").Error("M"), "M.list.tasks[3].id: string.min_len"},
		{rule.Broken("", "required").At("f", 0).Error("M"), "M.f[0]: required"},
		{rule.Missing("M"), "M: required"},
	} {
		e := errs.From(c.err)
		if e.Code != errs.Malformed || e.Detail != c.want {
			t.Errorf("%s: %q, want %q", e.Code, e.Detail, c.want)
		}
	}
}
