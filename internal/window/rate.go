package window

import (
	"time"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/storev1"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// writes reports whether a call makes a record of its own although nobody has
// granted anything: a page that repeats it would fill the disk.
func writes(m *rpc.Method) bool {
	switch m {
	case corev1.CoreServiceBeginTaskMethod(), corev1.CoreServiceStopTaskMethod(), grantv1.GrantServiceRequestMethod(), surfacev1.SurfaceServicePickMethod(), storev1.StoreServiceEraseMethod(),
		storev1.StoreServiceCutMethod():
		return true
	}
	return false
}

// bucket holds what may happen at once and fills up as time passes. It is the
// window's and not a document's, which a page has anew when it reloads.
type bucket struct {
	spent int
	since time.Duration // boot clock; up to when it has been filled
}

// take takes one out; false when there is none.
func (b *bucket) take(now time.Duration, most int, every time.Duration) bool {
	filled := int((now - b.since) / every)
	b.since += time.Duration(filled) * every
	b.spent = max(b.spent-filled, 0)
	if b.spent >= most {
		return false
	}
	b.spent++
	return true
}

// mayWrite counts a call that makes records.
func (w *Window) mayWrite() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written.take(w.m.cfg.Clock.Boot(), limits.WindowRecords, limits.WindowRecordEvery)
}

// mayCrash counts the end of a page's process. A host that says it again and
// again makes it up, or has a page that cannot be shown.
func (w *Window) mayCrash() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.crashes.take(w.m.cfg.Clock.Boot(), limits.WindowCrashes, limits.WindowCrashEvery)
}
