package core

import (
	"slices"
	"sync"
	"testing"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/wire/corev1"
)

// TestWhoStopped: a task that another client stopped has it on the record who did,
// before its end.
func TestWhoStopped(t *testing.T) {
	r := start(t, 0)
	u, other := r.connect(), r.connect()
	begun, err := u.Core.BeginTask(t.Context(), &corev1.BeginTaskRequest{Verb: "ask"})
	must(t, err)
	if _, err := other.Core.StopTask(t.Context(), &corev1.StopTaskRequest{Task: begun.Task}); err != nil {
		t.Fatal(err)
	}
	var kinds []audit.Kind
	must(t, r.log.Read(t.Context(), audit.Filter{Task: begun.Task}, func(rec audit.Record) error {
		kinds = append(kinds, rec.Kind)
		if rec.Kind == auditlog.Call && (rec.Method != corev1.CoreServiceStopTaskMethod().Name || rec.App == "" || rec.Verb != "") {
			t.Errorf("%+v", rec)
		}
		return nil
	}))
	if !slices.Equal(kinds, []audit.Kind{auditlog.TaskBegin, auditlog.Call, auditlog.TaskEnd}) {
		t.Errorf("%v", kinds)
	}
}

// TestOneExamination: however many ask for it at once, one examination is at work at a
// time. Each has at most one worker, and the one before it may still be ending.
func TestOneExamination(t *testing.T) {
	const asked, most = 6, 3
	r := start(t, 0)
	u := r.connect()
	var all sync.WaitGroup
	for range asked {
		all.Go(func() {
			if _, err := u.Core.Doctor(t.Context(), &corev1.DoctorRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	seen := 0
	for {
		select {
		case <-over:
			if seen == 0 || seen > most {
				t.Errorf("%d workers at once", seen)
			}
			return
		default:
			seen = max(seen, len(r.workers()))
		}
	}
}
