package main

import (
	"context"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// What the core says just before the end of --timeout is that end.
func TestTimedOut(t *testing.T) {
	late, stopped := errs.New(errs.Deadline, "").With("--timeout 20ms"), errs.New(errs.Cancelled, "")
	soon, cancel := context.WithTimeoutCause(t.Context(), limits.TimeoutEarly/2, late)
	defer cancel()
	if got := timedOut(soon, stopped); got != late {
		t.Errorf("got %v", got)
	}
	if got := timedOut(soon, nil); got != nil {
		t.Errorf("a result that came in time: %v", got)
	}
	later, cancel := context.WithTimeoutCause(t.Context(), time.Hour, late)
	defer cancel()
	if got := timedOut(later, stopped); got != stopped {
		t.Errorf("got %v", got)
	}
	cancel()
	if got := timedOut(later, stopped); got != stopped {
		t.Errorf("Ctrl-C: got %v", got)
	}
}
