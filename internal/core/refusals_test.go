package core

import (
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
)

// Calls without a grant do not fill the log, and none is left out of its numbers.
func TestRefusalsAreFolded(t *testing.T) {
	var r refusals
	now, records, counted := time.Hour, 0, uint64(0)
	one := func(key string) bool {
		record, messages := r.add(key, now)
		if record {
			records++
			counted += max(messages, 1)
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
}
