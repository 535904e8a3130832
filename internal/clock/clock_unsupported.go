//go:build !linux

package clock

import "time"

// System is the machine's own clock.
type System struct{}

// Wall implements Clock.
func (System) Wall() time.Time { return time.Now().Round(0) }

// Boot implements Clock. Grants need a clock that counts suspend, which this
// port lacks so far.
func (System) Boot() time.Duration { panic("BUG: no boot clock on this system") }
