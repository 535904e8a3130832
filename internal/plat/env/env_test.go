package env_test

import (
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/plat/env"
)

func TestFrom(t *testing.T) {
	vars := map[string]string{
		"HOME": "/home/u/", "XDG_STATE_HOME": "relative/is/dropped", "XDG_CACHE_HOME": "/c//x",
		"NO_COLOR": "1", "TERM": "dumb", "LD_PRELOAD": "/evil.so", "GODEBUG": "x=1",
	}
	e := env.From(func(k string) string { return vars[k] })
	want := env.Env{Home: "/home/u", CacheHome: "/c/x", NoColor: true, Term: "dumb"}
	if e != want {
		t.Fatalf("got %+v, want %+v", e, want)
	}
	if got := e.ForCore(); !slices.Equal(got, []string{"HOME=/home/u", "XDG_CACHE_HOME=/c/x"}) {
		t.Fatalf("the core would get %q", got)
	}
}

func TestReadSeesTheProcess(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/somewhere")
	if got := env.Read().RuntimeDir; got != "/run/somewhere" {
		t.Fatalf("got %q", got)
	}
}
