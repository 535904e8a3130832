package core

import (
	"testing"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/corev1"
)

// TestManyTasks: with more tasks than one answer holds, the newest are listed.
func TestManyTasks(t *testing.T) {
	s := &Service{Sessions: session.NewRegistry(clock.System{})}
	last := ""
	for range limits.TasksListed + 1 {
		last = s.Sessions.Own("studio", OwnSurface, "ask").ID
	}
	out, err := s.ListTasks(t.Context(), &corev1.ListTasksRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(out.Tasks); n != limits.TasksListed || out.Tasks[n-1].Id != last {
		t.Errorf("%d tasks are listed", n)
	}
	if err := out.Validate(); err != nil {
		t.Errorf("the answer cannot be sent: %v", err)
	}
}
