package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// System is the machine's own clock.
type System struct{}

// Wall implements Clock. Without Go's second reading, of a clock that stands still
// when the wall clock is set or the machine sleeps, and by which times would be
// compared.
func (System) Wall() time.Time { return time.Now().Round(0) }

// Boot implements Clock by CLOCK_BOOTTIME.
func (System) Boot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("BUG: CLOCK_BOOTTIME: " + err.Error())
	}
	return time.Duration(ts.Nano())
}
