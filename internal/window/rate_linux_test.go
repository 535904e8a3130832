package window

import (
	"context"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/storev1"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// A page that begins tasks without end is refused, also after a reload, and its
// refusals are one record.
func TestRecordsArePaced(t *testing.T) {
	b := newBench(t)
	m := corev1.CoreServiceBeginTaskMethod()
	made := 0
	b.routes[m.Number] = rpc.Route{Method: m, Unary: func(context.Context, []byte) ([]byte, error) { made++; return nil, nil }}
	b.routes[7] = rpc.Route{Method: method(7, none, false, app), Unary: func(context.Context, []byte) ([]byte, error) { return nil, nil }}
	_, f := b.show(apps.Studio)
	began := time.Now()
	refused := 0
	for i := range limits.WindowRecords + 200 {
		if i%500 == 0 {
			f.say(kindDocument, 0, nil)
		}
		switch r := f.call(m.Number, nil); code(r) {
		case errs.CoreBusy:
			refused++
		case "":
		default:
			t.Fatal(r)
		}
	}
	// The machine may be slow: what came back meanwhile is taken off.
	if back := int(time.Since(began)/limits.WindowRecordEvery) + 1; made > limits.WindowRecords+back || made < limits.WindowRecords || refused == 0 {
		t.Errorf("%d tasks, %d refused", made, refused)
	}
	folds := int(time.Since(began)/limits.WindowFold) + 1
	if n := b.log.with(denied("too often")); n == 0 || n > folds {
		t.Errorf("%d records of it", n)
	}
	// The control: what makes no record of its own is not counted.
	if r := f.call(7, nil); r.Error != nil {
		t.Error(r)
	}
}

// What a page may call without a grant and is recorded is paced, but not the end of
// a task, of which there is one for each beginning.
func TestWhatIsPaced(t *testing.T) {
	for _, m := range []*rpc.Method{
		corev1.CoreServiceBeginTaskMethod(), grantv1.GrantServiceRequestMethod(), surfacev1.SurfaceServicePickMethod(), storev1.StoreServiceEraseMethod(),
		storev1.StoreServiceCutMethod(), corev1.CoreServiceStopTaskMethod(),
	} {
		if !writes(m) {
			t.Errorf("%s is not", m.Name)
		}
	}
	for _, m := range []*rpc.Method{corev1.CoreServiceEndTaskMethod(), surfacev1.SurfaceServiceAckMethod(), storev1.StoreServiceListMethod()} {
		if writes(m) {
			t.Errorf("%s is", m.Name)
		}
	}
}

func TestBucket(t *testing.T) {
	var b bucket
	now := time.Hour
	n := 0
	for range 100 {
		if b.take(now, 10, time.Second) {
			n++
		}
	}
	if n != 10 {
		t.Errorf("%d at once", n)
	}
	now += 2500 * time.Millisecond
	for range 100 {
		if b.take(now, 10, time.Second) {
			n++
		}
	}
	if n != 12 {
		t.Errorf("%d after two and a half seconds", n)
	}
	if now += 500 * time.Millisecond; !b.take(now, 10, time.Second) {
		t.Error("half a second was lost")
	}
}

// A host that says without end that its page crashed is ended.
func TestCrashesWithoutEnd(t *testing.T) {
	b := newBench(t)
	w, f := b.show(apps.Studio)
	for range limits.WindowCrashes {
		f.say(kindCrashed, 0, []byte("memory"))
	}
	f.say(kindDocument, 0, nil)
	if r := f.call(7, nil); code(r) != errs.Denied {
		t.Errorf("the control: a page that crashed %d times is gone: %v", limits.WindowCrashes, r)
	}
	for range 3 { // one came back, if the machine is slow
		f.say(kindCrashed, 0, []byte("memory"))
	}
	if why, err := closed(t, w); why != Crashed || errs.CodeOf(err) != errs.Malformed {
		t.Fatal(why, err)
	}
	if n := b.log.with(func(e audit.Event) bool { return e.Kind == "worker-crash" }); n > limits.WindowCrashes+2 {
		t.Errorf("%d crashes on the record", n)
	}
}
