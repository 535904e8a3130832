package core

import (
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/limits"
)

// Calls without a grant do not fill the log, and none is left out of its numbers.
func TestRefusalsAreFolded(t *testing.T) {
	var r refusals
	now, records, counted := time.Hour, 0, uint64(0)
	one := func(key string) bool {
		ev := audit.Event{Method: key}
		record := r.add(key, now, &ev)
		if record {
			records++
			counted += max(ev.Messages, 1)
		}
		return record
	}
	for range 10_000 {
		one("studio search")
	}
	if records != limits.RefusalsMost || counted != limits.RefusalsMost {
		t.Errorf("%d records of %d", records, counted)
	}
	if !one("studio source") || !one("notes search") {
		t.Error("another is left out")
	}
	now += limits.RefusalsTime
	if !one("studio search") || counted != 10_003 {
		t.Errorf("%d are counted", counted)
	}
	// Those after which nothing comes have a record when their time is over.
	for range 1000 {
		one("studio search")
	}
	if evs := r.over(now+limits.RefusalsTime-1, false); len(evs) != 0 || len(r.rows) != 1 {
		t.Errorf("%v before the time is over, %d rows", evs, len(r.rows))
	}
	left := 1001 - uint64(limits.RefusalsMost)
	if evs := r.over(now+limits.RefusalsTime, false); len(evs) != 1 || evs[0].Messages != left || evs[0].Method != "studio search" || len(r.rows) != 0 {
		t.Errorf("%v, %d rows", evs, len(r.rows))
	}
	for range limits.RefusalsMost + 1 {
		one("studio search")
	}
	if evs := r.over(now, true); len(evs) != 1 || evs[0].Messages != 1 {
		t.Errorf("%v at the end", evs)
	}
}
