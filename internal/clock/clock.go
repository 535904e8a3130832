// Package clock is the time that the rest of Bailey sees, so that tests can
// move it. Grants expire on two clocks: the wall clock, which people set, and
// the boot clock, which counts suspend and cannot be set.
package clock

import "time"

// Clock tells both times.
type Clock interface {
	// Wall is the time of day.
	Wall() time.Time
	// Boot is the time since boot, suspend included.
	Boot() time.Duration
}
